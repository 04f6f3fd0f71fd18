/** What an agent touched while an incident went on, and what it could still reach. */
import type { EpochMs, Event } from "../event.ts";
import { STATUS } from "../event.ts";
import { safeText } from "../safe-text.ts";
import { BLAST_ORDER, compare } from "./blast-order.ts";
import { credentialsOf, type UsedCredential } from "./credentials.ts";
import { REVERSIBILITY, reversibilityOf, type Reversibility } from "./reversibility.ts";

/** Rows of each list: a person reads a dozen, a program wants some more. `totals` counts all. */
export const ROWS_MAX = 25;
/** Data classes of one endpoint. */
const CLASSES_MAX = 20;
/** Tools of one turn that its name says. */
const TOOLS_MAX = 5;
/** Scopes of each kind. */
export const SCOPES_MAX = 50;
/** Longest name, UTF-16 units. */
const NAME_MAX = 200;

/** An endpoint that was called; ids in its path are `{id}`. */
export interface TouchedEndpoint {
  readonly name: string;
  readonly service?: string;
  readonly count: number;
  readonly failed: number;
  /** Bytes that came back. */
  readonly bytesIn: number;
  readonly dataClasses: readonly string[];
}
/** A class of data that was touched. */
export interface TouchedData {
  readonly name: string;
  readonly count: number;
  readonly bytesIn: number;
}
/** A host that data was sent to. */
export interface TouchedHost {
  readonly name: string;
  readonly count: number;
  readonly bytesOut: number;
  /** False: it is not on the agent's list. Undefined: nobody said. */
  readonly allowed?: boolean;
}
/** Something that was done, or tried. */
export interface DoneAction {
  readonly reversibility: Reversibility;
  readonly name: string;
  readonly count: number;
  readonly failed: number;
  readonly firstTime: EpochMs;
  /** Absent in incidents of earlier versions. */
  readonly lastTime?: EpochMs;
}

/** All of it. Every list has the gravest rows first, at most 25 of them; `totals` says how many there are. */
export interface BlastRadius {
  /** The stretch of time that was looked at. */
  readonly from: EpochMs;
  readonly to: EpochMs;
  /** All of the agent's events in that time, or only those that its alerts rest on. */
  readonly basis: "events of the agent" | "evidence";
  readonly events: number;
  /** There were more events than were read: every number is a lower bound. */
  readonly atLeast: boolean;
  /** When the events were read, by the clock. */
  readonly readTime: EpochMs;
  readonly endpoints: readonly TouchedEndpoint[];
  readonly data: readonly TouchedData[];
  readonly hosts: readonly TouchedHost[];
  readonly bytesOut: number;
  readonly credentials: readonly UsedCredential[];
  readonly infrastructure: readonly DoneAction[];
  readonly users: readonly string[];
  /** What was done, by how hard it is to undo, and then what was only tried (`isTried`); reads are only counted. */
  readonly actions: readonly DoneAction[];
  /** What succeeded, as far as anybody said. */
  readonly byReversibility: Readonly<Record<Reversibility, number>>;
  /** What its credentials are good for: as the registry grants it, and as its calls showed it. */
  readonly reach: {
    /** False: the registry names no scopes of the agent, so that what is granted is unknown. Absent in incidents of earlier versions. */
    readonly registered?: boolean;
    readonly granted: readonly string[];
    readonly seen: readonly string[];
  };
  readonly totals: Readonly<Record<"endpoints" | "data" | "hosts" | "credentials" | "infrastructure" | "users" | "actions", number>>;
}

/** Where the events come from. */
export type BlastScope = Pick<BlastRadius, "from" | "to" | "basis" | "atLeast" | "readTime">;

/** What the registry says of the agent: what its credentials are good for, and the names under which it works itself. */
export interface BlastAgent {
  readonly scopes?: readonly string[] | undefined;
  readonly names?: ReadonlySet<string>;
}

/** Sums up events of one agent. The result does not depend on their order. */
export function blastOf(events: readonly Event[], scope: BlastScope, { scopes, names = new Set() }: BlastAgent = {}): BlastRadius {
  const endpoints = endpointsOf(events);
  const data = dataOf(events);
  const hosts = hostsOf(events);
  const credentials = credentialsOf(events);
  const done = actionsOf(events);
  const infrastructure = done.filter((one) => one.category === "infra_change" && one.reversibility !== "read");
  const actions = done.filter((one) => one.reversibility !== "read");
  const users = sorted(events.flatMap((event) => usersOf(event, names)));
  const counted = Object.fromEntries(REVERSIBILITY.map((name) => [name, 0])) as Record<Reversibility, number>;
  for (const one of done) counted[one.reversibility] += one.count - one.failed;
  return {
    ...scope,
    events: events.length,
    endpoints: endpoints.slice(0, ROWS_MAX),
    data: data.slice(0, ROWS_MAX),
    hosts: hosts.slice(0, ROWS_MAX),
    bytesOut: hosts.reduce((sum, host) => sum + host.bytesOut, 0),
    credentials: credentials.slice(0, ROWS_MAX),
    infrastructure: infrastructure.slice(0, ROWS_MAX).map(withoutCategory),
    users: users.slice(0, ROWS_MAX),
    actions: actions.slice(0, ROWS_MAX).map(withoutCategory),
    byReversibility: counted,
    reach: {
      registered: scopes !== undefined,
      granted: sorted(scopes ?? []).slice(0, SCOPES_MAX),
      seen: sorted(events.flatMap((event) => event.scopes ?? [])).slice(0, SCOPES_MAX),
    },
    totals: {
      endpoints: endpoints.length,
      data: data.length,
      hosts: hosts.length,
      credentials: credentials.length,
      infrastructure: infrastructure.length,
      users: users.length,
      actions: actions.length,
    },
  };
}

function endpointsOf(events: readonly Event[]): TouchedEndpoint[] {
  const calls = events.filter((event) => event.category === "agent_api");
  const rows = [...Map.groupBy(calls, (event) => `${endpointName(event)}\n${event.service ?? ""}`).values()].map(
    (group): TouchedEndpoint => {
      const service = group[0]!.service;
      return {
        name: endpointName(group[0]!),
        ...(service === undefined || service === "" ? {} : { service: name(service) }),
        count: group.length,
        failed: failedOf(group),
        bytesIn: sum(group, (event) => event.bytesIn),
        dataClasses: sorted(group.flatMap((event) => event.dataClasses ?? [])).slice(0, CLASSES_MAX),
      };
    },
  );
  return rows.sort(BLAST_ORDER.endpoints);
}

/** `GET /v1/customers/{id}`: numbers, UUIDs and long hexadecimal parts of a path would make every call an endpoint of its own. */
export function endpointName(event: Event): string {
  const path = event.urlPath ?? event.url?.split("?", 1)[0];
  if (path === undefined) return name(toolsOf(event) ?? event.operation ?? event.routeName ?? "call");
  const general = path
    .slice(0, 2 * NAME_MAX)
    .split("/")
    .map((part) => (/^(\d+|[0-9a-f-]{16,}|[A-Za-z_-]{0,8}\d{3,})$/i.test(part) ? "{id}" : part))
    .join("/");
  return name(event.method === undefined ? general : `${event.method} ${general}`);
}

function toolsOf(event: Event): string | undefined {
  const tools = event.toolName === undefined ? (event.toolNames ?? []) : [event.toolName];
  const more = tools.length > TOOLS_MAX ? ` and ${tools.length - TOOLS_MAX} more` : "";
  return tools.length === 0 ? undefined : `tool ${tools.slice(0, TOOLS_MAX).join(", ")}${more}`;
}

function dataOf(events: readonly Event[]): TouchedData[] {
  const touched = events.flatMap((event) => (event.dataClasses ?? []).map((one) => ({ one: name(one), event })));
  const rows = [...Map.groupBy(touched, ({ one }) => one)].map(([one, group]) => ({
    name: one,
    count: group.length,
    bytesIn: sum(group, ({ event }) => event.bytesIn),
  }));
  return rows.sort(BLAST_ORDER.data);
}

function hostsOf(events: readonly Event[]): TouchedHost[] {
  const sent = events.filter((event) => event.category === "egress" && (event.dstHost ?? event.dstIp ?? "") !== "");
  const rows = [...Map.groupBy(sent, (event) => name(event.dstHost ?? event.dstIp ?? ""))].map(([host, group]): TouchedHost => {
    const said = group.map((event) => event.dstAllowed).filter((one) => one !== undefined);
    return {
      name: host,
      count: group.length,
      bytesOut: sum(group, (event) => event.bytesOut),
      ...(said.length === 0 ? {} : { allowed: said.every(Boolean) }),
    };
  });
  return rows.sort(BLAST_ORDER.hosts);
}

type Done = DoneAction & { readonly category: Event["category"] };

function actionsOf(events: readonly Event[]): Done[] {
  const done = events.flatMap((event) => {
    const reversibility = reversibilityOf(event);
    return reversibility === undefined ? [] : [{ reversibility, event, name: actionName(event) }];
  });
  const groups = Map.groupBy(done, (one) => `${one.reversibility}\n${one.event.category}\n${one.name}`);
  const rows = [...groups.values()].map((group): Done => ({
    category: group[0]!.event.category,
    reversibility: group[0]!.reversibility,
    name: group[0]!.name,
    count: group.length,
    failed: failedOf(group.map(({ event }) => event)),
    firstTime: group.reduce((time, { event }) => Math.min(time, event.time), Infinity),
    lastTime: group.reduce((time, { event }) => Math.max(time, event.time), -Infinity),
  }));
  return rows.sort(BLAST_ORDER.actions);
}

function actionName(event: Event): string {
  switch (event.category) {
    case "agent_api":
      return name(toolsOf(event) ?? endpointName(event));
    case "infra_change": {
      const what = `${event.infraAction ?? event.operation ?? "change"} ${event.resourceName ?? event.resourceUid ?? ""}`.trimEnd();
      return name((event.grant ?? "") === "" ? what : `${what} granting ${event.grant}`);
    }
    case "egress":
      return name(`sent data to ${event.dstHost ?? event.dstIp ?? "an unknown host"}`);
    case "process":
      return name(`started ${event.process ?? "a process"}`);
    case "file":
      return name(`${event.operation ?? "opened"} ${event.filePath ?? "a file"}`);
    default:
      return name(`${event.operation ?? event.category} ${event.credentialUid ?? ""}`.trimEnd());
  }
}

function withoutCategory({ category: _category, ...rest }: Done): DoneAction {
  return rest;
}

/** Whom it was done to, or in whose name. */
function usersOf(event: Event, own: ReadonlySet<string>): string[] {
  const behind = event.category === "agent_api" ? [event.userName ?? event.userUid] : [];
  return othersOf(event, [event.targetUserName ?? event.targetUserUid, event.onBehalfOf, ...behind], own);
}

/** Those of an event's users that are not the agent itself: neither a name that the registry knows nor its client or service account. */
export function othersOf(event: Event, users: readonly (string | undefined)[], own: ReadonlySet<string>): string[] {
  const itself = new Set([...own, event.clientUid, event.serviceAccount, event.agentUid, event.agentName]);
  return users.filter((user) => user !== undefined && user !== "" && !itself.has(user)) as string[];
}

function failedOf(events: readonly Event[]): number {
  return events.filter((event) => event.statusId === STATUS.failure || event.errorFlag === 1).length;
}

function sum<T>(values: readonly T[], read: (value: T) => number | undefined): number {
  return values.reduce((total, value) => total + (read(value) ?? 0), 0);
}

function sorted(values: readonly (string | undefined)[]): string[] {
  return [...new Set(values.filter((value) => value !== undefined && value !== "").map((value) => name(value as string)))].sort(compare);
}

function name(text: string): string {
  return safeText(text, NAME_MAX);
}
