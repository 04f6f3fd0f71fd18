import { LEVELS, type Alert, type Level, type RuleInfo } from "../core/alert.ts";
import type { EpochMs, Event } from "../core/event.ts";
import type { AgentProfile } from "../core/identity/profile.ts";
import { isClosed, type Incident } from "../core/incident.ts";
import type { Connector, Destination, Subject } from "../ports/connector.ts";
import type { Context } from "../ports/context.ts";
import type { OutboxRow } from "../ports/store.ts";

/** What goes to a destination; undefined: no matter. */
export interface When {
  readonly minLevel: Level | undefined;
  readonly kinds: readonly Subject["kind"][] | undefined;
  /** Ids or tags. */
  readonly rules: readonly string[] | undefined;
  /** True: only what cannot change any more; false: only what still can. */
  readonly final: boolean | undefined;
  /** Ids of agents, or what else an incident may be about; `*` stands for any text. */
  readonly agents: readonly string[] | undefined;
  /** Teams of the registry. */
  readonly teams: readonly string[] | undefined;
  /** Tenants of the registry. */
  readonly tenants: readonly string[] | undefined;
}

/** A destination at work: its connector made ready, with what goes there. */
export interface RunningDestination {
  readonly id: string;
  readonly connector: Connector;
  readonly destination: Destination;
  readonly when: When;
  readonly maxAttempts: number;
  /** After failing for this long it is given up until somebody enables it, milliseconds. */
  readonly disableAfterMs: number;
  /** Requests that may be under way at once at most. */
  readonly concurrency: number;
  /** The service's, with the HTTP client of this instance. */
  readonly context: Context;
}

/** What of a destination decides what goes there. */
export type Routed = Pick<RunningDestination, "id" | "when"> & { readonly destination: Pick<Destination, "accepts"> };

/** What routing looks up. */
export interface RouteLook {
  readonly rule: (id: string) => RuleInfo | undefined;
  /** What the registry says of an agent. */
  readonly agent: (id: string) => Pick<AgentProfile, "team" | "tenant"> | undefined;
}

/** What changed. */
export interface Changed {
  readonly alerts: readonly Alert[];
  readonly incidents: readonly Incident[];
  /** The events that there are; of an alert's evidence, those go where events go. */
  readonly events: { get(uid: string): Pick<Event, "agentUid" | "agents"> | undefined };
  /** Keys of deliveries that arrived, of those that `endsOf` asks about: what was shown there ends there, whatever the routes say by then. */
  readonly shown?: ReadonlySet<string>;
}

/** A new row of the outbox. */
export type NewDelivery = Pick<
  OutboxRow,
  "key" | "destination" | "kind" | "subjectId" | "revision" | "urgency" | "dueTime" | "createdTime"
>;

/** Something that may go to a destination. */
export interface Routable {
  readonly kind: Subject["kind"];
  readonly level: Level;
  readonly final: boolean;
  /** Rules that raised it. */
  readonly rules: readonly (RuleInfo | undefined)[];
  /** Whom it is about. */
  readonly agents: readonly string[];
}

/** Key of a delivery: the same subject revision to the same destination has the same key for ever. */
export function deliveryKey(destination: string, kind: Subject["kind"], id: string, revision: number): string {
  return `${destination}:${kind}:${id}:${revision}`;
}

/** The deliveries of changed alerts and incidents, events first: who reads an alert finds what it rests on. */
export function route(destinations: readonly Routed[], changed: Changed, look: RouteLook, now: EpochMs): NewDelivery[] {
  const rows = new Map<string, NewDelivery>();
  const add = (to: Routed, kind: Subject["kind"], id: string, revision: number, isUrgent = false): void => {
    const key = deliveryKey(to.id, kind, id, revision);
    const row = { key, destination: to.id, kind, subjectId: id, revision, dueTime: now, createdTime: now };
    rows.set(key, isUrgent ? { ...row, urgency: "first" } : row);
  };
  for (const to of destinations) {
    for (const alert of changed.alerts) {
      const one = { level: alert.level, final: alert.final, rules: [look.rule(alert.ruleId)], agents: alert.agents };
      for (const uid of [...alert.evidence, ...(alert.behind ?? [])]) {
        const event = changed.events.get(uid);
        // An alert may be about agents of several tenants; an event is of one.
        const agents = event?.agentUid === undefined ? (event?.agents ?? []) : [event.agentUid];
        if (event !== undefined && wanted(to, { kind: "event", ...one, agents }, look)) add(to, "event", uid, 1);
      }
      if (wanted(to, { kind: "alert", ...one }, look)) add(to, "alert", alert.id, alert.revision);
    }
    for (const incident of changed.incidents) {
      const rules = incident.alerts.map((alert) => look.rule(alert.ruleId));
      // Nobody amends what is closed, and a page that is open must end also where a late alert is still provisional.
      const final = to.when.final === false ? incident.final && !isClosed(incident) : incident.final || isClosed(incident);
      const one = { kind: "incident", level: incident.level, final, rules, agents: agentsOf(incident) } as const;
      const isUrgent = isClosed(incident) || incident.level === "critical";
      const isShown = keysBefore(to, incident).some((key) => changed.shown?.has(key));
      if (wanted(to, one, look) || isShown) add(to, "incident", incident.id, incident.revision, isUrgent);
    }
  }
  return [...rows.values()];
}

/** Revisions that are looked back for one that a destination has shown: a busy incident has a few dozen. */
const LOOK_BACK = 100;

/** Keys of the deliveries that show whether a destination must learn of the ends of incidents that it would not get any more. */
export function endsOf(destinations: readonly Routed[], incidents: readonly Incident[]): string[] {
  return destinations.flatMap((to) => incidents.flatMap((incident) => keysBefore(to, incident)));
}

/** Keys of the earlier revisions of an incident that is over. */
function keysBefore(to: Routed, incident: Incident): string[] {
  if (!isClosed(incident) || !to.destination.accepts.includes("incident")) return [];
  const first = Math.max(1, incident.revision - LOOK_BACK);
  return Array.from({ length: incident.revision - first }, (_, index) => deliveryKey(to.id, "incident", incident.id, first + index));
}

/** Whom an incident is about: its agent, else those of its alerts, else what its rules name. */
function agentsOf({ agentUid, alerts, entity }: Incident): readonly string[] {
  if (agentUid !== undefined) return [agentUid];
  const agents = [...new Set(alerts.flatMap((alert) => alert.agents))];
  return agents.length > 0 ? agents : [entity];
}

/** Whether a destination gets something. */
export function wanted(to: Routed, { kind, level, final, rules, agents }: Routable, look: Pick<RouteLook, "agent">): boolean {
  const { when } = to;
  // Events are many: only where they are asked for.
  if (!to.destination.accepts.includes(kind) || !(when.kinds?.includes(kind) ?? kind !== "event")) return false;
  if (when.final !== undefined && when.final !== final) return false;
  if (when.minLevel !== undefined && LEVELS.indexOf(level) < LEVELS.indexOf(when.minLevel)) return false;
  if (when.agents !== undefined && !agents.some((id) => when.agents?.some((pattern) => fits(pattern, id)))) return false;
  if (!has(when.teams, agents, (id) => look.agent(id)?.team) || !has(when.tenants, agents, (id) => look.agent(id)?.tenant)) return false;
  const explicit = rules.filter((one) => one?.destinations !== undefined);
  if (explicit.length > 0 && explicit.length === rules.length && !explicit.some((one) => one?.destinations?.includes(to.id))) return false;
  const wantedRules = when.rules;
  return (
    wantedRules === undefined ||
    rules.some((one) => one !== undefined && (wantedRules.includes(one.id) || one.tags.some((tag) => wantedRules.includes(tag))))
  );
}

function has(names: readonly string[] | undefined, agents: readonly string[], read: (id: string) => string | undefined): boolean {
  return names === undefined || agents.some((id) => names.includes(read(id) ?? ""));
}

/** Whether a text is that of a pattern in which `*` stands for any text; in time linear in the text for each part. */
function fits(pattern: string, text: string): boolean {
  const [first = "", ...parts] = pattern.split("*");
  const last = parts.pop();
  if (last === undefined) return pattern === text;
  if (!text.startsWith(first) || !text.endsWith(last) || text.length < first.length + last.length) return false;
  let at = first.length;
  const end = text.length - last.length;
  for (const part of parts) {
    const found = text.indexOf(part, at);
    if (found === -1 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}
