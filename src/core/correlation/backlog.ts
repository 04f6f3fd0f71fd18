import type { EpochMs } from "../event.ts";
import type { InnerEvent } from "./correlator.ts";
import { Entries } from "./entries.ts";
import type { Span } from "./entries.ts";
import type { Mark } from "./group.ts";
import type { Counters, Read } from "./intake.ts";
import { keptFor, keysOf } from "./keys.ts";
import type { Key, Keys } from "./keys.ts";
import { canonicalText } from "./values.ts";

/** What a backlog asks of a correlation that it holds events for. */
export interface Sleeper {
  /** How many rules it refers to; it needs an event of each. */
  readonly rules: number;
  /** Paths of its group fields in events, in the order of its group-by. */
  readonly paths: readonly string[];
  /** Takes an event with these group values; gives the key of its group. */
  take(values: readonly string[], time: EpochMs, mark: Mark, rules: number): Key;
  keepFrom(): EpochMs;
  idle(key: Key): boolean;
  forget(key: Key): void;
}

/** A correlation in a backlog. */
interface Member {
  readonly sleeper: Sleeper;
  /** Its rules among the bits of the backlog. */
  readonly shift: number;
  readonly mask: number;
  /** For each of its group fields the column of its values; -1 for the field that the backlog itself groups by. */
  readonly columns: readonly number[];
}

/** What is held for one value of the backlog's field. */
interface Waiting extends Span {
  readonly key: Key;
  /** Rules that it has events of, as bits. */
  seen: number;
  /** Members that are given its events, as the bits of their rules. */
  awake: number;
  /** Keys of the groups that members which are awake have opened, by member. */
  opened: Map<Member, Set<Key>> | undefined;
}

/** Most rules of all members together: a set of them is the bits of one small integer. */
export const BACKLOG_RULES_MAX = 30;

/**
 * Holds events for correlations that need an event of each of their rules: one entry for all of them, in place of one
 * for each. A correlation sleeps as to, say, an agent until that agent has events of all its rules, whatever the other
 * group fields; then it is given everything that is held for it, and from then on every event, until some rule has
 * none left. Alerts are the same: a group that lacks a rule has none.
 */
export interface Backlog<E> {
  take(event: E, time: EpochMs, mark: Mark, rules: number): void;
  /** The door for alerts of the correlation that is rule `rule` of member `member`, whose groups have these values. */
  takeInner(member: number, rule: number, values: (inner: InnerEvent) => readonly string[] | undefined): (inner: InnerEvent) => void;
  /** Position of a member's rule among the bits. */
  bit(member: number, rule: number): number;
  /** A member is no longer there: nothing is kept for it. */
  retire(member: number): void;
  sweep(): void;
  entries(): number;
}

/**
 * A backlog of events by the field at `path`. `reader`: of the paths. `keys`: of that field alone. `everyMs`: how far
 * time goes on from one look for what has expired to the next.
 */
export function backlog<E>(
  path: string,
  sleepers: readonly Sleeper[],
  reader: (path: string) => Read<E>,
  keys: Keys<E>,
  counters: Counters,
  everyMs: number,
): Backlog<E> {
  const slot = keys.slot();
  const others = [...new Set(sleepers.flatMap(({ paths }) => paths))].filter((other) => other !== path);
  const readers = others.map(reader);
  const members: Member[] = [];
  let bits = 0;
  for (const sleeper of sleepers) {
    const columns = sleeper.paths.map((one) => others.indexOf(one));
    members.push({ sleeper, shift: bits, mask: ((1 << sleeper.rules) - 1) << bits, columns });
    bits += sleeper.rules;
  }
  const entries = new Entries("number", others.length);
  let groups: Waiting[] = [];
  let held = 0;
  let sweptFrom = Number.NEGATIVE_INFINITY;
  const retired = new Set<Member>();

  function open(key: Key): Waiting {
    const waiting: Waiting = { key, block: 0, room: 0, at: 0, size: 0, seen: 0, awake: 0, opened: undefined };
    keys.hold(key, slot, waiting);
    groups.push(waiting);
    return waiting;
  }

  /** Adds an entry, and gives its position. */
  function add(waiting: Waiting, time: EpochMs, mark: Mark, rules: number): number {
    entries.append(waiting, time, mark, rules);
    held++;
    return waiting.at + waiting.size - 1;
  }

  /** The last entry has these rules: members that it concerns are woken, or given it. */
  function pass(waiting: Waiting, rules: number): void {
    const known = waiting.seen;
    if ((waiting.awake & rules) === 0 && (known & rules) === rules) return;
    waiting.seen = known | rules;
    const last = waiting.at + waiting.size - 1;
    for (const member of members) {
      if ((rules & member.mask) === 0) continue;
      if ((waiting.awake & member.mask) !== 0) give(waiting, member, last);
      else if ((waiting.seen & member.mask) === member.mask) {
        waiting.awake |= member.mask;
        for (let at = waiting.at; at <= last; at++) give(waiting, member, at);
      }
    }
  }

  function give(waiting: Waiting, member: Member, at: number): void {
    const own = (entries.numbers[at]! & member.mask) >>> member.shift;
    if (own === 0) return;
    const values: string[] = [];
    for (const column of member.columns) {
      const value = column === -1 ? waiting.key.text : entries.cells[column]![at];
      if (value === undefined) return;
      values.push(value);
    }
    const key = member.sleeper.take(values, entries.times[at]!, entries.marks[at]!, own);
    const opened = (waiting.opened ??= new Map<Member, Set<Key>>());
    const set = opened.get(member);
    if (set === undefined) opened.set(member, new Set([key]));
    else set.add(key);
  }

  /** Counts the members that an event is lost to for want of a group field. */
  function countUngrouped(rules: number, at: number | undefined): void {
    for (const { mask, columns } of members) {
      if ((rules & mask) === 0) continue;
      if (at === undefined || columns.some((column) => column !== -1 && entries.cells[column]![at] === undefined)) counters.ungrouped++;
    }
  }

  function sweepOne(waiting: Waiting, keepFrom: EpochMs): void {
    let expired = 0;
    while (expired < waiting.size && entries.times[waiting.at + expired]! < keepFrom) expired++;
    entries.dropFirst(waiting, expired);
    held -= expired;
    let seen = 0;
    for (let at = waiting.at; at < waiting.at + waiting.size; at++) seen |= entries.numbers[at]!;
    waiting.seen = seen;
    for (const member of members)
      if ((waiting.awake & member.mask) !== 0 && (seen & member.mask) !== member.mask) lullToSleep(waiting, member);
    if (waiting.size === 0 && waiting.awake === 0) keys.release(waiting.key, slot);
  }

  /** What the member holds is in the backlog too, so that it can be given all of it again. */
  function lullToSleep(waiting: Waiting, member: Member): void {
    const opened = waiting.opened?.get(member);
    for (const key of opened ?? []) if (!member.sleeper.idle(key)) return;
    for (const key of opened ?? []) member.sleeper.forget(key);
    waiting.opened?.delete(member);
    waiting.awake &= ~member.mask;
  }

  return {
    take(event, time, mark, rules) {
      const key = keys.of(event);
      if (key === undefined) {
        countUngrouped(rules, undefined);
        return;
      }
      // The slot holds what this backlog has put there.
      const waiting = (keptFor(key, slot) as Waiting | undefined) ?? open(key);
      const at = add(waiting, time, mark, rules);
      let lacking = false;
      for (let index = 0; index < readers.length; index++) {
        const value = canonicalText(readers[index]!(event));
        entries.cells[index]![at] = value;
        if (value === undefined) lacking = true;
      }
      if (lacking) countUngrouped(rules, at);
      pass(waiting, rules);
    },
    takeInner(position, rule, valuesOf) {
      const member = members[position]!;
      return (inner) => {
        const values = valuesOf(inner);
        const base = values?.[member.columns.indexOf(-1)];
        if (values === undefined || base === undefined) {
          counters.ungrouped++;
          return;
        }
        const key = keys.ofValues([base]);
        const waiting = (keptFor(key, slot) as Waiting | undefined) ?? open(key);
        const set = 1 << (member.shift + rule);
        const at = add(waiting, inner.time, inner.mark, set);
        for (const [index, column] of member.columns.entries()) if (column !== -1) entries.cells[column]![at] = values[index];
        pass(waiting, set);
      };
    },
    retire: (member) => retired.add(members[member]!),
    bit: (member, rule) => 1 << (members[member]!.shift + rule),
    sweep() {
      let keepFrom = Number.POSITIVE_INFINITY;
      for (const member of members) if (!retired.has(member)) keepFrom = Math.min(keepFrom, member.sleeper.keepFrom());
      if (!(keepFrom - sweptFrom >= everyMs)) return;
      sweptFrom = keepFrom;
      for (const waiting of groups) sweepOne(waiting, keepFrom);
      groups = groups.filter((waiting) => keptFor(waiting.key, slot) === waiting);
      entries.compact(groups);
    },
    entries: () => held,
  };
}
