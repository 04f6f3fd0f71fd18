/**
 * Access tokens of Microsoft Entra ID by client credentials. The token is the only thing a destination keeps
 * between two sends: asking for one per batch would be throttled, and a token says itself when it ends.
 */
import { exchangeWithin } from "../../src/archetypes/deadline.ts";
import { answerObject, connectorFailure, retryAfterMs, type Answer } from "../../src/archetypes/http-exchange.ts";
import type { Failure } from "../../src/core/errors.ts";
import type { EpochMs } from "../../src/core/event.ts";
import type { Context, Secret } from "../../src/ports/context.ts";

/** The whole answer must be there by then: a server that sends a byte now and then would hold the queue. */
const ANSWER_MS = 30_000;

/** A token is renewed this long before it ends, so that none ends on the way. */
const RENEW_EARLY_MS = 300_000;
/** A token is never believed for longer: Entra's live 60 to 90 minutes, 24 hours at most. */
const LIFE_MAX_S = 86_400;
/** Tokens are a few KB; a longer one would not fit a request header. */
const TOKEN_CHARS_MAX = 16_384;

/** Where and as whom to ask. */
export interface Credentials {
  /** Origin of the authority, e.g. `https://login.microsoftonline.com`. */
  readonly authority: string;
  readonly tenantId: string;
  readonly clientId: string;
  readonly clientSecret: Secret;
  /** e.g. `https://monitor.azure.com/.default`. */
  readonly scope: string;
}

/** Gives a valid access token, from its cache or new. */
export interface Access {
  /** @throws {Failure} retryable, or permanent with scope connector */
  token(context: Context): Promise<string>;
  /** Forgets `token` after the service refused it; a newer one stays. */
  drop(token: string): void;
}

/** The token cache of one destination instance. */
export function entraAccess(credentials: Credentials): Access {
  let cached: { readonly token: string; readonly renewTime: EpochMs } | undefined;
  return {
    token: async (context) => {
      if (cached !== undefined && context.clock.now() < cached.renewTime) return cached.token;
      cached = await requestToken(credentials, context);
      return cached.token;
    },
    drop: (token) => {
      if (cached?.token === token) cached = undefined;
    },
  };
}

async function requestToken(credentials: Credentials, context: Context): Promise<{ readonly token: string; readonly renewTime: EpochMs }> {
  const asked = context.clock.now();
  const answer = await exchangeWithin(
    {
      peer: PEER,
      url: `${credentials.authority}/${encodeURIComponent(credentials.tenantId)}/oauth2/v2.0/token`,
      headers: { "Content-Type": "application/x-www-form-urlencoded", Accept: "application/json" },
      body: new URLSearchParams({
        client_id: credentials.clientId,
        client_secret: credentials.clientSecret.reveal(),
        scope: credentials.scope,
        grant_type: "client_credentials",
      }).toString(),
    },
    context,
    ANSWER_MS,
  );
  if (answer.status !== 200) throw tokenFailure(answer, asked);
  const body = answerObject(answer);
  const token = body?.["access_token"];
  const life = Number(body?.["expires_in"]);
  // Only what may stand in a header: a broken answer must not smuggle a second header line.
  if (typeof token !== "string" || token.length > TOKEN_CHARS_MAX || !/^[\w.~+/=-]+$/.test(token) || !(life > 0))
    throw connectorFailure("retryable", "HTTP_MALFORMED", `${PEER} answered 200 without a usable token`);
  const lifeMs = Math.min(life, LIFE_MAX_S) * 1000;
  // A token that lives shorter than twice the margin is used for half of its life instead of never.
  return { token, renewTime: asked + Math.max(lifeMs - RENEW_EARLY_MS, lifeMs / 2) };
}

const PEER = "Microsoft Entra ID";

/** Errors of the token endpoint that pass by themselves (RFC 6749 section 5.2 and Entra's additions). */
const PASSING = new Set(["temporarily_unavailable", "server_error", "timeout"]);

/** Public AADSTS numbers with what to do about them. */
const ADVICE: Readonly<Record<string, string>> = {
  AADSTS7000215: "the client secret is wrong; configure the secret's value, not its id",
  AADSTS7000222: "the client secret has expired; create a new one",
  AADSTS700016: "the application is not known in this tenant; check clientId and tenantId",
  AADSTS90002: "the tenant does not exist; check tenantId and cloud",
};

function tokenFailure(answer: Answer, now: EpochMs): Failure {
  const wait = retryAfterMs(answer, now);
  const { status } = answer;
  if (status === 429) return connectorFailure("retryable", "HTTP_THROTTLED", `${PEER} asked to slow down`, wait);
  const body = answerObject(answer);
  const error = typeof body?.["error"] === "string" ? body["error"] : "";
  if (status >= 500 || status === 408 || PASSING.has(error))
    return connectorFailure("retryable", "HTTP_UNAVAILABLE", `${PEER} failed with status ${status}`, wait);
  if (status < 400)
    return connectorFailure(
      status < 300 ? "retryable" : "permanent",
      status < 300 ? "HTTP_MALFORMED" : "DESTINATION_CONFIG",
      `${PEER} answered with unexpected status ${status}; check cloud and tenantId`,
    );
  const description = typeof body?.["error_description"] === "string" ? body["error_description"] : "";
  const number = /\bAADSTS\d{4,8}\b/.exec(description)?.[0];
  const advice = (number === undefined ? undefined : ADVICE[number]) ?? "check tenantId, clientId and clientSecret";
  // The description repeats parts of the request, so only its number is shown.
  const name = /^[a-z_]{1,40}$/.test(error) ? error : "no error code";
  return connectorFailure(
    "permanent",
    "HTTP_DENIED",
    `${PEER} gave no token (status ${status}, ${name}${number === undefined ? "" : `, ${number}`}): ${advice}`,
  );
}
