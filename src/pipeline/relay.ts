import type { EpochMs } from "../core/event.ts";
import type { Queue } from "../ports/queue.ts";
import type { Store } from "../ports/store.ts";

/** Queue name of a destination's deliveries. */
export function deliverQueue(destination: string): string {
  return `deliver.${destination.replaceAll("/", ".")}`;
}

/**
 * Asks for one delivery job per destination that has something due. Harmless to call too often, and the only thing
 * needed to refill a queue that was lost.
 */
export async function relay(store: Pick<Store, "haveDue">, queue: Queue, known: ReadonlySet<string>, now: EpochMs): Promise<number> {
  if (known.size === 0) return 0;
  const due = await store.haveDue([...known], now);
  for (const destination of due) await queue.add(deliverQueue(destination), { destination }, { deduplicate: destination });
  return due.length;
}
