import { Agent } from "node:http";
import axios, { type AxiosInstance } from "axios";
import type { Network } from "../../ports/network.ts";
import { agentsFor, type Resolve } from "./agents.ts";

/** No request of a connector may take longer: a slow server must not hold a worker past its lock. */
const TIMEOUT_MS = 30_000;
/** Answers larger than this are refused: a page of logs is far smaller, and memory is bounded. */
const ANSWER_MAX = 67_108_864;

/** For a client that belongs to no instance: whatever address its caller writes out. */
const ANYWHERE: Network = { hosts: () => new Set(), allowPrivate: true };

/** What a client may be told besides its network. */
export interface ClientOptions {
  /** Called for every answer 401 or 403: a credential may have been rotated. */
  readonly refused?: () => void;
  /** Resolves names; the system does by default. */
  readonly resolve?: Resolve;
}

/**
 * The HTTP client that connectors get: no redirects (a credential must not follow one), no retries (the pipeline
 * decides), every status resolves (the connector decides what it means), bodies stay text, no proxy but the configured one,
 * connections only to addresses that the policy allows.
 */
export function httpClient(userAgent: string, network: Network = ANYWHERE, options: ClientOptions = {}): AxiosInstance {
  const agents = agentsFor(network, options.resolve);
  const client = axios.create({
    timeout: TIMEOUT_MS,
    maxRedirects: 0,
    maxContentLength: ANSWER_MAX,
    maxBodyLength: ANSWER_MAX,
    validateStatus: () => true,
    responseType: "text",
    transformResponse: [(data: unknown) => data],
    headers: { "User-Agent": userAgent },
    // The library's own proxies come from the environment, and see requests in clear.
    proxy: false,
    httpAgent: agents.http,
    httpsAgent: agents.https,
  });
  letMetadataThrough(client, network.metadata ?? []);
  if (options.refused !== undefined) {
    const { refused } = options;
    client.interceptors.response.use((response) => {
      if (response.status === 401 || response.status === 403) refused();
      return response;
    });
  }
  return client;
}

/** Closes the connections that a client keeps open. */
export function closeClient(client: AxiosInstance): void {
  (client.defaults.httpAgent as { destroy(): void }).destroy();
  (client.defaults.httpsAgent as { destroy(): void }).destroy();
}

/** A request to exactly these addresses gets a connection of its own, never through a proxy and never used for anything else. */
function letMetadataThrough(client: AxiosInstance, allowed: readonly string[]): void {
  if (allowed.length === 0) return;
  client.interceptors.request.use((request) => {
    const target = client.getUri(request);
    const url = URL.canParse(target) ? new URL(target) : undefined;
    if (url === undefined || !["get", "put"].includes(request.method ?? "get")) return request;
    const bare = `${url.origin}${url.pathname}`;
    if (!allowed.some((one) => (one.endsWith("/") ? bare.startsWith(one) : bare === one))) return request;
    // One connection per request: none must wait in a pool for a request that was not looked at.
    request.httpAgent = new Agent({ keepAlive: false });
    return request;
  });
}
