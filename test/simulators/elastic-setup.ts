/**
 * The part of Elasticsearch (and of OpenSearch, which took it over) that a setup talks to: pipelines, lifecycle policies, templates,
 * indices, data streams, aliases. It refuses what the server would refuse, asks for the privileges that the server asks for, and gives
 * objects back as the server does: settings nested and as texts, with what it adds by itself.
 */
import { error, matches } from "../../src/simulators/elastic-bulk.ts";
import type { SimulatedAnswer, SimulatedRequest } from "../../src/simulators/http-server.ts";

type Json = Readonly<Record<string, unknown>>;

/** How the cluster is set up. */
export interface SetupServerOptions {
  /** Value of the header `Authorization` that these routes answer to; other requests are not theirs. */
  readonly authorization: string;
  readonly cluster: readonly string[];
  /** Names of indices with the privilege `manage`, or `prefix*`. */
  readonly indices: readonly string[];
  /** Complains about a body by the vendor's schema; undefined when it is good. */
  readonly validate?: (route: string, body: Json) => string | undefined;
  /** No ILM there. */
  readonly serverless?: boolean;
  /** Requests to these paths are answered by someone else, e.g. ISM policies. */
  readonly also?: (request: SimulatedRequest, body: Json) => SimulatedAnswer | undefined;
}

/** What the setup has left on the server. */
export interface SetupServer {
  handle(request: SimulatedRequest): SimulatedAnswer | undefined;
  /** Requests that changed something. */
  writes(): readonly string[];
  readonly indices: Map<string, { mappings: Json; aliases: Set<string> }>;
  /** Lives: names of the data streams that there are. */
  readonly dataStreams: string[];
  readonly streams: Map<string, { mappings: Json; lifecycle: Json | undefined; failureStore: boolean; indexSettings: Json }>;
  /** Objects by path, as they were put. */
  readonly objects: Map<string, Json>;
  /** The template that would win for a name, components merged; undefined for none. */
  template(name: string): Json | undefined;
}

/** A cluster without anything of ours. */
export function setupServer(options: SetupServerOptions): SetupServer {
  const writes: string[] = [];
  const server: SetupServer = {
    indices: new Map(),
    dataStreams: [],
    streams: new Map(),
    objects: new Map(),
    writes: () => writes,
    template: (name) => resolve(server, name),
    handle: (request) => {
      if (request.headers.authorization !== options.authorization) return undefined;
      const answer = answerTo(request, server, options);
      if (request.method === "PUT" && answer.status < 300) writes.push(`${request.method} ${request.path}`);
      return answer;
    },
  };
  return server;
}

const OBJECTS: readonly (readonly [prefix: string, privilege: string])[] = [
  ["/_ingest/pipeline/", "manage_ingest_pipelines"],
  ["/_component_template/", "manage_index_templates"],
  ["/_index_template/", "manage_index_templates"],
  ["/_ilm/policy/", "manage_ilm"],
];

function answerTo(request: SimulatedRequest, server: SetupServer, options: SetupServerOptions): SimulatedAnswer {
  const { method, path } = request;
  let body: Json = {};
  if (request.body.length > 0) {
    if (!String(request.headers["content-type"]).startsWith("application/json"))
      return error(406, "media_type_header_exception", "Content-Type header is not supported");
    body = JSON.parse(request.body.toString("utf8")) as Json;
  }
  const other = options.also?.(request, body);
  if (other !== undefined) return other;
  const object = OBJECTS.find(([prefix]) => path.startsWith(prefix));
  if (object !== undefined) {
    const [prefix, privilege] = object;
    if (options.serverless === true && prefix === "/_ilm/policy/")
      return error(410, "api_not_available_exception", "Request for uri is not available when running in serverless mode");
    if (!options.cluster.includes(privilege)) return forbidden(`cluster:admin ${privilege}`);
    if (method === "GET") return shown(path, prefix, server);
    if (method !== "PUT") return error(405, "method_not_allowed", "wrong method");
    const complaint = options.validate?.(`${prefix}{name}`, body) ?? problemOf(path, prefix, body, server);
    if (complaint !== undefined) return error(400, "illegal_argument_exception", complaint);
    server.objects.set(path, body);
    return { status: 200, body: { acknowledged: true } };
  }
  return indexRoutes(method, path, body, server, options);
}

function shown(path: string, prefix: string, server: SetupServer): SimulatedAnswer {
  const name = path.slice(prefix.length);
  const body = server.objects.get(path);
  // Pipelines that are not there are answered with 404 and an empty object.
  if (body === undefined)
    return prefix === "/_ingest/pipeline/" ? { status: 404, body: {} } : error(404, "resource_not_found_exception", `[${name}] not found`);
  if (prefix === "/_component_template/") return { status: 200, body: { component_templates: [{ name, component_template: body }] } };
  if (prefix === "/_index_template/") {
    const added = body["data_stream"] === undefined ? {} : { data_stream: { hidden: false, allow_custom_routing: false } };
    return { status: 200, body: { index_templates: [{ name, index_template: { ...body, ...added } }] } };
  }
  if (prefix === "/_ilm/policy/")
    return { status: 200, body: { [name]: { version: 1, modified_date: "2026-08-22T09:14:03.512Z", ...body } } };
  return { status: 200, body: { [name]: body } };
}

function problemOf(path: string, prefix: string, body: Json, server: SetupServer): string | undefined {
  if (prefix !== "/_index_template/") return undefined;
  const name = path.slice(prefix.length);
  const missing = (body["composed_of"] as readonly string[]).filter((one) => !server.objects.has(`/_component_template/${one}`));
  if (missing.length > 0) return `index template [${name}] specifies component templates ${JSON.stringify(missing)} that do not exist`;
  for (const [other, present] of templates(server)) {
    if (other === name || present["priority"] !== body["priority"]) continue;
    const overlap = patterns(present).some((one) => patterns(body).some((two) => matches([one], two) || matches([two], one)));
    if (overlap)
      return `index template [${name}] has index patterns matching patterns from existing templates [${other}] with the same priority`;
  }
  const settings = (body["template"] as Json | undefined)?.["settings"] as { index?: Json } | undefined;
  if (Object.values(settings?.index ?? {}).some((value) => typeof value === "number" || typeof value === "boolean"))
    return "this simulator gives settings back as texts, and so wants them as texts";
  const pipeline = settings?.index?.["final_pipeline"] as string | undefined;
  if (pipeline !== undefined && !server.objects.has(`/_ingest/pipeline/${pipeline}`)) return `pipeline [${pipeline}] does not exist`;
  return undefined;
}

function templates(server: SetupServer): (readonly [string, Json])[] {
  const prefix = "/_index_template/";
  return [...server.objects].filter(([path]) => path.startsWith(prefix)).map(([path, body]) => [path.slice(prefix.length), body] as const);
}

const patterns = (template: Json): readonly string[] => template["index_patterns"] as readonly string[];

function resolve(server: SetupServer, name: string): Json | undefined {
  const found = templates(server)
    .map(([, body]) => body)
    .filter((body) => matches(patterns(body), name))
    .sort((a, b) => Number(b["priority"]) - Number(a["priority"]))[0];
  if (found === undefined) return undefined;
  let mappings: Json = {};
  for (const component of found["composed_of"] as readonly string[]) {
    const { template } = server.objects.get(`/_component_template/${component}`) as { template: { mappings?: Json } };
    mappings = merged(mappings, template.mappings ?? {});
  }
  return { ...(found["template"] as Json), mappings, data_stream: found["data_stream"] };
}

function merged(one: Json, two: Json): Json {
  const isObject = (value: unknown): value is Json => typeof value === "object" && value !== null;
  const both = (key: string): unknown => (isObject(one[key]) && isObject(two[key]) ? merged(one[key], two[key]) : two[key]);
  return { ...one, ...Object.fromEntries(Object.keys(two).map((key) => [key, both(key)])) };
}

function indexRoutes(method: string, path: string, body: Json, server: SetupServer, options: SetupServerOptions): SimulatedAnswer {
  const [, stream, option] = /^\/_data_stream\/([^/]+)(?:\/(_lifecycle|_options))?$/.exec(path) ?? [];
  const [, index, part, alias] = /^\/([a-z0-9][^/]*)(?:\/(_mapping|_alias)(?:\/([^/]+))?)?$/.exec(path) ?? [];
  const name = stream ?? index;
  if (name === undefined || (method !== "GET" && method !== "PUT"))
    return error(400, "illegal_argument_exception", "no handler found for uri");
  if (!matches(options.indices, name)) return forbidden(`indices:admin on [${name}]`);
  if (stream !== undefined) return streamRoute(method, stream, option, body, server, options);
  const found = server.indices.get(name) ?? server.streams.get(name);
  if (part === undefined)
    return method === "PUT" ? createIndex(name, body, server) : error(400, "illegal_argument_exception", "not simulated");
  if (found === undefined) return error(404, "index_not_found_exception", `no such index [${name}]`);
  if (part === "_alias") {
    const { aliases } = found as { aliases: Set<string> };
    if (method === "PUT") aliases.add(alias!);
    if (!aliases.has(alias!)) return { status: 404, body: { error: `alias [${alias}] missing`, status: 404 } };
    return { status: 200, body: method === "PUT" ? { acknowledged: true } : { [name]: { aliases: { [alias!]: {} } } } };
  }
  if (method === "GET")
    return { status: 200, body: { [server.streams.has(name) ? `.ds-${name}-000001` : name]: { mappings: given(found.mappings) } } };
  const conflict = conflictOf(found.mappings, body, "");
  if (conflict !== undefined) return error(400, "illegal_argument_exception", conflict);
  found.mappings = merged(found.mappings, body);
  return { status: 200, body: { acknowledged: true } };
}

function createIndex(name: string, body: Json, server: SetupServer): SimulatedAnswer {
  if (server.indices.has(name)) return error(400, "resource_already_exists_exception", `index [${name}] already exists`);
  const template = resolve(server, name);
  if (template?.["data_stream"] !== undefined)
    return error(
      400,
      "illegal_argument_exception",
      `cannot create index with name [${name}], because it matches with a template that creates data streams only`,
    );
  const aliases = new Set(Object.keys((template?.["aliases"] ?? {}) as Json));
  server.indices.set(name, { mappings: merged((template?.["mappings"] ?? {}) as Json, (body["mappings"] ?? {}) as Json), aliases });
  return { status: 200, body: { acknowledged: true, shards_acknowledged: true, index: name } };
}

function streamRoute(
  method: string,
  name: string,
  option: string | undefined,
  body: Json,
  server: SetupServer,
  options: SetupServerOptions,
): SimulatedAnswer {
  const found = server.streams.get(name);
  if (option === undefined && method === "PUT") {
    const template = resolve(server, name);
    if (template?.["data_stream"] === undefined)
      return error(400, "illegal_argument_exception", `no matching index template found for data stream [${name}]`);
    if (found !== undefined) return error(400, "resource_already_exists_exception", `data_stream [${name}] already exists`);
    const store = template["data_stream_options"] as { failure_store?: { enabled?: boolean } } | undefined;
    server.streams.set(name, {
      mappings: template["mappings"] as Json,
      lifecycle: template["lifecycle"] as Json | undefined,
      failureStore: store?.failure_store?.enabled === true,
      indexSettings: ((template["settings"] as { index?: Json } | undefined)?.index ?? {}) as Json,
    });
    server.dataStreams.push(name);
    return { status: 200, body: { acknowledged: true } };
  }
  if (found === undefined) return error(404, "index_not_found_exception", `no such index [${name}]`);
  if (method === "GET") {
    const failure_store = { enabled: found.failureStore, indices: [], rollover_on_write: true };
    const lifecycle = found.lifecycle === undefined ? {} : { lifecycle: { ...found.lifecycle, rollover: { max_age: "auto" } } };
    return { status: 200, body: { data_streams: [{ name, status: "GREEN", generation: 1, failure_store, ...lifecycle }] } };
  }
  const complaint = options.validate?.(`/_data_stream/{name}/${option}`, body);
  if (complaint !== undefined) return error(400, "illegal_argument_exception", complaint);
  if (option === "_lifecycle") found.lifecycle = body;
  else found.failureStore = (body["failure_store"] as { enabled?: boolean }).enabled === true;
  return { status: 200, body: { acknowledged: true } };
}

/** A mapping as it is given back: objects with properties have no type. */
function given(mapping: Json): Json {
  const entries = Object.entries(mapping).map(([key, value]): [string, unknown] =>
    key === "properties"
      ? [key, Object.fromEntries(Object.entries(value as Json).map(([name, field]) => [name, given(field as Json)]))]
      : [key, value],
  );
  return Object.fromEntries(entries.filter(([key, value]) => key !== "type" || value !== "object"));
}

/** A field's type can never change. */
function conflictOf(present: Json, wanted: Json, path: string): string | undefined {
  const have = (present["properties"] ?? {}) as Readonly<Record<string, Json>>;
  for (const [name, field] of Object.entries((wanted["properties"] ?? {}) as Readonly<Record<string, Json>>)) {
    const old = have[name];
    if (old === undefined) continue;
    if ((old["type"] ?? "object") !== (field["type"] ?? "object"))
      return `mapper [${path}${name}] cannot be changed from type [${String(old["type"])}] to [${String(field["type"])}]`;
    const below = conflictOf(old, field, `${path}${name}.`);
    if (below !== undefined) return below;
  }
  return undefined;
}

function forbidden(action: string): SimulatedAnswer {
  return error(403, "security_exception", `action [${action}] is unauthorized for API key id [installer]`);
}
