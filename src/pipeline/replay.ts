/**
 * Guards: what was told before is not told again by a replay, and what nobody could be told in time (an alert whose
 * window was over before its rule came) is not told at all.
 */
import type { Alert } from "../core/alert.ts";
import type { EpochMs, Event } from "../core/event.ts";
import type { RuleSet } from "../core/sigma/rules.ts";
import type { Sequence, Store } from "../ports/store.ts";
import { CONTINUOUS_JOB, STEP_MAX, WATERMARK_JOB, type CorrelateDeps, type CorrelateState } from "./correlate.ts";
import { isUntold } from "./grow.ts";

/** Open incidents kept in memory. */
const OPEN_MAX = 10_000;

/** Makes the engine anew from the log's horizon before the committed watermark. Undefined when it was stopped before the end. */
export async function rebuild(deps: CorrelateDeps, signal: AbortSignal): Promise<CorrelateState | undefined> {
  const offset = await deps.store.offset(CONTINUOUS_JOB);
  const watermark = await deps.store.offset(WATERMARK_JOB);
  const analysis = deps.analysis(await deps.store.facts());
  const open = [...(await deps.store.incidents({ open: true, limit: OPEN_MAX }))];
  if (offset === null) return { analysis, offset, watermark, open, untold: [] };
  const started = deps.now();
  const reached = reachedAlerts();
  const part = { horizonMs: analysis.horizonMs, offset, watermark, signal };
  const replayed = await readAgain(deps.store, part, (events) => reached.add(analysis.push(events)));
  if (replayed === undefined) return undefined;
  if (watermark !== null) reached.add(analysis.advance({ all: watermark }));
  analysis.changedFacts();
  const untold = await reached.untold(deps.store);
  deps.log.info({ offset, replayed, alerts: untold.length, durationMs: deps.now() - started }, "correlation state rebuilt from the log");
  return { analysis, offset, watermark, open, untold };
}

/** Gives the engine other rules, and those of them that are new or changed the log of their horizon. False: stopped before the end. */
export async function takeOver(deps: CorrelateDeps, state: CorrelateState, rules: RuleSet<Event>, signal: AbortSignal): Promise<boolean> {
  const started = deps.now();
  const names = deps.names(await deps.store.facts());
  const replay = state.analysis.reload(rules, names);
  const { horizonMs } = replay;
  const { offset, watermark } = state;
  const reached = reachedAlerts();
  let replayed: number | undefined = 0;
  if (horizonMs > 0 && offset !== null) {
    replayed = await readAgain(deps.store, { horizonMs, offset, watermark, signal }, (events) => reached.add(replay.push(events)));
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
  readonly horizonMs: number;
  /** The last event that was correlated. */
  readonly offset: Sequence;
  /** Null: the log from its start. */
  readonly watermark: EpochMs | null;
  readonly signal: AbortSignal;
}

/** Hands over the events of a part of the log in order; their number, or undefined when it was stopped. */
async function readAgain(store: Store, part: Part, take: (events: readonly Event[]) => void): Promise<number | undefined> {
  const { offset, watermark, signal } = part;
  let position = watermark === null ? 0 : await store.sequenceBefore(watermark - part.horizonMs);
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
