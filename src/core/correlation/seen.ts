import type { EpochMs } from "../event.ts";

/** Uids of the events that matched some rule, for as long as they may matter. */
export interface SeenUids {
  /** False when it was there already. */
  add(uid: string, time: EpochMs): boolean;
  /** Events before `before` matter no more. */
  prune(before: EpochMs): void;
}

/** Fewer uids than this are not worth a look. */
const PRUNE_MIN = 4096;

/** Nothing seen. */
export function seenUids(): SeenUids {
  const times = new Map<string, EpochMs>();
  let pruneAt = PRUNE_MIN;
  return {
    add(uid, time) {
      if (times.has(uid)) return false;
      times.set(uid, time);
      return true;
    },
    prune(before) {
      if (times.size < pruneAt) return;
      for (const [uid, time] of times) if (time < before) times.delete(uid);
      // Looking again only after doubling keeps it at constant time per event.
      pruneAt = Math.max(PRUNE_MIN, 2 * times.size);
    },
  };
}
