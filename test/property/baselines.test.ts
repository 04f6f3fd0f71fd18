/** A restart takes what is further back from stored rows, and replays only what is not decided for good. */
import * as fc from "fast-check";
import { expect, it } from "vitest";
import type { Alert } from "../../src/core/alert.ts";
import type { BaselineHead, BaselineRow } from "../../src/core/correlation/baseline.ts";
import { engine } from "../../src/core/correlation/engine.ts";
import type { Engine } from "../../src/core/correlation/types.ts";
import { testReader, uuid5, type TestEvent } from "../core/correlation/build.ts";
import { finals, rulesOf, run, type Scene } from "./naive-check.ts";
import { extensionSpecs, longHistory } from "./naive-extension-histories.ts";
import { delivery } from "./naive-histories.ts";

/** Histories; more with the environment variable. */
const RUNS = Number(process.env["CUSTODES_PROPERTY_RUNS"] ?? 2000);

/** What a store would hold. */
interface Stored {
  readonly log: TestEvent[];
  readonly heads: Map<string, BaselineHead>;
  readonly rows: Map<string, Map<string, BaselineRow>>;
  watermark: number | undefined;
}

const identity = (row: BaselineRow): string =>
  JSON.stringify([row.kind, row.group, row.kind === "value" ? row.value : row.kind === "window" ? row.time : ""]);

/** Stores what changed, and forgets what is to be forgotten. */
function commit(made: Engine<TestEvent>, stored: Stored): void {
  for (const { head, rows, forgetBefore } of made.changedBaselines()) {
    stored.heads.set(head.rule, head);
    const kept = stored.rows.get(head.rule) ?? new Map<string, BaselineRow>();
    stored.rows.set(head.rule, kept);
    for (const row of rows) kept.set(identity(row), row);
    for (const [key, row] of kept) if (row.kind !== "first" && row.time < (forgetBefore ?? -Infinity)) kept.delete(key);
  }
}

/** A fresh engine over what is stored, as the pipeline rebuilds one. */
function restart(given: Scene, stored: Stored, counts: Counts): Engine<TestEvent> {
  const { latenessMs, evidenceMax } = given;
  const made = engine(rulesOf(given.specs), { reader: testReader, uuid5, latenessMs, evidenceMax, baselines: true });
  const whole = made.horizonMs;
  for (const [rule, head] of stored.heads) {
    expect(made.restore(head, [])).toBe(true);
    for (const row of stored.rows.get(rule) ?? []) made.restore(head, [row[1]]);
    counts.rows += stored.rows.get(rule)?.size ?? 0;
  }
  const from = (stored.watermark ?? -Infinity) - made.horizonMs;
  const first = stored.log.findIndex((event) => event.time >= from);
  if (made.horizonMs < whole && first > 0) counts.short++;
  made.push(first === -1 ? [] : stored.log.slice(first));
  if (stored.watermark !== undefined) made.advance({ all: stored.watermark });
  made.live();
  return made;
}

interface Counts {
  rows: number;
  short: number;
}

/** Everything that is emitted over a delivery with restarts after some of its steps. */
function runWithRestarts(given: Scene, restarts: readonly boolean[], counts: Counts): Alert[] {
  const stored: Stored = { log: [], heads: new Map(), rows: new Map(), watermark: undefined };
  const known = new Set<string>();
  const out: Alert[] = [];
  let made = restart(given, stored, counts);
  for (const [index, step] of given.steps.entries()) {
    if ("push" in step) {
      const fresh = step.push.filter(({ uid }) => !known.has(uid) && known.add(uid));
      stored.log.push(...fresh);
      out.push(...made.push(fresh));
    } else {
      out.push(...made.advance(step.advance));
      stored.watermark = Math.max(stored.watermark ?? step.advance.all, step.advance.all);
    }
    commit(made, stored);
    if (restarts[index] === true) made = restart(given, stored, counts);
  }
  out.push(...made.finish());
  return out;
}

/** The last final of each alert. */
const lastFinals = (alerts: readonly Alert[]) =>
  finals([...new Map(alerts.filter(({ final }) => final).map((one) => [one.id, one])).values()]);

it("restarts from stored rows and a short replay leave the final alerts of one run, byte for byte", () => {
  const scene = fc
    .tuple(extensionSpecs, longHistory, fc.constantFrom(1, 2, 4, 25))
    .chain(([specs, events, evidenceMax]) => delivery(events).map((given) => ({ specs, events, evidenceMax, ...given })));
  const counts = { rows: 0, short: 0 };
  fc.assert(
    fc.property(scene, fc.array(fc.boolean(), { minLength: 90, maxLength: 90 }), (given, restarts) => {
      expect(lastFinals(runWithRestarts(given, restarts, counts))).toEqual(finals(run(given)));
    }),
    { numRuns: RUNS },
  );
  // The property says nothing unless rows were stored and replays were short.
  expect(counts.rows).toBeGreaterThan(RUNS);
  expect(counts.short).toBeGreaterThan(RUNS / 4);
});
