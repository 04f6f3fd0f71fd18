/**
 * HashiCorp Vault as far as we use it: KV version 2, tokens that end and can be renewed, AppRole and Kubernetes logins, namespaces.
 * Strict: what Vault would refuse is refused, with Vault's status and body (developer.hashicorp.com/vault/api-docs).
 */
import {
  faultQueue,
  startLoopback,
  type HttpFault,
  type SimulatedAnswer,
  type SimulatedRequest,
} from "../../src/simulators/http-server.ts";

/** One version of a secret. */
export interface VaultVersion {
  readonly data: Readonly<Record<string, unknown>>;
  /** `deleted` can be undone and answers 404 with metadata, `destroyed` too. */
  readonly gone?: "deleted" | "destroyed";
}

/** What it knows; everything may change while it runs. */
export interface VaultWorld {
  readonly namespace?: string;
  /** Versions by `mount/path`, oldest first. */
  readonly secrets: Map<string, VaultVersion[]>;
  /** Paths that the policy does not allow. */
  readonly denied: Set<string>;
  /** Tokens with their end in epoch milliseconds (Infinity: never) and the seconds that a renewal gives. */
  readonly tokens: Map<string, { end: number; readonly ttl: number; readonly renewable: boolean }>;
  readonly approle?: { roleId: string; secretId: string; readonly ttl: number; readonly renewable?: boolean };
  readonly kubernetes?: { role: string; jwt: string; readonly ttl: number };
  sealed: boolean;
}

/** A running Vault. */
export interface VaultSimulator {
  readonly url: string;
  readonly world: VaultWorld;
  /** `METHOD path` of every request. */
  readonly asked: string[];
  /** Of all requests, also those that a fault answered. */
  requests(): number;
  fault(...faults: HttpFault[]): void;
  close(): Promise<void>;
}

/** Starts one; `now` is its clock. */
export async function startVaultSimulator(given: Partial<VaultWorld>, now: () => number = Date.now): Promise<VaultSimulator> {
  const world: VaultWorld = { secrets: new Map(), denied: new Set(), tokens: new Map(), sealed: false, ...given };
  const asked: string[] = [];
  const faults = faultQueue<HttpFault>();
  const server = await startLoopback<HttpFault>({
    fault: () => faults.next(),
    handle(request) {
      asked.push(`${request.method} ${request.path}`);
      return answer(world, request, now());
    },
  });
  return {
    url: server.url,
    world,
    asked,
    requests: () => server.requests(),
    fault: (...more) => faults.add(more),
    close: () => server.close(),
  };
}

const refuse = (status: number, ...errors: string[]): SimulatedAnswer => ({ status, body: { errors } });

function answer(world: VaultWorld, { method, path, headers, body }: SimulatedRequest, now: number): SimulatedAnswer {
  if (world.sealed) return refuse(503, "Vault is sealed");
  if (headers["x-vault-request"] !== "true") return refuse(400, "missing X-Vault-Request");
  // In another namespace nothing of this is there, and the token means nothing.
  if ((headers["x-vault-namespace"] ?? "") !== (world.namespace ?? "")) return refuse(403, "permission denied");
  const parts = path.split("/").slice(2).map(decodeURIComponent);
  if (parts[0] === "auth" && parts[2] === "login")
    return method === "POST" ? login(world, parts[1] ?? "", body, now) : refuse(405, "unsupported operation");
  const token = world.tokens.get(String(headers["x-vault-token"] ?? ""));
  if (token === undefined || token.end <= now) return refuse(403, "permission denied", "invalid token");
  if (path === "/v1/auth/token/lookup-self" && method === "GET")
    return {
      status: 200,
      body: { data: { ttl: token.end === Infinity ? 0 : Math.floor((token.end - now) / 1000), renewable: token.renewable } },
    };
  if (path === "/v1/auth/token/renew-self" && method === "POST") {
    if (!token.renewable) return refuse(400, "lease is not renewable");
    token.end = now + token.ttl * 1000;
    return issued(String(headers["x-vault-token"]), token);
  }
  return method === "GET" ? read(world, parts) : refuse(405, "unsupported operation");
}

function read(world: VaultWorld, parts: readonly string[]): SimulatedAnswer {
  const at = parts.indexOf("data");
  const name = [...parts.slice(0, at), ...parts.slice(at + 1)].join("/");
  // A policy answers before the path is looked for.
  if (at < 1 || world.denied.has(name)) return refuse(403, "1 error occurred:\n\t* permission denied\n\n");
  const versions = world.secrets.get(name);
  const newest = versions?.at(-1);
  if (newest === undefined) return refuse(404);
  const metadata = {
    created_time: "2026-01-01T00:00:00Z",
    version: versions?.length,
    deletion_time: newest.gone === "deleted" ? "2026-01-02T00:00:00Z" : "",
    destroyed: newest.gone === "destroyed",
  };
  if (newest.gone !== undefined) return { status: 404, body: { data: { data: null, metadata } } };
  return { status: 200, body: { lease_id: "", lease_duration: 0, renewable: false, data: { data: newest.data, metadata } } };
}

function login(world: VaultWorld, mount: string, body: Buffer, now: number): SimulatedAnswer {
  const given = JSON.parse(body.toString()) as Record<string, string>;
  const { approle, kubernetes } = world;
  if (mount === "approle" && approle !== undefined) {
    if (given["role_id"] !== approle.roleId || given["secret_id"] !== approle.secretId) return refuse(400, "invalid role or secret ID");
    return made(world, approle.ttl, approle.renewable ?? true, now);
  }
  if (mount === "kubernetes" && kubernetes !== undefined) {
    if (given["role"] !== kubernetes.role) return refuse(400, 'invalid role name "x"');
    return given["jwt"] === kubernetes.jwt ? made(world, kubernetes.ttl, true, now) : refuse(403, "permission denied");
  }
  return refuse(403, "permission denied");
}

function made(world: VaultWorld, ttl: number, renewable: boolean, now: number): SimulatedAnswer {
  const token = { end: ttl === 0 ? Infinity : now + ttl * 1000, ttl, renewable };
  const name = `hvs.made-${world.tokens.size + 1}`;
  world.tokens.set(name, token);
  return issued(name, token);
}

function issued(name: string, { ttl, renewable }: { readonly ttl: number; readonly renewable: boolean }): SimulatedAnswer {
  return { status: 200, body: { auth: { client_token: name, lease_duration: ttl, renewable, policies: ["default"] } } };
}
