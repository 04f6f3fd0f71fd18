/** The token endpoint of Microsoft Entra ID, as far as client credentials go. */
import {
  faultQueue,
  startLoopback,
  type HttpFault,
  type LoopbackServer,
  type SimulatedAnswer,
  type SimulatedRequest,
} from "./http-server.ts";

/** Whom the simulated tenant knows. */
export interface EntraOptions {
  readonly tenantId: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly tokenLifeSeconds: number;
  readonly now: () => number;
}

/** A running token endpoint. */
export interface EntraSimulator extends LoopbackServer {
  /** Spoils the next token requests, one fault each. */
  fail(...faults: readonly HttpFault[]): void;
  /** Why a token is not valid for an audience; undefined when it is. */
  refusal(token: string, audience: string): "unknown" | "expired" | "audience" | undefined;
  /** Makes every token given so far invalid, as a revocation does. */
  revoke(): void;
}

/** Resources that can be asked for, `<resource>/.default`. */
const RESOURCES = new Set([
  "https://monitor.azure.com",
  "https://monitor.azure.us",
  "https://monitor.azure.cn",
  "https://management.azure.com",
]);

/** Starts the token endpoint on a free loopback port. */
export async function startEntra(options: EntraOptions): Promise<EntraSimulator> {
  const faults = faultQueue<HttpFault>();
  const tokens = new Map<string, { readonly audience: string; readonly endTime: number }>();
  let issued = 0;
  const give = (audience: string): SimulatedAnswer => {
    const endTime = options.now() + options.tokenLifeSeconds * 1000;
    const claims = { aud: audience, exp: Math.floor(endTime / 1000), appid: options.clientId, jti: String(++issued) };
    const token = [{ typ: "JWT", alg: "none" }, claims, {}]
      .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
      .join(".");
    tokens.set(token, { audience, endTime });
    const { tokenLifeSeconds } = options;
    return {
      status: 200,
      body: { token_type: "Bearer", expires_in: tokenLifeSeconds, ext_expires_in: tokenLifeSeconds, access_token: token },
    };
  };
  const server = await startLoopback<HttpFault>({
    fault: () => faults.next(),
    handle: (request) => answerFor(request, options, give),
  });
  return {
    ...server,
    fail: (...list) => faults.add(list),
    revoke: () => tokens.clear(),
    refusal: (token, audience) => {
      const known = tokens.get(token);
      if (known === undefined) return "unknown";
      if (known.endTime <= options.now()) return "expired";
      return known.audience === audience ? undefined : "audience";
    },
  };
}

function answerFor(request: SimulatedRequest, options: EntraOptions, give: (audience: string) => SimulatedAnswer): SimulatedAnswer {
  const tenant = /^\/([^/]+)\/oauth2\/v2\.0\/token$/.exec(request.path)?.[1];
  if (tenant === undefined || request.method !== "POST") return { status: 404, body: "no such page" };
  if (decodeURIComponent(tenant) !== options.tenantId) return refused(400, "invalid_request", "AADSTS90002", "tenant not found");
  if (!String(request.headers["content-type"] ?? "").startsWith("application/x-www-form-urlencoded"))
    return refused(400, "invalid_request", "AADSTS900144", "the body must be a form");
  const form = new URLSearchParams(request.body.toString("utf8"));
  if (form.get("grant_type") !== "client_credentials") return refused(400, "unsupported_grant_type", "AADSTS70003", "grant not supported");
  if (form.get("client_id") !== options.clientId) return refused(400, "unauthorized_client", "AADSTS700016", "application not found");
  if (form.get("client_secret") !== options.clientSecret)
    return refused(401, "invalid_client", "AADSTS7000215", `invalid client secret ${form.get("client_secret") ?? ""}`);
  const scope = form.get("scope") ?? "";
  if (!scope.endsWith("/.default")) return refused(400, "invalid_scope", "AADSTS1002012", "scope must end in /.default");
  const resource = scope.slice(0, -"/.default".length);
  return RESOURCES.has(resource) ? give(resource) : refused(400, "invalid_resource", "AADSTS500011", "resource not found in the tenant");
}

function refused(status: number, error: string, code: string, text: string): SimulatedAnswer {
  return { status, body: { error, error_description: `${code}: ${text}. Trace ID: 0000`, error_codes: [Number(code.slice(6))] } };
}
