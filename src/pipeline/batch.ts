import type { Destination, Rendered } from "../ports/connector.ts";

/** Splits rendered deliveries, in order, into batches of one group each within a destination's limits. */
export function takeBatches(items: readonly Rendered[], limits: Destination["limits"]): Rendered[][] {
  return [...Map.groupBy(items, ({ group = "" }) => group).values()].flatMap((group) => batchesOf(group, limits));
}

function batchesOf(items: readonly Rendered[], limits: Destination["limits"]): Rendered[][] {
  const batches: Rendered[][] = [];
  let batch: Rendered[] = [];
  let bytes = 0;
  for (const item of items) {
    if (batch.length > 0 && (batch.length >= limits.batchItems || bytes + item.bytes > limits.batchBytes)) {
      batches.push(batch);
      batch = [];
      bytes = 0;
    }
    batch.push(item);
    bytes += item.bytes;
  }
  if (batch.length > 0) batches.push(batch);
  return batches;
}
