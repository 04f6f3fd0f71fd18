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
export async function relay(store: Store, queue: Queue, known: ReadonlySet<string>, now: EpochMs): Promise<number> {
  let asked = 0;
  for (const { destination, due } of await store.dueDestinations(now)) {
    if (due === 0 || !known.has(destination)) continue;
    await queue.add(deliverQueue(destination), { destination }, { deduplicate: destination });
    asked++;
  }
  return asked;
}
