/**
 * How the cost of correlation grows with the number of detection rules, over the events of a generated workload in memory, and
 * how it compares with json-rules-engine on rules that both can express. CPU time, in one process.
 * Usage: node test/bench/rules.ts [--n 100000] [--agents 100] [--dir DIR]
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Engine as JsonRules } from "json-rules-engine";
import { regexEngine } from "../../src/adapters/rules/re2.ts";
import { parseRuleFile } from "../../src/adapters/rules/yaml.ts";
import { uuid5 } from "../../src/adapters/system/system.ts";
import { engine } from "../../src/core/correlation/engine.ts";
import type { Event } from "../../src/core/event.ts";
import { compileRules } from "../../src/core/sigma/compile.ts";
import { eventReader } from "../../src/core/sigma/event-reader.ts";
import type { RuleSet } from "../../src/core/sigma/rules.ts";
import { workloadSteps } from "../workload/events.ts";
import { syntheticPack } from "../workload/pack.ts";
import { generate } from "../workload/run.ts";
import { cpu } from "./measure.ts";

const LATENESS_MS = 300_000;
/** The other engine is too slow for more. */
const COMPARED_EVENTS = 3000;
const REPEATS = 3;

const { values } = parseArgs({
  options: { n: { type: "string", default: "100000" }, agents: { type: "string", default: "100" }, dir: { type: "string" } },
});
const directory = values.dir ?? mkdtempSync(join(tmpdir(), "custodes-bench-"));
generate(directory, Number(values.n), Number(values.agents));
const steps = await workloadSteps(directory);
const events = steps.flatMap((step) => ("push" in step ? step.push : []));

/** The quickest of several runs, in microseconds per event, and what they found. */
async function cost(rules: RuleSet<Event>, shortcuts: boolean): Promise<{ microseconds: number; matches: number }> {
  let microseconds = Infinity;
  let matches = 0;
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const run = await cpu(() => {
      const running = engine(rules, { reader: eventReader, uuid5, latenessMs: LATENESS_MS, distinct: true, shortcuts });
      let found = 0;
      const note = (alerts: readonly { final: boolean; count: number }[]): void => {
        for (const alert of alerts) if (alert.final) found += alert.count;
      };
      for (const step of steps) note("push" in step ? running.push(step.push) : running.advance(step.advance));
      note(running.finish());
      return found;
    });
    microseconds = Math.min(microseconds, (run.cpuMs * 1000) / events.length);
    matches = run.value;
  }
  return { microseconds, matches };
}

console.log(`${events.length} events; CPU time per event, the quickest of ${REPEATS} runs`);
let base: number | undefined;
for (const count of [30, 300, 3000]) {
  const { microseconds, matches } = await cost(syntheticPack(count), true);
  base ??= microseconds;
  console.log(
    `${String(count).padStart(5)} rules: ${microseconds.toFixed(2)} µs = ${(microseconds / base).toFixed(1)} times 30 rules; ${matches} matches`,
  );
}
const linear = await cost(syntheticPack(300), false);
console.log(
  `  300 rules, each tested by itself: ${linear.microseconds.toFixed(2)} µs = ${(linear.microseconds / base!).toFixed(1)} times; ${linear.matches} matches`,
);

/** Rules that both express: equality, lists and numbers. */
interface Simple {
  readonly path: string;
  readonly field: keyof Event;
  readonly values: readonly string[];
  readonly status: number;
}
const simple: readonly Simple[] = Array.from({ length: 30 }, (_, index): Simple => {
  const [path, field, real] = (
    [
      ["api.operation", "operation", ["kb.search", "orders.list", "ledger.entries"]],
      ["cloud.region", "region", ["eu-west-1"]],
      ["api.service.name", "service", ["ledger-v1-eu-central-1"]],
    ] as const
  )[index % 3]!;
  return { path, field, values: [...real.slice(0, 1 + (index % real.length)), `other${index}`], status: 400 + (index % 100) };
});
const ours = compileRules(
  parseRuleFile(
    "simple.yml",
    simple
      .map(({ path, values: wanted, status }, index) =>
        JSON.stringify({
          title: `Simple ${index}`,
          name: `simple${index}`,
          logsource: { product: "agent" },
          detection: { s: { [path]: wanted, "http_response.code|gte": status }, condition: "s" },
        }),
      )
      .join("\n---\n"),
  ),
  { reader: eventReader, regex: regexEngine, logsource: true },
);
const theirs = new JsonRules([], { allowUndefinedFacts: true });
for (const { field, values: wanted, status } of simple) {
  theirs.addRule({
    conditions: {
      all: [
        { fact: field, operator: "in", value: [...wanted] },
        { fact: "responseCode", operator: "greaterThanInclusive", value: status },
      ],
    },
    event: { type: "match" },
  });
}
const compared = events.slice(0, COMPARED_EVENTS);
const facts = compared.map((event) => ({ ...event }));
const slow = await cpu(async () => {
  let found = 0;
  for (const fact of facts) found += (await theirs.run(fact)).events.length;
  return found;
});
const slowMemory = process.memoryUsage().heapUsed;
const quick = await cost(ours, true);
const check = engine(ours, { reader: eventReader, uuid5, latenessMs: LATENESS_MS, distinct: true });
let agreed = 0;
for (const alert of [...check.push(compared), ...check.finish()]) if (alert.final) agreed += alert.count;
const theirCost = (slow.cpuMs * 1000) / compared.length;
console.log(
  `json-rules-engine, 30 rules, ${compared.length} events: ${theirCost.toFixed(0)} µs = ${(theirCost / quick.microseconds).toFixed(0)} times ours ` +
    `(${quick.microseconds.toFixed(2)} µs, over all events); matches ${slow.value}, ours ${agreed}; heap after ${(slowMemory / 1e6).toFixed(0)} MB`,
);
if (slow.value !== agreed) process.exitCode = 1;
if (values.dir === undefined) rmSync(directory, { recursive: true, force: true });
