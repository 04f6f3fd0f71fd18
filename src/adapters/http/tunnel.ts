/**
 * A connection through an HTTP proxy by CONNECT (RFC 9110 section 9.3.6). What the proxy refuses is an error of the connection: it
 * must not be taken for an answer of the server behind it.
 */
import { connect as connectTcp, isIP, type LookupFunction, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Proxy } from "../../ports/network.ts";
import { NetworkError } from "./addresses.ts";

/** A proxy's answer must be there by then: it waits for the server's side of the connection. */
const TUNNEL_MS = 20_000;
/** Bytes of a proxy's answer before the tunnel begins: status line and headers. */
const ANSWER_BYTES_MAX = 16_384;

/** Where a tunnel leads, and through what. */
export interface Tunnel {
  readonly proxy: Proxy;
  readonly host: string;
  readonly port: number;
  /** Resolves the proxy's own name. */
  readonly lookup: LookupFunction;
  /** Authorities that a proxy that is itself spoken to over TLS is checked with; undefined: the public ones. */
  readonly ca?: Buffer | undefined;
  /** Why an address is not to be connected to. */
  readonly refusal: (address: string, host: string) => string | undefined;
}

/** The address and credential of a proxy as they are now. @throws NetworkError when it is no address */
function proxyTarget(proxy: Proxy): { readonly url: URL; readonly authorization: string | undefined } {
  const text = typeof proxy.url === "string" ? proxy.url : proxy.url.reveal();
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== "http:" && url.protocol !== "https:"))
    throw new NetworkError("PROXY_FAILED", "the proxy's address is no http or https URL");
  const username = proxy.username ?? decodeURIComponent(url.username);
  const password = proxy.password?.reveal() ?? decodeURIComponent(url.password);
  if (username === "" && password === "") return { url, authorization: undefined };
  return { url, authorization: `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}` };
}

/** Opens a tunnel; the socket speaks to the server itself. `done` is called once. */
export function openTunnel(tunnel: Tunnel, done: (error: Error | null, socket?: Socket) => void): void {
  let socket: Socket;
  let over = false;
  const timer = setTimeout(() => end(new NetworkError("PROXY_FAILED", "the proxy did not answer in time")), TUNNEL_MS);
  const end = (error: Error | null): void => {
    if (over) return;
    over = true;
    clearTimeout(timer);
    socket?.removeAllListeners("data").removeAllListeners("error").removeAllListeners("close");
    if (error === null) return done(null, socket);
    // Its own error after this one says nothing new, but must be heard by somebody.
    socket?.on("error", () => undefined).destroy();
    done(error);
  };
  try {
    const { url, authorization } = proxyTarget(tunnel.proxy);
    socket = dial(tunnel, url);
    socket.once("error", (error: NodeJS.ErrnoException) => {
      const code = /^[A-Z0-9_]{1,60}$/.test(error.code ?? "") ? error.code : "no code";
      end(error instanceof NetworkError ? error : new NetworkError("PROXY_FAILED", `the proxy could not be reached (${code})`));
    });
    socket.once("close", () => end(new NetworkError("PROXY_FAILED", "the proxy closed the connection")));
    const authority = `${isIP(tunnel.host) === 6 ? `[${tunnel.host}]` : tunnel.host}:${tunnel.port}`;
    const credential = authorization === undefined ? "" : `Proxy-Authorization: ${authorization}\r\n`;
    socket.write(`CONNECT ${authority} HTTP/1.1\r\nHost: ${authority}\r\n${credential}\r\n`);
    readAnswer(socket, end);
  } catch (error) {
    end(error instanceof Error ? error : new Error("the proxy could not be used"));
  }
}

function dial({ lookup, ca, refusal }: Tunnel, url: URL): Socket {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const secure = url.protocol === "https:";
  const refused = isIP(host) === 0 ? undefined : refusal(host, host);
  if (refused !== undefined) throw new NetworkError("ADDRESS_REFUSED", `the proxy's address is ${refused}`);
  const where = { host, port: url.port === "" ? (secure ? 443 : 80) : Number(url.port), lookup };
  if (!secure) return connectTcp(where);
  return connectTls({
    ...where,
    rejectUnauthorized: true,
    minVersion: "TLSv1.2",
    ...(isIP(host) === 0 ? { servername: host } : {}),
    ...(ca === undefined ? {} : { ca }),
  });
}

function readAnswer(socket: Socket, end: (error: Error | null) => void): void {
  let head = Buffer.alloc(0);
  socket.on("data", (chunk: Buffer) => {
    head = Buffer.concat([head, chunk]);
    const stop = head.indexOf("\r\n\r\n");
    if (stop === -1) {
      if (head.length > ANSWER_BYTES_MAX) end(new NetworkError("PROXY_FAILED", "the proxy's answer is too long"));
      return;
    }
    const status = Number(/^HTTP\/1\.[01] (\d{3})\b/.exec(head.toString("latin1", 0, 64))?.[1]);
    if (status === 407) return end(new NetworkError("PROXY_DENIED", "the proxy refuses its credential (407)"));
    if (!(status >= 200 && status < 300)) {
      const code = status >= 400 && status < 500 ? "PROXY_REFUSED" : "PROXY_FAILED";
      return end(new NetworkError(code, `the proxy answered ${Number.isNaN(status) ? "something else than HTTP" : status}`));
    }
    socket.pause();
    const rest = head.subarray(stop + 4);
    if (rest.length > 0) socket.unshift(rest);
    end(null);
  });
}
