/** What people, pagers and time do to an incident. Each gives the next revision, or undefined when it changes nothing. */
import type { EpochMs } from "../event.ts";
import { INCIDENT_STATUS, isClosed, type Closure, type Incident } from "../incident.ts";
import { safeText } from "../safe-text.ts";

/** Longest name of a person, and longest reason, UTF-16 units: they are typed, and shown in tickets. */
const BY_MAX = 100;
const REASON_MAX = 1_000;

/** What somebody wants of an incident. */
export interface Ask {
  readonly to: "close" | "acknowledge";
  readonly how: "person" | "pager";
  readonly by?: string | undefined;
  readonly reason?: string | undefined;
  /** When it was said, by the clock. */
  readonly time: EpochMs;
}

/** The incident closed because nothing happened for `quietMs`; undefined while it is not over or not final. */
export function closeQuiet(incident: Incident, watermark: EpochMs, quietMs: number): Incident | undefined {
  if (isClosed(incident) || !incident.final || watermark <= incident.lastTime + quietMs) return undefined;
  return closed(incident, { how: "quiet", time: incident.lastTime + quietMs });
}

/** What an incident becomes when somebody asks. A pager's word from before a reopening is about what was before. */
export function answer(incident: Incident, ask: Ask): Incident | undefined {
  if (isClosed(incident) || (ask.how === "pager" && ask.time < (incident.reopened?.at ?? -Infinity))) return undefined;
  if (ask.to === "acknowledge") {
    if (incident.status !== INCIDENT_STATUS.new) return undefined;
    return { ...incident, status: INCIDENT_STATUS.inProgress, revision: incident.revision + 1 };
  }
  const by = cut(ask.by, BY_MAX);
  const reason = cut(ask.reason, REASON_MAX);
  return closed(incident, {
    how: ask.how,
    ...(by === undefined ? {} : { by }),
    ...(reason === undefined ? {} : { reason }),
    time: Math.max(ask.time, incident.lastTime),
  });
}

function closed(incident: Incident, closure: Closure): Incident {
  return { ...incident, status: INCIDENT_STATUS.closed, closure, revision: incident.revision + 1 };
}

function cut(text: string | undefined, max: number): string | undefined {
  const safe = text === undefined ? "" : safeText(text.slice(0, 2 * max), max).trim();
  return safe === "" ? undefined : safe;
}
