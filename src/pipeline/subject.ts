import { unknownRule, type Alert, type RuleInfo } from "../core/alert.ts";
import type { Subject } from "../ports/connector.ts";
import type { OutboxRow, Store } from "../ports/store.ts";

/** Evidence events that an incident is rendered with: its timeline has 50 lines, and no destination takes more. */
const EVIDENCE_MAX = 200;

/** What loading a subject needs. */
export interface SubjectDeps {
  readonly store: Store;
  readonly rule: (id: string) => RuleInfo | undefined;
}

/** What a row refers to: the alert or incident revision with the evidence that is still stored, or the event. */
export async function loadSubject(deps: SubjectDeps, row: OutboxRow): Promise<Subject | undefined> {
  if (row.kind === "alert") {
    const alert = await deps.store.alertRevision(row.subjectId, row.revision);
    const rule = alert === undefined ? undefined : (deps.rule(alert.ruleId) ?? unknownRule(alert.ruleId, alert.ruleTitle, alert.level));
    if (alert === undefined || rule === undefined) return undefined;
    return { kind: "alert", alert, rule, evidence: await deps.store.events(eventsOf([alert])) };
  }
  if (row.kind === "event") {
    const [event] = await deps.store.events([row.subjectId]);
    return event === undefined ? undefined : { kind: "event", event };
  }
  const incident = await deps.store.incidentRevision(row.subjectId, row.revision);
  if (incident === undefined) return undefined;
  const rules = new Map(
    incident.alerts.map((alert) => [alert.ruleId, deps.rule(alert.ruleId) ?? unknownRule(alert.ruleId, alert.ruleTitle, alert.level)]),
  );
  const uids = eventsOf(incident.alerts).slice(0, EVIDENCE_MAX);
  return { kind: "incident", incident, rules: [...rules.values()], evidence: await deps.store.events(uids) };
}

/** Each once; those behind inner alerts last, so that a limit leaves them out first. */
function eventsOf(alerts: readonly Alert[]): readonly string[] {
  return [...new Set([...alerts.flatMap((alert) => alert.evidence), ...alerts.flatMap((alert) => alert.behind ?? [])])];
}
