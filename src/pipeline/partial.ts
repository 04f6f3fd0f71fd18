/**
 * Guards: what was decided without some source says so, and is told again when the source has come as far. Health alerts
 * are about what is missing themselves.
 */
import type { Alert } from "../core/alert.ts";
import { isHealthRule } from "../core/completeness/health-rules.ts";
import { isPartial, missingIn } from "../core/completeness/partial.ts";
import { INCIDENT_STATUS, isClosed, type Incident } from "../core/incident.ts";
import type { Store } from "../ports/store.ts";
import type { Coverage } from "./coverage.ts";

/** Alerts that wait to be told completely; of more, the oldest stay as they were told. */
const WAITING_MAX = 1000;
/** After a restart the newest of this many alerts are looked through for those that wait. */
const LOOK_BACK = 2000;

/** Alerts that were told with something missing, by id. */
export type Waiting = Map<string, Alert>;

/** The alert with what was missing when it was decided, or without any such word. */
export function withCoverage(alert: Alert, covered: Coverage): Alert {
  const { coverage: _, ...plain } = alert;
  if (isHealthRule(alert.ruleId)) return plain;
  const missing = missingIn(covered, Math.min(alert.bucket, alert.firstTime), alert.lastTime);
  return isPartial(missing) ? { ...plain, coverage: { state: "partial", ...missing } } : plain;
}

/** Those that wait, as the store has them. */
export async function loadWaiting(store: Store): Promise<Waiting> {
  const found = await store.alerts({ limit: LOOK_BACK });
  return new Map(found.filter((alert) => alert.coverage !== undefined).map((alert) => [alert.id, alert]));
}

/** Of the alerts that wait those of which nothing is missing any more, each as its next revision. */
export function completed(waiting: Waiting, covered: Coverage, changed: readonly Alert[]): Alert[] {
  const told = new Set(changed.map((alert) => alert.id));
  const whole: Alert[] = [];
  for (const alert of waiting.values()) {
    if (told.has(alert.id)) continue;
    const now = withCoverage(alert, covered);
    if (now.coverage === undefined && hasReached(alert, covered)) whole.push({ ...now, revision: alert.revision + 1 });
  }
  return whole;
}

/** A source that works again is not missing, but may not have come as far yet. */
function hasReached({ coverage, lastTime }: Alert, { bySource }: Coverage): boolean {
  const reached = new Map(bySource?.map(({ source, watermark }) => [source, watermark]));
  // A source that was taken out of the configuration will never come.
  return (coverage?.missing ?? []).every((source) => !reached.has(source) || (reached.get(source) ?? -Infinity) >= lastTime);
}

/** Keeps those of the alerts that were told with something missing. */
export function rememberWaiting(waiting: Waiting, alerts: readonly Alert[]): void {
  for (const alert of alerts) {
    waiting.delete(alert.id);
    if (alert.coverage !== undefined) waiting.set(alert.id, alert);
  }
  for (const id of waiting.keys()) {
    if (waiting.size <= WAITING_MAX) return;
    waiting.delete(id);
  }
}

function ended({ lastTime }: Incident): Pick<Incident, "status" | "closure"> {
  return { status: INCIDENT_STATUS.closed, closure: { how: "ended", time: lastTime } };
}

/** Incidents with the gaps of their own time; those about the service itself end when what they are about ends. */
export function tellCoverage(incidents: readonly Incident[], covered: Coverage): Incident[] {
  return incidents.map((incident) => {
    const about = incident.alerts.length > 0 && incident.alerts.every((alert) => isHealthRule(alert.ruleId));
    if (about) return incident.final && !isClosed(incident) ? { ...incident, ...ended(incident) } : incident;
    const { missing, gaps } = missingIn(covered, incident.firstTime, incident.lastTime);
    const state = isPartial({ missing, gaps }) ? "partial" : "complete";
    const { gaps: _, ...before } = incident.coverage;
    return { ...incident, coverage: { ...before, state, missing, ...(gaps.length === 0 ? {} : { gaps }) } };
  });
}
