import type { Extra } from "./entries.ts";
import type { EpochMs } from "../event.ts";
import type { AlertMaker } from "./alert-maker.ts";
import { valuesOf } from "./keys.ts";
import type { Bucket, Group } from "./group.ts";

/** A bucket of a group, for which something is to be done. */
export interface Changed<G> {
  readonly group: G;
  readonly bucket: Bucket;
}

/** The buckets of all groups of one rule that are not final yet, by their start. */
export interface Closing<G> {
  /** Notes a bucket; one that is noted already stays where it is. */
  open(group: G, bucket: Bucket): void;
  /** Takes the buckets that start at `upTo` or before, and hands each to `close` in order of (start, canonical group). */
  close(upTo: EpochMs, close: (entry: Changed<G>) => void): void;
}

/** Nothing open. */
export function closing<G extends Pick<Group<Extra>, "text" | "key">>(maker: AlertMaker): Closing<G> {
  const waiting = new Map<EpochMs, Changed<G>[]>();
  return {
    open(group, bucket) {
      if (bucket.open) return;
      bucket.open = true;
      const list = waiting.get(bucket.start);
      if (list === undefined) waiting.set(bucket.start, [{ group, bucket }]);
      else list.push({ group, bucket });
    },
    close(upTo, close) {
      if (waiting.size === 0) return;
      const starts = [...waiting.keys()].filter((start) => start <= upTo).sort((a, b) => a - b);
      for (const start of starts) {
        const list = waiting.get(start)!;
        waiting.delete(start);
        for (const { group } of list) group.text ||= maker.groupText(valuesOf(group.key));
        list.sort((a, b) => (a.group.text < b.group.text ? -1 : a.group.text > b.group.text ? 1 : 0));
        for (const entry of list) {
          entry.bucket.open = false;
          close(entry);
        }
      }
    },
  };
}
