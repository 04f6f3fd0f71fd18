/** Random rules, histories and deliveries for the engine's properties. */
import * as fc from "fast-check";
import type { BooleanCondition, Threshold } from "../../src/core/sigma/rules.ts";
import type { Watermarks } from "../../src/core/correlation/types.ts";
import type { CorrelationSpec, TestEvent } from "../core/correlation/build.ts";
import { alternatives } from "./naive-boolean.ts";

/** Detections of every random rule set. */
export const DETECTIONS = ["p", "q", "r", "s"] as const;
/** Windows of random rules: small, so that boundaries are hit often. */
const SPAN = fc.constantFrom(1, 6, 10, 12);
const SUPPRESS = fc.constantFrom(5, 6, 10, 12, 30);
const GROUPS: readonly (readonly string[])[] = [[], [], ["ai_agent.uid"], ["x"], ["x", "ai_agent.uid"]];

/** Times around multiples of the windows, with ties. */
const time = fc
  .tuple(fc.constantFrom(-60, -12, 0, 6, 10, 12, 20, 24, 30, 36, 40, 60), fc.constantFrom(-1, 0, 0, 0, 1, 2, 3))
  .map(([base, offset]) => base + offset);

const groupValue = weighted([3, 1], ["a", "a", "b", 7, "7", true, null, undefined, ""], [["a"], "A", "true", 10, "10.0", -0, {}, '"', "é"]);
const value = weighted(
  [3, 1],
  [1, 2, 2, "2", 0.1, 0.2, 0.3, "0.5", 5, -3],
  [1e16, -1e16, 1e300, -1e300, "x", null, undefined, true, 5e-324, "1e400", " 1", "+2", ".5", "2.0", -0, [1], {}],
);

/** Values that often meet each other, and others that are rare. */
function weighted(weights: readonly [number, number], usual: readonly unknown[], odd: readonly unknown[]): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: weights[0], arbitrary: fc.constantFrom(...usual) }, { weight: weights[1], arbitrary: fc.constantFrom(...odd) });
}

/** An event of any content. */
export const event: fc.Arbitrary<TestEvent> = fc
  .record({
    uid: fc.nat(400).map((id) => `e${id}`),
    time,
    is: fc.subarray([...DETECTIONS], { minLength: 0 }),
    x: groupValue,
    y: groupValue,
    v: value,
    w: value,
    agent: fc.constantFrom("a1", "a2", undefined),
  })
  // Detection p is about the first category of events, the others are about both.
  .chain((made) => fc.constantFrom("dns" as const, "egress" as const).map((category) => ({ ...made, category })))
  .map(({ agent, ...rest }) => ({ ...rest, "ai_agent.uid": agent, ...(agent === undefined ? {} : { agent }) }));

/** Events with distinct uids: of two with one uid and different content, arrival would decide. */
export const history = fc.uniqueArray(event, { selector: ({ uid }) => uid, minLength: 1, maxLength: 40, size: "max" });

/** Many events of few groups over a longer time: entries expire while others come. */
export const busyHistory: fc.Arbitrary<readonly TestEvent[]> = fc
  .tuple(fc.array(event, { minLength: 100, maxLength: 220, size: "max" }), fc.integer({ min: 1, max: 6 }))
  .map(([events, pace]) =>
    events.map((item, index): TestEvent => ({
      ...item,
      uid: `e${index}`,
      x: index % 7 === 0 ? "b" : "a",
      time: index * pace + (item.time % 5),
    })),
  );

const lower = fc.oneof(
  fc.nat(4).map((gte) => ({ gte })),
  fc.nat(3).map((gt) => ({ gt })),
  fc.constantFrom<Threshold>({ gte: 2.5 }, { gt: -3 }, { gte: 2e16 }),
);
const other = fc.oneof(
  fc.nat(3).map((lt) => ({ lt })),
  fc.nat(3).map((lte) => ({ lte })),
  fc.nat(3).map((eq) => ({ eq })),
  fc.nat(3).map((neq) => ({ neq })),
  fc.constant({ lt: 0.3 }),
  fc.constantFrom<Threshold>({ eq: 0.2 }, { eq: 0.6 }, { lt: 0 }, { lte: -3 }, { neq: -3 }),
);
/** Lower bounds mostly, upper ones, and both. */
export const anyThreshold: fc.Arbitrary<Threshold> = fc.oneof(
  { weight: 5, arbitrary: lower },
  { weight: 3, arbitrary: other },
  { weight: 2, arbitrary: fc.tuple(lower, other).map(([a, b]) => ({ ...a, ...b })) },
);

/** A correlation over `rules`; `names` are group names that all of them have. */
function spec(id: string, rules: readonly string[], names: readonly (readonly string[])[]): fc.Arbitrary<CorrelationSpec> {
  const base = fc.record({
    id: fc.constant(id),
    rules: fc.shuffledSubarray([...rules], { minLength: 1 }),
    groupBy: fc.constantFrom(...names),
    timespanMs: SPAN,
    suppressMs: SUPPRESS,
    // How long entries are kept for events that come too late is nothing to those in time.
    more: fc.constantFrom<{ latenessMs?: number }>({}, {}, {}, { latenessMs: 0 }, { latenessMs: 30 }),
  });
  const counted = fc.record({ type: fc.constantFrom("event_count" as const, "temporal" as const), threshold: anyThreshold });
  const valued = fc.record({
    type: fc.constantFrom("value_sum" as const, "value_avg" as const, "value_median" as const),
    threshold: anyThreshold,
    fields: fc.constant(["v"]),
  });
  const distinct = fc.record({
    type: fc.constant("value_count" as const),
    threshold: anyThreshold,
    fields: fc.constantFrom(["v"], ["v", "w"]),
  });
  const ranked = fc.record({
    type: fc.constant("value_percentile" as const),
    threshold: anyThreshold,
    fields: fc.constant(["v"]),
    percentile: fc.constantFrom(0, 10, 50, 99.9, 100, 33.3),
  });
  const kind = fc.oneof({ weight: 3, arbitrary: counted }, distinct, { weight: 2, arbitrary: valued }, ranked);
  const ordered = base.map((common) => ({ ...common, type: "temporal_ordered" as const, threshold: { gte: common.rules.length } }));
  const logical = fc
    .tuple(base, expression(rules), fc.constantFrom("temporal" as const, "temporal_ordered" as const))
    .map(([common, condition, type]) => {
      // The order of `rules` is the order of the sequence.
      const named = new Set(namedIn(condition));
      const order = [...common.rules, ...rules].filter((rule, index, all) => named.has(rule) && all.indexOf(rule) === index);
      return { ...common, type, rules: order, threshold: {}, more: { ...common.more, expression: condition } };
    });
  return fc.oneof(
    { weight: 6, arbitrary: fc.tuple(base, kind).map(([common, own]) => ({ ...common, ...own })) },
    { weight: 2, arbitrary: ordered },
    { weight: 3, arbitrary: logical },
  );
}

/** A boolean condition over rules, each of whose alternatives wants something. */
function expression(rules: readonly string[]): fc.Arbitrary<BooleanCondition> {
  const rule = fc.constantFrom(...rules).map((id): BooleanCondition => ({ kind: "rule", rule: id }));
  const literal = fc.oneof(
    rule,
    rule.map((of): BooleanCondition => ({ kind: "not", of })),
  );
  const clause = fc
    .tuple(fc.constantFrom("and" as const, "and" as const, "or" as const), fc.array(literal, { minLength: 1, maxLength: 3 }))
    .map(([kind, of]): BooleanCondition => ({ kind, of }));
  const nested = fc.oneof(
    clause,
    clause.map((of): BooleanCondition => ({ kind: "not", of })),
    literal,
  );
  return fc
    .tuple(fc.constantFrom("and" as const, "or" as const), fc.array(nested, { minLength: 1, maxLength: 3 }))
    .map(([kind, of]): BooleanCondition => ({ kind, of }))
    .filter((condition) => alternatives(condition).length > 0 && alternatives(condition).every(({ wanted }) => wanted.length > 0));
}

function namedIn(condition: BooleanCondition): string[] {
  if (condition.kind === "rule") return [condition.rule];
  return condition.kind === "not" ? namedIn(condition.of) : condition.of.flatMap(namedIn);
}

const aliased: fc.Arbitrary<CorrelationSpec> = spec("aliased", ["p", "q"], [["who"]]).map((made) => ({
  ...made,
  aliases: { who: { p: "x", q: "y" } },
}));

const top = spec("top", ["outer", "q"], [[]]);

/** One or two rules over events, perhaps with one over their alerts, and one over its. */
export const ruleSpecs: fc.Arbitrary<readonly CorrelationSpec[]> = fc
  .tuple(
    fc.oneof({ weight: 4, arbitrary: spec("one", DETECTIONS, GROUPS) }, aliased),
    spec("two", DETECTIONS, GROUPS),
    fc.constantFrom(1, 2, 3, 3),
  )
  .chain(([one, two, size]): fc.Arbitrary<readonly CorrelationSpec[]> => {
    if (size === 1) return fc.constant([one]);
    if (size === 2) return fc.constant([two, one]);
    const shared = (one.groupBy ?? []).filter((name) => two.groupBy?.includes(name));
    const names = shared.length > 0 ? [[], shared] : [[]];
    // The outer rules stand first: rules need no order of their own.
    return fc
      .tuple(spec("outer", [one.id, "two"], names), spec("outer", [one.id, "p"], [[]]), top, fc.nat(7))
      .map(([over, mixed, highest, choice]) => {
        const outer = (choice & 1) === 0 ? over : mixed;
        const alerts = (choice & 2) === 0;
        const inner = [outer, { ...one, alerts }, two];
        return (choice & 4) === 0 ? inner : [highest, ...inner];
      });
  });

/** One step of a delivery: some events, or the watermarks move. */
export type Step = { readonly push: readonly TestEvent[] } | { readonly advance: Watermarks };

/** A way in which a history reaches the engine. */
export interface Delivery {
  readonly steps: readonly Step[];
  readonly latenessMs: number;
}

/** Deliveries of a history that respect its lateness: shuffled, repeated, split. */
export function delivery(events: readonly TestEvent[]): fc.Arbitrary<Delivery> {
  const per = { minLength: events.length, maxLength: events.length };
  return fc
    .record({
      latenessMs: fc.constantFrom(0, 1, 5, 12, 100, 3 * 86_400_000),
      // How far each category of events is behind: each has a watermark of its own.
      lag: fc.constantFrom([0, 0], [0, 15], [40, 0]),
      // How much of the lateness each category has of its own.
      share: fc.constantFrom([1, 1], [1, 0], [0.2, 1]),
      jitter: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), per),
      repeat: fc.array(fc.constantFrom(0, 0, 0, 1, 2), per),
      cut: fc.array(fc.constantFrom("go", "go", "batch", "advance", "slack"), per),
    })
    .map(({ latenessMs, lag, share, jitter, repeat, cut }) => {
      const own = (item: TestEvent): 0 | 1 => (item.category === "dns" ? 0 : 1);
      // Sorted by time + at most lateness: no event comes further than that behind an earlier one of its category.
      const arrivals = events
        .map((item, index) => ({ item, at: item.time + jitter[index]! * latenessMs * share[own(item)]! + lag[own(item)]!, index }))
        .sort((a, b) => a.at - b.at || a.index - b.index);
      const steps: Step[] = [];
      let batch: TestEvent[] = [];
      let newest = Number.NEGATIVE_INFINITY;
      for (const { item, at, index } of arrivals) {
        for (let copy = 0; copy <= repeat[index]!; copy++) batch.push({ ...item });
        newest = Math.max(newest, item.time);
        if (cut[index] === "go") continue;
        steps.push({ push: batch });
        batch = [];
        if (cut[index] === "batch") continue;
        const slack = cut[index] === "slack" ? 7 : 0;
        // Past the newest event, a silence would be seen that the end of the input does not have.
        const complete = (category: 0 | 1): number =>
          Math.min(newest, Math.floor(at - slack - latenessMs * share[category]! - lag[category]!));
        const dns = complete(0);
        const other = complete(1);
        steps.push({
          advance: {
            all: Math.min(dns, other),
            byCategory: new Map([
              ["dns", dns],
              ["egress", other],
            ]),
          },
        });
      }
      steps.push({ push: batch });
      return { steps, latenessMs };
    });
}
