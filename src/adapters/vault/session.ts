/** One identity at Vault: its token, renewed before it ends, made anew when it cannot be. https://developer.hashicorp.com/vault/api-docs */
import type { AxiosInstance } from "axios";
import { Failure } from "../../core/errors.ts";
import type { EpochMs } from "../../core/event.ts";
import { asObject, type Json } from "../../core/record.ts";
import type { VaultSettings } from "../../ports/vault.ts";

/** Vault answers from memory or one disk; longer is an outage. */
const ANSWER_MS = 10_000;
/** Vault's own limit of a stored secret is 1 MiB (storage backends: 512 KiB to 1 MiB); JSON doubles it at worst. */
const ANSWER_BYTES_MAX = 2_097_152;
/** Tokens are shorter than this; a longer one would not fit a header. */
const TOKEN_CHARS_MAX = 16_384;
/** A lease is never believed for longer than this, seconds: 768 h is Vault's largest by default. */
const LEASE_MAX_S = 2_764_800;

/** What Vault answered. */
export interface VaultAnswer {
  readonly status: number;
  readonly body: Json;
}

/** Requests under a token that is valid as far as we know. */
export interface VaultSession {
  /** A GET below /v1/, with a token made or renewed before where needed; once more with a new one when that is refused. @throws {Failure} */
  get(path: string): Promise<VaultAnswer>;
  /** When the token should be renewed; Infinity while there is none or it never ends. */
  renewTime(): EpochMs;
}

interface Token {
  readonly value: string;
  readonly renewable: boolean;
  /** Half of its life is over then. */
  readonly renewTime: EpochMs;
  readonly endTime: EpochMs;
}

/** A session without a token yet. */
export function vaultSession(settings: VaultSettings, http: AxiosInstance, now: () => EpochMs): VaultSession {
  let token: Token | undefined;

  const request = async (method: "GET" | "POST", path: string, credential: string | undefined, body?: object): Promise<VaultAnswer> => {
    const answer = await http
      .request<unknown>({
        method,
        url: `${settings.address}/v1/${path}`,
        headers: {
          "X-Vault-Request": "true",
          ...(settings.namespace === undefined ? {} : { "X-Vault-Namespace": settings.namespace }),
          ...(credential === undefined ? {} : { "X-Vault-Token": credential }),
          ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        },
        ...(body === undefined ? {} : { data: JSON.stringify(body) }),
        signal: AbortSignal.timeout(ANSWER_MS),
        maxContentLength: ANSWER_BYTES_MAX,
      })
      .catch((error: unknown) => {
        // The client's own error holds the request, and with it the token.
        const code = (error as { code?: unknown }).code;
        const shown = typeof code === "string" && /^[A-Z0-9_]{1,60}$/.test(code) ? code : "no code";
        throw unavailable(`Vault could not be reached (${shown})`);
      });
    return { status: answer.status, body: jsonOf(answer.data) };
  };

  const login = async (): Promise<Token> => {
    const { auth } = settings;
    if (auth.type === "token") {
      const value = auth.token.reveal().trim();
      checked(value);
      const answer = await request("GET", "auth/token/lookup-self", value);
      if (answer.status !== 200) throw refusal(answer, "the token");
      const data = asObject(answer.body["data"]) ?? {};
      return tokenOf(value, data["ttl"], data["renewable"], now());
    }
    const path = `auth/${segments(auth.mount)}/login`;
    const body =
      auth.type === "approle"
        ? { role_id: auth.roleId, secret_id: auth.secretId.reveal() }
        : { role: auth.role, jwt: auth.jwt.reveal().trim() };
    const answer = await request("POST", path, undefined, body);
    if (answer.status !== 200) throw refusal(answer, `the login at ${auth.mount}`);
    return issued(answer, now());
  };

  /** Half of a token's life is over: longer life for it, or another one. */
  const renewed = async (old: Token): Promise<Token> => {
    if (!old.renewable || now() >= old.endTime) return login();
    const answer = await request("POST", "auth/token/renew-self", old.value, {});
    if (answer.status === 200) return issued(answer, now());
    if (answer.status !== 403 && answer.status !== 400) throw refusal(answer, "the renewal of the token");
    return login();
  };

  return {
    renewTime: () => token?.renewTime ?? Infinity,
    async get(path) {
      const before = token;
      if (token === undefined) token = await login();
      else if (now() >= token.renewTime) token = await renewed(token);
      const answer = await request("GET", path, token.value);
      if (answer.status !== 403 || before === undefined || token !== before) return answer;
      // It may have been revoked, or the credential rotated.
      token = undefined;
      token = await login();
      return request("GET", path, token.value);
    },
  };
}

/** Path segments as they stand in an URL. */
export function segments(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}

/** The failure for an answer that is no success. @returns a Failure that names `what` and no content */
export function refusal({ status, body }: VaultAnswer, what: string): Failure {
  if (status === 503) return unavailable(`Vault is sealed or not ready (503)`);
  if (status === 429 || status === 472 || status === 473 || status >= 500) return unavailable(`Vault failed (${status})`);
  const errors = Array.isArray(body["errors"]) ? body["errors"] : [];
  // Vault's reasons are sentences of its own, but a proxy's answer could be anything: only known ones are shown.
  const known = ["permission denied", "invalid role or secret ID", "missing client token", "bad token", "invalid role name"];
  const reason = known.find((one) => errors.some((text) => typeof text === "string" && text.includes(one)));
  return denied(`Vault refuses ${what} (${status}${reason === undefined ? "" : `: ${reason}`})`);
}

function unavailable(message: string): Failure {
  return new Failure(message, { kind: "retryable", code: "SECRET_UNAVAILABLE", scope: "connector" });
}

function denied(message: string): Failure {
  return new Failure(message, { kind: "config", code: "SECRET_MISSING", scope: "connector" });
}

function issued(answer: VaultAnswer, now: EpochMs): Token {
  const auth = asObject(answer.body["auth"]) ?? {};
  return tokenOf(auth["client_token"], auth["lease_duration"], auth["renewable"], now);
}

function tokenOf(value: unknown, lease: unknown, renewable: unknown, now: EpochMs): Token {
  if (typeof value !== "string" || typeof lease !== "number" || !(lease >= 0)) throw unavailable("Vault answered without a usable token");
  checked(value);
  // 0: a token that never ends (root, or a periodic one without a period).
  const lifeMs = lease === 0 ? Infinity : Math.min(lease, LEASE_MAX_S) * 1000;
  return { value, renewable: renewable === true, renewTime: now + lifeMs / 2, endTime: now + lifeMs };
}

/** Only what may stand in a header. */
function checked(token: string): void {
  if (!/^[\x21-\x7e]+$/.test(token) || token.length > TOKEN_CHARS_MAX) throw denied("the token for Vault is no token");
}

function jsonOf(data: unknown): Json {
  try {
    return (typeof data === "string" ? asObject(JSON.parse(data)) : undefined) ?? {};
  } catch {
    // Whatever answers here is not Vault; the status says what comes of it. The parser's message would quote the answer.
    return {};
  }
}
