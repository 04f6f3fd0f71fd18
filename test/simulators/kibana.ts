/** The part of Kibana that a setup talks to: export and import of saved objects, and of detection rules. */
import {
  faultQueue,
  startLoopback,
  type HttpFault,
  type SimulatedAnswer,
  type SimulatedRequest,
} from "../../src/simulators/http-server.ts";

type Json = Readonly<Record<string, unknown>>;

/** A running Kibana. */
export interface KibanaSimulator {
  readonly url: string;
  readonly savedObjects: Map<string, Json>;
  readonly rules: Map<string, Json>;
  /** Spaces that were asked, by their ids. */
  readonly spaces: Set<string>;
  imports(): number;
  fail(...faults: readonly HttpFault[]): void;
  close(): Promise<void>;
}

/** `authorization` is the header's one good value; `space` the one space that there is beside the default. */
export interface KibanaOptions {
  readonly authorization: string;
  readonly space?: string;
}

/** `xpack.securitySolution.maxRuleImportPayloadBytes`. */
const IMPORT_BYTES_MAX = 10_485_760;

/** Starts it on a free loopback port. */
export async function startKibana(options: KibanaOptions): Promise<KibanaSimulator> {
  const faults = faultQueue<HttpFault>();
  const savedObjects = new Map<string, Json>();
  const rules = new Map<string, Json>();
  const spaces = new Set<string>();
  let imports = 0;
  const server = await startLoopback({
    fault: () => faults.next(),
    handle: (request) => {
      spaces.add(/^\/s\/([^/]+)/.exec(request.path)?.[1] ?? "default");
      const answer = route(request, options, savedObjects, rules);
      if (request.path.endsWith("/_import") && answer.status === 200) imports++;
      return answer;
    },
  });
  return {
    url: server.url,
    savedObjects,
    rules,
    spaces,
    imports: () => imports,
    fail: (...list) => faults.add(list),
    close: () => server.close(),
  };
}

function refusal(status: number, message: string, more: Json = {}): SimulatedAnswer {
  return { status, body: { statusCode: status, error: "x", message, ...more } };
}

function route(request: SimulatedRequest, options: KibanaOptions, objects: Map<string, Json>, rules: Map<string, Json>): SimulatedAnswer {
  const space = /^\/s\/([^/]+)/.exec(request.path)?.[1];
  if (space !== undefined && space !== options.space) return refusal(404, "Not Found");
  const path = request.path.replace(/^\/s\/[^/]+/, "");
  if (request.headers.authorization !== options.authorization) return refusal(401, "[security_exception]: unable to authenticate");
  if (request.method !== "GET" && request.headers["kbn-xsrf"] === undefined) return refusal(400, "Request must contain a kbn-xsrf header.");
  if (request.body.length > IMPORT_BYTES_MAX) return refusal(413, "Payload content length greater than maximum allowed");
  if (path === "/api/detection_engine/rules" && request.method === "GET") {
    if (request.headers["elastic-api-version"] !== "2023-10-31") return refusal(400, "No version found");
    const id = request.query.get("rule_id") ?? "";
    const rule = rules.get(id);
    return rule === undefined
      ? { status: 404, body: { message: `rule_id: "${id}" not found`, status_code: 404 } }
      : { status: 200, body: rule };
  }
  if (request.method !== "POST") return refusal(404, "Not Found");
  if (path === "/api/saved_objects/_export") return exported(request, objects);
  if (path === "/api/saved_objects/_import") return importObjects(request, objects);
  if (path === "/api/detection_engine/rules/_import") return importRules(request, rules);
  return refusal(404, "Not Found");
}

function exported(request: SimulatedRequest, objects: Map<string, Json>): SimulatedAnswer {
  const { objects: wanted } = JSON.parse(request.body.toString("utf8")) as { objects: readonly { type: string; id: string }[] };
  const missing = wanted.filter(({ type, id }) => !objects.has(`${type}/${id}`));
  if (missing.length > 0) return refusal(400, "Error fetching objects to export", { attributes: { objects: missing } });
  const lines = wanted.map(({ type, id }) => JSON.stringify(objects.get(`${type}/${id}`)));
  return { status: 200, headers: { "content-type": "application/ndjson" }, body: lines.join("\n") };
}

/** The lines of the one file of a multipart body; undefined when it is none. */
function uploaded(request: SimulatedRequest): readonly Json[] | undefined {
  const boundary = /^multipart\/form-data; boundary=([^;]+)$/.exec(String(request.headers["content-type"]))?.[1];
  const text = request.body.toString("utf8");
  if (boundary === undefined || !text.startsWith(`--${boundary}\r\n`) || !text.endsWith(`\r\n--${boundary}--\r\n`)) return undefined;
  const part = text.slice(boundary.length + 4, -(boundary.length + 8));
  const end = part.indexOf("\r\n\r\n");
  if (!/name="file"; filename="[^"]+\.ndjson"/.test(part.slice(0, end))) return undefined;
  return part
    .slice(end + 4)
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => JSON.parse(line) as Json);
}

function importObjects(request: SimulatedRequest, objects: Map<string, Json>): SimulatedAnswer {
  const lines = uploaded(request);
  if (lines === undefined) return refusal(400, "[request body.file]: expected value of type [Stream]");
  const overwrite = request.query.get("overwrite") === "true";
  const errors: Json[] = [];
  for (const line of lines) {
    const key = `${String(line["type"])}/${String(line["id"])}`;
    const references = line["references"] as readonly { type: string; id: string }[];
    const known = (one: { type: string; id: string }): boolean =>
      objects.has(`${one.type}/${one.id}`) || lines.some((other) => other["type"] === one.type && other["id"] === one.id);
    const refuse = (type: string): number => errors.push({ id: line["id"], type: line["type"], error: { type } });
    if (!["index-pattern", "dashboard"].includes(String(line["type"]))) refuse("unsupported_type");
    else if (!references.every(known)) refuse("missing_references");
    else if (objects.has(key) && !overwrite) refuse("conflict");
    // Kibana migrates what it is given: whoever compares it byte for byte finds a difference each time.
    else objects.set(key, { ...line, managed: false, coreMigrationVersion: "8.8.0", typeMigrationVersion: "10.3.0" });
  }
  return { status: 200, body: { success: errors.length === 0, successCount: lines.length - errors.length, errors } };
}

const REQUIRED = ["rule_id", "name", "description", "type", "query", "index", "risk_score", "severity", "from", "interval", "enabled"];
const SEVERITIES = ["low", "medium", "high", "critical"];

function importRules(request: SimulatedRequest, rules: Map<string, Json>): SimulatedAnswer {
  const lines = uploaded(request);
  if (lines === undefined) return refusal(400, "Invalid file extension .undefined");
  const overwrite = request.query.get("overwrite") === "true";
  const errors: Json[] = [];
  for (const line of lines) {
    const id = String(line["rule_id"]);
    const mapping = (line["severity_mapping"] ?? []) as readonly Json[];
    const refuse = (status_code: number, message: string): number => errors.push({ rule_id: id, error: { status_code, message } });
    const lacking = REQUIRED.filter((key) => line[key] === undefined);
    const suppression = line["alert_suppression"] as { duration?: { unit?: string }; group_by?: readonly string[] } | undefined;
    if (lacking.length > 0) refuse(400, `${lacking.join(", ")}: Required`);
    else if (!SEVERITIES.includes(String(line["severity"])) || !mapping.every((one) => SEVERITIES.includes(String(one["severity"]))))
      refuse(400, "severity: Invalid enum value");
    else if (mapping.some((one) => one["operator"] !== "equals" || typeof one["value"] !== "string"))
      refuse(400, "severity_mapping: Invalid");
    else if (suppression !== undefined && (suppression.group_by?.length !== 1 || !/^[smh]$/.test(String(suppression.duration?.unit))))
      refuse(400, "alert_suppression: Invalid");
    else if (rules.has(id) && !overwrite) refuse(409, `rule_id: "${id}" already exists`);
    else rules.set(id, { ...line, id: `saved-${id}`, revision: 0, created_at: "2026-08-22T09:14:03.512Z", immutable: false });
  }
  const success = errors.length === 0;
  return { status: 200, body: { success, success_count: lines.length - errors.length, rules_count: lines.length, errors } };
}
