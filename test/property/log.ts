/** An engine over a log, as the pipeline runs it: after a crash, what it remembers is restored and the rest replayed. */
import type { Alert } from "../../src/core/alert.ts";
import type { BaselineHead, BaselineRow } from "../../src/core/correlation/baseline.ts";
import { engine } from "../../src/core/correlation/engine.ts";
import type { EngineOptions } from "../../src/core/correlation/engine.ts";
import type { Engine, Replay, Watermarks } from "../../src/core/correlation/types.ts";
import { testReader, uuid5 } from "../core/correlation/build.ts";
import type { TestEvent } from "../core/correlation/build.ts";
import { rulesOf } from "./naive-check.ts";
import type { Scene } from "./naive-check.ts";

/** What a store holds. */
export interface Stored {
  readonly log: TestEvent[];
  readonly heads: Map<string, BaselineHead>;
  /** By head, then by what they are about. */
  readonly rows: Map<string, Map<string, BaselineRow>>;
  watermark: number | undefined;
}

/** What restarts were like. */
export interface Counts {
  rows: number;
  /** Replays that did not need the whole of the log. */
  short: number;
}

/** Nothing stored. */
export function emptyStore(): Stored {
  return { log: [], heads: new Map(), rows: new Map(), watermark: undefined };
}

const identity = (row: BaselineRow): string =>
  JSON.stringify([row.kind, row.group, row.kind === "value" ? row.value : row.kind === "window" ? row.time : ""]);
const headOf = ({ rule, key }: BaselineHead): string => JSON.stringify([rule, key]);

/** Stores what changed, and forgets what is to be forgotten. */
export function commit(running: Engine<TestEvent>, stored: Stored): void {
  for (const { head, rows, forgetBefore } of running.changedBaselines()) {
    const id = headOf(head);
    stored.heads.set(id, head);
    const kept = stored.rows.get(id) ?? new Map<string, BaselineRow>();
    stored.rows.set(id, kept);
    for (const row of rows) kept.set(identity(row), row);
    for (const [key, row] of kept) if (row.kind !== "first" && row.time < (forgetBefore ?? -Infinity)) kept.delete(key);
  }
}

/** Gives what is stored to the rules that it belongs to; the number of rows. */
export function restore(to: Pick<Replay<TestEvent>, "restore">, stored: Stored): number {
  let rows = 0;
  for (const [id, head] of stored.heads) {
    if (!to.restore(head, [])) continue;
    for (const row of stored.rows.get(id)?.values() ?? []) to.restore(head, [row]);
    rows += stored.rows.get(id)?.size ?? 0;
  }
  return rows;
}

/** The part of the log that a replay needs, once all is restored. */
export function needed({ horizonMs, neededFrom }: Pick<Replay<TestEvent>, "horizonMs" | "neededFrom">, stored: Stored): TestEvent[] {
  const from = Math.min((stored.watermark ?? Number.NEGATIVE_INFINITY) - horizonMs, neededFrom);
  const first = stored.log.findIndex(({ time }) => time >= from);
  return first === -1 ? [] : stored.log.slice(first);
}

/** A fresh engine over what is stored, as the pipeline rebuilds one. */
function restart(given: Scene, stored: Stored, counts: Counts, options: Partial<EngineOptions<TestEvent>> = {}): Engine<TestEvent> {
  const { specs, latenessMs, evidenceMax } = given;
  const running = engine(rulesOf(specs), { reader: testReader, uuid5, latenessMs, evidenceMax, baselines: true, ...options });
  const whole = running.horizonMs;
  counts.rows += restore(running, stored);
  const replayed = needed(running, stored);
  if (running.horizonMs < whole && replayed.length < stored.log.length) counts.short++;
  // What is emitted now was committed before.
  running.push(replayed);
  if (stored.watermark !== undefined) running.advance({ all: stored.watermark });
  running.live();
  return running;
}

/** The last emission of every alert, when the process ends after each of the steps whose position is in `crashes`. */
export function runWithCrashes(
  scene: Scene,
  crashes: ReadonlySet<number>,
  counts: Counts = { rows: 0, short: 0 },
  options: Partial<EngineOptions<TestEvent>> = {},
): Alert[] {
  const stored = emptyStore();
  const known = new Set<string>();
  const told = new Map<string, Alert>();
  let running = restart(scene, stored, counts, options);
  const tell = (alerts: readonly Alert[]): void => {
    for (const alert of alerts) told.set(alert.id, alert);
  };
  for (const [index, step] of scene.steps.entries()) {
    if ("push" in step) {
      // The log keeps the first of each uid.
      const fresh = step.push.filter(({ uid }) => !known.has(uid) && known.add(uid));
      stored.log.push(...fresh);
      tell(running.push(fresh));
    } else {
      tell(running.advance(step.advance));
      stored.watermark = Math.max(stored.watermark ?? Number.NEGATIVE_INFINITY, least(step.advance));
    }
    commit(running, stored);
    if (crashes.has(index)) running = restart(scene, stored, counts, options);
  }
  tell(running.finish());
  return [...told.values()];
}

function least({ all, byCategory }: Watermarks): number {
  return Math.min(all, ...(byCategory?.values() ?? []));
}
