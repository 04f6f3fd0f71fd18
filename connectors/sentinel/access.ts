/**
 * Access tokens of one scope. The token is the only thing a destination keeps between two sends: asking for one per
 * batch would be throttled, and a token says itself when it ends.
 */
import { answerObject, connectorFailure, retryAfterMs, type Answer } from "../../src/archetypes/http-exchange.ts";
import type { Failure } from "../../src/core/errors.ts";
import type { EpochMs } from "../../src/core/event.ts";
import type { Context } from "../../src/ports/context.ts";
import type { Config } from "./config.ts";
import { askToken, ENTRA } from "./credential.ts";

/** A token is renewed this long before it ends, so that none ends on the way. */
const RENEW_EARLY_MS = 300_000;
/** A token is never believed for longer: Entra's live 60 to 90 minutes, 24 hours at most. */
const LIFE_MAX_S = 86_400;
/** Tokens are a few KB; a longer one would not fit a request header. */
const TOKEN_CHARS_MAX = 16_384;

/** Gives a valid access token, from its cache or new. */
export interface Access {
  /** @throws {Failure} retryable, or permanent with scope connector */
  token(context: Context): Promise<string>;
  /** Forgets `token` after the service refused it; a newer one stays. */
  drop(token: string): void;
}

interface Cached {
  readonly token: string;
  readonly renewTime: EpochMs;
}

/** The token cache of one destination instance and scope, e.g. `https://monitor.azure.com/.default`. */
export function azureAccess(options: Config, scope: string): Access {
  let cached: Cached | undefined;
  // Batches that are sent at the same time share one request.
  let pending: Promise<Cached> | undefined;
  return {
    token: async (context) => {
      if (cached !== undefined && context.clock.now() < cached.renewTime) return cached.token;
      pending ??= requestToken(options, scope, context).finally(() => (pending = undefined));
      cached = await pending;
      return cached.token;
    },
    drop: (token) => {
      if (cached?.token === token) cached = undefined;
    },
  };
}

async function requestToken(options: Config, scope: string, context: Context): Promise<Cached> {
  const asked = context.clock.now();
  const { token: given, seen } = await askToken(options, scope, context);
  if (seen !== undefined && "failure" in seen) throw seen.failure;
  if (seen !== undefined && seen.answer.status !== 200) throw tokenFailure(options, seen.answer, context.clock.now());
  if (seen === undefined && given === undefined)
    throw connectorFailure("permanent", "DESTINATION_CONFIG", `no token can be asked for: ${ADVICE_BY_WAY[wayOf(options)]}`);
  // Without an exchange the token comes from the process-wide cache that the library has for identities of machines.
  const life = seen === undefined ? ((given?.expiresOnTimestamp ?? 0) - asked) / 1000 : Number(answerObject(seen.answer)?.["expires_in"]);
  const token = given?.token ?? "";
  // Only what may stand in a header: a broken answer must not smuggle a second header line.
  if (token.length > TOKEN_CHARS_MAX || !/^[\w.~+/=-]+$/.test(token) || !(life > 0))
    throw connectorFailure("retryable", "HTTP_MALFORMED", `${ENTRA} answered 200 without a usable token`);
  const lifeMs = Math.min(life, LIFE_MAX_S) * 1000;
  // A token that lives shorter than twice the margin is used for half of its life instead of never.
  return { token, renewTime: asked + Math.max(lifeMs - RENEW_EARLY_MS, lifeMs / 2) };
}

type Way = "secret" | "certificate" | "workload" | "managed";

function wayOf(options: Config): Way {
  if (options.certificate !== undefined) return "certificate";
  if (options.federatedToken !== undefined) return "workload";
  return options.managedIdentity === true ? "managed" : "secret";
}

const ADVICE_BY_WAY: Readonly<Record<Way, string>> = {
  secret: "check tenantId, clientId and clientSecret",
  certificate: "certificate must hold the certificate and its unencrypted private key as PEM; check tenantId and clientId",
  workload: "federatedToken must be the file that the platform keeps fresh; check tenantId, clientId and the federated credential",
  managed: "check that this machine has a managed identity, and clientId if it has several",
};

/** Errors of the token endpoint that pass by themselves (RFC 6749 section 5.2 and Entra's additions). */
const PASSING = new Set(["temporarily_unavailable", "server_error", "timeout"]);

/** Public AADSTS numbers with what to do about them. */
const ADVICE: Readonly<Record<string, string>> = {
  AADSTS7000215: "the client secret is wrong; configure the secret's value, not its id",
  AADSTS7000222: "the client secret has expired; create a new one",
  AADSTS700016: "the application is not known in this tenant; check clientId and tenantId",
  AADSTS700024: "the assertion is not valid now; check this machine's clock and that federatedToken is kept fresh",
  AADSTS700027: "the certificate is not registered with the application, or has expired",
  AADSTS70021: "no federated credential of the application matches; compare issuer, subject and audience",
  AADSTS700211: "no federated credential of the application has this issuer",
  AADSTS700213: "no federated credential of the application has this subject",
  AADSTS90002: "the tenant does not exist; check tenantId and cloud",
};

/** The metadata service says 404 and 410 while an identity is on its way ("How to use managed identities … error handling"). */
const IDENTITY_ON_ITS_WAY = new Set([404, 410]);

function tokenFailure(options: Config, answer: Answer, now: EpochMs): Failure {
  const wait = retryAfterMs(answer, now);
  const { status } = answer;
  if (status === 429) return connectorFailure("retryable", "HTTP_THROTTLED", `${ENTRA} asked to slow down`, wait);
  const body = answerObject(answer);
  const error = typeof body?.["error"] === "string" ? body["error"] : "";
  const onItsWay = options.managedIdentity === true && IDENTITY_ON_ITS_WAY.has(status);
  if (status >= 500 || status === 408 || onItsWay || PASSING.has(error))
    return connectorFailure("retryable", "HTTP_UNAVAILABLE", `${ENTRA} failed with status ${status}`, wait);
  if (status < 400)
    return connectorFailure(
      status < 300 ? "retryable" : "permanent",
      status < 300 ? "HTTP_MALFORMED" : "DESTINATION_CONFIG",
      `${ENTRA} answered with unexpected status ${status}; check cloud and tenantId`,
    );
  const description = typeof body?.["error_description"] === "string" ? body["error_description"] : "";
  const number = /\bAADSTS\d{4,8}\b/.exec(description)?.[0];
  const advice = (number === undefined ? undefined : ADVICE[number]) ?? ADVICE_BY_WAY[wayOf(options)];
  // The description repeats parts of the request, so only its number is shown.
  const name = /^[a-z_]{1,40}$/.test(error) ? error : "no error code";
  return connectorFailure(
    "permanent",
    "HTTP_DENIED",
    `${ENTRA} gave no token (status ${status}, ${name}${number === undefined ? "" : `, ${number}`}): ${advice}`,
  );
}
