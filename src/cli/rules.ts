import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { uuid5 } from "../adapters/system/system.ts";
import type { Alert } from "../core/alert.ts";
import { engine } from "../core/correlation/engine.ts";
import type { Event } from "../core/event.ts";
import { eventReader } from "../core/sigma/event-reader.ts";
import type { RuleSet } from "../core/sigma/rules.ts";
import { BUILTIN_RULES, loadPack, type Placeholders } from "../rules.ts";
import { formatProblem } from "../config/yaml.ts";
import { EXIT, note } from "./output.ts";
import { parseRuleCases, type RuleCase } from "./rule-cases.ts";

/** Orders of arrival that each case is tried in, beside its own. */
const SHUFFLES = 5;
/** Rules keep state this far behind when a case is shuffled: cases are short. */
const LATENESS_MS = 86_400_000;

/** Runs the `.test.yml` files of rules, each case also in shuffled arrival; exit code 1 when one fails. */
export function testRulesCommand(paths: readonly string[], placeholders: Placeholders): number {
  const files = (paths.length === 0 ? [BUILTIN_RULES] : paths).flatMap(testFiles);
  let passed = 0;
  let failed = 0;
  for (const file of files) {
    const pack = loadPack([dirname(file)], placeholders);
    const { cases, problems } = parseRuleCases(file, readFileSync(file, "utf8"));
    for (const problem of problems) note(formatProblem(problem));
    for (const rejected of pack.rejected) note(`${rejected.file}:${rejected.line}: ${rejected.reason}`);
    failed += problems.length + pack.rejected.length;
    for (const one of cases) {
      const differences = runCase(pack.rules, one);
      if (differences.length === 0) passed++;
      else failed++;
      for (const difference of differences) note(`${file}:${one.line}: ${one.name}: ${difference}`);
    }
  }
  if (files.length === 0) note("no .test.yml file was found");
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 && passed > 0 ? EXIT.good : EXIT.no;
}

function testFiles(path: string): string[] {
  if (!existsSync(path)) return [];
  if (!statSync(path).isDirectory()) return [resolve(path.replace(/(?<!\.test)\.ya?ml$/, ".test.yml"))];
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.test\.ya?ml$/.test(entry.name))
    .map((entry) => resolve(join(entry.parentPath, entry.name)))
    .sort();
}

/** What is different from what the case expects; empty when it passes in every order of arrival. */
function runCase(rules: RuleSet<Event>, one: RuleCase): string[] {
  const straight = finals(rules, [one.events]);
  const names = new Map([...rules.detections, ...rules.correlations].map(({ info }) => [info.id, info.name]));
  const differences = compare(straight, one, names);
  const wanted = JSON.stringify(straight);
  for (let seed = 1; seed <= SHUFFLES; seed++) {
    const shuffled = shuffle(one.events, seed);
    const half = Math.ceil(shuffled.length / 2);
    if (JSON.stringify(finals(rules, [shuffled.slice(0, half), shuffled.slice(half)])) !== wanted) {
      differences.push(`the alerts depend on the order of arrival (shuffle ${seed})`);
      break;
    }
  }
  return differences;
}

function finals(rules: RuleSet<Event>, batches: readonly (readonly Event[])[]): Alert[] {
  const running = engine(rules, { reader: eventReader, uuid5, latenessMs: LATENESS_MS });
  const alerts = [...batches.flatMap((batch) => running.push(batch)), ...running.finish()].filter((alert) => alert.final);
  return alerts.map((alert) => ({ ...alert, revision: 0 })).sort((a, b) => (a.id < b.id ? -1 : 1));
}

function compare(alerts: readonly Alert[], one: RuleCase, names: ReadonlyMap<string, string | undefined>): string[] {
  const differences: string[] = [];
  const unexpected = new Set(alerts);
  for (const wanted of one.expect) {
    const matching = alerts.filter(
      (alert) =>
        [alert.ruleId, alert.ruleTitle, names.get(alert.ruleId)].includes(wanted.rule) &&
        Object.entries(wanted.group ?? {}).every(([key, value]) => alert.group[key] === value),
    );
    for (const alert of matching) unexpected.delete(alert);
    if (matching.length !== wanted.alerts) differences.push(`${wanted.rule}: ${wanted.alerts} expected, ${matching.length} raised`);
    const [first] = matching;
    if (wanted.count !== undefined && first !== undefined && first.count !== wanted.count) {
      differences.push(`${wanted.rule}: counts ${wanted.count} events expected, ${first.count} counted`);
    }
  }
  for (const alert of unexpected)
    differences.push(`${alert.ruleTitle} (${alert.ruleId}) fired for ${JSON.stringify(alert.group)}, which nothing expects`);
  return differences;
}

/** Fisher-Yates with a small linear congruential generator: the same seed gives the same order for ever. */
function shuffle<T>(items: readonly T[], seed: number): T[] {
  const result = [...items];
  let state = seed;
  for (let index = result.length - 1; index > 0; index--) {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    const other = state % (index + 1);
    [result[index], result[other]] = [result[other]!, result[index]!];
  }
  return result;
}
