import type { Alert, AlertBaseline } from "../alert.ts";
import type { EpochMs } from "../event.ts";
import { closing } from "./closing.ts";
import type { Changed, Closing } from "./closing.ts";
import type { Correlator, CorrelatorSetup } from "./correlator.ts";
import { addLate, alignDown, bucketAt, dropFirst, emptyGroup, lowerBound, mergeLate, pruned, upperBound } from "./group.ts";
import type { Group, Mark } from "./group.ts";
import { identify, innerMark } from "./sliding-state.ts";

/** What is special about a kind of correlation whose windows tumble. */
export interface TumblingKind<X> {
  readonly keepsExtra: boolean;
  /** The condition can hold for a window without events. */
  readonly emptyHolds: boolean;
  /**
   * Whether the condition holds for entries [from, to) of a group: the window that starts at `start`, perhaps empty;
   * with what it compares, if it does. Asked in order of windows.
   */
  holds(group: Group<X>, from: number, to: number, start: EpochMs): boolean | AlertBaseline;
  /** It knows of windows of the group that still matter to windows from `from` on. */
  remembers?(group: Group<X>, from: EpochMs): boolean;
}

/** A group that remembers for which window it was last noted. */
interface TumblingGroup<X> extends Group<X> {
  noted: EpochMs;
}

/** A correlation with tumbling windows at work. */
interface TumblingState<X> {
  readonly setup: CorrelatorSetup<X>;
  readonly kind: TumblingKind<X>;
  readonly grouped: boolean;
  readonly groups: Map<string, TumblingGroup<X>>;
  /** Groups with an event in a window, by the window's start. */
  readonly seen: Map<EpochMs, Set<TumblingGroup<X>>>;
  readonly due: Closing<TumblingGroup<X>>;
  behind: TumblingGroup<X>[];
  /** Windows that were evaluated before one of their events came. */
  again: { readonly group: TumblingGroup<X>; readonly start: EpochMs }[];
  /** Start of the first window of all. */
  begin: EpochMs;
  /** It has changed and was not asked for since. */
  begun: boolean;
  /** Windows that start before this have been evaluated. */
  done: EpochMs;
  ended: boolean;
  keepFrom: EpochMs;
  sweptFrom: EpochMs;
  held: number;
}

/**
 * Longest silence that is reported window by window without group-by, in windows: two years of minutes. Behind it the
 * silence is so old that only a wrong clock can have made it.
 */
const SILENT_WINDOWS_MAX = 1_051_200;

/** Windows [k * timespan, (k + 1) * timespan), each evaluated once when the watermark passes its end; only finals. */
export function tumbling<X>(setup: CorrelatorSetup<X>, kind: TumblingKind<X>, grouped: boolean): Correlator<X> {
  const state: TumblingState<X> = {
    setup,
    kind,
    grouped,
    groups: new Map(),
    seen: new Map(),
    due: closing(setup.maker),
    behind: [],
    again: [],
    begin: Number.POSITIVE_INFINITY,
    begun: false,
    done: Number.NEGATIVE_INFINITY,
    ended: false,
    keepFrom: Number.NEGATIVE_INFINITY,
    sweptFrom: Number.NEGATIVE_INFINITY,
    held: 0,
  };
  const open = (key: string, values: readonly string[]): TumblingGroup<X> => {
    const group = { ...emptyGroup<X>(values), noted: Number.NEGATIVE_INFINITY };
    state.groups.set(key, group);
    return group;
  };
  const reportsSilence = !grouped && kind.emptyHolds;
  return {
    group: (key) => state.groups.get(key),
    open,
    // Groups come from `group` and `open` alone.
    add: (group, time, mark, extra) => add(state, group as TumblingGroup<X>, time, mark, extra),
    settle() {
      for (const group of state.behind) mergeLate(group, kind.keepsExtra);
      state.behind = [];
      for (const { group, start } of state.again) evaluate(state, group, start);
      state.again = [];
    },
    advance: (watermark, newest, out) => advance(state, watermark, newest, out),
    reach: () => (state.ended ? Number.POSITIVE_INFINITY : state.done),
    firsts() {
      const changed = reportsSilence && state.begun;
      state.begun = false;
      return changed ? [{ values: [], time: state.begin }] : [];
    },
    recall(key, values, time, since) {
      if (!reportsSilence) return;
      if (!state.groups.has(key)) open(key, values);
      // Windows before the replay have been evaluated, and what was in them is not there to be counted.
      state.begin = Math.min(state.begin, Math.max(time, alignDown(since, setup.timespanMs)));
    },
    entries: () => state.held,
  };
}

function add<X>(state: TumblingState<X>, group: TumblingGroup<X>, time: EpochMs, mark: Mark, extra: X): void {
  const { times } = group;
  state.held++;
  note(state, group, time);
  if (times.length > 0 && times[times.length - 1]! > time) {
    if (group.late === undefined) state.behind.push(group);
    addLate(group, time, mark, extra);
    return;
  }
  if (times.length >= group.pruneAt) drop(state, group);
  times.push(time);
  group.marks.push(mark);
  if (state.kind.keepsExtra) group.extras.push(extra);
}

function note<X>(state: TumblingState<X>, group: TumblingGroup<X>, time: EpochMs): void {
  const start = alignDown(time, state.setup.timespanMs);
  if (start < state.begin) {
    state.begin = start;
    state.begun = true;
  }
  // Too late: what it amends is evaluated again, as long as the window is still there as a whole.
  if (start < state.done && start >= state.keepFrom) state.again.push({ group, start });
  if (start === group.noted) return;
  group.noted = start;
  const noted = state.seen.get(start);
  if (noted === undefined) state.seen.set(start, new Set([group]));
  else noted.add(group);
}

function advance<X>(state: TumblingState<X>, watermark: EpochMs, newest: EpochMs, out: Alert[]): void {
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
function evaluateUntil<X>(state: TumblingState<X>, end: EpochMs): void {
  const { seen, done, setup } = state;
  const { timespanMs } = setup;
  const starts = new Set<EpochMs>();
  for (const start of seen.keys()) {
    if (start >= done && start < end) starts.add(start);
    if (start + timespanMs >= done && start + timespanMs < end) starts.add(start + timespanMs);
  }
  const global = state.grouped ? undefined : state.groups.get("");
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

function evaluate<X>(state: TumblingState<X>, group: TumblingGroup<X>, start: EpochMs): void {
  const { setup, kind, due } = state;
  const from = lowerBound(group.times, start);
  const to = lowerBound(group.times, start + setup.timespanMs);
  const held = kind.holds(group, from, to, start);
  if (held === false) return;
  const bucket = bucketAt(group, alignDown(start, setup.suppressMs));
  bucket.min = Math.min(bucket.min, from < to ? group.times[from]! : start);
  bucket.max = Math.max(bucket.max, from < to ? group.times[to - 1]! : start);
  if (held !== true) bucket.baseline = held;
  due.open(group, bucket);
  if (setup.deliver === undefined || bucket.delivered) return;
  bucket.delivered = true;
  setup.deliver({ time: start, mark: innerMark(setup, group, bucket, from, to), values: group.values });
}

function close<X>({ setup }: TumblingState<X>, { group, bucket }: Changed<TumblingGroup<X>>, out: Alert[]): void {
  if (!setup.alerts) return;
  const from = lowerBound(group.times, bucket.min);
  const to = upperBound(group.times, bucket.max);
  if (bucket.final && bucket.count === to - from && bucket.first === bucket.min && bucket.last === bucket.max) return;
  bucket.count = to - from;
  bucket.first = bucket.min;
  bucket.last = bucket.max;
  bucket.revision++;
  bucket.final = true;
  identify(setup, group, bucket);
  out.push(setup.maker.alert(group.values, bucket, setup.evidence(group, from, to), true));
}

function drop<X>(state: TumblingState<X>, group: TumblingGroup<X>): void {
  const count = lowerBound(group.times, state.keepFrom);
  dropFirst(group, count, state.kind.keepsExtra);
  state.held -= count;
  pruned(group);
}

function sweep<X>(state: TumblingState<X>): void {
  const { groups, keepFrom } = state;
  for (const [key, group] of groups) {
    drop(state, group);
    while (group.buckets.length > 0 && group.buckets[0]!.start < keepFrom) group.buckets.shift();
    // The global group stays: it says that the rule's first event has been.
    const over = group.times.length === 0 && group.buckets.length === 0 && state.kind.remembers?.(group, keepFrom) !== true;
    if (state.grouped && over) groups.delete(key);
  }
  state.sweptFrom = keepFrom;
}
