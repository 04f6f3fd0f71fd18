import { unknownRule, type Alert, type RuleInfo } from "../core/alert.ts";
import type { Event } from "../core/event.ts";
import { attributeStored } from "../core/identity/attribute.ts";
import type { Directory } from "../core/identity/directory.ts";
import type { Subject } from "../ports/connector.ts";
import type { OutboxRow, Store } from "../ports/store.ts";

/** Evidence events that an incident is rendered with: its timeline has 50 lines, and no destination takes more. */
const EVIDENCE_MAX = 200;

/** What loading a subject needs. */
export interface SubjectDeps {
  readonly store: Store;
  readonly rule: (id: string) => RuleInfo | undefined;
  readonly registry: () => Directory;
}

/** What a row refers to: the alert or incident revision with the evidence that is still stored, or the event. */
export async function loadSubject(deps: SubjectDeps, row: OutboxRow): Promise<Subject | undefined> {
  if (row.kind === "event") {
    const [event] = await eventsOf(deps, [row.subjectId]);
    return event === undefined ? undefined : { kind: "event", event };
  }
  if (row.kind === "alert") {
    const alert = await deps.store.alertRevision(row.subjectId, row.revision);
    const rule = alert === undefined ? undefined : (deps.rule(alert.ruleId) ?? unknownRule(alert.ruleId, alert.ruleTitle, alert.level));
    if (alert === undefined || rule === undefined) return undefined;
    return { kind: "alert", alert, rule, evidence: await eventsOf(deps, uidsOf([alert])) };
  }
  const incident = await deps.store.incidentRevision(row.subjectId, row.revision);
  if (incident === undefined) return undefined;
  const rules = new Map(
    incident.alerts.map((alert) => [alert.ruleId, deps.rule(alert.ruleId) ?? unknownRule(alert.ruleId, alert.ruleTitle, alert.level)]),
  );
  const uids = uidsOf(incident.alerts).slice(0, EVIDENCE_MAX);
  return { kind: "incident", incident, rules: [...rules.values()], evidence: await eventsOf(deps, uids) };
}

/** Stored events with the agents that were found out later. */
async function eventsOf({ store, registry }: SubjectDeps, uids: readonly string[]): Promise<readonly Event[]> {
  const events = await store.events(uids);
  const rows = Map.groupBy(await store.attributions(uids), ({ uid }) => uid);
  for (const event of events) attributeStored(event, rows.get(event.uid) ?? [], registry());
  return events;
}

/** Each once; those behind inner alerts last, so that a limit leaves them out first. */
function uidsOf(alerts: readonly Alert[]): readonly string[] {
  return [...new Set([...alerts.flatMap((alert) => alert.evidence), ...alerts.flatMap((alert) => alert.behind ?? [])])];
}
