/** An engine over a log, as the pipeline runs it: what was pushed is replayed from the horizon after a crash. */
import type { Alert } from "../../src/core/alert.ts";
import { engine } from "../../src/core/correlation/engine.ts";
import type { Engine, FirstSeen, Watermarks } from "../../src/core/correlation/types.ts";
import { testReader, uuid5 } from "../core/correlation/build.ts";
import type { TestEvent } from "../core/correlation/build.ts";
import { rulesOf } from "./naive-check.ts";
import type { Scene } from "./naive-check.ts";

/** The last emission of every alert, when the process ends after each of the steps whose position is in `crashes`. */
export function runWithCrashes(scene: Scene, crashes: ReadonlySet<number>): Alert[] {
  const { specs, steps, latenessMs, evidenceMax } = scene;
  const made = (): Engine<TestEvent> => engine(rulesOf(specs), { reader: testReader, uuid5, latenessMs, evidenceMax });
  const log: TestEvent[] = [];
  const known = new Set<string>();
  const told = new Map<string, Alert>();
  const seen = new Map<string, FirstSeen>();
  let watermark: number | undefined;
  let running = made();
  const tell = (alerts: readonly Alert[]): void => {
    for (const alert of alerts) told.set(alert.id, alert);
    for (const one of running.firstSeen()) seen.set(JSON.stringify([one.rule, one.group]), one);
  };
  for (const [index, step] of steps.entries()) {
    if ("push" in step) {
      // The log keeps the first of each uid.
      const fresh = step.push.filter(({ uid }) => !known.has(uid) && known.add(uid));
      log.push(...fresh);
      tell(running.push(fresh));
    } else {
      tell(running.advance(step.advance));
      watermark = Math.max(watermark ?? Number.NEGATIVE_INFINITY, least(step.advance));
    }
    if (!crashes.has(index)) continue;
    running = made();
    const since = watermark === undefined ? Number.NEGATIVE_INFINITY : watermark - running.horizonMs;
    if (watermark !== undefined) running.recall([...seen.values()], since);
    const first = log.findIndex(({ time }) => time >= since);
    // What is emitted now was committed before.
    if (first !== -1) running.push(log.slice(first));
    if (watermark !== undefined) running.advance({ all: watermark });
  }
  tell(running.finish());
  return [...told.values()];
}

function least({ all, byCategory }: Watermarks): number {
  return Math.min(all, ...(byCategory?.values() ?? []));
}
