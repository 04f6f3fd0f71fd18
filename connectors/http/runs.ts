/**
 * Runs over windows: forward, again over stretches with gaps, and once more over everything. A run that does not add
 * up is a gap. It is read again from its beginning in parts, each half as long as the one before until one adds up, so
 * that the gap shrinks to what is missing, located to a second.
 */
import type { FoundGap } from "../../src/core/completeness/gap.ts";
import type { EpochMs } from "../../src/core/event.ts";
import { asObject } from "../../src/core/record.ts";
import type { Page } from "../../src/ports/connector.ts";
import type { Config } from "./config.ts";
import { NEW_RUN, type Again, type PullState, type Run } from "./cursor.ts";
import { valueAt } from "./path.ts";

/** Distinct records of one run that are remembered; of more, repeated ones count twice and may hide a missing one. */
const RUN_IDS_MAX = 400;
/** Characters of a record's hash in a run: of 400 records, two are taken for one once in 200 runs, which costs one more read. */
const ID_CHARS = 4;
/** Stretches that wait to be read again; of more, neighbours are joined. */
const AGAIN_MAX = 12;
/** Runs that read something again before the main run has its turn. */
const TURNS_MAX = 20;
/** A loss is not located more closely than this. */
const LOCATED_MS = 1000;
/** First wait before a stretch is read again that did not get better; doubles up to the longest. */
const AGAIN_FIRST_MS = 30_000;
const AGAIN_LONGEST_MS = 3_600_000;

/** Where the run is after a page. */
export function addPage(config: Config, run: Run, body: unknown, hashes: readonly string[]): Run {
  const { total: totalPath, truncated } = config.check ?? {};
  const total = totalPath === undefined ? undefined : valueAt(body, totalPath);
  const cut = truncated === undefined ? undefined : valueAt(body, truncated);
  return {
    ...run,
    count: run.count + hashes.length,
    ids: totalPath === undefined ? "" : addIds(run.ids, hashes),
    total: typeof total === "number" && Number.isSafeInteger(total) && total >= 0 ? total : run.total,
    cut: run.cut || saysYes(cut),
  };
}

function addIds(before: string | null, hashes: readonly string[]): string | null {
  if (before === null) return null;
  const ids = new Set(
    Array.from({ length: before.length / ID_CHARS }, (_, index) => before.slice(index * ID_CHARS, (index + 1) * ID_CHARS)),
  );
  for (const hash of hashes) ids.add(hash.slice(0, ID_CHARS));
  return ids.size > RUN_IDS_MAX ? null : [...ids].join("");
}

function saysYes(value: unknown): boolean {
  if (value === undefined || value === null || value === false || value === 0 || value === "" || value === "false") return false;
  return asObject(value) === undefined || Object.keys(asObject(value) ?? {}).length > 0;
}

/** Where reading goes on after the last page of a run, and what the run proves. `proven` is the end of what it can have read. */
export function endRun(
  config: Config & { readonly window: NonNullable<Config["window"]> },
  state: PullState & { readonly from: EpochMs; readonly to: EpochMs },
  proven: EpochMs,
  now: EpochMs,
): Pick<Page, "completeTo" | "gaps" | "covered" | "more"> & { readonly state: PullState } {
  const { run, from } = state;
  const main = run.kind === "main";
  const to = Math.min(state.to, proven);
  const problem = problemOf(run);
  const gap: FoundGap | undefined = problem === undefined ? undefined : { from, to: state.to, ...problem };
  // A run over more than can be remembered may hide a missing record behind a repeated one: read again, it is halved.
  const unsure = !main && problem === undefined && run.total !== null && run.ids === null;
  const next = { ...state, again: withAgain(state, gap !== undefined || unsure, now) };
  // Of a window that had not begun when the vendor answered, nothing is proven: it is read again as a whole.
  const back = main ? Math.max(to - config.window.overlap, Math.min(from, to)) : run.back;
  const idle: PullState = {
    ...next,
    from: back,
    to: null,
    next: null,
    pages: 0,
    run: NEW_RUN,
    ...checkedOf(config.window.recheck, state, to, now),
  };
  // A main run that is behind and what is read again take turns: either could go on for ever. A window that ended with what
  // could be asked for when it began leaves nothing behind, however long its pages took.
  const { max, overlap } = config.window;
  const waits = main ? state.to - from >= max && state.to < proven : (back ?? proven) + Math.min(max, 2 * overlap) < proven;
  const due = run.turn < (waits ? 1 : TURNS_MAX) ? dueRun(config, idle, proven, now, run.turn) : undefined;
  return {
    state: due ?? idle,
    more: waits || due !== undefined,
    completeTo: main && to > from ? to : null,
    ...(gap === undefined ? {} : { gaps: [gap] }),
    ...(gap === undefined && !unsure && to > from ? { covered: [{ from, to }] } : {}),
  };
}

/** The next stretch that is to be read once more; undefined when there is none. */
export function dueRun(
  { window, lag }: Config & { readonly window: NonNullable<Config["window"]> },
  idle: PullState,
  proven: EpochMs,
  now: EpochMs,
  turn = 0,
): PullState | undefined {
  const start = (kind: Run["kind"], from: EpochMs, to: EpochMs): PullState => ({
    ...idle,
    from,
    to,
    next: null,
    pages: 0,
    run: { ...NEW_RUN, kind, back: idle.from, turn: turn + 1 },
  });
  if (turn >= TURNS_MAX) return undefined;
  const again = idle.again.find(([, , due]) => due <= now);
  if (again !== undefined) return start("again", again[0], Math.min(again[1], again[0] + again[4]));
  if (idle.checked === null || window.recheck === 0) return undefined;
  const [done, due] = idle.checked;
  const to = done + window.max;
  return due <= now && to <= Math.min(proven, now - lag) - window.recheck ? start("recheck", done, to) : undefined;
}

function problemOf({ cut, total, ids, count }: Run): Pick<FoundGap, "why" | "detail"> | undefined {
  if (cut) return { why: "truncated", detail: "the vendor says that its answer is not whole" };
  const have = ids === null ? count : ids.length / ID_CHARS;
  if (total === null || have >= total) return undefined;
  return { why: "count", detail: `the vendor counts ${total} records, its pages had ${have}` };
}

function checkedOf(recheck: number, { run, checked, from }: PullState, to: EpochMs, now: EpochMs): Partial<PullState> {
  if (checked === null || from === null) return {};
  if (run.kind === "recheck") return { checked: [to, checked[1]] };
  // What lies far back and was read only now waits as long as everything else before it is read once more.
  return run.kind === "main" && from < now - recheck ? { checked: [checked[0], now + recheck] } : {};
}

/** The stretches that wait after a run: without what was read, or with what is still missing. */
function withAgain({ again, run, from, to }: PullState, missing: boolean, now: EpochMs): readonly Again[] {
  if (from === null || to === null) return again;
  if (run.kind !== "again") {
    return missing ? joined(grown(again, from, to, now)) : again;
  }
  const mine = again.find(([start, end]) => start === from && end >= to);
  if (mine === undefined) return again;
  const rest = again.filter((one) => one !== mine);
  const [, end, , tries, step] = mine;
  // What adds up may be followed by more of it.
  if (!missing) return to >= end ? rest : [[to, end, now, tries, Math.min(step * 2, end - to)], ...rest];
  if (step > LOCATED_MS) return [[from, end, now, tries, Math.max(LOCATED_MS, Math.ceil(step / 2))], ...rest];
  const due = now + Math.min(AGAIN_FIRST_MS * 2 ** Math.min(tries, 20), AGAIN_LONGEST_MS);
  const after: Again[] = to < end ? [[to, end, now, 0, end - to]] : [];
  return joined([[from, to, due, tries + 1, to - from], ...after, ...rest]);
}

/**
 * What waits, and a stretch that did not add up. What waits already keeps its turn and its part: windows that fail one
 * after the other, each reaching back into the one before, would put it off for ever.
 */
function grown(again: readonly Again[], from: EpochMs, to: EpochMs, now: EpochMs): readonly Again[] {
  const fresh = (start: EpochMs, end: EpochMs): Again => [start, end, now + AGAIN_FIRST_MS, 0, end - start];
  const near = again.filter(([start, end]) => start <= to && end >= from).toSorted((a, b) => a[0] - b[0]);
  const added: Again[] = [];
  let reached = from;
  for (const [start, end] of near) {
    if (start > reached) added.push(fresh(reached, start));
    reached = Math.max(reached, end);
  }
  if (reached >= to) return [...again, ...added];
  // What is located and waits for long is not what the new stretch lacks.
  const last = near.find(([, end, due]) => end === reached && due <= now + AGAIN_FIRST_MS);
  if (last === undefined) return [...again, ...added, fresh(reached, to)];
  const [start, , due, tries, step] = last;
  return [...again.filter((one) => one !== last), ...added, [start, to, due, tries, step]];
}

function joined(list: readonly Again[]): readonly Again[] {
  const sorted = list.toSorted((a, b) => a[0] - b[0]);
  while (sorted.length > AGAIN_MAX) {
    const gaps = sorted.slice(1).map((one, index) => one[0] - (sorted[index]?.[1] ?? 0));
    const index = gaps.indexOf(Math.min(...gaps));
    const [a, b] = sorted.slice(index, index + 2);
    if (a === undefined || b === undefined) break;
    const to = Math.max(a[1], b[1]);
    sorted.splice(index, 2, [a[0], to, Math.max(a[2], b[2]), Math.max(a[3], b[3]), to - a[0]]);
  }
  return sorted;
}
