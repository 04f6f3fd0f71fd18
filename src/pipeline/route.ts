import { LEVELS, type Alert, type Level, type RuleInfo } from "../core/alert.ts";
import type { EpochMs } from "../core/event.ts";
import { isClosed, type Incident } from "../core/incident.ts";
import type { Connector, Destination, Subject } from "../ports/connector.ts";
import type { Context } from "../ports/context.ts";
import type { OutboxRow } from "../ports/store.ts";

/** A destination at work: its connector made ready, with what goes there. */
export interface RunningDestination {
  readonly id: string;
  readonly connector: Connector;
  readonly destination: Destination;
  readonly when: {
    readonly minLevel: Level | undefined;
    readonly kinds: readonly Subject["kind"][] | undefined;
    readonly rules: readonly string[] | undefined;
    readonly final: boolean | undefined;
  };
  readonly maxAttempts: number;
  /** Requests that may be under way at once at most. */
  readonly concurrency: number;
  /** The service's, with the HTTP client of this instance. */
  readonly context: Context;
}

/** What of a destination decides what goes there. */
export type Routed = Pick<RunningDestination, "id" | "when"> & { readonly destination: Pick<Destination, "accepts"> };

/** A new row of the outbox. */
export type NewDelivery = Pick<
  OutboxRow,
  "key" | "destination" | "kind" | "subjectId" | "revision" | "urgency" | "dueTime" | "createdTime"
>;

/** Key of a delivery: the same subject revision to the same destination has the same key for ever. */
export function deliveryKey(destination: string, kind: Subject["kind"], id: string, revision: number): string {
  return `${destination}:${kind}:${id}:${revision}`;
}

/** The deliveries of changed alerts and incidents. */
export function route(
  destinations: readonly Routed[],
  alerts: readonly Alert[],
  incidents: readonly Incident[],
  rule: (id: string) => RuleInfo | undefined,
  now: EpochMs,
): NewDelivery[] {
  const rows: NewDelivery[] = [];
  for (const destination of destinations) {
    for (const alert of alerts) {
      const rules = [rule(alert.ruleId)];
      if (wanted(destination, "alert", alert.level, alert.final, rules))
        rows.push(row(destination.id, "alert", alert.id, alert.revision, now));
    }
    for (const incident of incidents) {
      const rules = incident.alerts.map((alert) => rule(alert.ruleId));
      // Nobody amends what is closed, and a page that is open must end also where a late alert is still provisional.
      if (wanted(destination, "incident", incident.level, incident.final || isClosed(incident), rules)) {
        const made = row(destination.id, "incident", incident.id, incident.revision, now);
        rows.push(isClosed(incident) || incident.level === "critical" ? { ...made, urgency: "first" } : made);
      }
    }
  }
  return rows;
}

function row(destination: string, kind: Subject["kind"], subjectId: string, revision: number, now: EpochMs): NewDelivery {
  return {
    key: deliveryKey(destination, kind, subjectId, revision),
    destination,
    kind,
    subjectId,
    revision,
    dueTime: now,
    createdTime: now,
  };
}

/** Whether a destination gets an alert or incident of this level that `rules` raised. */
export function wanted(to: Routed, kind: Subject["kind"], level: Level, final: boolean, rules: readonly (RuleInfo | undefined)[]): boolean {
  const { when } = to;
  // Events are many: only where they are asked for.
  if (!to.destination.accepts.includes(kind) || !(when.kinds?.includes(kind) ?? kind !== "event")) return false;
  if (when.final === true && !final) return false;
  if (when.minLevel !== undefined && LEVELS.indexOf(level) < LEVELS.indexOf(when.minLevel)) return false;
  const explicit = rules.filter((one) => one?.destinations !== undefined);
  if (explicit.length > 0 && explicit.length === rules.length && !explicit.some((one) => one?.destinations?.includes(to.id))) return false;
  const wantedRules = when.rules;
  return (
    wantedRules === undefined ||
    rules.some((one) => one !== undefined && (wantedRules.includes(one.id) || one.tags.some((tag) => wantedRules.includes(tag))))
  );
}
