/** What people and pagers say about an incident, beside the steps of correlation. */
import { Failure } from "../core/errors.ts";
import type { EpochMs, Event } from "../core/event.ts";
import { isClosed, type Incident } from "../core/incident.ts";
import { answer, type Ask } from "../core/incident/transitions.ts";
import { safeText } from "../core/safe-text.ts";
import type { AuditEntry } from "../ports/audit.ts";
import type { Store } from "../ports/store.ts";
import { endsOf, route, type Routed, type RouteLook } from "./route.ts";

/** How often it is tried again when a step of correlation, or somebody else, amends the incident meanwhile. */
const ATTEMPTS_MAX = 10;

/** Longest name of who asked, UTF-16 units. */
const ACTOR_MAX = 100;

const NO_EVENTS: ReadonlyMap<string, Event> = new Map();

/** What changing an incident needs. */
export interface CloseDeps {
  readonly store: Store;
  readonly look: RouteLook;
  readonly destinations: readonly Routed[];
  readonly now: () => EpochMs;
}

/** What became of it: `unknown` there is none of that id, `unchanged` it was so already, or the word is about an earlier time. */
export interface Answered {
  readonly outcome: "changed" | "unchanged" | "unknown";
  readonly incident?: Pick<Incident, "id" | "revision" | "status" | "closure">;
}

/**
 * Does what somebody asks of the incident as it is then, with the deliveries of the new revision, in one transaction. A
 * revision that correlation writes at the same time is not lost: whoever comes second looks again.
 */
export async function answerIncident(deps: CloseDeps, id: string, ask: Ask): Promise<Answered> {
  for (let attempt = 1; ; attempt++) {
    const incident = (await deps.store.incidents({ ids: [id] }))[0];
    if (incident === undefined) return { outcome: "unknown" };
    // Nobody has said yet what is to come: believed, it would be a word about every reopening until then.
    const next = answer(incident, { ...ask, time: Math.min(ask.time, deps.now()) });
    if (next === undefined) return { outcome: "unchanged", incident: shortOf(incident) };
    const shown = await shownOf(deps.store, deps.destinations, [next]);
    try {
      await deps.store.transaction(async (tx) => {
        await tx.saveIncidents([next]);
        const rows = route(deps.destinations, { alerts: [], incidents: [next], events: NO_EVENTS, shown }, deps.look, deps.now());
        if (rows.length > 0) await tx.addDeliveries(rows);
        await tx.appendAudit(entryOf(next, ask, deps.now()));
      });
      return { outcome: "changed", incident: shortOf(next) };
    } catch (error) {
      if (!(error instanceof Failure && error.code === "INCIDENT_MOVED") || attempt >= ATTEMPTS_MAX) throw error;
    }
  }
}

/** Which of the destinations has shown incidents that are over now. */
export async function shownOf(store: Store, destinations: readonly Routed[], incidents: readonly Incident[]): Promise<ReadonlySet<string>> {
  const keys = endsOf(destinations, incidents);
  if (keys.length === 0) return new Set();
  return new Set((await store.deliveries({ keys, status: "delivered" })).map(({ key }) => key));
}

function entryOf({ id, revision, closure }: Incident, { to, how, by }: Ask, time: EpochMs): AuditEntry {
  const details = { how, revision, reason: closure?.reason ?? null };
  const actor = by === undefined || by === "" ? how : safeText(by, ACTOR_MAX);
  return { time, actor, action: to === "close" ? "incident.closed" : "incident.acknowledged", subject: id, details };
}

function shortOf(incident: Incident): NonNullable<Answered["incident"]> {
  const { id, revision, status, closure } = incident;
  return { id, revision, status, ...(closure === undefined || !isClosed(incident) ? {} : { closure }) };
}
