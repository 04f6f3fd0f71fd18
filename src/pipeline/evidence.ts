import type { Alert } from "../core/alert.ts";
import type { Category, Event } from "../core/event.ts";
import { attributeStored } from "../core/identity/attribute.ts";
import type { Attribution } from "../core/identity/attribution.ts";
import type { Logged } from "../ports/store.ts";
import type { Analysis } from "./analysis.ts";
import type { CorrelateDeps } from "./correlate.ts";

/** Where a step of correlation finds the events of its alerts before it asks the store. */
export interface Recent {
  readonly events: readonly Event[];
  /** Who the events belong to that this step has let go. */
  readonly attributions: readonly Attribution[];
}

/** The uids of all events that alerts rest on. */
export function evidenceOf(alerts: readonly Alert[]): string[] {
  return [...new Set(alerts.flatMap((alert) => [...alert.evidence, ...(alert.behind ?? [])]))];
}

/** The events of alerts, by uid, with the agents and names that they were correlated with. */
export async function loadEvidence(
  deps: CorrelateDeps,
  analysis: Analysis,
  alerts: readonly Alert[],
  { events: recent, attributions }: Recent,
): Promise<ReadonlyMap<string, Event>> {
  const wanted = new Set(evidenceOf(alerts));
  const found = new Map<string, Event>();
  for (const event of recent) if (wanted.has(event.uid)) found.set(event.uid, event);
  const rest = [...wanted].filter((uid) => !found.has(uid));
  for (const { event } of await readBack(deps, analysis, rest, attributions)) found.set(event.uid, event);
  return found;
}

/** Events from the log with the agents and names that they were correlated with. `attributions`: those that are not stored yet. */
export async function readBack(
  { store, registry }: Pick<CorrelateDeps, "store" | "registry">,
  analysis: Analysis,
  uids: readonly string[],
  attributions: readonly Attribution[],
): Promise<readonly Logged[]> {
  if (uids.length === 0) return [];
  const known = [...attributions, ...(await store.attributions(uids))].map((row) => [`${row.uid}\n${row.agentUid}`, row] as const);
  const rows = Map.groupBy(new Map(known).values(), ({ uid }) => uid);
  const agents = registry();
  const logged = await store.logged(uids);
  for (const { event } of logged) {
    attributeStored(event, rows.get(event.uid) ?? [], agents);
    analysis.decide(event);
  }
  return logged;
}

/**
 * The alerts with their confidence, where some of their evidence is known to belong to an agent, or to one of several.
 * Others are not about agents.
 */
export function withConfidence(alerts: readonly Alert[], evidence: ReadonlyMap<string, Event>): readonly Alert[] {
  return alerts.map((alert) => {
    const confidence = confidenceOf(alert, evidence);
    return confidence === undefined ? alert : { ...alert, confidence };
  });
}

/**
 * As sure as the weakest kind of evidence: one call whose agent is certain does not make up for an upload that may have
 * been anybody's. Of one kind the surest counts: among many flows of a pod some lie near a change of hands.
 */
function confidenceOf({ evidence: uids, behind = [] }: Alert, evidence: ReadonlyMap<string, Event>): number | undefined {
  const best = new Map<Category, number>();
  for (const uid of [...uids, ...behind]) {
    const event = evidence.get(uid);
    if (event?.attributionConfidence === undefined) continue;
    best.set(event.category, Math.max(best.get(event.category) ?? 0, event.attributionConfidence));
  }
  return best.size === 0 ? undefined : Math.min(...best.values());
}
