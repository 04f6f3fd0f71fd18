import type { EpochMs } from "../event.ts";
import type { InnerEvent } from "./correlator.ts";
import { Entries } from "./entries.ts";
import type { Span } from "./entries.ts";
import type { CellTexts, Cells } from "./cells.ts";
import type { Mark } from "./group.ts";
import { CelledMark } from "./inner-mark.ts";
import type { Counters } from "./intake.ts";
import { keptFor } from "./keys.ts";
import type { Key, Keys } from "./keys.ts";

/** What a backlog asks of a correlation that it holds events for. */
export interface Sleeper {
  /** How many rules it refers to. */
  readonly rules: number;
  /** What wakes it: an event of each rule, or this many events, of any, within this time. */
  readonly needs: "each" | { readonly events: number; readonly withinMs: number };
  /** Its group fields, in the order of its group-by, by their positions in cells; -1 for the field that the backlog groups by. */
  readonly fields: readonly number[];
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
  /** Fewest events that can wake it, and how near they must be; 0 where it needs one of each rule. */
  readonly events: number;
  readonly withinMs: number;
  /** Of the sleeper. */
  readonly fields: readonly number[];
}

/** What is held for one value of the backlog's field. */
interface Waiting extends Span {
  readonly key: Key;
  /** Rules that it has events of, as bits. */
  seen: number;
  /** Members that are given its events, as the bits of their rules. */
  awake: number;
  /** How many of the last entries are to be put in order at the end of the batch: one came behind its time. */
  unsorted: number;
  /** Keys of the groups that members which are awake have opened, by member. */
  opened: Map<Member, Set<Key>> | undefined;
}

/** Most rules of all members together: a set of them is the bits of one small integer. */
export const BACKLOG_RULES_MAX = 30;

/**
 * Holds events for correlations that need many: one entry for all of them, in place of one for each. A correlation
 * sleeps as to, say, an agent until that agent has as many events as any of its groups would need, whatever the other
 * group fields; then it is given everything that is held for it, and from then on every event, until there are too few
 * again. Alerts are the same: a group without enough events has none.
 */
export class Backlog<E> {
  readonly #members: readonly Member[];
  readonly #retired = new Set<Member>();
  readonly #cells: Cells<E>;
  /** Positions of the group fields beside the one that it groups by itself. */
  readonly #others: readonly number[];
  readonly #keys: Keys<E>;
  readonly #slot: number;
  readonly #counters: Counters;
  readonly #everyMs: number;
  readonly #entries = new Entries("number");
  #groups: Waiting[] = [];
  #unsorted: Waiting[] = [];
  #held = 0;
  #sweptFrom = Number.NEGATIVE_INFINITY;

  /** `keys`: of the field that it groups by. `everyMs`: how far time goes on from one look for what has expired to the next. */
  constructor(sleepers: readonly Sleeper[], keys: Keys<E>, cells: Cells<E>, counters: Counters, everyMs: number) {
    this.#members = membersOf(sleepers);
    this.#others = [...new Set(sleepers.flatMap(({ fields }) => fields))].filter((field) => field !== -1);
    this.#keys = keys;
    this.#slot = keys.slot();
    this.#cells = cells;
    this.#counters = counters;
    this.#everyMs = everyMs;
  }

  /** Takes an event that matched rules of members, as bits. */
  take(event: E, time: EpochMs, mark: Mark, rules: number): void {
    const key = this.#keys.of(event);
    if (key === undefined) {
      this.#countUngrouped(rules, undefined);
      return;
    }
    const cells = this.#cells.of(mark, event);
    for (const field of this.#others) {
      if (cells[field] !== undefined) continue;
      this.#countUngrouped(rules, cells);
      break;
    }
    const waiting = this.#waiting(key);
    this.#add(waiting, time, mark, rules);
    this.#pass(waiting, rules);
  }

  /** Takes an alert of the correlation that is rule `rule` of a member. `values`: its group, as the member has it. */
  takeInner(position: number, rule: number, { time, mark }: InnerEvent, values: readonly string[] | undefined): void {
    const member = this.#members[position]!;
    const base = values?.[member.fields.indexOf(-1)];
    if (values === undefined || base === undefined) {
      this.#counters.ungrouped++;
      return;
    }
    const waiting = this.#waiting(this.#keys.ofValues([base]));
    const set = this.bit(position, rule);
    const cells: (string | undefined)[] = [];
    for (const [index, field] of member.fields.entries()) if (field !== -1) cells[field] = values[index];
    this.#add(waiting, time, new CelledMark(mark, cells), set);
    this.#pass(waiting, set);
    // The end of the batch may have been for this backlog.
    this.settle();
  }

  /** The end of a batch: wakes members for what came behind its time. */
  settle(): void {
    if (this.#unsorted.length === 0) return;
    for (const waiting of this.#unsorted) {
      const moved = this.#entries.sortLast(waiting, waiting.unsorted);
      waiting.unsorted = 0;
      for (const member of this.#members)
        if ((waiting.awake & member.mask) === 0 && member.events > 0 && this.#isBusy(waiting, member, moved)) this.#wake(waiting, member);
    }
    this.#unsorted = [];
  }

  /** A member's rule among the bits. */
  bit(member: number, rule: number): number {
    return 1 << (this.#members[member]!.shift + rule);
  }

  /** A member is no longer there: nothing is kept for it. */
  retire(member: number): void {
    this.#retired.add(this.#members[member]!);
  }

  /** Drops what no member needs any more, and puts members to sleep that lack a rule again. */
  sweep(): void {
    let keepFrom = Number.POSITIVE_INFINITY;
    for (const member of this.#members) if (!this.#retired.has(member)) keepFrom = Math.min(keepFrom, member.sleeper.keepFrom());
    if (!(keepFrom - this.#sweptFrom >= this.#everyMs)) return;
    this.#sweptFrom = keepFrom;
    for (const waiting of this.#groups) this.#sweepOne(waiting, keepFrom);
    this.#groups = this.#groups.filter((waiting) => keptFor(waiting.key, this.#slot) === waiting);
    this.#entries.compact(this.#groups);
  }

  /** Entries held now. */
  entries(): number {
    return this.#held;
  }

  #waiting(key: Key): Waiting {
    // The slot holds what this backlog has put there.
    const found = keptFor(key, this.#slot) as Waiting | undefined;
    if (found !== undefined) return found;
    const waiting: Waiting = { key, block: 0, room: 0, at: 0, size: 0, seen: 0, awake: 0, unsorted: 0, opened: undefined };
    this.#keys.hold(key, this.#slot, waiting);
    this.#groups.push(waiting);
    return waiting;
  }

  #add(waiting: Waiting, time: EpochMs, mark: Mark, rules: number): void {
    this.#entries.append(waiting, time, mark, rules);
    this.#held++;
    const at = waiting.at + waiting.size - 1;
    if (waiting.unsorted > 0) waiting.unsorted++;
    else if (waiting.size > 1 && this.#entries.times[at - 1]! > time) {
      waiting.unsorted = 1;
      this.#unsorted.push(waiting);
    }
  }

  /** The last entry has these rules: members that it concerns are given it, or woken. */
  #pass(waiting: Waiting, rules: number): void {
    const known = waiting.seen;
    waiting.seen = known | rules;
    const last = waiting.at + waiting.size - 1;
    const { times } = this.#entries;
    for (const member of this.#members) {
      if ((rules & member.mask) === 0) continue;
      if ((waiting.awake & member.mask) !== 0) this.#give(waiting, member, last);
      else if (member.events === 0) {
        if ((waiting.seen & member.mask) === member.mask) this.#wake(waiting, member);
      } else if (waiting.unsorted === 0 && waiting.size >= member.events) {
        // Entries of others are counted too: it may be woken for nothing, and never too late.
        if (times[last + 1 - member.events]! >= times[last]! - member.withinMs) this.#wake(waiting, member);
      }
    }
  }

  #wake(waiting: Waiting, member: Member): void {
    waiting.awake |= member.mask;
    const end = waiting.at + waiting.size;
    for (let at = waiting.at; at < end; at++) this.#give(waiting, member, at);
  }

  /** Some stretch of time that reaches to `moved` or further holds as many entries as a member needs of its own. */
  #isBusy({ at, size }: Waiting, { events, withinMs }: Member, moved: number): boolean {
    const { times } = this.#entries;
    for (let from = Math.max(at, moved + 1 - events); from + events <= at + size; from++)
      if (times[from + events - 1]! - times[from]! <= withinMs) return true;
    return false;
  }

  #give(waiting: Waiting, member: Member, at: number): void {
    const { times, marks, numbers } = this.#entries;
    const mark = marks[at]!;
    const own = (numbers[at]! & member.mask) >>> member.shift;
    if (own === 0) return;
    const values: string[] = [];
    for (const field of member.fields) {
      const value = field === -1 ? waiting.key.text : mark.cells?.[field];
      if (value === undefined) return;
      values.push(value);
    }
    const key = member.sleeper.take(values, times[at]!, mark, own);
    const opened = (waiting.opened ??= new Map<Member, Set<Key>>());
    const keys = opened.get(member);
    if (keys === undefined) opened.set(member, new Set([key]));
    else keys.add(key);
  }

  /** Counts the members that an event is lost to for want of a group field. */
  #countUngrouped(rules: number, cells: CellTexts | undefined): void {
    for (const { mask, fields } of this.#members) {
      if ((rules & mask) === 0) continue;
      if (cells === undefined || fields.some((field) => field !== -1 && cells[field] === undefined)) this.#counters.ungrouped++;
    }
  }

  #sweepOne(waiting: Waiting, keepFrom: EpochMs): void {
    const { times, numbers } = this.#entries;
    let expired = 0;
    while (expired < waiting.size && times[waiting.at + expired]! < keepFrom) expired++;
    this.#entries.dropFirst(waiting, expired);
    this.#held -= expired;
    let seen = 0;
    for (let at = waiting.at; at < waiting.at + waiting.size; at++) seen |= numbers[at]!;
    waiting.seen = seen;
    for (const member of this.#members) {
      if ((waiting.awake & member.mask) === 0) continue;
      const wanted = member.events === 0 ? (seen & member.mask) === member.mask : this.#isBusy(waiting, member, waiting.at);
      if (wanted) forgetUnused(waiting.opened?.get(member));
      else lullToSleep(waiting, member);
    }
    if (waiting.size === 0 && waiting.awake === 0) this.#keys.release(waiting.key, this.#slot);
  }
}

function membersOf(sleepers: readonly Sleeper[]): readonly Member[] {
  let bits = 0;
  return sleepers.map((sleeper) => {
    const shift = bits;
    bits += sleeper.rules;
    const { needs } = sleeper;
    return {
      sleeper,
      shift,
      mask: ((1 << sleeper.rules) - 1) << shift,
      events: needs === "each" ? 0 : needs.events,
      withinMs: needs === "each" ? 0 : needs.withinMs,
      fields: sleeper.fields,
    };
  });
}

/** Groups that are over need not be forgotten any more. */
function forgetUnused(keys: Set<Key> | undefined): void {
  for (const key of keys ?? []) if (key.used === 0) keys!.delete(key);
}

/** What the member holds is in the backlog too, so that it can be given all of it again. */
function lullToSleep(waiting: Waiting, member: Member): void {
  const opened = waiting.opened?.get(member);
  for (const key of opened ?? []) if (!member.sleeper.idle(key)) return;
  for (const key of opened ?? []) member.sleeper.forget(key);
  waiting.opened?.delete(member);
  waiting.awake &= ~member.mask;
}
