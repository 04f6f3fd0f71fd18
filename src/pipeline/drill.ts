/** A drill: synthetic events that a real rule makes an alert of, and what became of that at each destination. */
import type { Alert } from "../core/alert.ts";
import { CLASS, SEVERITY, STATUS, type EpochMs, type Event } from "../core/event.ts";
import { newEvent } from "../core/new-event.ts";
import type { OutboxRow, Store } from "../ports/store.ts";

/** Where events of drills come from. The configuration's names of sources begin with that of a connector, and none is called so. */
const DRILL_SOURCE = "custodes/drill";
/** What the rule counts. */
const DRILL_OPERATION = "custodes.drill";
/** Name of the rule (correlations/drill). */
export const DRILL_RULE = "drill";
/** As many as the rule wants. */
const EVENTS = 3;
/** A drill has a few revisions of one alert and one incident at each destination. */
const DELIVERIES_MAX = 1000;

/** What a drill needs. */
export interface DrillDeps {
  readonly store: Store;
  readonly now: () => EpochMs;
  /** A fresh id. */
  readonly uuid: () => string;
  /** Asks for correlation. */
  readonly stored: () => void;
}

/** A drill that has begun. */
export interface DrillStart {
  readonly id: string;
  /** When its events happened. */
  readonly time: EpochMs;
  /** When they were durable. */
  readonly storedTime: EpochMs;
}

/** How far a drill has come. */
export interface DrillProgress {
  readonly incident: { readonly id: string; readonly closed: boolean } | null;
  readonly deliveries: readonly OutboxRow[];
}

/** Stores the events of a drill. @throws {Failure} of the store */
export async function startDrill({ store, now, uuid, stored }: DrillDeps): Promise<DrillStart> {
  const id = uuid();
  const time = now();
  const events = Array.from({ length: EVENTS }, (_, index) => drillEvent(id, time, index));
  await store.transaction((tx) => tx.appendEvents(DRILL_SOURCE, events));
  stored();
  return { id, time, storedTime: now() };
}

function drillEvent(id: string, time: EpochMs, index: number): Event {
  const event = newEvent(`${DRILL_SOURCE}:${id}:${index}`, time + index, "agent_api", CLASS.apiActivity, 1);
  event.source = DRILL_SOURCE;
  event.receivedTime = time;
  event.vendor = "Custodes";
  event.product = "drill";
  event.severityId = SEVERITY.informational;
  event.statusId = STATUS.success;
  event.operation = DRILL_OPERATION;
  event.sessionUid = id;
  // The system itself: nobody waits for whose agent it may have been.
  event.userTypeId = 3;
  return event;
}

/** What became of a drill so far. */
export async function drillProgress(store: Store, id: string): Promise<DrillProgress> {
  const [incident] = await store.incidentsAbout([`actor.session.uid:${id}`], 1);
  if (incident === undefined) return { incident: null, deliveries: [] };
  const subjects = [incident.id, ...incident.alerts.map((alert: Alert) => alert.id)];
  const deliveries = await store.deliveries({ subjects, limit: DELIVERIES_MAX });
  return { incident: { id: incident.id, closed: incident.closure !== undefined }, deliveries };
}
