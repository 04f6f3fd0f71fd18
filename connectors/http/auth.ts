/** Headers that carry the credential; the secret is read anew for each request. */
import { failureOfStatus, plainHeaders, failureOfError } from "../../src/archetypes/http-pages.ts";
import { Failure } from "../../src/core/errors.ts";
import { asObject, type Json } from "../../src/core/record.ts";
import type { Context } from "../../src/ports/context.ts";
import type { Config } from "./config.ts";

/** A token is replaced this long before it ends, so that none runs out under way. */
const TOKEN_MARGIN_MS = 60_000;
/** Bytes of a token endpoint's answer: the longest token that is taken, four times. */
const ANSWER_BYTES_MAX = 65_536;
/** How long a token is used whose answer does not say. */
const TOKEN_DEFAULT_S = 300;

/** Gives the headers of the next request. */
export interface Authorizer {
  /** @throws {Failure} as the token endpoint's answer says */
  headers(context: Context): Promise<Readonly<Record<string, string>>>;
  /** The server refused: the token, if there is a kept one, is thrown away. True when a new one may help. */
  refused(): boolean;
}

/** The authorizer of a configuration. Only an access token is kept, in memory, until it ends. */
export function authorizer(auth: Config["auth"]): Authorizer {
  if (auth.type === "oauth2") return oauth2(auth);
  return { headers: async () => staticHeaders(auth), refused: () => false };
}

function staticHeaders(auth: Exclude<Config["auth"], { type: "oauth2" }>): Readonly<Record<string, string>> {
  switch (auth.type) {
    case "none":
      return {};
    case "bearer":
      return { authorization: `Bearer ${auth.token.reveal()}` };
    case "basic":
      return { authorization: `Basic ${base64(`${auth.username}:${auth.password.reveal()}`)}` };
    case "header":
      return { [auth.name.toLowerCase()]: auth.value.reveal() };
  }
}

function base64(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}

type OAuth2 = Extract<Config["auth"], { type: "oauth2" }>;

interface Token {
  readonly value: string;
  readonly until: number;
  /** The secret that it was made with: a rotated one makes a new token. */
  readonly secret: string;
  used: boolean;
}

function oauth2(auth: OAuth2): Authorizer {
  let token: Token | undefined;
  return {
    async headers(context) {
      const secret = auth.clientSecret.reveal();
      if (token === undefined || token.secret !== secret || token.until <= context.clock.now())
        token = await askToken(auth, secret, context);
      else token.used = true;
      return { authorization: `Bearer ${token.value}` };
    },
    refused() {
      const old = token?.used === true;
      token = undefined;
      return old;
    },
  };
}

async function askToken(auth: OAuth2, secret: string, context: Context): Promise<Token> {
  const form = new URLSearchParams({ grant_type: "client_credentials" });
  if (auth.scope !== undefined) form.set("scope", auth.scope);
  if (auth.audience !== undefined) form.set("audience", auth.audience);
  if (auth.send === "body") {
    form.set("client_id", auth.clientId);
    form.set("client_secret", secret);
  }
  // RFC 6749 section 2.3.1: id and secret are form-encoded before they become a Basic credential.
  const basic = `Basic ${base64(`${encodeURIComponent(auth.clientId)}:${encodeURIComponent(secret)}`)}`;
  const now = context.clock.now();
  const response = await context.http
    .request<unknown>({
      url: auth.tokenUrl,
      method: "POST",
      headers: {
        "content-type": "application/x-www-form-urlencoded",
        accept: "application/json",
        ...(auth.send === "header" ? { authorization: basic } : {}),
      },
      data: form.toString(),
      maxRedirects: 0,
      responseType: "text",
      transformResponse: (data: unknown) => data,
      maxContentLength: ANSWER_BYTES_MAX,
      validateStatus: () => true,
      signal: context.signal,
    })
    .catch((error: unknown) => {
      throw failureOfError(error);
    });
  // RFC 6749 section 5.2: a wrong client is 400 or 401.
  const denied = response.status === 400 ? 401 : response.status;
  const failure = failureOfStatus(denied, plainHeaders(response.headers), now);
  if (failure !== undefined) throw failure;
  const answer = answerOf(response.data);
  const value = answer?.["access_token"];
  if (typeof value !== "string" || value === "" || value.length > 16_384)
    throw new Failure("the token endpoint gave no access token", { kind: "retryable", code: "HTTP_MALFORMED", scope: "connector" });
  const seconds = Number(answer?.["expires_in"] ?? TOKEN_DEFAULT_S);
  const lifeMs = (Number.isFinite(seconds) && seconds > 0 ? seconds : TOKEN_DEFAULT_S) * 1000;
  return { value, until: now + Math.max(lifeMs - TOKEN_MARGIN_MS, lifeMs / 2), secret, used: false };
}

/** The answer's text as an object; undefined when it is none, which is for the caller to refuse. */
function answerOf(text: unknown): Json | undefined {
  try {
    return typeof text === "string" ? asObject(JSON.parse(text)) : undefined;
  } catch {
    // The parser's message quotes the answer, and that may hold a token.
    return undefined;
  }
}
