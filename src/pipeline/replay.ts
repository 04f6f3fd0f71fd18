/**
 * Guards: what was told before is not told again by a replay, and what nobody could be told in time (an alert whose
 * window was over before its rule came) is not told at all.
 */
import { Failure } from "../core/errors.ts";
import type { Alert } from "../core/alert.ts";
import type { EpochMs, Event } from "../core/event.ts";
import type { RuleSet } from "../core/sigma/rules.ts";
import type { Sequence, Store } from "../ports/store.ts";
import type { Analysis } from "./analysis.ts";
import { CONTINUOUS_JOB, STEP_MAX, WATERMARK_JOB, type CorrelateDeps, type CorrelateState } from "./correlate.ts";
import { restoreBaselines } from "./baselines.ts";
import { isUntold } from "./grow.ts";

/** Open incidents kept in memory. */
const OPEN_MAX = 10_000;

/** Makes the engine anew from the log's horizon before the committed watermark. Undefined when it was stopped before the end. */
export async function rebuild(deps: CorrelateDeps, signal: AbortSignal): Promise<CorrelateState | undefined> {
  const offset = await deps.store.offset(CONTINUOUS_JOB);
  const watermark = await deps.store.offset(WATERMARK_JOB);
  const analysis = deps.analysis(await deps.store.facts());
  const open = [...(await deps.store.incidents({ open: true, limit: OPEN_MAX }))];
  const started = deps.now();
  await restoreBaselines(deps.store, analysis, watermark);
  await stillAt(deps.store, offset, watermark);
  if (offset === null) {
    analysis.live();
    return { analysis, offset, watermark, open, untold: [] };
  }
  const reached = reachedAlerts();
  const part = { from: startOf(analysis, watermark), offset, signal };
  const replayed = await readAgain(deps.store, part, (events) => reached.add(analysis.push(events)));
  if (replayed === undefined) return undefined;
  if (watermark !== null) reached.add(analysis.advance({ all: watermark }));
  analysis.live();
  // What was found out up to the watermark was stored with it.
  analysis.changedFacts();
  analysis.decided();
  const untold = await reached.untold(deps.store);
  deps.log.info({ offset, replayed, alerts: untold.length, durationMs: deps.now() - started }, "correlation state rebuilt from the log");
  return { analysis, offset, watermark, open, untold };
}

/** Gives the engine other rules, and those of them that are new or changed the log of their horizon. False: stopped before the end. */
export async function takeOver(deps: CorrelateDeps, state: CorrelateState, rules: RuleSet<Event>, signal: AbortSignal): Promise<boolean> {
  const started = deps.now();
  const names = deps.names(await deps.store.facts());
  const replay = state.analysis.reload(rules, names);
  const { offset, watermark } = state;
  // Rules that are the same keep what they remember; of the new ones some may have been here before.
  if (replay.horizonMs > 0) {
    await restoreBaselines(deps.store, { restore: (head, rows) => replay.restore(head, rows) }, null);
    await stillAt(deps.store, offset, watermark);
  }
  const { horizonMs } = replay;
  const reached = reachedAlerts();
  let replayed: number | undefined = 0;
  if (horizonMs > 0 && offset !== null) {
    replayed = await readAgain(deps.store, { from: startOf(replay, watermark), offset, signal }, (events) =>
      reached.add(replay.push(events)),
    );
    if (replayed === undefined) return false;
  }
  reached.add(replay.finish());
  const untold = await reached.untold(deps.store);
  state.untold = [...state.untold, ...untold];
  deps.log.info(
    { replayed, alerts: untold.length, horizonSeconds: Math.round(horizonMs / 1000), durationMs: deps.now() - started },
    "correlation goes on with other rules",
  );
  return true;
}

/** Which part of the log is read again. */
interface Part {
  /** Null: from its start. */
  readonly from: EpochMs | null;
  /** The last event that was correlated. */
  readonly offset: Sequence;
  readonly signal: AbortSignal;
}

/** Where a replay starts, once all is restored. */
function startOf({ horizonMs, neededFrom }: Pick<Analysis, "horizonMs" | "neededFrom">, watermark: EpochMs | null): EpochMs | null {
  return watermark === null ? null : Math.min(watermark - horizonMs, neededFrom);
}

/** What another worker committed meanwhile may be in the rows and not in the offset. */
async function stillAt(store: Store, offset: Sequence | null, watermark: EpochMs | null): Promise<void> {
  if ((await store.offset(CONTINUOUS_JOB)) !== offset || (await store.offset(WATERMARK_JOB)) !== watermark)
    throw new Failure("another worker went on while the state was read", { kind: "permanent", code: "OFFSET_MOVED" });
}

/** Hands over the events of a part of the log in order; their number, or undefined when it was stopped. */
async function readAgain(store: Store, part: Part, take: (events: readonly Event[]) => void): Promise<number | undefined> {
  const { from, offset, signal } = part;
  let position = from === null ? 0 : await store.sequenceBefore(from);
  let count = 0;
  while (position < offset) {
    if (signal.aborted) return undefined;
    const rows = await store.readLog(position, Math.min(STEP_MAX, offset - position));
    const last = rows.at(-1);
    if (last === undefined) break;
    take(rows.filter((row) => row.sequence <= offset).map((row) => row.event));
    count += rows.length;
    position = last.sequence;
  }
  return count;
}

/** The newest state of each alert that a replay came to. */
function reachedAlerts(): { add(alerts: readonly Alert[]): void; untold(store: Store): Promise<readonly Alert[]> } {
  const newest = new Map<string, Alert>();
  return {
    add(alerts) {
      for (const alert of alerts) newest.set(alert.id, alert);
    },
    async untold(store) {
      const open = [...newest.values()].filter((alert) => !alert.final);
      if (open.length === 0) return [];
      const stored = new Map((await store.alerts({ ids: open.map(({ id }) => id) })).map((alert) => [alert.id, alert]));
      return open.filter((alert) => isUntold(stored.get(alert.id), alert));
    },
  };
}
