import type { EpochMs } from "../event.ts";

/** Uids of the events that matched some rule, for as long as they may matter. */
export interface SeenUids {
  /** False when it was there already. */
  add(uid: string, time: EpochMs): boolean;
  /** Events further than the horizon before `watermark` matter no more. */
  prune(watermark: EpochMs): void;
  /** The horizon from now on. A longer one does not bring back what was forgotten. */
  reach(horizonMs: number): void;
}

/**
 * Nothing seen. Two generations: once the watermark is a horizon past the last change, the old one goes and the young
 * one becomes old, so that nothing is deleted one by one. What is ahead of its time is carried over.
 */
export function seenUids(initialMs: number): SeenUids {
  let horizonMs = initialMs;
  let young = new Map<string, EpochMs>();
  let old = new Map<string, EpochMs>();
  let changedAt: EpochMs | undefined;
  return {
    add(uid, time) {
      if (young.has(uid) || old.has(uid)) return false;
      young.set(uid, time);
      return true;
    },
    prune(watermark) {
      if (watermark === Number.NEGATIVE_INFINITY) return;
      changedAt ??= watermark;
      const before = watermark - horizonMs;
      if (before < changedAt) return;
      const next = new Map<string, EpochMs>();
      for (const [uid, time] of old) if (time >= before) next.set(uid, time);
      changedAt = watermark;
      old = young;
      young = next;
    },
    reach(ms) {
      horizonMs = ms;
    },
  };
}
