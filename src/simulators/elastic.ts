/**
 * A strict stand-in for the parts of Elasticsearch that a destination touches: `_bulk`, the info, authenticate
 * and privilege calls. Rules and error texts follow the bulk API's specification (elastic/elasticsearch-specification,
 * `_global/bulk`); where it is stricter than a real cluster it errs towards refusing.
 */
import { gunzipSync } from "node:zlib";
import { bulkItems, error, matches, parseBulk, type BulkStore } from "./elastic-bulk.ts";
import { faultQueue, startLoopback, type HttpFault, type SimulatedAnswer, type SimulatedRequest } from "./http-server.ts";

/** A fault that this simulator knows beside the general ones. */
export interface ElasticFault extends HttpFault {
  /** Refuses single items of one bulk request by their position; the others are carried out. */
  readonly items?: readonly { readonly at: number; readonly status: number; readonly type: string; readonly reason?: string }[];
  /** Reports stored items as having gone to the failure store. */
  readonly failureStore?: boolean;
}

/** How the simulated cluster is set up. */
export interface ElasticSimulatorOptions {
  /** The one valid encoded API key (base64 of `id:key`). Default `ELASTIC_DEMO_KEY`. */
  readonly apiKey?: string;
  /** Counted before decompression, as `http.max_content_length`. Default 100 MB, the vendor's. */
  readonly bodyBytesMax?: number;
  /** Names or `prefix*` patterns of data streams: only `create`, `@timestamp` required. */
  readonly dataStreams?: readonly string[];
  /** Indices that the key may write to, names or `prefix*`. Default all. */
  readonly writable?: readonly string[];
  /** False: writing to an index that does not exist answers 404. */
  readonly autoCreate?: boolean;
  /** The key lacks the cluster privilege `monitor`, so that `GET /` answers 403. */
  readonly noMonitor?: boolean;
  /** Of Elasticsearch. A client that asks for the form of a later major version is refused. Default 9.4.0. */
  readonly version?: string;
  /** When the key ends, epoch milliseconds. Default never. */
  readonly keyExpiration?: number;
  /** What `_simulate_index` answers for a name: the template that would win. Default one with our own object in it. */
  readonly template?: (name: string) => unknown;
  /** Answers a request in place of the simulator, before its key is looked at: routes of another simulator. */
  readonly before?: (request: SimulatedRequest) => SimulatedAnswer | undefined;
  readonly port?: number;
}

/** A running simulator. */
export interface ElasticSimulator {
  readonly url: string;
  /** Source of every stored document, newest version per index and id, in order of first arrival. */
  received(): readonly unknown[];
  /** Stored documents with their metadata. */
  documents(): readonly { readonly index: string; readonly id: string; readonly version: number; readonly source: unknown }[];
  requests(): number;
  /** Spoils the next bulk requests, one fault each. */
  fail(...faults: readonly ElasticFault[]): void;
  /** Starts a new backing index of every data stream: ids are unique only within one. */
  rollover(): void;
  close(): Promise<void>;
}

/** The encoded API key that the simulator accepts unless told otherwise. */
export const ELASTIC_DEMO_KEY = Buffer.from("demo-key-id:demo-key-secret").toString("base64");

/** `http.max_content_length` of an untouched cluster. */
const BODY_BYTES_MAX = 104_857_600;

/** Starts the simulator on a free loopback port. */
export async function startElasticSimulator(options: ElasticSimulatorOptions = {}): Promise<ElasticSimulator> {
  const faults = faultQueue<ElasticFault>();
  const store: BulkStore = { documents: new Map(), sequence: 0, generation: 1, options };
  const server = await startLoopback<ElasticFault>({
    ...(options.port === undefined ? {} : { port: options.port }),
    fault: (request) => (isBulk(request.path) ? faults.next() : undefined),
    handle: (request, fault) => {
      const answer = options.before?.(request) ?? route(request, store, fault);
      const type = typeof answer.body === "string" ? "text/plain" : "application/vnd.elasticsearch+json;compatible-with=9";
      return {
        ...answer,
        headers: {
          "x-elastic-product": "Elasticsearch",
          ...(answer.body === undefined ? {} : { "content-type": type }),
          ...answer.headers,
        },
      };
    },
  });
  return {
    url: server.url,
    requests: () => server.requests(),
    received: () => [...store.documents.values()].map((document) => document.source),
    documents: () => [...store.documents.values()],
    fail: (...list) => faults.add(list),
    rollover: () => {
      store.generation++;
    },
    close: () => server.close(),
  };
}

function isBulk(path: string): boolean {
  return path === "/_bulk" || /^\/[^/_][^/]*\/_bulk$/.test(path);
}

function route(request: SimulatedRequest, store: BulkStore, fault: ElasticFault | undefined): SimulatedAnswer {
  if (request.body.length > (store.options.bodyBytesMax ?? BODY_BYTES_MAX)) return { status: 413 };
  const denied = laterForm(request, store.options) ?? authenticate(request, store.options);
  if (denied !== undefined) return denied;
  const { method, path } = request;
  if (isBulk(path))
    return method === "POST" || method === "PUT" ? bulk(request, store, fault) : error(405, "method_not_allowed", "wrong method");
  if (path === "/" && method === "GET") return store.options.noMonitor === true ? forbidden("cluster:monitor/main") : info(store.options);
  if (path === "/_security/_authenticate" && method === "GET") return { status: 200, body: AUTHENTICATED };
  if (path === "/_security/user/_has_privileges") return privileges(request, store.options);
  if (path === "/_security/api_key" && method === "GET") return apiKey(request, store.options);
  const simulated = /^\/_index_template\/_simulate_index\/([^/]+)$/.exec(path)?.[1];
  if (simulated !== undefined && method === "POST") {
    const template = (store.options.template ?? (() => OUR_TEMPLATE))(decodeURIComponent(simulated));
    return { status: 200, body: { template: { settings: {}, mappings: {}, aliases: {}, ...(template as object) }, overlapping: [] } };
  }
  const stream = /^\/_data_stream\/([^/]+)$/.exec(path)?.[1];
  if (stream !== undefined && method === "GET") {
    const name = decodeURIComponent(stream);
    if (!matches(store.options.dataStreams ?? [], name)) return error(404, "index_not_found_exception", `no such index [${name}]`);
    const failure_store = { enabled: true, indices: [], rollover_on_write: true };
    return { status: 200, body: { data_streams: [{ name, generation: store.generation, status: "GREEN", failure_store }] } };
  }
  return error(400, "illegal_argument_exception", "no handler found for uri and method");
}

function bulk(request: SimulatedRequest, store: BulkStore, fault: ElasticFault | undefined): SimulatedAnswer {
  const type = String(request.headers["content-type"] ?? "").toLowerCase();
  if (!/^application\/(json|x-ndjson|vnd\.elasticsearch\+(x-nd)?json)/.test(type))
    return error(406, "media_type_header_exception", "Content-Type header is not supported");
  const text = decoded(request);
  if (text === undefined) return error(400, "x_content_parse_exception", "the body could not be decompressed");
  const parsed = parseBulk(text, /^\/([^/]+)\/_bulk$/.exec(request.path)?.[1]);
  if ("status" in parsed) return parsed;
  const items = bulkItems(parsed.actions, store, fault, request.query);
  const errors = items.some((item) => Object.values(item).some((result) => result.status >= 400));
  return { status: 200, body: filtered({ took: 1, errors, items }, request.query.get("filter_path")) };
}

/** Applies `filter_path` as far as a bulk caller uses it: `items.*.<key>` limits the keys of items. */
function filtered(
  answer: { took: number; errors: boolean; items: readonly Readonly<Record<string, object>>[] },
  filter: string | null,
): unknown {
  if (filter === null) return answer;
  const paths = filter.split(",");
  const keys = paths.flatMap((path) => /^items\.\*\.([a-z_]+)/.exec(path)?.[1] ?? []);
  const items = answer.items.map((item) =>
    Object.fromEntries(
      Object.entries(item).map(([action, result]) => [
        action,
        Object.fromEntries(Object.entries(result).filter(([key]) => keys.includes(key))),
      ]),
    ),
  );
  return {
    ...(paths.includes("took") ? { took: answer.took } : {}),
    ...(paths.includes("errors") ? { errors: answer.errors } : {}),
    ...(keys.length > 0 ? { items } : {}),
  };
}

function decoded(request: SimulatedRequest): string | undefined {
  try {
    const encoding = request.headers["content-encoding"];
    return (encoding === "gzip" ? gunzipSync(request.body) : request.body).toString("utf8");
  } catch {
    // Broken gzip is an answer of its own, not an accident.
    return undefined;
  }
}

function authenticate(request: SimulatedRequest, options: ElasticSimulatorOptions): SimulatedAnswer | undefined {
  const [scheme, credential] = String(request.headers.authorization ?? "").split(" ");
  if (scheme === "ApiKey" && credential === (options.apiKey ?? ELASTIC_DEMO_KEY)) return undefined;
  const reason =
    scheme === "ApiKey" ? "unable to authenticate with provided credentials" : "missing authentication credentials for REST request";
  return { ...error(401, "security_exception", reason), headers: { "www-authenticate": "ApiKey" } };
}

function laterForm({ headers }: SimulatedRequest, options: ElasticSimulatorOptions): SimulatedAnswer | undefined {
  const wanted = [headers.accept, headers["content-type"]].map((value) => Number(/compatible-with=(\d+)/.exec(value ?? "")?.[1] ?? 0));
  if (Math.max(...wanted) <= Number.parseInt(options.version ?? VERSION, 10)) return undefined;
  return error(400, "media_type_header_exception", "Invalid media-type value on headers [Accept, Content-Type]");
}

const VERSION = "9.4.0";

function info({ version = VERSION }: ElasticSimulatorOptions): SimulatedAnswer {
  return {
    status: 200,
    body: {
      name: "simulator",
      cluster_name: "simulator",
      cluster_uuid: "AAAAAAAAAAAAAAAAAAAAAA",
      version: {
        number: version,
        build_flavor: "default",
        build_type: "docker",
        build_hash: "0000000000000000000000000000000000000000",
        build_date: "2026-05-01T00:00:00.000Z",
        build_snapshot: false,
        lucene_version: "10.3.0",
        minimum_wire_compatibility_version: "8.19.0",
        minimum_index_compatibility_version: "8.0.0",
      },
      tagline: "You Know, for Search",
    },
  };
}

const AUTHENTICATED = {
  username: "custodes",
  roles: [],
  full_name: null,
  email: null,
  metadata: {},
  enabled: true,
  authentication_realm: { name: "_es_api_key", type: "_es_api_key" },
  lookup_realm: { name: "_es_api_key", type: "_es_api_key" },
  authentication_type: "api_key",
  api_key: { id: "demo-key-id", name: "custodes", managed_by: "elasticsearch" },
};

function privileges(request: SimulatedRequest, options: ElasticSimulatorOptions): SimulatedAnswer {
  const body = JSON.parse(request.body.toString("utf8")) as {
    index?: readonly { names: readonly string[]; privileges: readonly string[] }[];
  };
  const index: Record<string, Record<string, boolean>> = {};
  for (const entry of body.index ?? []) {
    for (const name of entry.names) {
      const granted = options.writable === undefined || matches(options.writable, name);
      index[name] = Object.fromEntries(entry.privileges.map((privilege) => [privilege, granted]));
    }
  }
  const all = Object.values(index).every((entry) => Object.values(entry).every(Boolean));
  return { status: 200, body: { username: "custodes", has_all_requested: all, cluster: {}, index, application: {} } };
}

const OUR_TEMPLATE = { mappings: { properties: { custodes: { properties: {} } } } };

function apiKey(request: SimulatedRequest, options: ElasticSimulatorOptions): SimulatedAnswer {
  if (request.query.get("owner") !== "true") return forbidden("cluster:admin/xpack/security/api_key/get");
  const end = options.keyExpiration === undefined ? {} : { expiration: options.keyExpiration };
  const key = { ...AUTHENTICATED.api_key, type: "rest", creation: 1_780_000_000_000, invalidated: false, ...end };
  return { status: 200, body: { api_keys: [{ ...key, username: "custodes", realm: "_es_api_key", metadata: {}, role_descriptors: {} }] } };
}

function forbidden(action: string): SimulatedAnswer {
  return error(403, "security_exception", `action [${action}] is unauthorized for API key id [demo-key-id]`);
}
