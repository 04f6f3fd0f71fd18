/**
 * What remembering costs: bytes in the engine per (group, value) pair, and the time to store and to load all of them.
 * `node --expose-gc test/bench/baselines.ts [pairs] [groups]`
 */
import { openStore } from "../../src/adapters/postgres/open.ts";
import type { BaselineHead, BaselineRow } from "../../src/core/correlation/baseline.ts";
import { engine } from "../../src/core/correlation/engine.ts";
import type { Engine } from "../../src/core/correlation/types.ts";
import { detection, ruleSet, testReader, uuid5, type CorrelationSpec, type TestEvent } from "../core/correlation/build.ts";

const PAIRS = Number(process.argv[2] ?? 1_000_000);
const GROUPS = Number(process.argv[3] ?? 1000);
const DAY = 86_400_000;
const PAGE_ROWS = 5000;

const NOVEL: CorrelationSpec = {
  id: "novel",
  type: "new_value",
  rules: ["d"],
  groupBy: ["x"],
  timespanMs: 0,
  suppressMs: 900_000,
  threshold: {},
  fields: ["v"],
  more: { newValue: { lookbackMs: 30 * DAY, minHistoryMs: DAY } },
};
const made = (baselines: boolean): Engine<TestEvent> =>
  engine(ruleSet([detection("d")], [NOVEL]), { reader: testReader, uuid5, latenessMs: 60_000, distinct: true, baselines });

const group = (index: number): string => `agent-${index % GROUPS}`;
const value = (index: number): string => `host-${index}.internal.corp.example`;

function heap(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

function report(what: string, result: string): void {
  console.log(`${what.padEnd(58)} ${result}`);
}

if (globalThis.gc === undefined) console.log("without --expose-gc the bytes mean nothing");
report("pairs, groups", `${PAIRS}, ${GROUPS}`);

const before = heap();
const running = made(false);
const started = process.cpuUsage();
for (let index = 0; index < PAIRS; index += PAGE_ROWS) {
  const size = Math.min(PAGE_ROWS, PAIRS - index);
  running.push(
    Array.from({ length: size }, (_, at) => {
      const one = index + at;
      return { uid: `e${one}`, time: 10 * DAY + one * 100, is: ["d"], x: group(one), v: value(one) };
    }),
  );
  running.advance({ all: 10 * DAY + (index + size) * 100 });
}
const { user, system } = process.cpuUsage(started);
running.advance({ all: 12 * DAY });
running.advance({ all: 13 * DAY });
report("bytes per pair, decided and sealed", ((heap() - before) / PAIRS).toFixed(1));
report("µs of CPU per event, new value each time", ((user + system) / PAIRS).toFixed(2));
report("entries", String(running.stats.entries));

const { store } = await openStore({ kind: "pglite" });
const head: BaselineHead = {
  rule: "novel",
  key: "k",
  type: "new_value",
  groupBy: ["x"],
  fields: ["v"],
  timespanMs: 0,
  until: 12 * DAY,
  depthMs: 30 * DAY,
  keepMs: 31 * DAY,
};
const row = (index: number, time: number): BaselineRow => ({ kind: "value", group: [group(index)], value: value(index), time });
for (const [round, what] of ["inserted", "updated"].entries()) {
  const from = performance.now();
  for (let index = 0; index < PAIRS; index += PAGE_ROWS) {
    const rows = Array.from({ length: Math.min(PAGE_ROWS, PAIRS - index) }, (_, at) => row(index + at, 10 * DAY + round));
    await store.transaction((tx) => tx.saveBaselines([{ head, rows, forgetBefore: undefined }]));
  }
  report(`µs per row ${what} (PGlite)`, (((performance.now() - from) * 1000) / PAIRS).toFixed(1));
}
const restored = engine(ruleSet([detection("d")], [NOVEL]), { reader: testReader, uuid5, latenessMs: 60_000, baselines: true });
const loading = performance.now();
const empty = heap();
let after: string | null = null;
let highest = 0;
let key = head;
do {
  const page = await store.baselineRows(head, after, PAGE_ROWS);
  // The engine only takes rows of its own key; here the rows are what is measured.
  if (key === head) key = { ...head, key: keyOf() };
  restored.restore(key, page.rows);
  after = page.next;
  highest = Math.max(highest, process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers);
} while (after !== null);
report("seconds to load all (PGlite)", ((performance.now() - loading) / 1000).toFixed(1));
report("bytes per row while loading, at most, garbage included", ((highest - empty) / PAIRS).toFixed(1));
report("entries loaded", String(restored.stats.entries));
await store.close();

function keyOf(): string {
  const other = made(true);
  other.push([{ uid: "e", time: DAY, is: ["d"], x: "g", v: "v" }]);
  other.advance({ all: 5 * DAY });
  return other.changedBaselines()[0]!.head.key;
}
