import type { Alert } from "../core/alert.ts";
import type { Store } from "../ports/store.ts";
import { grow, isNews } from "./grow.ts";

/** Numbers the revisions by what is stored, not by what a rebuilt engine remembers, and leaves out what adds nothing. */
export async function reconcile(store: Store, emitted: readonly Alert[]): Promise<Alert[]> {
  const newest = new Map<string, Alert>();
  for (const alert of emitted) newest.set(alert.id, alert);
  if (newest.size === 0) return [];
  const stored = new Map((await store.alerts({ ids: [...newest.keys()] })).map((alert) => [alert.id, alert]));
  const changed: Alert[] = [];
  for (const alert of newest.values()) {
    const before = stored.get(alert.id);
    const grown = before === undefined ? alert : grow(before, alert);
    if (before === undefined || isNews(before, grown)) changed.push({ ...grown, revision: (before?.revision ?? 0) + 1 });
  }
  return changed;
}
