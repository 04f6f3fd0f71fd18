import type { Alert } from "../alert.ts";
import type { EpochMs } from "../event.ts";
import { closing } from "./closing.ts";
import type { Changed, Closing } from "./closing.ts";
import type { Correlator, CorrelatorSetup } from "./correlator.ts";
import { eventsOf } from "./evidence.ts";
import { addLate, alignDown, emptyGroup, lowerBound, mergeLate } from "./group.ts";
import type { Group, Mark } from "./group.ts";
import { emitTally, newTally, tallyEvent } from "./tally.ts";
import type { Tally } from "./tally.ts";

/** How far back values and groups are remembered. */
export interface Novelty {
  readonly lookbackMs: number;
  readonly minHistoryMs: number;
  /** Most events that are kept as evidence. */
  readonly evidenceMax: number;
}

/** A group whose entries are the events that are not decided yet. */
interface NoveltyGroup extends Group<string> {
  /** Time of its first event ever. */
  first: EpochMs;
  /** Latest decided time of each value. */
  readonly latest: Map<string, EpochMs>;
  readonly tallies: Map<EpochMs, Tally>;
}

interface NoveltyState {
  readonly setup: CorrelatorSetup<string>;
  readonly novelty: Novelty;
  readonly groups: Map<string, NoveltyGroup>;
  readonly undecided: Set<NoveltyGroup>;
  /** Groups whose first time has changed and was not asked for since. */
  readonly firsts: Set<NoveltyGroup>;
  readonly due: Closing<NoveltyGroup>;
  reached: EpochMs;
  sweptAt: EpochMs;
}

/**
 * new_value: an event fires when its value was not in the group's events in [t - lookback, t), and the group's first
 * event is at least minHistory old. Decided once the watermark has passed the event, and emitted then. A group is
 * remembered for ever (its first time alone), because its history counts from its first event.
 */
export function newValue(setup: CorrelatorSetup<string>, novelty: Novelty): Correlator<string> {
  const state: NoveltyState = {
    setup,
    novelty,
    groups: new Map(),
    undecided: new Set(),
    firsts: new Set(),
    due: closing(setup.maker),
    reached: Number.NEGATIVE_INFINITY,
    sweptAt: Number.NEGATIVE_INFINITY,
  };
  const open = (key: string, values: readonly string[]): NoveltyGroup => {
    const group = { ...emptyGroup<string>(values), first: Number.POSITIVE_INFINITY, latest: new Map(), tallies: new Map() };
    state.groups.set(key, group);
    return group;
  };
  return {
    group: (key) => state.groups.get(key),
    open,
    add(found, time, mark, value) {
      // Groups come from `group` and `open` alone.
      const group = found as NoveltyGroup;
      state.undecided.add(group);
      const { times } = group;
      if (times.length > 0 && times[times.length - 1]! > time) {
        addLate(group, time, mark, value);
        return;
      }
      times.push(time);
      group.marks.push(mark);
      group.extras.push(value);
    },
    settle() {},
    advance: (watermark, _newest, out) => advance(state, watermark, out),
    reach: () => state.reached,
    firsts() {
      const changed = [...state.firsts].map(({ values, first }) => ({ values, time: first }));
      state.firsts.clear();
      return changed;
    },
    recall(key, values, time) {
      const group = state.groups.get(key) ?? open(key, values);
      group.first = Math.min(group.first, time);
    },
    entries() {
      let held = 0;
      for (const { times, latest } of state.groups.values()) held += times.length + latest.size;
      return held;
    },
  };
}

function advance(state: NoveltyState, watermark: EpochMs, out: Alert[]): void {
  const { setup, novelty } = state;
  state.reached = watermark;
  const changed: Changed<NoveltyGroup>[] = [];
  for (const group of state.undecided) {
    mergeLate(group, true);
    decide(state, group, watermark, changed);
    if (group.times.length === 0) state.undecided.delete(group);
  }
  for (const { group, bucket } of changed) {
    bucket.touched = false;
    if (setup.alerts) emitTally(setup.maker, group.values, group.tallies.get(bucket.start)!, false, out);
  }
  state.due.close(watermark - setup.suppressMs, ({ group, bucket }) => {
    if (setup.alerts) emitTally(setup.maker, group.values, group.tallies.get(bucket.start)!, true, out);
  });
  const step = novelty.lookbackMs / 8 + setup.suppressMs + setup.keepMs;
  if (watermark - state.sweptAt >= step) sweep(state, watermark - setup.keepMs);
}

/** Decides the events of a group before `until`, in order of time; those of one time do not see each other. */
function decide(state: NoveltyState, group: NoveltyGroup, until: EpochMs, changed: Changed<NoveltyGroup>[]): void {
  const { lookbackMs, minHistoryMs } = state.novelty;
  const { times, marks, extras, latest } = group;
  const end = lowerBound(times, until);
  for (let at = 0; at < end;) {
    const time = times[at]!;
    if (time < group.first) {
      group.first = time;
      state.firsts.add(group);
    }
    const old = time - group.first >= minHistoryMs;
    const fired: Mark[] = [];
    let tieEnd = at;
    for (; tieEnd < end && times[tieEnd] === time; tieEnd++) {
      const before = latest.get(extras[tieEnd]!);
      if (old && (before === undefined || before < time - lookbackMs)) fired.push(marks[tieEnd]!);
    }
    for (; at < tieEnd; at++) {
      const before = latest.get(extras[at]!);
      if (before === undefined || before < time) latest.set(extras[at]!, time);
    }
    if (fired.length > 0) fire(state, group, time, fired, changed);
  }
  times.splice(0, end);
  marks.splice(0, end);
  extras.splice(0, end);
}

function fire(state: NoveltyState, group: NoveltyGroup, time: EpochMs, fired: readonly Mark[], changed: Changed<NoveltyGroup>[]): void {
  const { setup, novelty, due } = state;
  const start = alignDown(time, setup.suppressMs);
  let tally = group.tallies.get(start);
  if (tally === undefined) group.tallies.set(start, (tally = newTally(start)));
  const { bucket } = tally;
  for (const mark of fired) tallyEvent(tally, time, mark, novelty.evidenceMax);
  due.open(group, bucket);
  if (!bucket.touched) {
    bucket.touched = true;
    changed.push({ group, bucket });
  }
  if (setup.deliver === undefined || bucket.delivered) return;
  bucket.delivered = true;
  bucket.id ||= setup.maker.id(setup.maker.groupText(group.values), start);
  // The first events of the bucket are the window of the earliest anchor.
  const agents = setup.maker.agents(group.values, tally.marks);
  setup.deliver({ time, mark: { uid: bucket.id, agents, behind: eventsOf(tally.marks, tally.times) }, values: group.values });
}

/** Forgets values that were last seen too long ago, and buckets that are over. */
function sweep(state: NoveltyState, before: EpochMs): void {
  for (const group of state.groups.values()) {
    for (const [value, time] of group.latest) if (time < before - state.novelty.lookbackMs) group.latest.delete(value);
    for (const start of group.tallies.keys()) if (start + state.setup.suppressMs <= before) group.tallies.delete(start);
  }
  state.sweptAt = state.reached;
}
