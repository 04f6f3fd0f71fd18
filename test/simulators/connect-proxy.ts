/** A CONNECT proxy on loopback that tunnels for real, and can refuse. */
import { createServer, type IncomingMessage } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";
import type { Duplex } from "node:stream";

/** A running proxy. */
export interface ConnectProxy {
  readonly url: string;
  readonly port: number;
  /** What was asked for, e.g. `localhost:443`. */
  readonly targets: string[];
  /** Requests that were sent to the proxy itself instead of through it: always a mistake. */
  readonly direct: string[];
  close(): Promise<void>;
}

/** What it demands and does. */
export interface ConnectProxyOptions {
  /** `user:password` that it demands; may change. */
  readonly credential?: () => string;
  /** Answers every CONNECT with this status line and headers instead. */
  readonly answer?: string;
  /** Where every tunnel leads, whatever was asked for. */
  readonly leadsTo?: number;
}

/** Starts a proxy. */
export async function startConnectProxy(options: ConnectProxyOptions = {}): Promise<ConnectProxy> {
  const targets: string[] = [];
  const direct: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => {
    direct.push(request.url ?? "");
    response.writeHead(400).end();
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
  });
  server.on("connect", (request: IncomingMessage, client: Duplex) => {
    targets.push(request.url ?? "");
    const expected = options.credential && `Basic ${Buffer.from(options.credential()).toString("base64")}`;
    if (expected !== undefined && request.headers["proxy-authorization"] !== expected) {
      client.end("HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n");
      return;
    }
    if (options.answer !== undefined) {
      client.end(options.answer);
      return;
    }
    const [, host = "", port = ""] = /^\[?(.*?)\]?:(\d+)$/.exec(request.url ?? "") ?? [];
    const upstream = connect(options.leadsTo ?? Number(port), options.leadsTo === undefined ? host : "127.0.0.1", () => {
      client.write("HTTP/1.1 200 Connection established\r\n\r\n");
      upstream.pipe(client).pipe(upstream);
    });
    sockets.add(upstream);
    upstream.on("error", () => client.end("HTTP/1.1 502 Bad Gateway\r\n\r\n"));
    client.on("error", () => upstream.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    targets,
    direct,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}
