/** A server that misbehaves in one way and repeats all that it was told, so that whoever shows its answers shows secrets. */
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import { createServer as createSecure, type ServerOptions } from "node:https";
import type { AddressInfo } from "node:net";

/** Ways to misbehave: a status with an echo, or what happens to the connection. */
export const BEHAVIOURS = ["400", "401", "403", "429", "500", "redirect", "garbage", "reset", "cut", "token"] as const;

/** One of them. */
export type Behaviour = (typeof BEHAVIOURS)[number];

/** A running server. */
export interface HostileServer {
  readonly url: string;
  /** All that it was told: request lines, headers and bodies. */
  heard(): string;
  close(): Promise<void>;
}

/** Starts one; with TLS options it speaks TLS. */
export async function startHostile(behaviour: Behaviour, tls?: ServerOptions): Promise<HostileServer> {
  let heard = "";
  const listener: RequestListener = (request, response) => {
    void told(request).then((text) => {
      heard += `${text}\n`;
      misbehave(behaviour, text, request, response);
    });
  };
  const server = tls === undefined ? createServer(listener) : createSecure(tls, listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `${tls === undefined ? "http" : "https"}://127.0.0.1:${port}`,
    heard: () => heard,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function told(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  const { method, url, rawHeaders } = request;
  return [method, url, ...rawHeaders, Buffer.concat(chunks).toString()].join(" ");
}

function misbehave(behaviour: Behaviour, text: string, request: IncomingMessage, response: ServerResponse): void {
  const echo = JSON.stringify({ error: text, error_description: text, message: text, errors: [text], status: text, text, code: 99 });
  // What may stand in a header of it.
  const line = encodeURIComponent(text).slice(0, 4000);
  const headers = { "content-type": "application/json", "x-echo": line, "www-authenticate": `Echo realm="${line}"` };
  switch (behaviour) {
    case "reset":
      request.socket.destroy();
      return;
    case "cut":
      response.writeHead(200, { ...headers, "content-length": echo.length });
      response.write(echo.slice(0, -10), () => request.socket.destroy());
      return;
    case "redirect":
      response.writeHead(302, { ...headers, location: `http://127.0.0.1:1/?${line}` }).end(echo);
      return;
    case "garbage":
      response.writeHead(200, { ...headers, "content-type": "text/html" }).end(text);
      return;
    case "token":
      // A token for whoever asks for one, and a refusal for what is done with it.
      if (request.url?.includes("token") === true)
        response.writeHead(200, headers).end(JSON.stringify({ access_token: "canaryqzx-issued", expires_in: 3600 }));
      else response.writeHead(403, headers).end(echo);
      return;
    default:
      response.writeHead(Number(behaviour), headers).end(echo);
  }
}
