/** Other rules at a random point of a random history: what is the same goes on as if nothing had happened, the rest is as if it had always been there. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Alert } from "../../src/core/alert.ts";
import { engine } from "../../src/core/correlation/engine.ts";
import type { BooleanCondition, RuleSet } from "../../src/core/sigma/rules.ts";
import { detection, ruleSet, testReader, uuid5 } from "../core/correlation/build.ts";
import type { CorrelationSpec, TestEvent } from "../core/correlation/build.ts";
import { extensionSpecs, longHistory } from "./naive-extension-histories.ts";
import { delivery, DETECTIONS, history, ruleSpecs } from "./naive-histories.ts";
import type { Step } from "./naive-histories.ts";

/** Histories per property; more with the environment variable. */
const RUNS = Number(process.env["CUSTODES_PROPERTY_RUNS"] ?? 1500);

/** What a reload is tried with. */
interface Scene {
  readonly before: RuleSet<TestEvent>;
  readonly after: RuleSet<TestEvent>;
  readonly steps: readonly Step[];
  /** Steps before the reload. */
  readonly at: number;
  readonly latenessMs: number;
  /** Events in one piece of the replay. */
  readonly split: number;
  /** Only events of the horizon are told again. */
  readonly forgets: boolean;
}

/** The rules under other ids, so that two sets go together. */
function renamed(specs: readonly CorrelationSpec[], prefix: string): CorrelationSpec[] {
  const own = new Set(specs.map(({ id }) => id));
  const name = (id: string): string => (own.has(id) ? prefix + id : id);
  const condition = (one: BooleanCondition): BooleanCondition =>
    one.kind === "rule"
      ? { kind: "rule", rule: name(one.rule) }
      : one.kind === "not"
        ? { kind: "not", of: condition(one.of) }
        : { kind: one.kind, of: one.of.map(condition) };
  return specs.map((spec) => ({
    ...spec,
    id: name(spec.id),
    rules: spec.rules.map(name),
    ...(spec.more?.expression === undefined ? {} : { more: { ...spec.more, expression: condition(spec.more.expression) } }),
  }));
}

/** A set of rules with fingerprints; `loud` detections alert on their own. */
function pack(specs: readonly CorrelationSpec[], loud: readonly string[]): RuleSet<TestEvent> {
  const categories = { p: ["dns" as const] };
  const detections = DETECTIONS.map((id) =>
    detection(id, { fingerprint: id, alerts: loud.includes(id), ...(id === "p" ? { categories: categories.p } : {}) }),
  );
  const signed = specs.map((spec) => ({ ...spec, more: { ...spec.more, fingerprint: JSON.stringify(spec) } }));
  return ruleSet(detections, signed);
}

function sceneOf(
  specs: fc.Arbitrary<readonly CorrelationSpec[]>,
  events: fc.Arbitrary<readonly TestEvent[]>,
  forgets: boolean,
): fc.Arbitrary<Scene> {
  const loud = fc.subarray([...DETECTIONS]);
  return fc
    .record({ same: specs, old: fc.oneof(fc.constant([]), specs), next: fc.oneof(fc.constant([]), specs), loud, louder: loud, events })
    .chain(({ same, old, next, loud: before, louder: after, events: items }) =>
      fc.record({ given: delivery(items), at: fc.nat(40), split: fc.integer({ min: 1, max: 9 }) }).map(({ given, at, split }) => ({
        before: pack([...renamed(same, "same."), ...renamed(old, "other.")], before),
        after: pack([...renamed(next, "other."), ...renamed(same, "same.")], after),
        steps: given.steps,
        at: Math.min(at, given.steps.length),
        latenessMs: given.latenessMs,
        forgets,
        split,
      })),
    );
}

function started(rules: RuleSet<TestEvent>, { latenessMs }: Scene) {
  return engine(rules, { reader: testReader, uuid5, latenessMs });
}

type Running = ReturnType<typeof started>;

function play(running: Running, steps: readonly Step[]): Alert[] {
  return steps.flatMap((step) => ("push" in step ? running.push(step.push) : running.advance(step.advance)));
}

/** Without group-by, silence is reported from the first event ever on, before any horizon. */
function reportsSilence({ correlations }: RuleSet<TestEvent>): boolean {
  return correlations.some(({ groupBy, threshold }) => groupBy.length === 0 && threshold.gt === undefined && threshold.gte === undefined);
}

/** Tells the fresh rules the events of their horizon, each once, in pieces. */
function reload(running: Running, scene: Scene): Alert[] {
  const replay = running.reload(scene.after);
  const past = scene.steps.slice(0, scene.at);
  const watermark = past.reduce((latest, step) => ("advance" in step ? Math.max(latest, step.advance.all) : latest), -Infinity);
  const events = new Map(past.flatMap((step) => ("push" in step ? step.push.map((event) => [event.uid, event] as const) : [])));
  const all = !scene.forgets || reportsSilence(scene.after);
  const wanted = [...events.values()].filter(({ time }) => all || time >= watermark - replay.horizonMs);
  const out: Alert[] = [];
  for (let from = 0; from < wanted.length; from += scene.split) out.push(...replay.push(wanted.slice(from, from + scene.split)));
  return [...out, ...replay.finish()];
}

function finals(alerts: readonly Alert[], keep: (alert: Alert) => boolean): unknown[] {
  const last = new Map(alerts.filter((alert) => alert.final && keep(alert)).map((alert) => [alert.id, alert]));
  // How often the count had doubled at an emission depends on the batches.
  return [...last.values()].map((alert) => ({ ...alert, revision: 0 })).sort((a, b) => (a.id < b.id ? -1 : 1));
}

function keeps(scene: Scene): void {
  const loudBefore = new Set(scene.before.detections.filter(({ alerts }) => alerts).map(({ info }) => info.id));
  const isSame = ({ ruleId }: Alert): boolean => ruleId.startsWith("same.") || loudBefore.has(ruleId);
  const still = new Set([...scene.after.detections, ...scene.after.correlations].filter(({ alerts }) => alerts).map(({ info }) => info.id));
  const undisturbed = started(scene.before, scene);
  const wanted = [...play(undisturbed, scene.steps), ...undisturbed.finish()];
  const running = started(scene.before, scene);
  const before = play(running, scene.steps.slice(0, scene.at));
  const replayed = reload(running, scene);
  const after = [...play(running, scene.steps.slice(scene.at)), ...running.finish()];
  const kept = (alerts: readonly Alert[]): Alert[] => alerts.filter((alert) => isSame(alert) && still.has(alert.ruleId));
  expect(kept(replayed)).toEqual([]);
  // Of each rule, the same emissions in the same order, revisions and all.
  const byRule = (alerts: readonly Alert[]): unknown => Object.fromEntries(Map.groupBy(kept(alerts), ({ ruleId }) => ruleId));
  expect(byRule([...before, ...after])).toEqual(byRule(wanted));
  expect([...replayed, ...after].filter(({ ruleId }) => !still.has(ruleId))).toEqual([]);
}

function learns(scene: Scene): void {
  const always = started(scene.after, scene);
  play(always, scene.steps.slice(0, scene.at));
  const wanted = [...play(always, scene.steps.slice(scene.at)), ...always.finish()];
  const running = started(scene.before, scene);
  play(running, scene.steps.slice(0, scene.at));
  reload(running, scene);
  const after = [...play(running, scene.steps.slice(scene.at)), ...running.finish()];
  const all = (): boolean => true;
  expect(finals(after, all)).toEqual(finals(wanted, all));
}

const scene = sceneOf(ruleSpecs, history, true);
// The history of new values counts from a group's first event ever, before any horizon.
const longScene = sceneOf(extensionSpecs, longHistory, false);

describe("an engine that takes other rules", () => {
  it("goes on with the rules that are the same, to the byte", () => {
    fc.assert(fc.property(fc.oneof({ weight: 5, arbitrary: scene }, longScene), keeps), { numRuns: RUNS });
  });

  it("has the final alerts of one that had the new rules from the start, from the reload on", () => {
    fc.assert(fc.property(scene, learns), { numRuns: RUNS });
  });

  it("has them for new values and baselines too", () => {
    fc.assert(fc.property(longScene, learns), { numRuns: Math.ceil(RUNS / 3) });
  });

  it("tells a reload that changes nothing nothing", () => {
    fc.assert(
      fc.property(scene, (given) => {
        const running = started(given.before, given);
        expect(running.reload(given.before).horizonMs).toBe(0);
      }),
      { numRuns: 100 },
    );
  });

  it("takes nothing over from rules that cannot be compared", () => {
    const bare = ruleSet([detection("p", { alerts: true })], []);
    const running = engine(bare, { reader: testReader, uuid5, latenessMs: 0 });
    expect(running.reload(bare).horizonMs).toBeGreaterThan(0);
  });
});
