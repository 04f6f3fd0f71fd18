import type { Alert, AlertBaseline } from "../alert.ts";
import type { EpochMs } from "../event.ts";
import { closing } from "./closing.ts";
import type { Changed, Closing } from "./closing.ts";
import type { Correlator, CorrelatorSetup } from "./correlator.ts";
import { Entries } from "./entries.ts";
import type { Extra, ExtraKind } from "./entries.ts";
import { addLate, alignDown, bucketAt, emptyGroup, mergeLate, shiftBuckets, PRUNE_MIN } from "./group.ts";
import type { Group, Mark } from "./group.ts";
import { keptFor, valuesOf } from "./keys.ts";
import type { Key } from "./keys.ts";
import type { ExactSum } from "./exact-sum.ts";
import { identify, innerMark } from "./sliding-state.ts";
import { tumblingMemory } from "./tumbling-memory.ts";
import type { WindowMemory } from "./window-memory.ts";

/** What is special about a kind of correlation whose windows tumble. */
export interface TumblingKind<X extends Extra> {
  readonly extra: ExtraKind;
  /** The condition can hold for a window without events. */
  readonly emptyHolds: boolean;
  /**
   * Whether the condition holds for entries [from, to) of a group: the window that starts at `start`, perhaps empty;
   * with what it compares, if it does. Asked in order of windows.
   */
  holds(entries: Entries, group: Group<X>, from: number, to: number, start: EpochMs): boolean | AlertBaseline;
  /** It knows of windows of the group that still matter to windows from `from` on. */
  remembers?(group: Group<X>, from: EpochMs): boolean;
  /** What it measured of earlier windows, and how many of them matter. */
  readonly past?: {
    readonly windows: number;
    restore(group: Group<X>, start: EpochMs, measured: ExactSum): void;
    measured(group: Group<X>, start: EpochMs): ExactSum | undefined;
  };
}

/** A group that remembers for which window it was last noted. */
export interface TumblingGroup<X extends Extra> extends Group<X> {
  noted: EpochMs;
}

/** A correlation with tumbling windows at work. */
export interface TumblingState<X extends Extra> {
  readonly setup: CorrelatorSetup<X>;
  readonly kind: TumblingKind<X>;
  readonly grouped: boolean;
  readonly entries: Entries;
  groups: TumblingGroup<X>[];
  /** Groups with an event in a window, by the window's start. */
  readonly seen: Map<EpochMs, Set<TumblingGroup<X>>>;
  readonly due: Closing<TumblingGroup<X>>;
  behind: TumblingGroup<X>[];
  /** Windows that were evaluated before one of their events came. */
  again: { readonly group: TumblingGroup<X>; readonly start: EpochMs }[];
  /** Start of the first window of all. */
  begin: EpochMs;
  /** Windows that start before this have been evaluated. */
  done: EpochMs;
  ended: boolean;
  keepFrom: EpochMs;
  sweptFrom: EpochMs;
  held: number;
  /** Events of windows that start before this are replayed and in the rows already; -Infinity when none are. */
  skipTo: EpochMs;
  memory: WindowMemory | undefined;
}

/**
 * Longest silence that is reported window by window without group-by, in windows: two years of minutes. Behind it the
 * silence is so old that only a wrong clock can have made it.
 */
const SILENT_WINDOWS_MAX = 1_051_200;

/** Windows [k * timespan, (k + 1) * timespan), each evaluated once when the watermark passes its end; only finals. */
export function tumbling<X extends Extra>(setup: CorrelatorSetup<X>, kind: TumblingKind<X>, grouped: boolean): Correlator<X> {
  const state: TumblingState<X> = {
    setup,
    kind,
    grouped,
    entries: new Entries(kind.extra),
    groups: [],
    seen: new Map(),
    due: closing(setup.maker),
    behind: [],
    again: [],
    begin: Number.POSITIVE_INFINITY,
    done: Number.NEGATIVE_INFINITY,
    ended: false,
    keepFrom: Number.NEGATIVE_INFINITY,
    sweptFrom: Number.NEGATIVE_INFINITY,
    held: 0,
    skipTo: Number.NEGATIVE_INFINITY,
    memory: undefined,
  };
  state.memory = tumblingMemory(state, { open: (key) => groupOf(state, key), note: noteSeen });
  return {
    add: (key, time, mark, extra) => add(state, key, time, mark, extra),
    // Windows without events are told of, so a group is never as if it had not been.
    idle: (key) => keptFor(key, setup.slot) === undefined,
    forget() {},
    keepFrom: () => state.keepFrom,
    settle() {
      for (const group of state.behind) mergeLate(state.entries, group);
      state.behind = [];
      for (const { group, start } of state.again) evaluate(state, group, start);
      state.again = [];
    },
    advance: (watermark, newest, out) => advance(state, watermark, newest, out),
    reach: () => (state.ended ? Number.POSITIVE_INFINITY : state.done),
    entries: () => state.held,
    ...(state.memory === undefined ? undefined : { memory: state.memory }),
  };
}

function add<X extends Extra>(state: TumblingState<X>, key: Key, time: EpochMs, mark: Mark, extra: X): void {
  if (time < state.skipTo) return;
  const { entries } = state;
  const group = groupOf(state, key);
  state.held++;
  note(state, group, time);
  const end = group.at + group.size;
  if (group.size > 0 && entries.times[end - 1]! > time) {
    if (group.late === undefined) state.behind.push(group);
    addLate(group, time, mark, extra);
    return;
  }
  if (end === group.block + group.room && group.size >= PRUNE_MIN) drop(state, group);
  entries.append(group, time, mark, extra);
}

/** The group of a key; made when there is none. */
function groupOf<X extends Extra>(state: TumblingState<X>, key: Key): TumblingGroup<X> {
  // A slot holds what this correlation has put there.
  return (keptFor(key, state.setup.slot) as TumblingGroup<X> | undefined) ?? open(state, key);
}

function open<X extends Extra>(state: TumblingState<X>, key: Key): TumblingGroup<X> {
  const group = { ...emptyGroup<X>(key), noted: Number.NEGATIVE_INFINITY };
  state.setup.keys.hold(key, state.setup.slot, group);
  state.groups.push(group);
  return group;
}

function note<X extends Extra>(state: TumblingState<X>, group: TumblingGroup<X>, time: EpochMs): void {
  const start = alignDown(time, state.setup.timespanMs);
  if (start < state.begin) state.begin = start;
  // Too late: what it amends is evaluated again, as long as the window is still there as a whole.
  if (start < state.done && start >= state.keepFrom) state.again.push({ group, start });
  noteSeen(state, group, start);
}

/** Notes that a group has an event in a window. */
function noteSeen<X extends Extra>(state: TumblingState<X>, group: TumblingGroup<X>, start: EpochMs): void {
  if (start === group.noted) return;
  group.noted = start;
  const noted = state.seen.get(start);
  if (noted === undefined) state.seen.set(start, new Set([group]));
  else noted.add(group);
}

function advance<X extends Extra>(state: TumblingState<X>, watermark: EpochMs, newest: EpochMs, out: Alert[]): void {
  const { timespanMs, suppressMs, keepMs } = state.setup;
  state.ended ||= watermark === Number.POSITIVE_INFINITY;
  const end = state.ended ? alignDown(newest, timespanMs) + timespanMs : alignDown(watermark, timespanMs);
  if (end > state.done) evaluateUntil(state, end);
  state.due.close(state.ended ? Number.POSITIVE_INFINITY : state.done - suppressMs, (entry) => close(state, entry, out));
  // The previous window stays: its groups are still to be asked about the next one.
  state.keepFrom = state.ended ? Number.POSITIVE_INFINITY : alignDown(state.done - timespanMs - keepMs, suppressMs);
  if (state.keepFrom - state.sweptFrom >= (timespanMs + suppressMs + keepMs) / 2) sweep(state);
}

/** Evaluates the windows that start in [done, end), in order. */
function evaluateUntil<X extends Extra>(state: TumblingState<X>, end: EpochMs): void {
  const { seen, done, setup } = state;
  const { timespanMs } = setup;
  const starts = new Set<EpochMs>();
  for (const start of seen.keys()) {
    if (start >= done && start < end) starts.add(start);
    if (start + timespanMs >= done && start + timespanMs < end) starts.add(start + timespanMs);
  }
  const global = state.grouped ? undefined : state.groups[0];
  if (global !== undefined && state.kind.emptyHolds) {
    const last = end - timespanMs;
    const first = Math.max(state.begin, done, last - SILENT_WINDOWS_MAX * timespanMs);
    for (let start = first; start <= last; start += timespanMs) starts.add(start);
  }
  for (const start of [...starts].sort((a, b) => a - b)) {
    const here = seen.get(start);
    const before = seen.get(start - timespanMs);
    for (const group of here ?? []) evaluate(state, group, start);
    for (const group of before ?? []) if (here?.has(group) !== true) evaluate(state, group, start);
    if (global !== undefined && here === undefined && before === undefined) evaluate(state, global, start);
  }
  for (const start of seen.keys()) if (start < end - timespanMs) seen.delete(start);
  state.done = end;
}

function evaluate<X extends Extra>(state: TumblingState<X>, group: TumblingGroup<X>, start: EpochMs): void {
  const { setup, kind, due, entries } = state;
  const from = entries.lowerBound(group, start);
  const to = entries.lowerBound(group, start + setup.timespanMs);
  const held = kind.holds(entries, group, from, to, start);
  const measured = from < to ? kind.past?.measured(group, start) : undefined;
  if (measured !== undefined) state.memory?.note(group.key, start, measured);
  if (held === false) return;
  const bucket = bucketAt(group, alignDown(start, setup.suppressMs));
  bucket.min = Math.min(bucket.min, from < to ? entries.times[from]! : start);
  bucket.max = Math.max(bucket.max, from < to ? entries.times[to - 1]! : start);
  if (held !== true) bucket.baseline = held;
  due.open(group, bucket);
  if (setup.deliver === undefined || bucket.delivered) return;
  bucket.delivered = true;
  setup.deliver({ time: start, mark: innerMark(setup, entries, group, bucket, from, to), values: valuesOf(group.key) });
}

function close<X extends Extra>({ setup, entries }: TumblingState<X>, { group, bucket }: Changed<TumblingGroup<X>>, out: Alert[]): void {
  if (!setup.alerts) return;
  const from = entries.lowerBound(group, bucket.min);
  const to = entries.upperBound(group, bucket.max);
  if (bucket.final && bucket.count === to - from && bucket.first === bucket.min && bucket.last === bucket.max) return;
  bucket.count = to - from;
  bucket.first = bucket.min;
  bucket.last = bucket.max;
  bucket.revision++;
  bucket.final = true;
  identify(setup, group, bucket);
  out.push(setup.maker.alert(valuesOf(group.key), bucket, setup.evidence(entries, group, from, to), true));
}

function drop<X extends Extra>(state: TumblingState<X>, group: TumblingGroup<X>): void {
  const { entries } = state;
  const count = entries.lowerBound(group, state.keepFrom) - group.at;
  entries.dropFirst(group, count);
  state.held -= count;
}

function sweep<X extends Extra>(state: TumblingState<X>): void {
  const { setup, entries, keepFrom } = state;
  for (const group of state.groups) {
    drop(state, group);
    shiftBuckets(group, ({ start }) => start < keepFrom);
    // The global group stays: it says that the rule's first event has been.
    if (!state.grouped || group.size > 0 || group.buckets.length > 0 || state.kind.remembers?.(group, keepFrom) === true) continue;
    setup.keys.release(group.key, setup.slot);
  }
  state.groups = state.groups.filter((group) => keptFor(group.key, setup.slot) === group);
  entries.compact(state.groups);
  state.sweptFrom = keepFrom;
}
