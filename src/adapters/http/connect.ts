/** TCP and TLS for connectors whose protocol is not HTTP. */
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions } from "node:tls";
import { Failure, type FailureCode, type FailureKind } from "../../core/errors.ts";
import type { Connection, Endpoint } from "../../ports/context.ts";
import type { Network } from "../../ports/network.ts";
import { hostRefusal, NetworkError } from "./addresses.ts";
import { checkedLookup } from "./agents.ts";

/** Errors of Node by which a certificate was refused: ours by them, or theirs by us. */
const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_(?:GET|VERIFY)|ALTNAME|TLS_INVALID_CONTEXT|PEM|TLSV1[3_]*_ALERT|UNKNOWN_CA/;
/** Errors by which a server says that it does not speak TLS, or not ours. */
const PROTOCOL = /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|UNSUPPORTED_PROTOCOL|NO_SHARED|HANDSHAKE_FAILURE/;

/** Connects for one instance, under its address policy; see `Context.connect`. Its proxy and certificates are HTTP's alone. */
export function connectBy(network: Network | undefined): (endpoint: Endpoint) => Promise<Connection> {
  return (endpoint) => connect(endpoint, network);
}

async function connect(endpoint: Endpoint, network: Network | undefined): Promise<Connection> {
  const peer = `${endpoint.host}:${endpoint.port}`;
  if (endpoint.signal.aborted) throw failure("retryable", "HTTP_UNREACHABLE", `no connection to ${peer}: shutting down`);
  const refused = network === undefined ? undefined : hostRefusal(endpoint.host, network);
  if (refused !== undefined) throw failure("permanent", "HTTP_ADDRESS", `${peer} leads to ${refused}`);
  const socket = open(endpoint, peer, network);
  const link = watched(socket, peer);
  const abort = (): void => void socket.destroy(failure("retryable", "HTTP_UNREACHABLE", `the connection to ${peer} was given up`));
  endpoint.signal.addEventListener("abort", abort, { once: true });
  socket.once("close", () => endpoint.signal.removeEventListener("abort", abort));
  const ready = new Promise<void>((resolve) => socket.once(endpoint.tls === undefined ? "connect" : "secureConnect", resolve));
  await within(link, ready, endpoint.timeoutMs, `${peer} did not answer within ${endpoint.timeoutMs} ms`);
  return {
    write: (bytes) => {
      const taken = new Promise<void>((resolve) => void socket.write(bytes, (error) => (error ? undefined : resolve())));
      return within(link, taken, endpoint.timeoutMs, `${peer} took nothing for ${endpoint.timeoutMs} ms`);
    },
    end: (waitMs) => end(link, waitMs),
    destroy: () => void socket.destroy(),
  };
}

/** A socket, and what ended it. */
interface Link {
  readonly socket: Socket;
  /** Rejects with a Failure when the connection breaks or the other side ends it. */
  readonly broken: Promise<never>;
  /** The other side has ended its side in order. */
  readonly ended: Promise<void>;
  /** Milliseconds that the TCP connection took: about one round trip. */
  readonly roundTripMs: () => number;
}

/** Beyond this nobody waits for what may still be on its way. */
const SETTLE_MS_MAX = 1_000;
/** On top of two round trips, for the other side's own work. */
const SETTLE_MS_MORE = 5;
/** Turns of the event loop in which what has arrived is read, should this process be the slow one. */
const SETTLE_TURNS = 3;

function open({ host, port, tls }: Endpoint, peer: string, network: Network | undefined): Socket {
  // Half-open: we end our side first and then wait for theirs, so that what they refuse late is not missed.
  const where = { host, port, allowHalfOpen: true, ...(network === undefined ? {} : { lookup: checkedLookup(network) }) };
  if (tls === undefined) return connectTcp(where);
  const name = tls.serverName ?? host;
  const options: ConnectionOptions & { readonly allowHalfOpen: boolean } = {
    ...where,
    minVersion: "TLSv1.2",
    rejectUnauthorized: true,
    // RFC 6066: a server name is never an address.
    ...(isIP(name) === 0 ? { servername: name } : { servername: "" }),
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.certificate === undefined ? {} : { cert: tls.certificate }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
  };
  try {
    return connectTls(options);
  } catch (error) {
    // What Node says here may quote the PEM; its code does not.
    throw failure("permanent", "HTTP_DENIED", `the certificates for ${peer} cannot be used (${codeOf(error)})`);
  }
}

function watched(socket: Socket, peer: string): Link {
  const began = performance.now();
  let roundTripMs = SETTLE_MS_MAX;
  socket.once("connect", () => (roundTripMs = performance.now() - began));
  socket.setNoDelay(true);
  // Nothing is expected; it is read so that the other side's end is noticed.
  socket.resume();
  const ended = new Promise<void>((resolve) => void socket.once("end", resolve));
  const broken = new Promise<never>((_, reject) => {
    socket.once("error", (error) => reject(error instanceof Failure ? error : failureOf(error, peer)));
    socket.once("close", () => reject(failure("retryable", "HTTP_UNREACHABLE", `the connection to ${peer} is closed`)));
    socket.once("end", () => {
      if (!socket.writableEnded) reject(failure("retryable", "HTTP_UNREACHABLE", `${peer} ended the connection`));
    });
  });
  // Told to whoever waits next; until then nobody does.
  broken.catch(() => undefined);
  return { socket, broken, ended, roundTripMs: () => roundTripMs };
}

async function end(link: Link, waitMs: number): Promise<"closed" | "open"> {
  const { socket, broken, ended } = link;
  const late = timer(waitMs);
  try {
    await Promise.race([broken, settled(link)]);
    socket.end();
    return await Promise.race([broken, ended.then(() => "closed" as const), late.over.then(() => "open" as const)]);
  } finally {
    late.clear();
    socket.destroy();
  }
}

/**
 * Waits until what the other side answered to our last bytes must have come. A load balancer with nobody behind it takes a
 * connection and ends it at once; seen after our own end, that would look as if it had read everything.
 */
async function settled({ roundTripMs }: Link): Promise<void> {
  await timer(Math.min(SETTLE_MS_MAX, 2 * roundTripMs() + SETTLE_MS_MORE)).over;
  for (let turn = 0; turn < SETTLE_TURNS; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}

async function within(link: Link, work: Promise<void>, timeoutMs: number, message: string): Promise<void> {
  const late = timer(timeoutMs);
  try {
    const over = late.over.then(() => {
      throw failure("retryable", "HTTP_TIMEOUT", message);
    });
    await Promise.race([link.broken, work, over]);
  } catch (error) {
    link.socket.destroy();
    throw error;
  } finally {
    late.clear();
  }
}

function timer(ms: number): { readonly over: Promise<void>; readonly clear: () => void } {
  let clear = (): void => undefined;
  const over = new Promise<void>((resolve) => {
    const handle = setTimeout(resolve, ms);
    clear = () => clearTimeout(handle);
  });
  return { over, clear };
}

function failureOf(error: unknown, peer: string): Failure {
  if (error instanceof NetworkError) return failure("permanent", "HTTP_ADDRESS", `${peer} may not be connected to: ${error.message}`);
  const code = codeOf(error);
  if (PROTOCOL.test(code)) return failure("permanent", "DESTINATION_CONFIG", `${peer} does not speak our TLS (${code})`);
  if (CERTIFICATE.test(code)) return failure("permanent", "HTTP_DENIED", `the certificate was refused between us and ${peer} (${code})`);
  return failure("retryable", "HTTP_UNREACHABLE", `the connection to ${peer} failed (${code})`);
}

function codeOf(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return typeof code === "string" && /^[A-Z0-9_]{1,60}$/.test(code) ? code : "no code";
}

function failure(kind: FailureKind, code: FailureCode, message: string): Failure {
  return new Failure(message, { kind, code, scope: "connector" });
}
