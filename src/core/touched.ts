/** What an agent touched, by kind of thing: one row per thing, with how often, how much and when. */
import { STATUS, type EpochMs, type Event } from "./event.ts";
import { credentialsIn } from "./incident/credentials.ts";
import { safeText } from "./safe-text.ts";

/** Rows of one kind; `totals` counts all there are. */
const ROWS_MAX = 200;
/** Data classes or addresses of one row. */
const MARKS_MAX = 20;
/** Longest name, UTF-16 units. */
const NAME_MAX = 200;

/** Kinds of things, in the order in which a person asks for them. */
export const TOUCHED_KINDS = [
  "endpoints",
  "dataClasses",
  "tools",
  "hosts",
  "credentials",
  "addresses",
  "infrastructure",
  "files",
  "processes",
  "users",
] as const;
/** One of them. */
export type TouchedKind = (typeof TOUCHED_KINDS)[number];

/** One thing. Its name is escaped. */
export interface TouchedRow {
  readonly name: string;
  readonly count: number;
  readonly failed: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly firstTime: EpochMs;
  readonly lastTime: EpochMs;
  /** Of an endpoint its data classes; of a credential the addresses that it was used from. */
  readonly marks: readonly string[];
}

/** Everything, most often first. */
export interface Touched {
  readonly events: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly totals: Readonly<Record<TouchedKind, number>>;
  readonly rows: Readonly<Record<TouchedKind, readonly TouchedRow[]>>;
}

/** Sums up events; the result does not depend on their order. */
export function touchedBy(events: readonly Event[]): Touched {
  const tables = new Map(TOUCHED_KINDS.map((kind) => [kind, new Map<string, Tally>()]));
  let [bytesIn, bytesOut] = [0, 0];
  for (const event of events) {
    bytesIn += event.bytesIn ?? 0;
    bytesOut += event.bytesOut ?? 0;
    for (const kind of TOUCHED_KINDS) {
      const table = tables.get(kind)!;
      for (const name of new Set(THINGS[kind](event)))
        if (name !== undefined && name !== "") tally(table, name, event, MARKS[kind]?.(event));
    }
  }
  const of = <T>(make: (table: ReadonlyMap<string, Tally>) => T) =>
    Object.fromEntries(TOUCHED_KINDS.map((kind) => [kind, make(tables.get(kind)!)])) as Record<TouchedKind, T>;
  return { events: events.length, bytesIn, bytesOut, totals: of((table) => table.size), rows: of(rowsOf) };
}

/** The endpoint that an API call went to, without ids in its path; undefined for all other events. */
export function nameOfEndpoint(event: Event): string | undefined {
  if (event.category !== "agent_api") return undefined;
  const path = event.urlPath === undefined ? undefined : event.urlPath.replace(ID_IN_PATH, "/{id}");
  const called = path === undefined ? event.operation : event.method === undefined ? path : `${event.method} ${path}`;
  return called === undefined ? event.service : event.service === undefined ? called : `${event.service} ${called}`;
}

/** A part of a path that is a number, or hexadecimal with at least one digit and eight characters. */
const ID_IN_PATH = /\/(?:\d+|(?=[^/]*\d)[0-9a-fA-F-]{8,64})(?=\/|$)/g;

const THINGS: Readonly<Record<TouchedKind, (event: Event) => readonly (string | undefined)[]>> = {
  endpoints: (event) => [nameOfEndpoint(event)],
  dataClasses: (event) => event.dataClasses ?? [],
  tools: (event) => (event.toolName === undefined ? (event.toolNames ?? []) : [event.toolName, ...(event.toolNames ?? [])]),
  hosts: (event) => (event.category === "egress" ? [event.dstHost ?? event.dstIp] : event.category === "dns" ? [event.dnsQuery] : []),
  credentials: (event) => credentialsIn(event).map(({ kind, uid }) => (kind === "credential" ? uid : `${kind} ${uid}`)),
  addresses: (event) => [event.srcIp],
  infrastructure: (event) =>
    event.category === "infra_change" && event.isChange !== false
      ? [
          [event.infraAction ?? event.operation ?? "change", event.resourceName ?? event.resourceUid]
            .filter((one) => one !== undefined)
            .join(" "),
        ]
      : [],
  files: (event) => [event.filePath],
  processes: (event) => [event.process],
  users: (event) => [event.targetUserName ?? event.targetUserUid, event.userName ?? event.userUid],
};

const MARKS: Partial<Record<TouchedKind, (event: Event) => readonly (string | undefined)[] | undefined>> = {
  endpoints: (event) => event.dataClasses,
  credentials: (event) => [event.srcIp],
};

interface Tally {
  count: number;
  failed: number;
  bytesIn: number;
  bytesOut: number;
  firstTime: EpochMs;
  lastTime: EpochMs;
  readonly marks: Set<string>;
}

function tally(table: Map<string, Tally>, name: string, event: Event, marks: readonly (string | undefined)[] | undefined): void {
  let row = table.get(name);
  if (row === undefined) {
    row = { count: 0, failed: 0, bytesIn: 0, bytesOut: 0, firstTime: event.time, lastTime: event.time, marks: new Set() };
    table.set(name, row);
  }
  row.count++;
  if (event.statusId === STATUS.failure) row.failed++;
  row.bytesIn += event.bytesIn ?? 0;
  row.bytesOut += event.bytesOut ?? 0;
  if (event.time < row.firstTime) row.firstTime = event.time;
  if (event.time > row.lastTime) row.lastTime = event.time;
  for (const mark of marks ?? []) if (mark !== undefined && mark !== "") row.marks.add(mark);
}

function rowsOf(table: ReadonlyMap<string, Tally>): readonly TouchedRow[] {
  return [...table]
    .sort(([one, a], [other, b]) => b.count - a.count || (one < other ? -1 : 1))
    .slice(0, ROWS_MAX)
    .map(([name, row]) => ({
      ...row,
      name: safeText(name, NAME_MAX),
      marks: [...row.marks]
        .sort()
        .slice(0, MARKS_MAX)
        .map((mark) => safeText(mark, NAME_MAX)),
    }));
}
