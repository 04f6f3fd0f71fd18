/** The token endpoint of Microsoft Entra ID, as far as client credentials go, and the metadata service of a machine with an identity. */
import { createHash, createPublicKey, verify, X509Certificate } from "node:crypto";
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
  /** Certificate (PEM) registered with the application, beside its secret. */
  readonly certificate?: string | undefined;
  /** What the platform gives a workload as proof, beside the secret. */
  readonly federatedToken?: string | undefined;
  /** The machine has this identity; `system` is the one that needs no client id. */
  readonly managedIdentity?: string | undefined;
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
  "https://management.usgovcloudapi.net",
  "https://management.chinacloudapi.cn",
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

type Give = (audience: string) => SimulatedAnswer;

function answerFor(request: SimulatedRequest, options: EntraOptions, give: Give): SimulatedAnswer {
  if (request.path === "/metadata/identity/oauth2/token") return machineToken(request, options, give);
  const discovery = /^\/([^/]+)\/v2\.0\/\.well-known\/openid-configuration$/.exec(request.path)?.[1];
  // The library asks an authority for its endpoints when it does not know them: as 21Vianet's answers.
  if (discovery !== undefined) return { status: 200, body: discoveryDocument("https://login.chinacloudapi.cn", discovery) };
  const tenant = /^\/([^/]+)\/oauth2\/v2\.0\/token$/.exec(request.path)?.[1];
  if (tenant === undefined || request.method !== "POST") return { status: 404, body: "no such page" };
  if (decodeURIComponent(tenant) !== options.tenantId) return refused(400, "invalid_request", "AADSTS90002", "tenant not found");
  if (!String(request.headers["content-type"] ?? "").startsWith("application/x-www-form-urlencoded"))
    return refused(400, "invalid_request", "AADSTS900144", "the body must be a form");
  const form = new URLSearchParams(request.body.toString("utf8"));
  if (form.get("grant_type") !== "client_credentials") return refused(400, "unsupported_grant_type", "AADSTS70003", "grant not supported");
  if (form.get("client_id") !== options.clientId) return refused(400, "unauthorized_client", "AADSTS700016", "application not found");
  const unproven = proofRefusal(form, options);
  if (unproven !== undefined) return unproven;
  const scope = form.get("scope") ?? "";
  if (!scope.endsWith("/.default")) return refused(400, "invalid_scope", "AADSTS1002012", "scope must end in /.default");
  const resource = scope.slice(0, -"/.default".length);
  return RESOURCES.has(resource) ? give(resource) : refused(400, "invalid_resource", "AADSTS500011", "resource not found in the tenant");
}

/** Why a client has not proven who it is: by its secret, by a token of its platform, or by a signature with its certificate. */
function proofRefusal(form: URLSearchParams, options: EntraOptions): SimulatedAnswer | undefined {
  const assertion = form.get("client_assertion");
  if (assertion === null) {
    if (form.get("client_secret") === options.clientSecret) return undefined;
    return refused(401, "invalid_client", "AADSTS7000215", `invalid client secret ${form.get("client_secret") ?? ""}`);
  }
  if (form.get("client_assertion_type") !== "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
    return refused(400, "invalid_request", "AADSTS50027", "unknown assertion type");
  if (options.federatedToken !== undefined && assertion === options.federatedToken) return undefined;
  if (options.certificate === undefined) return refused(401, "invalid_client", "AADSTS700213", `no federated identity for ${assertion}`);
  return signedBy(options.certificate, assertion, options)
    ? undefined
    : refused(401, "invalid_client", "AADSTS700027", `the signature of ${assertion} is not by a registered key`);
}

/** Entra's rules for a client assertion: signed with the registered key, about and by the client, for this endpoint, and not over. */
function signedBy(certificate: string, assertion: string, { clientId, tenantId }: EntraOptions): boolean {
  const [head = "", body = "", signature = ""] = assertion.split(".");
  const decoded = (part: string): Readonly<Record<string, unknown>> =>
    JSON.parse(Buffer.from(part, "base64url").toString("utf8")) as Readonly<Record<string, unknown>>;
  try {
    const thumbprint = createHash("sha256").update(new X509Certificate(certificate).raw).digest("base64url");
    const header = decoded(head);
    const claims = decoded(body);
    const key = { key: createPublicKey(certificate), padding: 6 /* RSA_PKCS1_PSS_PADDING */, saltLength: 32 };
    const named = header["x5t#S256"] === thumbprint || header["x5t"] !== undefined;
    const fits = claims["iss"] === clientId && claims["sub"] === clientId && String(claims["aud"]).includes(`/${tenantId}/`);
    // The library stamps assertions with the machine's clock, whatever the simulated one says.
    const lives = Number(claims["exp"]) * 1000 > Date.now();
    return named && fits && lives && verify("sha256", Buffer.from(`${head}.${body}`), key, Buffer.from(signature, "base64url"));
  } catch {
    // Not an assertion at all: refused like a wrong one.
    return false;
  }
}

/** The metadata service at 169.254.169.254: no secret, but a header that no browser can be made to send. */
function machineToken(request: SimulatedRequest, { managedIdentity }: EntraOptions, give: Give): SimulatedAnswer {
  if (request.headers["metadata"] !== "true")
    return { status: 400, body: { error: "bad_request_102", error_description: "Required metadata header not specified" } };
  const wanted = request.query.get("client_id") ?? "system";
  if (managedIdentity === undefined || managedIdentity !== wanted)
    return { status: 400, body: { error: "invalid_request", error_description: "Identity not found" } };
  const resource = request.query.get("resource") ?? "";
  if (!RESOURCES.has(resource))
    return { status: 400, body: { error: "invalid_resource", error_description: "AADSTS500011: no such resource" } };
  const { body } = give(resource);
  const { access_token, expires_in } = body as { readonly access_token: string; readonly expires_in: number };
  const expires_on = String(Math.floor(Date.now() / 1000) + expires_in);
  return { status: 200, body: { access_token, expires_in: String(expires_in), expires_on, resource, token_type: "Bearer" } };
}

function discoveryDocument(authority: string, tenant: string): Readonly<Record<string, string>> {
  return {
    issuer: `${authority}/${tenant}/v2.0`,
    token_endpoint: `${authority}/${tenant}/oauth2/v2.0/token`,
    authorization_endpoint: `${authority}/${tenant}/oauth2/v2.0/authorize`,
    jwks_uri: `${authority}/${tenant}/discovery/v2.0/keys`,
  };
}

function refused(status: number, error: string, code: string, text: string): SimulatedAnswer {
  return { status, body: { error, error_description: `${code}: ${text}. Trace ID: 0000`, error_codes: [Number(code.slice(6))] } };
}
