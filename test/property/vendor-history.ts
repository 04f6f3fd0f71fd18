/** One history of a source that is pulled from a misbehaving vendor, and what must be true of it at any time and at its end. */
import { AxiosError, type AxiosAdapter } from "axios";
import { httpNormalize } from "../../connectors/http/normalize.ts";
import { httpSource } from "../../connectors/http/pull.ts";
import type { Config } from "../../connectors/http/config.ts";
import { overlaps, type Span } from "../../src/core/completeness/gap.ts";
import type { EpochMs } from "../../src/core/event.ts";
import { dice } from "../../src/demo/random.ts";
import { puller } from "../../src/pipeline/pull.ts";
import { misbehavingVendor, type Habits, type MisbehavingVendor, type VendorRecord } from "../../src/simulators/misbehaving.ts";
import type { Context } from "../../src/ports/context.ts";
import type { Page, Source } from "../../src/ports/connector.ts";
import { configOf } from "../connectors/http-world.ts";
import { testClient } from "../fixtures/http.ts";
import { memory, type Memory } from "../pipeline/memory.ts";
import { ingestDeps, offline, running, START, testClock, testLog, type TestClock } from "../pipeline/world.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
/** The pull's `lag`. */
const LAG_MS = 30 * SECOND;
/** `skewed`: its clock is so wrong that it is not waited for. Everything is told of a loss when the vendor says how many records there are; without, only a second read can tell. */
export type Kind = "counted" | "capped" | "unaided" | "numbered" | "skewed";

/** What became of a history. */
export interface Outcome {
  /** What was wrong, in words; empty when the property holds. */
  readonly problems: readonly string[];
  /** What the vendor's habits did. */
  readonly done: ReadonlyMap<string, number>;
  /** Gaps that were found, by reason. */
  readonly gaps: ReadonlyMap<string, number>;
  /** Records that were missing at some time although they had been read over. */
  readonly lost: number;
}

const STEPS_ILL = 30;
/** Long enough after the vendor is well for the longest wait before a stretch is read again, and for everything to be read once more. */
const STEPS_WELL = 40;

function habitsOf(kind: Kind, seed: number): Habits {
  const roll = dice(seed * 31 + 7);
  const chance = (most: number): number => (roll.between(0, 2) === 0 ? 0 : roll.between(1, 100) * (most / 100));
  const loses = kind !== "capped" && kind !== "skewed";
  const skew = kind === "skewed" ? roll.between(16, 40) * 60 * (roll.between(0, 1) * 2 - 1) : roll.between(-180, 180);
  return {
    list: kind === "numbered" ? "chain" : "window",
    order: kind !== "numbered" && roll.between(0, 1) === 0 ? "newest" : "oldest",
    pageSize: roll.between(2, 5),
    cap: kind === "capped" ? roll.between(6, 12) : undefined,
    loseTies: loses ? chance(0.3) : 0,
    dropPage: loses ? chance(0.4) : 0,
    overlapPages: chance(0.3),
    repeatPage: chance(0.15),
    emptyPage: chance(0.15),
    throttle: chance(0.05),
    fail: chance(0.05),
    reset: chance(0.05),
    cut: chance(0.05),
    hide: kind === "counted" || kind === "numbered" ? chance(0.1) : 0,
    skewMs: kind !== "skewed" && roll.between(0, 1) === 0 ? 0 : skew * SECOND,
  };
}

function configFor(kind: Kind): Config {
  const paging = { type: "cursor", param: "after", path: "next" };
  const auth = { type: "bearer", token: { reveal: () => "" } };
  if (kind === "numbered") return configOf("http://127.0.0.1:1", { paging, auth, lag: "30s", check: { sequence: "number" } });
  const backfill = kind === "skewed" ? "60m" : "10m";
  const window = { fromParam: "since", toParam: "until", format: "epoch_ms", backfill, overlap: "2m", max: "5m", recheck: "45m" };
  const check = { counted: { total: "total" }, capped: { truncated: "truncated" }, unaided: undefined, skewed: undefined }[kind];
  return configOf("http://127.0.0.1:1", { paging, auth, window, lag: "30s", ...(check === undefined ? {} : { check }) });
}

/** Plays the history of a seed. */
export async function play(kind: Kind, seed: number): Promise<Outcome> {
  const habits = habitsOf(kind, seed);
  const world = makeWorld(kind, seed, habits);
  const { clock, vendor, roll } = world;
  const problems = world.contradictions;
  const lost = new Set<string>();
  for (let step = 0; step < STEPS_ILL; step++) {
    clock.move(roll.between(5, 40) * SECOND);
    world.live();
    if (roll.between(0, 25) === 0) world.expire();
    await world.pull();
    for (const record of world.missing()) {
      lost.add(record.id);
      // Nobody can know of a record that was never shown and never counted.
      if (kind !== "unaided" && !covered(world.memory, record)) problems.push(`step ${step}: ${record.id} is missing and no gap says so`);
    }
  }
  vendor.heal(kind === "skewed" ? "clock" : undefined);
  world.renew();
  for (let step = 0; step < STEPS_WELL; step++) {
    clock.move(step < 5 ? 30 * SECOND : 4 * MINUTE);
    await world.pull();
  }
  const begin = vendor.reads[0]?.since ?? Number.NaN;
  const all = kind === "numbered" ? inOrder(vendor) : vendor.shown();
  for (const { id, time } of kind === "numbered" ? all.slice(firstOf(all, world.memory)) : all) {
    if (!(time < begin) && !stored(world.memory, id)) problems.push(`at the end ${id} is missing`);
  }
  const open = [...world.memory.gaps.values()].filter((gap) => gap.state === "open");
  for (const gap of open) problems.push(`at the end a gap is open: ${gap.why} ${gap.from - START} to ${(gap.to ?? 0) - START}`);
  const gaps = Map.groupBy([...world.memory.gaps.values()], (gap) => gap.why);
  const done = new Map([...vendor.done, [habits.order, 1], ["late", world.late()], ["skew", Math.abs(habits.skewMs)]] as const);
  return { problems, done, gaps: new Map([...gaps].map(([why, list]) => [why, list.length])), lost: lost.size };
}

/** Open gaps, and the times of what is hidden; `soon`: of what nobody could read before the vendor counted it. */
interface Located {
  readonly gaps: readonly Span[];
  readonly hidden: readonly EpochMs[];
  readonly soon: readonly EpochMs[];
}

/** How closely the losses of a vendor are located that hides records and is well otherwise. */
export async function locate(seed: number): Promise<Located> {
  const well = { dropPage: 0, loseTies: 0, overlapPages: 0, repeatPage: 0, emptyPage: 0, throttle: 0, fail: 0, reset: 0, cut: 0 };
  const world = makeWorld("counted", seed, { ...habitsOf("counted", seed), ...well, hide: 0.1, skewMs: 0 });
  for (let step = 0; step < STEPS_ILL + 40; step++) {
    world.clock.move(30 * SECOND);
    if (step < STEPS_ILL) world.live();
    await world.pull();
  }
  const begin = world.vendor.reads[0]?.since ?? Number.NaN;
  const hidden = world.vendor.shown().filter(({ id, time }) => !(time < begin) && !stored(world.memory, id));
  const soon = hidden.filter(({ time, visible }) => visible - time <= LAG_MS);
  const open = [...world.memory.gaps.values()].filter(({ state }) => state === "open");
  return {
    gaps: open.map(({ from, to }) => ({ from, to: to ?? Infinity })),
    hidden: hidden.map(({ time }) => time),
    soon: soon.map(({ time }) => time),
  };
}

function makeWorld(kind: Kind, seed: number, habits: Habits) {
  const clock = testClock();
  const roll = dice(seed);
  const random = (): number => roll.between(0, 999_999) / 1_000_000;
  const vendor = misbehavingVendor(habits, () => clock.now(), random);
  const kept = memory();
  let token = "t0";
  let expected = token;
  let serial = 0;
  let lateCount = 0;
  vendor.rotate(token);
  const config = { ...configFor(kind), auth: { type: "bearer" as const, token: { reveal: () => token } } };
  const skew = habits.skewMs;
  const make = (time: number, shownFrom: number): VendorRecord => {
    // Ties are common: bursts within one millisecond.
    const at = time + skew;
    const isLate = roll.between(0, 9) === 0;
    if (isLate) lateCount++;
    const late = isLate ? roll.between(1, kind === "numbered" ? 25 : 20 * 60) * SECOND : 0;
    return { id: `r${String(serial++).padStart(4, "0")}`, time: at, visible: Math.max(at + late, shownFrom + skew) };
  };
  const burst = (time: number, shownFrom: number): void =>
    vendor.add(Array.from({ length: roll.between(0, 4) === 0 ? roll.between(2, 4) : 1 }, () => make(time, shownFrom)));
  for (let ago = 10 * MINUTE; ago > 0; ago -= 40 * SECOND) burst(clock.now() - ago, 0);
  const runs: { at: number; since: number; until: number }[] = [];
  const contradictions: string[] = [];
  const source = watched(httpSource(config), vendor, runs, contradictions);
  const pullOnce = puller(ingestDeps(kept.store, clock), contextOf(clock, vendor, random));
  const normalize = httpNormalize(config);
  const target = running(source, { id: "http/vendor", normalize });
  return {
    clock,
    vendor,
    roll,
    memory: kept,
    contradictions,
    live: () => burst(clock.now() - roll.between(0, 4) * SECOND, clock.now()),
    late: () => lateCount,
    expire: () => vendor.rotate((expected = `t${serial}`)),
    renew: () => void (token = expected),
    async pull() {
      // The new secret is in place some time after the old one ended.
      if (roll.between(0, 2) === 0) token = expected;
      for (let job = 0; job < 50; job++) if (!(await pullOnce(target, new AbortController().signal)).again) return;
    },
    /** Records that the vendor could have shown in a read of their time that is said to be complete, and that are not stored. */
    missing: (): VendorRecord[] =>
      kind === "numbered"
        ? numberedMissing(vendor, kept)
        : kind === "skewed"
          ? skewedMissing(vendor, kept)
          : vendor
              .shown()
              .filter((record) => !stored(kept, record.id))
              .filter((record) =>
                runs.some(({ at, since, until }) => record.time >= since && record.time <= until && record.visible <= at + skew),
              ),
  };
}

/** Of numbered records those between the first and the last one that is stored: of what came before nobody can know. */
function numberedMissing(vendor: MisbehavingVendor, kept: Memory): VendorRecord[] {
  const order = inOrder(vendor);
  const last = order.findLastIndex((record) => stored(kept, record.id));
  return order.slice(firstOf(order, kept), Math.max(0, last)).filter((record) => !stored(kept, record.id));
}

function inOrder(vendor: MisbehavingVendor): VendorRecord[] {
  return vendor.shown().toSorted((a, b) => a.visible - b.visible || (a.id < b.id ? -1 : 1));
}

function firstOf(order: readonly VendorRecord[], kept: Memory): number {
  return Math.max(
    0,
    order.findIndex(({ id }) => stored(kept, id)),
  );
}

/** What a wrong clock dated, at once, at a time that is said to be complete; it may have been written after that time was read. */
function skewedMissing(vendor: MisbehavingVendor, kept: Memory): VendorRecord[] {
  const begin = vendor.reads[0]?.since ?? Infinity;
  const complete = kept.watermark() ?? -Infinity;
  const dated = vendor.shown().filter(({ time, visible }) => time >= begin && time <= complete && visible - time <= LAG_MS);
  return dated.filter(({ id }) => !stored(kept, id));
}

function stored(kept: Memory, id: string): boolean {
  return kept.events.has(`http/vendor:${id}`);
}

function covered(kept: Memory, { time }: VendorRecord): boolean {
  return [...kept.gaps.values()].some((gap) => gap.state === "open" && overlaps(gap, time, time));
}

/** Notes which windows are said to have been read, and when their reading began. */
function watched(
  source: Source,
  vendor: MisbehavingVendor,
  runs: { at: number; since: number; until: number }[],
  contradictions: string[],
): Source {
  return {
    async pull(cursor, context): Promise<Page> {
      const page = await source.pull(cursor, context);
      for (const gap of page.gaps ?? [])
        if (page.covered?.some((span) => overlaps(gap, span.from + 1, span.to - 1)) === true)
          contradictions.push("a page covers what it lacks");
      const first = vendor.reads.findLast((read) => read.first);
      if (page.completeTo !== null && first !== undefined) runs.push({ at: first.at, since: first.since, until: page.completeTo });
      return page;
    },
  };
}

function contextOf(clock: TestClock, vendor: MisbehavingVendor, random: () => number): Context {
  const adapter: AxiosAdapter = async (request) => {
    const answer = vendor.answer({
      query: new URL(request.url ?? "").searchParams,
      authorization: String(request.headers.get("authorization") ?? ""),
    });
    if ("broken" in answer) throw new AxiosError("socket hang up", "ECONNRESET", request);
    return { data: answer.body, status: answer.status, statusText: "", headers: answer.headers, config: request };
  };
  return { ...offline(clock, testLog(), random), http: testClient({ adapter }) };
}
