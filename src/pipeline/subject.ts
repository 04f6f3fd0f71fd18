import { unknownRule, type Alert, type RuleInfo } from "../core/alert.ts";
import { ATTRIBUTION, type Event } from "../core/event.ts";
import { attributeStored } from "../core/identity/attribute.ts";
import type { Directory } from "../core/identity/directory.ts";
import type { Incident } from "../core/incident.ts";
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

/** What a row refers to, or undefined when it is not stored any more. */
export async function loadSubject(deps: SubjectDeps, row: OutboxRow): Promise<Subject | undefined> {
  return (await loadSubjects(deps, [row])).get(row.key);
}

/**
 * What rows refer to, by their keys: alert and incident revisions with the evidence that is still stored, and events. Those that are
 * not stored any more are left out. A few statements, however many rows.
 */
export async function loadSubjects(deps: SubjectDeps, rows: readonly OutboxRow[]): Promise<ReadonlyMap<string, Subject>> {
  const wanted = (kind: OutboxRow["kind"]) =>
    rows.filter((row) => row.kind === kind).map(({ subjectId: id, revision }) => ({ id, revision }));
  const alerts = byRevision(await deps.store.alertRevisions(wanted("alert")));
  const incidents = byRevision(await deps.store.incidentRevisions(wanted("incident")));
  const uids = new Set(wanted("event").map(({ id }) => id));
  for (const alert of alerts.values()) for (const uid of uidsOf([alert])) uids.add(uid);
  for (const incident of incidents.values()) for (const uid of evidenceOf(incident)) uids.add(uid);
  const events = await eventsOf(deps, [...uids]);
  const known = (list: readonly string[]): Event[] => list.map((uid) => events.get(uid)).filter((event) => event !== undefined);
  const ruleOf = ({ ruleId, ruleTitle, level }: Alert): RuleInfo => deps.rule(ruleId) ?? unknownRule(ruleId, ruleTitle, level);
  const subjectOf = (row: OutboxRow): Subject | undefined => {
    if (row.kind === "event") {
      const event = events.get(row.subjectId);
      return event === undefined ? undefined : { kind: "event", event };
    }
    if (row.kind === "alert") {
      const alert = alerts.get(revisionKey(row.subjectId, row.revision));
      return alert === undefined ? undefined : { kind: "alert", alert, rule: ruleOf(alert), evidence: known(uidsOf([alert])) };
    }
    const incident = incidents.get(revisionKey(row.subjectId, row.revision));
    if (incident === undefined) return undefined;
    const rules = new Map(incident.alerts.map((alert) => [alert.ruleId, ruleOf(alert)]));
    return { kind: "incident", incident, rules: [...rules.values()], evidence: known(evidenceOf(incident)) };
  };
  const found = new Map<string, Subject>();
  for (const row of rows) {
    const subject = subjectOf(row);
    if (subject !== undefined) found.set(row.key, subject);
  }
  return found;
}

function evidenceOf({ alerts }: Incident): readonly string[] {
  return uidsOf(alerts).slice(0, EVIDENCE_MAX);
}

function byRevision<S extends Alert | Incident>(subjects: readonly S[]): ReadonlyMap<string, S> {
  return new Map(subjects.map((subject) => [revisionKey(subject.id, subject.revision), subject]));
}

function revisionKey(id: string, revision: number): string {
  return `${revision}:${id}`;
}

/** Stored events with the agents that were found out later, by uid. */
async function eventsOf({ store, registry }: SubjectDeps, uids: readonly string[]): Promise<ReadonlyMap<string, Event>> {
  if (uids.length === 0) return new Map();
  const events = await store.events(uids);
  const open = events.filter(({ attributionId }) => attributionId === ATTRIBUTION.none).map(({ uid }) => uid);
  const rows = Map.groupBy(open.length === 0 ? [] : await store.attributions(open), ({ uid }) => uid);
  for (const event of events) attributeStored(event, rows.get(event.uid) ?? [], registry());
  return new Map(events.map((event) => [event.uid, event]));
}

/** Each once; those behind inner alerts last, so that a limit leaves them out first. */
function uidsOf(alerts: readonly Alert[]): readonly string[] {
  return [...new Set([...alerts.flatMap((alert) => alert.evidence), ...alerts.flatMap((alert) => alert.behind ?? [])])];
}
