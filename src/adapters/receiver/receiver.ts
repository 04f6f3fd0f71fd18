import { timingSafeEqual, createHash } from "node:crypto";
import { gunzipSync, inflateSync } from "node:zlib";
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { Failure } from "../../core/errors.ts";
import { seldom } from "../../core/seldom.ts";
import type { PushRequest, Pushed } from "../../ports/connector.ts";
import type { Log, Secret } from "../../ports/context.ts";

/** A request must have arrived whole within this time: a slow sender must not hold a connection for ever. */
const REQUEST_TIMEOUT_MS = 30_000;
/** Open connections; beyond, new ones are refused. */
const CONNECTIONS_MAX = 1000;

const LOCAL_NAMES: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "[::1]"]);

/** While the store is away every push fails; one line a minute per path says it. */
const REPEAT_MS = 60_000;

/** One path that takes pushes. */
export interface PushRoute {
  readonly path: string;
  readonly token: Secret | undefined;
  /** Resolves once the records are durable. @throws {Failure} */
  readonly push: (request: PushRequest) => Promise<Pushed["reply"]>;
}

/** Something that answers without a connector: health, metrics, the service's state. */
export interface InfoRoute {
  readonly method: "GET" | "POST";
  readonly path: string;
  /** Undefined: answers anybody who can reach it. */
  readonly token: Secret | undefined;
  /** Without a token: only programs on this machine may ask, and no page that a browser there shows. */
  readonly local?: boolean;
  /** `query` holds the parameters of the URL. */
  readonly answer: (query: URLSearchParams) => Promise<{ readonly status: number; readonly contentType: string; readonly body: string }>;
}

/** What the receiver serves. */
export interface ReceiverOptions {
  readonly listen: string;
  readonly bodyBytesMax: number;
  readonly pushes: readonly PushRoute[];
  readonly infos: readonly InfoRoute[];
  readonly log: Log;
}

/** A listening receiver. */
export interface HttpReceiver {
  readonly url: string;
  /** Stops taking connections and waits for the requests under way. */
  close(): Promise<void>;
}

/** Starts the HTTP server for pushes, health and metrics. @throws {Failure} config when it cannot listen */
export async function startReceiver(options: ReceiverOptions): Promise<HttpReceiver> {
  const server = fastify({
    logger: false,
    bodyLimit: options.bodyBytesMax,
    requestTimeout: REQUEST_TIMEOUT_MS,
    forceCloseConnections: "idle",
  });
  server.server.maxConnections = CONNECTIONS_MAX;
  server.removeAllContentTypeParsers();
  server.addContentTypeParser("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
  server.setErrorHandler((error: Error & { statusCode?: number; code?: string }, _request, reply) => {
    const status = error.statusCode !== undefined && error.statusCode < 500 ? error.statusCode : 500;
    if (status === 500) options.log.error({ error: error.message }, "the receiver failed on a request");
    return reply.code(status).send({ error: status === 500 ? "internal error" : error.message });
  });
  const drained = answering(server);
  for (const info of options.infos) addInfo(server, info);
  for (const route of options.pushes) addPush(server, route, options);
  const colon = options.listen.lastIndexOf(":");
  const host = options.listen.slice(0, colon).replace(/^\[|\]$/g, "");
  try {
    const url = await server.listen({ host, port: Number(options.listen.slice(colon + 1)) });
    return { url, close: () => close(server, drained) };
  } catch (error) {
    await server.close();
    const reason = error instanceof Error && "code" in error ? String(error.code) : String(error);
    throw new Failure(`cannot listen on ${options.listen} (${reason})`, { kind: "config", code: "CONFIG_INVALID", cause: error });
  }
}

/** Ends with the answers under way. Who has not even sent a whole request by then is cut off: Node would wait for ever. */
async function close(server: FastifyInstance, drained: () => Promise<void>): Promise<void> {
  const closed = server.close();
  await drained();
  server.server.closeAllConnections();
  await closed;
}

/** Follows the requests that arrived whole; the result resolves once none of them is without its answer. */
function answering(server: FastifyInstance): () => Promise<void> {
  const open = new Set<Promise<void>>();
  server.addHook("preHandler", async (_request, reply) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    open.add(promise);
    reply.raw.once("close", () => {
      open.delete(promise);
      resolve();
    });
  });
  return async () => {
    while (open.size > 0) await Promise.all(open);
  };
}

/** Before the body is read: who has no token shall not fill our memory. */
function guard(token: Secret | undefined): {
  onRequest: (request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply | undefined>;
} {
  return {
    onRequest: async (request, reply) => (authorized(token, request.headers.authorization) ? undefined : unauthorized(reply)),
  };
}

function addInfo(server: FastifyInstance, info: InfoRoute): void {
  server.route({
    method: info.method,
    url: info.path,
    ...guard(info.token),
    handler: async (request, reply) => {
      if (info.local === true && info.token === undefined && !isLocal(request)) return unauthorized(reply);
      const answer = await info.answer(new URL(request.url, "http://receiver").searchParams);
      return reply.code(answer.status).type(answer.contentType).send(answer.body);
    },
  });
}

/** A page of a browser brings its origin, or, after its name was bound to this address, its own host name. */
function isLocal(request: FastifyRequest): boolean {
  const host = (request.headers.host ?? "").replace(/:\d+$/, "").toLowerCase();
  return request.headers.origin === undefined && LOCAL_NAMES.has(host);
}

function unauthorized(reply: FastifyReply): FastifyReply {
  return reply.code(401).header("www-authenticate", "Bearer").send({ error: "a valid bearer token is required" });
}

function addPush(server: FastifyInstance, route: PushRoute, options: ReceiverOptions): void {
  const due = seldom(REPEAT_MS);
  server.post(route.path, guard(route.token), async (request: FastifyRequest, reply: FastifyReply) => {
    const body = decompress(request.body, request.headers["content-encoding"], options.bodyBytesMax);
    if (body === undefined)
      return reply.code(415).send({ error: "the body's content-encoding is not supported or its content does not fit it" });
    if (body === "too large") return reply.code(413).send({ error: `the body is larger than ${options.bodyBytesMax} bytes` });
    try {
      const answer = await route.push({
        path: route.path,
        contentType: (request.headers["content-type"] ?? "").split(";")[0]?.trim().toLowerCase() ?? "",
        headers: flatHeaders(request),
        body,
      });
      return await reply.code(answer.status).type(answer.contentType).send(answer.body);
    } catch (error) {
      return refuse(error, reply, (reason) => {
        if (due(performance.now())) options.log.error({ path: route.path, error: reason }, "a push could not be stored");
      });
    }
  });
}

function refuse(error: unknown, reply: FastifyReply, report: (reason: string) => void): FastifyReply {
  const failure = error instanceof Failure ? error : undefined;
  if (failure?.code === "HTTP_DENIED") return reply.code(401).send({ error: failure.message });
  if (failure?.kind === "poison") return reply.code(400).send({ error: failure.message, code: failure.code });
  const wait = String(Math.max(1, Math.ceil((failure?.retryAfterMs ?? 1000) / 1000)));
  if (failure?.code === "HTTP_THROTTLED") return reply.code(429).header("retry-after", wait).send({ error: failure.message });
  report(String(error));
  return reply.code(503).header("retry-after", wait).send({ error: "the records could not be stored; send them again" });
}

/** Compares digests, so that neither the token's length nor its prefix shows in the time taken. */
function authorized(token: Secret | undefined, header: string | undefined): boolean {
  if (token === undefined) return true;
  const given = header !== undefined && /^bearer /i.test(header) ? header.slice(7).trim() : "";
  return timingSafeEqual(digest(given), digest(token.reveal()));
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

/** The plain body; undefined for an unknown or broken encoding. The limit also bounds what a bomb may unfold to. */
function decompress(body: unknown, given: string | undefined, bytesMax: number): Uint8Array | "too large" | undefined {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.alloc(0);
  // RFC 9110 section 8.4.1: names of codings have no case, and x-gzip is gzip.
  const encoding = given?.trim().toLowerCase() ?? "identity";
  if (encoding === "identity") return bytes;
  try {
    if (encoding === "gzip" || encoding === "x-gzip") return gunzipSync(bytes, { maxOutputLength: bytesMax });
    if (encoding === "deflate") return inflateSync(bytes, { maxOutputLength: bytesMax });
    return undefined;
  } catch (error) {
    return error instanceof RangeError ? "too large" : undefined;
  }
}

function flatHeaders(request: FastifyRequest): Record<string, string | undefined> {
  const flat: Record<string, string | undefined> = Object.create(null);
  for (const [name, value] of Object.entries(request.headers)) {
    // The sender's credential is for this server alone.
    if (name !== "authorization") flat[name] = Array.isArray(value) ? value.join(", ") : value;
  }
  return flat;
}
