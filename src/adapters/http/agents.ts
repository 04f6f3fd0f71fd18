/** Guards: every connection of a connector is checked where it is made: address, certificate, proxy. */
import { lookup as systemLookup } from "node:dns";
import { readFileSync } from "node:fs";
import { Agent as HttpAgent } from "node:http";
import { Agent as HttpsAgent } from "node:https";
import { isIP, type LookupFunction, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls, type ConnectionOptions } from "node:tls";
import type { Network } from "../../ports/network.ts";
import { addressRefusal, hostRefusal, isConfigured, NetworkError } from "./addresses.ts";
import { openTunnel } from "./tunnel.ts";

/** Connections of one instance to one server: twice the requests that a destination may have under way, for checks besides. */
const SOCKETS_MAX = 64;
/** Of them kept open for the next request. */
const FREE_SOCKETS_MAX = 8;
/** A connection without a request is closed after this: load balancers drop them after 60 seconds and more, and do not say so. */
const IDLE_MS = 15_000;

/** Resolves a name to all its addresses, as `dns.lookup` with `all`. */
export type Resolve = (
  host: string,
  done: (error: Error | null, addresses: readonly { readonly address: string; readonly family: number }[]) => void,
) => void;

const systemResolve: Resolve = (host, done) => systemLookup(host, { all: true }, done);

/** The agents of one instance. */
export interface Agents {
  readonly http: HttpAgent;
  readonly https: HttpsAgent;
}

type Done = (error: Error | null, stream: Duplex) => void;
interface Target extends ConnectionOptions {
  readonly host?: string;
  readonly port?: number;
}
/** Who makes the connection itself once it may be made. */
type Make = (options: Target, done: Done) => Duplex | null | undefined;

/** Makes the agents of an instance; `resolve` is the system's unless a test brings its own. */
export function agentsFor(network: Network, resolve: Resolve = systemResolve): Agents {
  const options = { keepAlive: true, maxSockets: SOCKETS_MAX, maxFreeSockets: FREE_SOCKETS_MAX, timeout: IDLE_MS } as const;
  const lookup = checkedLookup(network, resolve);
  // A resumed session keeps the certificates that it began with, renewed ones would not be used.
  const secure = network.tls === undefined ? options : { ...options, maxCachedSessions: 0 };
  class CheckedHttp extends HttpAgent {
    override createConnection(target: Target, done: Done): Duplex | null | undefined {
      return guarded(network, lookup, target, done, (now, end) => super.createConnection(now as never, end));
    }
  }
  class CheckedHttps extends HttpsAgent {
    override createConnection(target: Target, done: Done): Duplex | null | undefined {
      return guarded(network, lookup, target, done, (now, end) =>
        super.createConnection({ ...now, ...tlsNow(network, now) } as never, end),
      );
    }
  }
  return { http: new CheckedHttp(options), https: new CheckedHttps(secure) };
}

function guarded(network: Network, lookup: LookupFunction, target: Target, done: Done, make: Make): Duplex | null | undefined {
  const fail = (error: unknown): undefined => {
    done(error instanceof Error ? error : new Error(String(error)), undefined as never);
    return undefined;
  };
  const host = (target.host ?? "localhost").replace(/^\[|\]$/g, "");
  const refused = hostRefusal(host, network);
  if (refused !== undefined) return fail(refusedError(host, refused));
  try {
    if (network.proxy === undefined) return make({ ...target, lookup } as Target, done);
    const refusal = (address: string, name: string) => addressRefusal(address, name, network);
    openTunnel({ proxy: network.proxy, host, port: target.port ?? 80, ca: caOf(network), refusal, lookup }, (error, socket) => {
      if (socket === undefined) fail(error);
      else overTunnel(network, target, socket, done);
    });
    return undefined;
  } catch (error) {
    return fail(error);
  }
}

/** Plain HTTP goes through the tunnel as it is, TLS is spoken with the server itself. */
function overTunnel(network: Network, target: Target, socket: Socket, done: Done): void {
  if ((target as { protocol?: string }).protocol !== "https:") {
    done(null, socket);
    // Only once the request listens to it: what came with the proxy's answer would be lost.
    setImmediate(() => socket.resume());
    return;
  }
  try {
    // `path` is the request's here, and would be taken for a local socket.
    const { path: _, ...rest } = target as Target & { path?: string };
    done(null, connectTls({ ...rest, ...tlsNow(network, target), socket }));
  } catch (error) {
    socket.destroy();
    done(error instanceof Error ? error : new Error(String(error)), undefined as never);
  }
}

/** Certificates as they lie in their files now, so that renewed ones are used by the next connection. @throws NetworkError TLS_FILE */
function tlsNow(network: Network, target: Target): ConnectionOptions {
  const { cert, key, serverName } = network.tls ?? {};
  const ca = caOf(network);
  const own = isConfigured(target.host ?? "", network.hosts());
  return {
    // Said outright, so that no variable of the environment switches it off.
    rejectUnauthorized: true,
    minVersion: "TLSv1.2",
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert: pem(cert) }),
    ...(key === undefined ? {} : { key: key.reveal() }),
    ...(serverName === undefined || !own ? {} : { servername: serverName }),
  };
}

function caOf({ tls }: Network): Buffer | undefined {
  return tls?.ca === undefined ? undefined : pem(tls.ca);
}

function pem(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    throw new NetworkError("TLS_FILE", `the file ${path} cannot be read`);
  }
}

/** A lookup that only gives addresses that may be connected to: what is checked is what is connected to. */
export function checkedLookup(network: Network, resolve: Resolve = systemResolve): LookupFunction {
  return (host, options, done) => {
    resolve(host, (error, addresses) => {
      if (error !== null) return done(error, []);
      const reasons = new Set<string>();
      const good = addresses.filter(({ address }) => {
        const refused = isIP(address) === 0 ? "no address" : addressRefusal(address, host, network);
        if (refused !== undefined) reasons.add(refused);
        return refused === undefined;
      });
      const [first] = good;
      if (first === undefined) return done(refusedError(host, [...reasons].join("; ") || "no address at all"), []);
      if (options.all === true) done(null, [...good]);
      else done(null, first.address, first.family);
    });
  };
}

function refusedError(host: string, reason: string): NetworkError {
  return new NetworkError("ADDRESS_REFUSED", `${host} leads to ${reason}`);
}
