import type { Alert } from "../alert.ts";
import type { EpochMs } from "../event.ts";
import { closing } from "./closing.ts";
import type { Changed, Closing } from "./closing.ts";
import type { Correlator, CorrelatorSetup } from "./correlator.ts";
import { eventsOf } from "./evidence.ts";
import { alignDown } from "./group.ts";
import type { Mark } from "./group.ts";
import { keptFor, valuesOf } from "./keys.ts";
import type { Key } from "./keys.ts";
import { noveltyMemory } from "./novelty-memory.ts";
import type { NoveltyMemory, Remembered } from "./novelty-memory.ts";
import { lowerBound } from "./sorted.ts";
import { emitTally, newTally, tallyEvent } from "./tally.ts";
import type { Tally } from "./tally.ts";

/** How far back values and groups are remembered. */
export interface Novelty {
  readonly lookbackMs: number;
  readonly minHistoryMs: number;
  /** Most events that are kept as evidence. */
  readonly evidenceMax: number;
}

/** A group with the events that are not decided yet. */
interface NoveltyGroup extends Remembered {
  /** Canonical JSON; "" until it is needed. */
  text: string;
  times: EpochMs[];
  marks: Mark[];
  /** Values, as texts. */
  extras: string[];
  /** Some came behind the newest one. */
  unsorted: boolean;
  readonly tallies: Map<EpochMs, Tally>;
}

interface NoveltyState {
  readonly setup: CorrelatorSetup<string>;
  readonly novelty: Novelty;
  readonly memory: NoveltyMemory;
  /** Groups with events that are not sealed, or with buckets; the memory has the others. */
  groups: NoveltyGroup[];
  readonly undecided: Set<NoveltyGroup>;
  /** Groups with an event before the seal, which nothing will decide later. */
  readonly behind: Set<NoveltyGroup>;
  readonly due: Closing<NoveltyGroup>;
  reached: EpochMs;
  sweptAt: EpochMs;
}

/**
 * new_value: an event fires when its value was not in the group's events in [t - lookback, t), and the group's first
 * event is at least minHistory old. Decided once the watermark has passed the event, and emitted then. A group's first
 * time is remembered for ever, because its history counts from its first event.
 */
export function newValue(setup: CorrelatorSetup<string>, novelty: Novelty): Correlator<string> {
  const state: NoveltyState = {
    setup,
    novelty,
    memory: noveltyMemory({ ...setup, lookbackMs: novelty.lookbackMs }, setup.hash, setup.collects),
    groups: [],
    undecided: new Set(),
    behind: new Set(),
    due: closing(setup.maker),
    reached: Number.NEGATIVE_INFINITY,
    sweptAt: Number.NEGATIVE_INFINITY,
  };
  const { memory } = state;
  return {
    add(key, time, mark, value) {
      if (time < memory.skipTo) return;
      // A slot holds what this correlation has put there.
      const group = (keptFor(key, setup.slot) as NoveltyGroup | undefined) ?? open(state, key);
      state.undecided.add(group);
      if (time < memory.sealed) state.behind.add(group);
      const { times } = group;
      if (times.length > 0 && times[times.length - 1]! > time) group.unsorted = true;
      times.push(time);
      group.marks.push(mark);
      group.extras.push(value);
    },
    // What was seen is what decides.
    idle: (key) => keptFor(key, setup.slot) === undefined,
    forget() {},
    keepFrom: () => Number.NEGATIVE_INFINITY,
    settle(out) {
      // The rows that a step commits hold every event before the seal that the step has read.
      if (state.behind.size > 0) decideAll(state, state.behind, out);
    },
    advance(watermark, _newest, out) {
      state.reached = watermark;
      decideAll(state, state.undecided, out);
      const { suppressMs, keepMs } = setup;
      if (watermark - state.sweptAt >= suppressMs + keepMs) sweep(state, watermark - keepMs);
    },
    reach: () => state.reached,
    entries() {
      let held = memory.entries;
      for (const { times, latest } of state.groups) held += times.length + latest.size;
      return held;
    },
    memory,
  };
}

function open({ setup, memory, groups }: NoveltyState, key: Key): NoveltyGroup {
  const group: NoveltyGroup = {
    ...memory.remembered(key),
    text: "",
    times: [],
    marks: [],
    extras: [],
    unsorted: false,
    tallies: new Map(),
  };
  setup.keys.hold(key, setup.slot, group);
  groups.push(group);
  return group;
}

/** In order of time; ties in order of arrival. */
function sort(group: NoveltyGroup): void {
  const { times, marks, extras } = group;
  const order = times.map((_, index) => index).sort((a, b) => times[a]! - times[b]! || a - b);
  group.times = order.map((index) => times[index]!);
  group.marks = order.map((index) => marks[index]!);
  group.extras = order.map((index) => extras[index]!);
  group.unsorted = false;
}

/** Decides what is before the watermark of these groups, and emits what has changed and what is final. */
function decideAll(state: NoveltyState, groups: ReadonlySet<NoveltyGroup>, out: Alert[]): void {
  const { setup } = state;
  const changed: Changed<NoveltyGroup>[] = [];
  for (const group of groups) {
    if (group.unsorted) sort(group);
    decide(state, group, Math.max(state.reached, state.memory.sealed), changed);
    if (group.times.length === 0) state.undecided.delete(group);
  }
  state.behind.clear();
  for (const { group, bucket } of changed) {
    bucket.touched = false;
    if (setup.alerts) emitTally(setup.maker, valuesOf(group.key), group.tallies.get(bucket.start)!, false, out);
  }
  state.due.close(state.reached - setup.suppressMs, ({ group, bucket }) => {
    if (setup.alerts) emitTally(setup.maker, valuesOf(group.key), group.tallies.get(bucket.start)!, true, out);
  });
}

/** Decides the events of a group before `until`, in order of time; those of one time do not see each other. */
function decide(state: NoveltyState, group: NoveltyGroup, until: EpochMs, changed: Changed<NoveltyGroup>[]): void {
  const { lookbackMs, minHistoryMs } = state.novelty;
  const { times, marks, extras } = group;
  const { memory } = state;
  const end = lowerBound(times, until);
  for (let at = 0; at < end;) {
    const time = times[at]!;
    if (time < group.first) group.first = time;
    const old = time - group.first >= minHistoryMs;
    const fired: Mark[] = [];
    let tieEnd = at;
    for (; tieEnd < end && times[tieEnd] === time; tieEnd++) {
      const before = old ? memory.latest(group, extras[tieEnd]!) : undefined;
      if (old && (before === undefined || before < time - lookbackMs)) fired.push(marks[tieEnd]!);
    }
    for (; at < tieEnd; at++) memory.note(group, extras[at]!, time);
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
  bucket.id ||= setup.maker.id(setup.maker.groupText(valuesOf(group.key)), start);
  // The first events of the bucket are the window of the earliest anchor.
  const agents = setup.maker.agents(valuesOf(group.key), tally.marks);
  setup.deliver({ time, mark: { uid: bucket.id, agents, behind: eventsOf(tally.marks, tally.times) }, values: valuesOf(group.key) });
}

/** Forgets buckets that are over, and groups of which the memory knows all. */
function sweep(state: NoveltyState, before: EpochMs): void {
  const { setup } = state;
  for (const group of state.groups) {
    for (const start of group.tallies.keys()) if (start + setup.suppressMs <= before) group.tallies.delete(start);
    if (group.times.length === 0 && group.latest.size === 0 && group.tallies.size === 0) setup.keys.release(group.key, setup.slot);
  }
  state.groups = state.groups.filter((group) => keptFor(group.key, setup.slot) === group);
  state.sweptAt = state.reached;
}
