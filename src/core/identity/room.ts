/**
 * Guards: memory for links, and everybody's share of it. Who calls chooses names for sub-agents, sessions and runs at will;
 * pods and addresses are told by the cluster alone. So what callers claim goes first, and nobody's claims push out those of others.
 */
import type { KeyText, LinkKind } from "./links.ts";
import type { Mark, Pair } from "./pairs.ts";

/** How much is kept of links. */
export interface RoomLimits {
  /** Marks of all (up to 800 bytes each where each has a key of its own, without the names). */
  readonly marks: number;
  /** Characters of the keys of all pairs (2 bytes each at most): a key may have 512. */
  readonly chars: number;
  /** Marks of what one caller claimed; beyond, those of his that were told of longest ago go. */
  readonly marksOfOne: number;
}

/** A fleet of 10,000 agents with 30 pods, keys, roles and sessions each. */
const MARKS_MAX = 300_000;
/** A hundred for each mark: names of pods, roles and accounts are shorter. */
const CHARS_MAX = 30_000_000;
/** 1,000 sub-agents with tokens of an hour; fifteen callers together have all. */
const CLAIMED_MAX = 20_000;
/** What the service has room for. */
export const ROOM: RoomLimits = { marks: MARKS_MAX, chars: CHARS_MAX, marksOfOne: CLAIMED_MAX };

/** What is too much is cleared with so much more of the limit at once: a walk over what was told of again meets many gaps at its start. */
const CLEARED = 1 / 16;

/** What a caller may name as he likes, what is issued to whoever asks for it, what the cluster alone tells: the first is the first to go. */
const FIRST_TO_GO: readonly (readonly LinkKind[])[] = [
  ["agent", "client", "sa", "spiffe", "session", "run", "user", "person"],
  ["cred", "role"],
  ["pod", "ip"],
];
const RANKS = new Map(FIRST_TO_GO.flatMap((kinds, rank) => kinds.map((kind) => [kind as string, rank] as const)));

/** What one caller claimed, that which was told of longest ago first. */
interface Share {
  readonly pairs: Set<Pair>;
  marks: number;
}

/** Counts what is kept, and says what goes when that is too much. */
export interface Room {
  /** A mark of a pair was told, by whom if that is known; the pair may be new. `added`: it is one mark more. */
  told(pair: Pair, teller: string | undefined, added: boolean): void;
  /** A pair has other marks; with none it is gone. */
  replaced(pair: Pair, marks: Mark[]): void;
  /** A key is gone. */
  gone(key: KeyText): void;
  /** What a caller claimed beyond his share. */
  beyond(teller: string | undefined): Iterable<Pair>;
  /** The keys that go, while there is too much. */
  tooMany(): Iterable<KeyText>;
  readonly size: number;
}

/** Nothing is kept yet. */
export function room(limits: RoomLimits): Room {
  const order = FIRST_TO_GO.map(() => new Set<KeyText>());
  const shares = new Map<string, Share>();
  let size = 0;
  let chars = 0;

  const leave = (pair: Pair): void => {
    const share = pair.teller === undefined ? undefined : shares.get(pair.teller);
    if (share?.pairs.delete(pair) !== true) return;
    share.marks -= pair.marks.length;
    if (share.pairs.size === 0) shares.delete(pair.teller!);
  };
  const join = (pair: Pair): void => {
    let share = shares.get(pair.teller!);
    if (share === undefined) shares.set(pair.teller!, (share = { pairs: new Set(), marks: 0 }));
    share.pairs.add(pair);
    share.marks += pair.marks.length;
  };

  return {
    told(pair, teller, added) {
      const rank = rankOf(pair.from);
      order[rank]!.delete(pair.from);
      order[rank]!.add(pair.from);
      if (added) {
        size++;
        if (pair.marks.length === 1) chars += charsOf(pair);
        const share = pair.teller === undefined ? undefined : shares.get(pair.teller);
        if (share !== undefined) share.marks++;
      }
      if (rank > 0 || teller === undefined) return;
      leave(pair);
      pair.teller = teller;
      join(pair);
    },
    replaced(pair, marks) {
      const by = marks.length - pair.marks.length;
      if (marks.length === 0) {
        leave(pair);
        if (pair.marks.length > 0) chars -= charsOf(pair);
      } else if (pair.teller !== undefined) shares.get(pair.teller)!.marks += by;
      size += by;
      pair.marks = marks;
      pair.view = undefined;
    },
    gone(key) {
      order[rankOf(key)]!.delete(key);
    },
    *beyond(teller) {
      const share = teller === undefined ? undefined : shares.get(teller);
      if (share === undefined || share.marks <= limits.marksOfOne) return;
      for (const pair of share.pairs) {
        if (share.marks <= cleared(limits.marksOfOne)) return;
        yield pair;
      }
    },
    *tooMany() {
      if (size <= limits.marks && chars <= limits.chars) return;
      for (const keys of order)
        for (const key of keys) {
          if (size <= cleared(limits.marks) && chars <= cleared(limits.chars)) return;
          yield key;
        }
    },
    get size() {
      return size;
    },
  };
}

function cleared(limit: number): number {
  return limit - Math.floor(limit * CLEARED);
}

function rankOf(key: KeyText): number {
  return RANKS.get(key.slice(0, key.indexOf(":")))!;
}

function charsOf({ from, to }: Pair): number {
  return from.length + to.length;
}
