import type { Hooks } from "./run.ts";
import type { InputReject } from "./stream.ts";

/** Places of one uid, or rejected records that name it, that are remembered. */
const PLACES_MAX = 20;
/** A uid that differs from the wanted one in more characters than this, between equal beginnings and ends, is another. */
const UNLIKE_MAX = 6;
/** Levels of a rejected record that are searched for the uid. */
const DEPTH_MAX = 4;
/** Shorter parts of a uid say too little to be looked for. */
const PART_MIN = 6;

/** Where an event with a uid was met. */
export interface EventPlace {
  readonly file: string;
  readonly line: number;
  /** Its uid was there before: it does not count. */
  readonly duplicate: boolean;
}

/** What was found of one wanted uid. */
export interface Located<E> {
  readonly uid: string;
  /** As rules see it; undefined when there is no event with this uid. */
  event: E | undefined;
  readonly places: EventPlace[];
  /** Rejected records that name it, or the vendor's part of it. */
  readonly rejected: InputReject[];
  /** The most similar uid of all, if one is similar. */
  nearest: string | undefined;
}

/** Looks for events while a backtest runs. */
export interface Locator<E> {
  readonly hooks: Pick<Hooks<E>, "seen" | "rejected">;
  /** Told of the events that rules see. */
  tap(events: readonly E[]): void;
  readonly found: ReadonlyMap<string, Located<E>>;
}

/** A locator of some uids. */
export function locator<E>(uids: Iterable<string>, uidOf: (event: E) => string): Locator<E> {
  const found = new Map<string, Located<E> & { unlike: number }>();
  for (const uid of uids) found.set(uid, { uid, event: undefined, places: [], rejected: [], nearest: undefined, unlike: UNLIKE_MAX + 1 });
  return {
    found,
    hooks: {
      seen(event, file, line, duplicate) {
        const uid = uidOf(event);
        const exact = found.get(uid);
        if (exact !== undefined) {
          if (exact.places.length < PLACES_MAX) exact.places.push({ file, line, duplicate });
          return;
        }
        for (const wanted of found.values()) {
          const unlike = unlikeness(wanted.uid, uid);
          if (unlike >= wanted.unlike) continue;
          wanted.unlike = unlike;
          wanted.nearest = uid;
        }
      },
      rejected(reject) {
        for (const wanted of found.values())
          if (wanted.rejected.length < PLACES_MAX && names(reject.raw, wanted.uid)) wanted.rejected.push({ ...reject, raw: undefined });
      },
    },
    tap(events) {
      for (const event of events) {
        const wanted = found.get(uidOf(event));
        if (wanted !== undefined) wanted.event = event;
      }
    },
  };
}

/** Characters of the longer text that lie between the common beginning and the common end. Cheap: it is asked of every event. */
function unlikeness(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length);
  const longer = Math.max(a.length, b.length);
  if (longer - shorter > UNLIKE_MAX) return Number.POSITIVE_INFINITY;
  let head = 0;
  while (head < shorter && a.charCodeAt(head) === b.charCodeAt(head)) head++;
  let tail = 0;
  while (tail < shorter - head && a.charCodeAt(a.length - 1 - tail) === b.charCodeAt(b.length - 1 - tail)) tail++;
  const between = longer - head - tail;
  // Of short uids, most are that similar.
  return between * 2 > longer ? Number.POSITIVE_INFINITY : between;
}

/** Whether a rejected record, or its text, holds the uid, or what follows the connector's name in it. */
function names(raw: unknown, uid: string, depth = 0): boolean {
  const part = uid.slice(uid.indexOf(":") + 1);
  if (typeof raw === "string") return raw === uid || (part.length >= PART_MIN && raw.includes(part));
  if (typeof raw === "number") return String(raw) === uid;
  if (typeof raw !== "object" || raw === null || depth > DEPTH_MAX) return false;
  return Object.values(raw).some((value) => names(value, uid, depth + 1));
}
