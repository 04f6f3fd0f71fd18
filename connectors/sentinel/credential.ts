/**
 * Credentials of Microsoft's identity library over the context's HTTP client: every request of the library goes
 * through `exchangeWithin`, to the authority alone, and what came back is kept, since its own errors lose the status.
 */
import type { ClientSecretCredentialOptions, TokenCredential } from "@azure/identity";
import { exchangeWithin } from "../../src/archetypes/deadline.ts";
import { connectorFailure, type Answer } from "../../src/archetypes/http-exchange.ts";
import { Failure } from "../../src/core/errors.ts";
import type { Context } from "../../src/ports/context.ts";
import { CLOUDS, type Config } from "./config.ts";

/** Who answers, in messages. */
export const ENTRA = "Microsoft Entra ID";

/** The whole answer must be there by then: a server that sends a byte now and then would hold the queue. */
const ANSWER_MS = 30_000;

type HttpClient = NonNullable<ClientSecretCredentialOptions["httpClient"]>;
type Headers = Awaited<ReturnType<HttpClient["sendRequest"]>>["headers"];

/** What the last request of the library came to. */
type Seen = { readonly answer: Answer } | { readonly failure: Failure };

/** What asking for one token came to. `token` is the library's word, `seen` what its last request said, if it made one. */
export interface Asked {
  readonly token: { readonly token: string; readonly expiresOnTimestamp: number } | undefined;
  readonly seen: Seen | undefined;
}

/**
 * Asks once, with a new credential of the secrets as they are now: a rotated secret is used at once, and a refused token
 * is not given again from the library's cache. The library's errors repeat parts of the request: none of them goes on.
 * @throws {Failure} config SECRET_MISSING
 */
export async function askToken(options: Config, scope: string, context: Context): Promise<Asked> {
  const authorityHost = options.authority?.startsWith("https:") === true ? options.authority : CLOUDS[options.cloud].authority;
  // Retrying is the pipeline's; discovery of other authorities would ask a host that nobody configured.
  const common = { authorityHost, retryOptions: { maxRetries: 0 }, disableInstanceDiscovery: true };
  let seen: Seen | undefined;
  const send: Send = async (request) => {
    const sent = await sendOnce(request, options, authorityHost, context);
    seen = sent.seen;
    if ("failure" in seen) throw seen.failure;
    return { request, status: seen.answer.status, headers: headersOf(seen.answer), bodyAsText: seen.answer.text };
  };
  try {
    const ask = async (httpClient: HttpClient) =>
      (await (await credentialOf(options, { ...common, httpClient })).getToken(scope)) ?? undefined;
    const token = await (options.managedIdentity === true ? inTurn(send, ask) : ask({ sendRequest: send }));
    return { token, seen };
  } catch (error) {
    // A secret that cannot be read is ours; whatever the library says is said better by what was seen.
    if (error instanceof Failure && seen === undefined) throw error;
    return { token: undefined, seen };
  }
}

type Send = HttpClient["sendRequest"];

/** One request of the library; what it came to is never thrown, since the library would hide it. */
async function sendOnce(
  request: Parameters<Send>[0],
  options: Config,
  authorityHost: string,
  context: Context,
): Promise<{ readonly seen: Seen }> {
  const url = new URL(request.url);
  // Where an answer of the authority points to (its discovery document) must not receive the secret.
  if (options.managedIdentity === undefined && url.origin !== authorityHost)
    return { seen: { failure: connectorFailure("permanent", "HTTP_WRONG_HOST", `${ENTRA} points to another host for tokens`) } };
  // The library speaks HTTPS only; an authority on this machine is reached in the place of the cloud's.
  const local = options.authority?.startsWith("http:") === true ? options.authority : undefined;
  const exchange = {
    peer: ENTRA,
    method: request.method === "GET" ? "GET" : "POST",
    url: local === undefined ? request.url : `${local}${url.pathname}${url.search}`,
    headers: request.headers.toJSON(),
    ...(typeof request.body === "string" ? { body: request.body } : {}),
  } as const;
  try {
    return { seen: { answer: await exchangeWithin(exchange, context, ANSWER_MS) } };
  } catch (error) {
    if (error instanceof Failure) return { seen: { failure: error } };
    throw error;
  }
}

/**
 * The library keeps the first transport that asked for a machine's identity for the whole process. All therefore share
 * one, which passes on to whoever's turn it is; each turn ends with ANSWER_MS at the latest.
 */
const shared: { turn: Promise<unknown>; send: Send | undefined } = { turn: Promise.resolve(), send: undefined };
const sharedClient: HttpClient = {
  sendRequest: (request) => (shared.send === undefined ? Promise.reject(new Error("nobody asked")) : shared.send(request)),
};

function inTurn<T>(send: Send, ask: (client: HttpClient) => Promise<T>): Promise<T> {
  const mine = shared.turn.then(async () => {
    shared.send = send;
    try {
      return await ask(sharedClient);
    } finally {
      shared.send = undefined;
    }
  });
  // The next one's turn comes also after a failure, which belongs to this caller.
  shared.turn = mine.then(
    () => undefined,
    () => undefined,
  );
  return mine;
}

async function credentialOf(options: Config, common: ClientSecretCredentialOptions): Promise<TokenCredential> {
  // Loaded with the first token: it takes a fifth of a second, which no other command should wait for.
  const identity = await import("@azure/identity");
  const { tenantId = "", clientId = "", clientSecret, certificate, federatedToken } = options;
  if (clientSecret !== undefined) return new identity.ClientSecretCredential(tenantId, clientId, clientSecret.reveal(), common);
  if (certificate !== undefined)
    return new identity.ClientCertificateCredential(tenantId, clientId, { certificate: certificate.reveal() }, common);
  if (federatedToken !== undefined) {
    const assertion = federatedToken.reveal().trim();
    return new identity.ClientAssertionCredential(tenantId, clientId, () => Promise.resolve(assertion), common);
  }
  return new identity.ManagedIdentityCredential({ ...common, ...(clientId === "" ? {} : { clientId }) });
}

/** The headers that the library reads, as its own type has them. */
function headersOf(answer: Answer): Headers {
  const values = new Map<string, string>();
  for (const name of ["content-type", "retry-after"]) {
    const value = answer.header(name);
    if (value !== undefined) values.set(name, value);
  }
  return {
    get: (name) => values.get(name.toLowerCase()),
    has: (name) => values.has(name.toLowerCase()),
    set: (name, value) => void values.set(name.toLowerCase(), String(value)),
    delete: (name) => void values.delete(name.toLowerCase()),
    toJSON: () => Object.fromEntries(values),
    [Symbol.iterator]: () => values[Symbol.iterator](),
  };
}
