/** A strict stand-in for a ServiceNow instance: Event Management's jsonv2 and the Table API, as far as they are documented. */
import { createHash } from "node:crypto";
import {
  faultQueue,
  startLoopback,
  type HttpFault,
  type SimulatedAnswer,
  type SimulatedRequest,
} from "../../src/simulators/http-server.ts";

type Json = Readonly<Record<string, unknown>>;

/** How the simulated instance is set up. */
export interface ServicenowSimulatorOptions {
  readonly username?: string;
  readonly password?: string;
  readonly token?: string;
  readonly tables?: readonly string[];
  /** The user has the role evt_mgmt_integration. */
  readonly mayPushEvents?: boolean;
  /** Fields that the user may not write: left out without a word. */
  readonly readonlyFields?: readonly string[];
  /** Fields that the user may not read: conditions on them are left out. */
  readonly hiddenFields?: readonly string[];
  /** Requests an hour. */
  readonly perHour?: number;
  readonly now?: () => number;
}

const LENGTHS: Readonly<Record<string, number>> = { short_description: 160, correlation_id: 100, correlation_display: 100, category: 40 };
const EVENT_FIELDS = [
  "source event_class node resource metric_name type message_key severity time_of_event resolution_state description additional_info",
].flatMap((names) => names.split(" "));

/** Starts the simulator on a free loopback port. */
export async function startServicenowSimulator(given: ServicenowSimulatorOptions = {}) {
  const options = {
    username: "custodes",
    password: "password",
    token: "token",
    tables: ["incident"] as readonly string[],
    mayPushEvents: true,
    readonlyFields: [] as readonly string[],
    hiddenFields: [] as readonly string[],
    perHour: 100_000,
    now: Date.now,
    ...given,
  };
  /** By message key: Event Management makes one alert of all events with the same one. */
  const alerts = new Map<string, Json & { readonly events: number }>();
  const records: Record<string, string>[] = [];
  const notes: string[] = [];
  const times: number[] = [];
  const faults = faultQueue<HttpFault>();
  const no = (status: number, message: string, headers: Readonly<Record<string, string>> = {}): SimulatedAnswer => ({
    status,
    headers,
    body: { error: { message, detail: "" }, status: "failure" },
  });
  const basic = (): string => `Basic ${Buffer.from(`${options.username}:${options.password}`).toString("base64")}`;

  const handle = (request: SimulatedRequest): SimulatedAnswer => {
    const { authorization } = request.headers;
    if (authorization !== basic() && authorization !== `Bearer ${options.token}`) return no(401, "User Not Authenticated");
    const now = options.now();
    if (times.filter((time) => time > now - 3_600_000).length >= options.perHour)
      return no(429, "Rate limit exceeded", { "x-ratelimit-reset": String(Math.ceil(now / 1000) + 600), "x-ratelimit-rule": "all" });
    times.push(now);
    if (request.path === "/api/global/em/jsonv2") return events(request);
    const [, table = "", id] = /^\/api\/now\/table\/([a-z0-9_]+)(?:\/([0-9a-f]{32}))?$/.exec(request.path) ?? [];
    if (table === "sys_user" && request.method === "GET") return { status: 200, body: { result: [{ sys_id: "0".repeat(32) }] } };
    if (!options.tables.includes(table)) return no(table === "" ? 404 : 400, `Invalid table ${table}`);
    if (request.method === "GET") return { status: 200, body: { result: query(request) } };
    const fields = parsed(request);
    if (fields === undefined) return no(400, "Exception while reading request");
    if (request.method === "POST" && id === undefined) return create(fields, request);
    return request.method === "PATCH" && id !== undefined ? change(fields, id, request) : no(405, "Method not supported");
  };

  const events = (request: SimulatedRequest): SimulatedAnswer => {
    if (request.method !== "POST") return no(405, "Method not supported");
    if (!options.mayPushEvents) return no(403, "User Not Authorized");
    const list = parsed(request)?.["records"];
    if (!Array.isArray(list) || list.length === 0) return no(400, "records is missing");
    for (const one of list) {
      const error = eventError(one);
      if (error !== undefined) return no(400, error);
    }
    for (const one of list as (Json & { readonly message_key: string })[])
      alerts.set(one.message_key, { ...one, events: (alerts.get(one.message_key)?.events ?? 0) + 1 });
    return { status: 200, body: { result: { "Default Bulk Endpoint": `${list.length} events were inserted` } } };
  };

  const query = (request: SimulatedRequest): readonly Json[] => {
    const [field = "", value] = (request.query.get("sysparm_query") ?? "").split("=");
    const ignored = value === undefined || options.hiddenFields.includes(field);
    const found = ignored ? records : records.filter((one) => one[field] === value);
    return found.slice(0, Number(request.query.get("sysparm_limit") ?? 10_000)).map((one) => shown(one, request));
  };
  const shown = (record: Json, request: SimulatedRequest): Json => {
    const wanted = (request.query.get("sysparm_fields") ?? Object.keys(record).join(",")).split(",");
    return Object.fromEntries(wanted.filter((name) => !options.hiddenFields.includes(name)).map((name) => [name, record[name] ?? ""]));
  };

  const written = (fields: Json): Record<string, string> => {
    const kept = Object.entries(fields).filter(([name]) => !options.readonlyFields.includes(name));
    if (typeof fields["work_notes"] === "string") notes.push(fields["work_notes"]);
    return Object.fromEntries(kept.map(([name, value]) => [name, String(value).slice(0, LENGTHS[name] ?? 4000)]));
  };
  const create = (fields: Json, request: SimulatedRequest): SimulatedAnswer => {
    const number = `INC${String(records.length + 1).padStart(7, "0")}`;
    const record = { ...written(fields), number, sys_id: createHash("md5").update(number).digest("hex") };
    records.push(record);
    return { status: 201, body: { result: shown(record, request) } };
  };
  const change = (fields: Json, id: string, request: SimulatedRequest): SimulatedAnswer => {
    const record = records.find((one) => one["sys_id"] === id);
    if (record === undefined) return no(404, "No Record found");
    return { status: 200, body: { result: shown(Object.assign(record, written(fields)), request) } };
  };

  const server = await startLoopback<HttpFault>({ fault: () => faults.next(), handle });
  return {
    url: server.url,
    received: (): readonly Json[] => [...alerts.values(), ...records],
    notes: (): readonly string[] => notes,
    wipe: () => void records.splice(0),
    requests: () => server.requests(),
    fail: (...list: readonly HttpFault[]) => faults.add(list),
    close: () => server.close(),
  };
}

/** Why an event is refused; the real instance is more patient, and loses what it does not understand. */
export function eventError(value: unknown): string | undefined {
  if (typeof value !== "object" || value === null) return "a record is no object";
  const event = value as Json;
  for (const name of EVENT_FIELDS) if (typeof event[name] !== "string") return `${name} is missing`;
  for (const name of Object.keys(event)) if (!EVENT_FIELDS.includes(name)) return `${name} is no field of em_event`;
  const text = event as Readonly<Record<string, string>>;
  for (const name of ["source", "event_class", "node", "resource", "metric_name", "type"])
    if (text[name]!.length > 100) return `${name} is too long`;
  if (text["message_key"] === "" || text["message_key"]!.length > 1024) return "message_key is empty or too long";
  if (!/^[0-5]$/.test(text["severity"]!)) return "severity is none";
  if (!/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/.test(text["time_of_event"]!)) return "time_of_event is no time";
  if (text["resolution_state"] !== "New" && text["resolution_state"] !== "Closing") return "resolution_state is none";
  if (text["description"]!.length > 4000 || text["additional_info"]!.length > 4000) return "description or additional_info is too long";
  try {
    const info: unknown = JSON.parse(text["additional_info"]!);
    return typeof info === "object" && info !== null && !Array.isArray(info) ? undefined : "additional_info is no JSON object";
  } catch {
    return "additional_info is no JSON";
  }
}

function parsed(request: SimulatedRequest): Json | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(request.body));
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
  } catch {
    // No JSON in UTF-8: the caller answers as the service does.
    return undefined;
  }
}
