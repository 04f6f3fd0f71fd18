import type { Alert } from "../alert.ts";
import type { EpochMs } from "../event.ts";
import type { AlertMaker } from "./alert-maker.ts";
import { alignDown } from "./group.ts";
import type { Mark } from "./group.ts";
import { emitTally, newTally, tallyEvent } from "./tally.ts";
import type { Tally } from "./tally.ts";

/** A detection rule that raises alerts of its own: each event is an anchor, and the group is empty. */
export interface LoneDetection {
  add(time: EpochMs, mark: Mark): void;
  settle(out: Alert[]): void;
  advance(watermark: EpochMs, out: Alert[]): void;
  /** Events held as evidence. */
  entries(): number;
}

/** `keepMs`: how long final buckets are still kept, for events that come too late. */
export function loneDetection(maker: AlertMaker, suppressMs: number, keepMs: number, evidenceMax: number): LoneDetection {
  const tallies = new Map<EpochMs, Tally>();
  let touched: Tally[] = [];
  return {
    add(time, mark) {
      const start = alignDown(time, suppressMs);
      let tally = tallies.get(start);
      if (tally === undefined) tallies.set(start, (tally = newTally(start)));
      tallyEvent(tally, time, mark, evidenceMax);
      if (tally.bucket.touched) return;
      tally.bucket.touched = true;
      touched.push(tally);
    },
    settle(out) {
      if (touched.length === 0) return;
      for (const tally of touched) {
        tally.bucket.touched = false;
        emitTally(maker, [], tally, false, out);
      }
      touched = [];
    },
    advance(watermark, out) {
      const ready = [...tallies.values()].filter(({ bucket }) => bucket.start + suppressMs <= watermark);
      ready.sort((a, b) => a.bucket.start - b.bucket.start);
      for (const tally of ready) {
        emitTally(maker, [], tally, true, out);
        if (tally.bucket.start + suppressMs <= watermark - keepMs) tallies.delete(tally.bucket.start);
      }
    },
    entries() {
      let held = 0;
      for (const { marks } of tallies.values()) held += marks.length;
      return held;
    },
  };
}
