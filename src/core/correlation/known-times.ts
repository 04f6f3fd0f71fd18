import type { EpochMs } from "../event.ts";
import type { HashKey } from "./keyed-hash.ts";

/** Times by hash, in 16 bytes each plus the room that open addressing needs. */
export interface KnownTimes {
  get(hash: HashKey): EpochMs | undefined;
  set(hash: HashKey, time: EpochMs): void;
  /** Forgets what is before a time. */
  forget(before: EpochMs): void;
  readonly size: number;
  /** Bytes of its arrays. */
  readonly bytes: number;
}

interface Slots {
  readonly high: Uint32Array;
  readonly low: Uint32Array;
  /** NaN: free. */
  readonly times: Float64Array;
}

/** Slots of an empty table. */
const SLOTS_MIN = 16;
/** Fuller than this, and a look-up takes more than a few steps. */
const FILL_MAX = 0.75;
/** Room after growing, per entry. */
const GROWTH = 1.8;
const WORD = 2 ** 32;

/** Nothing known. */
export function knownTimes(): KnownTimes {
  let slots = emptySlots(SLOTS_MIN);
  let size = 0;

  function rebuild(capacity: number, keepFrom: EpochMs): void {
    const old = slots;
    slots = emptySlots(capacity);
    size = 0;
    for (let at = 0; at < old.times.length; at++) {
      const time = old.times[at]!;
      // A free slot's NaN is not at or after anything.
      if (!(time >= keepFrom)) continue;
      const place = placeOf(slots, old.high[at]!, old.low[at]!);
      put(slots, place, old.high[at]!, old.low[at]!, time);
      size++;
    }
  }

  return {
    get({ high, low }) {
      const time = slots.times[placeOf(slots, high, low)]!;
      return Number.isNaN(time) ? undefined : time;
    },
    set({ high, low }, time) {
      let place = placeOf(slots, high, low);
      if (Number.isNaN(slots.times[place]!)) {
        if (size + 1 > slots.times.length * FILL_MAX) {
          rebuild(Math.ceil((size + 1) * GROWTH) + SLOTS_MIN, Number.NEGATIVE_INFINITY);
          place = placeOf(slots, high, low);
        }
        size++;
      }
      put(slots, place, high, low, time);
    },
    forget(before) {
      let kept = 0;
      for (const time of slots.times) if (time >= before) kept++;
      if (kept < size) rebuild(Math.ceil(kept * GROWTH) + SLOTS_MIN, before);
    },
    get size() {
      return size;
    },
    get bytes() {
      return slots.high.byteLength + slots.low.byteLength + slots.times.byteLength;
    },
  };
}

function emptySlots(capacity: number): Slots {
  return { high: new Uint32Array(capacity), low: new Uint32Array(capacity), times: new Float64Array(capacity).fill(Number.NaN) };
}

/** The slot of a hash, or the free one where it would go. There is always a free one. */
function placeOf({ high: highs, low: lows, times }: Slots, high: number, low: number): number {
  const capacity = times.length;
  let at = Math.floor((high / WORD) * capacity);
  while (!Number.isNaN(times[at]!) && (lows[at] !== low || highs[at] !== high)) at = at + 1 === capacity ? 0 : at + 1;
  return at;
}

function put(slots: Slots, at: number, high: number, low: number, time: EpochMs): void {
  slots.high[at] = high;
  slots.low[at] = low;
  slots.times[at] = time;
}
