/**
 * OpenSearch as a destination meets it: the bulk protocol of Elasticsearch with its own media types, product and credentials. Signatures
 * are verified with Node's cryptography, apart from what made them. `serverless` is OpenSearch Serverless (aoss).
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { bulkItems, error, parseBulk, type BulkStore } from "../../src/simulators/elastic-bulk.ts";
import type { ElasticFault } from "../../src/simulators/elastic.ts";
import { faultQueue, startLoopback, type SimulatedAnswer, type SimulatedRequest } from "../../src/simulators/http-server.ts";

/** Keys that the simulator accepts for signed requests. */
export interface SigningKeys {
  readonly region: string;
  readonly service: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
  /** What the server's clock shows, epoch milliseconds. */
  readonly now: number;
}

/** How the cluster or collection is set up. */
export interface OpenSearchOptions {
  /** The good `user:password`, or the keys. */
  readonly credential: string | SigningKeys;
  readonly serverless?: boolean;
  /** A collection that takes no ids. */
  readonly noIds?: boolean;
  /** 10 MiB on Serverless and on small domains. */
  readonly bodyBytesMax?: number;
  /** Lives. */
  readonly dataStreams?: readonly string[];
  readonly writable?: readonly string[];
  readonly mapping?: (name: string) => SimulatedAnswer;
  readonly before?: (request: SimulatedRequest) => SimulatedAnswer | undefined;
}

/** A running simulator. */
export interface OpenSearchSimulator {
  readonly url: string;
  received(): readonly unknown[];
  documents(): readonly { readonly index: string; readonly id: string; readonly version: number; readonly source: unknown }[];
  requests(): number;
  fail(...faults: readonly ElasticFault[]): void;
  close(): Promise<void>;
}

const BODY_BYTES_MAX = 10_485_760;
/** AWS refuses signatures that are further off. */
const SKEW_MAX_MS = 300_000;
/** Parameters of a bulk request (opensearch-api-specification, `_core.bulk`), and those of every request. */
const PARAMETERS = new Set(
  "pipeline refresh routing timeout wait_for_active_shards require_alias _source filter_path pretty human".split(" "),
);

/** Starts the simulator on a free loopback port. */
export async function startOpenSearch(options: OpenSearchOptions): Promise<OpenSearchSimulator> {
  const faults = faultQueue<ElasticFault>();
  const { dataStreams = [], writable } = options;
  const store: BulkStore = {
    documents: new Map(),
    sequence: 0,
    generation: 1,
    options: { dataStreams, ...(writable === undefined ? {} : { writable }) },
  };
  const server = await startLoopback<ElasticFault>({
    fault: (request) => (request.path.endsWith("/_bulk") ? faults.next() : undefined),
    handle: (request, fault) => options.before?.(request) ?? route(request, options, store, fault),
  });
  return {
    url: server.url,
    requests: () => server.requests(),
    received: () => [...store.documents.values()].map((one) => one.source),
    documents: () => [...store.documents.values()],
    fail: (...list) => faults.add(list),
    close: () => server.close(),
  };
}

function route(request: SimulatedRequest, options: OpenSearchOptions, store: BulkStore, fault: ElasticFault | undefined): SimulatedAnswer {
  if (request.body.length > (options.bodyBytesMax ?? BODY_BYTES_MAX)) return { status: 413, body: "Request Too Large" };
  const denied = options.credential instanceof Object ? unsigned(request, options.credential) : unknownUser(request, options.credential);
  if (denied !== undefined) return denied;
  const { method, path } = request;
  if (path === "/_bulk" && method === "POST") return bulk(request, options, store, fault);
  const index = /^\/([^/_][^/]*)\/_mapping$/.exec(path)?.[1];
  if (index !== undefined && method === "GET") return options.mapping?.(index) ?? { status: 200, body: { [index]: { mappings: OURS } } };
  if (options.serverless === true) return { status: 404, body: "" };
  if (path === "/" && method === "GET")
    return {
      status: 200,
      body: { name: "n", cluster_name: "c", version: { distribution: "opensearch", number: "3.2.0" }, tagline: "The OpenSearch Project" },
    };
  if (path === "/_plugins/_security/authinfo") return { status: 200, body: { user_name: "custodes", roles: ["custodes", "own_index"] } };
  return error(400, "illegal_argument_exception", "no handler found for uri");
}

const OURS = { properties: { custodes: { properties: {} } } };

function bulk(request: SimulatedRequest, options: OpenSearchOptions, store: BulkStore, fault: ElasticFault | undefined): SimulatedAnswer {
  const type = String(request.headers["content-type"] ?? "");
  if (type !== "application/x-ndjson" && type !== "application/json")
    return { status: 406, body: { error: `Content-Type header [${type}] is not supported`, status: 406 } };
  const unknown = [...request.query.keys()].find((name) => !PARAMETERS.has(name));
  if (unknown !== undefined)
    return error(400, "illegal_argument_exception", `request [/_bulk] contains unrecognized parameter: [${unknown}]`);
  const parsed = parseBulk(request.body.toString("utf8"), undefined);
  if ("status" in parsed) return parsed;
  if (options.noIds === true && parsed.actions.some((action) => action.id !== undefined))
    return error(400, "illegal_argument_exception", "Document ID is not supported in create/index operation request");
  const items = bulkItems(parsed.actions, store, fault, new URLSearchParams({ include_source_on_error: "true" }));
  return { status: 200, body: { took: 3, errors: items.some((item) => Object.values(item).some((one) => one.status >= 400)), items } };
}

function unknownUser(request: SimulatedRequest, credential: string): SimulatedAnswer | undefined {
  const good = `Basic ${Buffer.from(credential, "utf8").toString("base64")}`;
  if (request.headers.authorization === good) return undefined;
  return { status: 401, headers: { "www-authenticate": 'Basic realm="OpenSearch Security"' }, body: "Unauthorized" };
}

const sha256 = (data: string | Buffer): string => createHash("sha256").update(data).digest("hex");
const hmac = (key: string | Buffer, text: string): Buffer => createHmac("sha256", key).update(text).digest();

/** Signature Version 4, from AWS's documentation of the canonical request. */
function unsigned(request: SimulatedRequest, keys: SigningKeys): SimulatedAnswer | undefined {
  const refuse = (message: string): SimulatedAnswer => ({ status: 403, body: { message } });
  const header = (name: string): string => String(request.headers[name] ?? "");
  const pattern =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})$/;
  const [, id, date, region, service, names = "", signature = ""] = pattern.exec(header("authorization")) ?? [];
  if (id === undefined) return refuse("Missing Authentication Token");
  if (id !== keys.accessKeyId || region !== keys.region || service !== keys.service)
    return refuse("Credential should be scoped to a valid region");
  if (keys.sessionToken !== undefined && header("x-amz-security-token") !== keys.sessionToken)
    return refuse("The security token is invalid");
  const stamp = header("x-amz-date");
  const time = Date.parse(stamp.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z"));
  if (!(Math.abs(time - keys.now) <= SKEW_MAX_MS) || !stamp.startsWith(date!)) return refuse("Signature expired");
  const list = names.split(";");
  const mandatory = ["host", "x-amz-date", ...(service === "aoss" ? ["x-amz-content-sha256"] : [])];
  if (!mandatory.every((name) => list.includes(name))) return refuse("a header is not signed");
  if (header("x-amz-content-sha256") !== "" && header("x-amz-content-sha256") !== sha256(request.body))
    return refuse("the body is not the one that was signed");
  const encoded = (text: string): string =>
    encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
  const query = [...request.query].map(([key, value]) => `${encoded(key)}=${encoded(value)}`).sort();
  const path = request.path.split("/").map(encoded).join("/");
  const headers = list.map((name) => `${name}:${header(name).trim()}\n`).join("");
  const canonical = [request.method, path, query.join("&"), headers, names, sha256(request.body)].join("\n");
  const scope = `${date}/${region}/${service}/aws4_request`;
  const key = hmac(hmac(hmac(hmac(`AWS4${keys.secretAccessKey}`, date!), region!), service!), "aws4_request");
  const wanted = hmac(key, ["AWS4-HMAC-SHA256", stamp, scope, sha256(canonical)].join("\n"));
  return timingSafeEqual(wanted, Buffer.from(signature, "hex")) ? undefined : refuse("The request signature we calculated does not match");
}
