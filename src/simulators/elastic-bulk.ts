/** What the simulated Elasticsearch does with the lines of a bulk request: its grammar, versions, conflicts and types. */
import { isIP } from "node:net";
import type { ElasticFault, ElasticSimulatorOptions } from "./elastic.ts";
import type { SimulatedAnswer } from "./http-server.ts";

/** What the simulated cluster holds. */
export interface BulkStore {
  readonly documents: Map<string, { index: string; id: string; version: number; source: unknown }>;
  sequence: number;
  /** Of every data stream's backing index. */
  generation: number;
  readonly options: ElasticSimulatorOptions;
}

/** One action of a bulk request. */
export interface BulkAction {
  readonly op: "create" | "index" | "delete" | "update";
  readonly index: string;
  readonly id: string | undefined;
  readonly version: number | undefined;
  readonly versionType: string | undefined;
  readonly source: Readonly<Record<string, unknown>> | undefined;
  readonly requireDataStream: boolean;
}

/** Result of one action. */
export interface BulkResult {
  readonly _index: string;
  readonly _id: string | null;
  readonly status: number;
  readonly [key: string]: unknown;
}

const OPS: ReadonlySet<string> = new Set(["create", "index", "delete", "update"]);
const META: ReadonlySet<string> = new Set(
  "_index _id version version_type routing pipeline require_alias require_data_stream if_seq_no if_primary_term op_type dynamic_templates".split(
    " ",
  ),
);
/** Ids beyond this are refused by Lucene. */
const ID_BYTES_MAX = 512;
/** Longest term that Lucene indexes; a longer keyword fails the document. */
const TERM_BYTES_MAX = 32_766;
/** `index.mapping.total_fields.limit` of a new index. */
const FIELDS_MAX = 1_000;

/** Fields with a type other than keyword, as the ECS templates map them. */
const IP_FIELD = /(^|\.)ip$/;
const DATE_FIELDS: ReadonlySet<string> = new Set(["@timestamp", "event.start", "event.end", "event.created", "event.ingested"]);
const NUMBER_FIELDS: ReadonlySet<string> = new Set(["event.severity", "event.risk_score", "event.risk_score_norm"]);

/** Reads the NDJSON of a bulk request, or gives the answer that refuses it as a whole. */
export function parseBulk(text: string, pathIndex: string | undefined): { readonly actions: readonly BulkAction[] } | SimulatedAnswer {
  if (text === "") return error(400, "parse_exception", "request body is required");
  if (!text.endsWith("\n")) return error(400, "illegal_argument_exception", "The bulk request must be terminated by a newline [\\n]");
  const lines = text.slice(0, -1).split("\n");
  const actions: BulkAction[] = [];
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at]!.trimEnd();
    if (line === "") continue;
    const action = objectOf(line);
    const [op, ...rest] = Object.keys(action ?? {});
    if (action === undefined || op === undefined || rest.length > 0 || !OPS.has(op))
      return error(
        400,
        "illegal_argument_exception",
        `Malformed action/metadata line [${at + 1}], expected field [create], [delete], [index] or [update] but found [${op ?? "VALUE_STRING"}]`,
      );
    const meta = (action[op] ?? {}) as Readonly<Record<string, unknown>>;
    const unknown = Object.keys(meta).find((key) => !META.has(key));
    if (unknown !== undefined)
      return error(400, "illegal_argument_exception", `Action/metadata line [${at + 1}] contains an unknown parameter [${unknown}]`);
    const index = meta["_index"] ?? pathIndex;
    if (typeof index !== "string") return error(400, "action_request_validation_exception", "Validation Failed: 1: index is missing;");
    let source: Readonly<Record<string, unknown>> | undefined;
    if (op !== "delete") {
      at++;
      source = objectOf(lines[at] ?? "");
      if (lines[at] === undefined) return error(400, "action_request_validation_exception", "Validation Failed: 1: no requests added;");
    }
    actions.push({
      op: op as BulkAction["op"],
      index,
      id: typeof meta["_id"] === "string" ? meta["_id"] : undefined,
      version: typeof meta["version"] === "number" ? meta["version"] : undefined,
      versionType: typeof meta["version_type"] === "string" ? meta["version_type"] : undefined,
      source,
      requireDataStream: meta["require_data_stream"] === true,
    });
  }
  return actions.length === 0 ? error(400, "action_request_validation_exception", "Validation Failed: 1: no requests added;") : { actions };
}

/** Carries the actions out, each by itself, in order. */
export function bulkItems(
  actions: readonly BulkAction[],
  store: BulkStore,
  fault: ElasticFault | undefined,
  query: URLSearchParams,
): readonly Readonly<Record<string, BulkResult>>[] {
  const echo = query.get("include_source_on_error") !== "false";
  return actions.map((action, at) => {
    const injected = fault?.items?.find((item) => item.at === at);
    if (injected !== undefined) return { [action.op]: failed(action, injected.status, injected.type, injected.reason ?? "injected", echo) };
    const result = carryOut(action, store, echo, query.get("require_data_stream") === "true");
    return { [action.op]: fault?.failureStore === true && result.status < 300 ? { ...result, failure_store: "used" } : result };
  });
}

function carryOut(action: BulkAction, store: BulkStore, echo: boolean, requireDataStream: boolean): BulkResult {
  const refuse = (status: number, type: string, reason: string) => failed(action, status, type, reason, echo);
  const stream = matches(store.options.dataStreams ?? [], action.index);
  const key = `${stream ? `${action.index}#${store.generation}` : action.index}/${action.id ?? `auto-${store.sequence}`}`;
  const present = store.documents.get(key);
  const problem = indexProblem(action, store, stream, requireDataStream) ?? documentProblem(action, stream);
  if (problem !== undefined) return refuse(...problem);
  if (action.op === "create" && present !== undefined)
    return refuse(
      409,
      "version_conflict_engine_exception",
      `[${action.id}]: version conflict, document already exists (current version [${present.version}])`,
    );
  const external = action.versionType === "external" || action.versionType === "external_gte";
  if (external && action.version === undefined)
    return refuse(400, "action_request_validation_exception", "Validation Failed: 1: external versioning needs a version;");
  if (external && present !== undefined) {
    const stale = action.versionType === "external" ? action.version! <= present.version : action.version! < present.version;
    if (stale)
      return refuse(
        409,
        "version_conflict_engine_exception",
        `[${action.id}]: version conflict, current version [${present.version}] is higher or equal to the one provided [${action.version}]`,
      );
  }
  const version = external ? action.version! : (present?.version ?? 0) + 1;
  const id = action.id ?? `auto-${store.sequence}`;
  store.documents.set(key, { index: action.index, id, version, source: action.source });
  return {
    _index: stream ? `.ds-${action.index}-2026.08.22-${String(store.generation).padStart(6, "0")}` : action.index,
    _id: id,
    _version: version,
    result: present === undefined ? "created" : "updated",
    _shards: { total: 2, successful: 1, failed: 0 },
    _seq_no: store.sequence++,
    _primary_term: 1,
    status: present === undefined ? 201 : 200,
  };
}

type Problem = [status: number, type: string, reason: string];

function indexProblem(action: BulkAction, store: BulkStore, stream: boolean, requireDataStream: boolean): Problem | undefined {
  const { index, op } = action;
  if (op === "update" || op === "delete") return [400, "illegal_argument_exception", `[${op}] is not simulated`];
  if (!/^[a-z0-9.][^A-Z\\/*?"<>| ,#:]{0,254}$/.test(index)) return [400, "invalid_index_name_exception", `Invalid index name [${index}]`];
  if (store.options.writable !== undefined && !matches(store.options.writable, index))
    return [
      403,
      "security_exception",
      `action [indices:data/write/bulk[s]] is unauthorized for API key id [demo-key-id] on indices [${index}]`,
    ];
  if (stream && op !== "create")
    return [400, "illegal_argument_exception", "only write ops with an op_type of create are allowed in data streams"];
  if (!stream && (action.requireDataStream || requireDataStream))
    return [404, "index_not_found_exception", `no such index [${index}] and [require_data_stream] request flag is [true]`];
  const exists = [...store.documents.values()].some((document) => document.index === index);
  if (store.options.autoCreate === false && !exists) return [404, "index_not_found_exception", `no such index [${index}]`];
  return undefined;
}

function documentProblem(action: BulkAction, stream: boolean): Problem | undefined {
  if (action.id !== undefined && Buffer.byteLength(action.id) > ID_BYTES_MAX)
    return [400, "illegal_argument_exception", `id is too long, must be no longer than ${ID_BYTES_MAX} bytes`];
  if (action.source === undefined) return [400, "document_parsing_exception", "failed to parse"];
  if (stream && typeof action.source["@timestamp"] !== "string")
    return [400, "document_parsing_exception", "data stream timestamp field [@timestamp] is missing"];
  let fields = 0;
  for (const [path, value] of leaves(action.source, "")) {
    fields++;
    const problem = typeProblem(path, value);
    if (problem !== undefined) return [400, "document_parsing_exception", problem];
  }
  return fields > FIELDS_MAX * 10
    ? [400, "illegal_argument_exception", `Limit of total fields [${FIELDS_MAX}] has been exceeded`]
    : undefined;
}

function typeProblem(path: string, value: unknown): string | undefined {
  const bad = (type: string) => `[1:1] failed to parse field [${path}] of type [${type}]: '${String(value)}'`;
  if (IP_FIELD.test(path)) return typeof value === "string" && isIP(value) !== 0 && !/(^|\.)0\d/.test(value) ? undefined : bad("ip");
  if (DATE_FIELDS.has(path)) return typeof value === "string" && /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value) ? undefined : bad("date");
  if (NUMBER_FIELDS.has(path)) return typeof value === "number" ? undefined : bad("long");
  return typeof value === "string" && Buffer.byteLength(value) > TERM_BYTES_MAX ? bad("keyword") : undefined;
}

function* leaves(value: unknown, path: string): Generator<readonly [string, unknown]> {
  if (Array.isArray(value)) for (const item of value) yield* leaves(item, path);
  else if (typeof value === "object" && value !== null)
    for (const [key, item] of Object.entries(value)) yield* leaves(item, path === "" ? key : `${path}.${key}`);
  else if (value !== null) yield [path, value];
}

function failed(action: BulkAction, status: number, type: string, reason: string, echo: boolean): BulkResult {
  return {
    _index: action.index,
    _id: action.id ?? null,
    status,
    error: {
      type,
      reason: echo && action.source !== undefined ? `${reason} source: ${JSON.stringify(action.source).slice(0, 200)}` : reason,
    },
  };
}

function objectOf(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Readonly<Record<string, unknown>>) : undefined;
  } catch {
    // What is not JSON is refused by the caller in the vendor's words.
    return undefined;
  }
}

/** An error answer in the vendor's shape. */
export function error(status: number, type: string, reason: string): SimulatedAnswer {
  return { status, body: { error: { root_cause: [{ type, reason }], type, reason }, status } };
}

/** Whether a name is one of the names or `prefix*` patterns. */
export function matches(patterns: readonly string[], name: string): boolean {
  return patterns.some((pattern) => (pattern.endsWith("*") ? name.startsWith(pattern.slice(0, -1)) : pattern === name));
}
