/** Random rules and histories for new_value and baseline_ratio, whose windows are hours and days. */
import * as fc from "fast-check";
import type { CorrelationSpec, TestEvent } from "../core/correlation/build.ts";
import { anyThreshold, event } from "./naive-histories.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** Around the same hours of several days, with ties. */
const time = fc
  .tuple(fc.nat(9), fc.constantFrom(0, 1, 2, 23), fc.constantFrom(-1, 0, 0, 0, 1, HOUR / 2))
  .map(([day, hour, offset]) => day * DAY + hour * HOUR + offset);

/** Over ten days. */
export const longHistory: fc.Arbitrary<readonly TestEvent[]> = fc.uniqueArray(
  fc.tuple(event, time).map(([item, at]) => ({ ...item, time: at })),
  { selector: ({ uid }) => uid, minLength: 1, maxLength: 40, size: "max" },
);

/** A rule of an extension type, perhaps under one that counts its alerts, perhaps over one whose alerts it takes. */
export const extensionSpecs: fc.Arbitrary<readonly CorrelationSpec[]> = fc
  .record({
    rules: fc.constantFrom(["p"], ["p", "q"]),
    groupBy: fc.constantFrom<readonly string[]>([], ["x"], ["ai_agent.uid"]),
    timespanMs: fc.constantFrom(HOUR, 2 * HOUR, 7 * HOUR, DAY),
    suppressMs: fc.constantFrom(HOUR, 5 * HOUR, DAY),
    field: fc.constantFrom("v", "x"),
    lookback: fc.constantFrom(1, HOUR, DAY, DAY + 1, 3 * DAY),
    minHistory: fc.constantFrom(0, HOUR, DAY),
    metric: fc.constantFrom("count" as const, "sum" as const, "distinct" as const),
    baselineDays: fc.constantFrom(0.3, 1, 2, 7),
    seasonality: fc.constantFrom("none" as const, "hour_of_day" as const, "hour_of_week" as const),
    minCount: fc.constantFrom(0, 0, 1, 3),
    threshold: anyThreshold,
    novel: fc.boolean(),
    outer: fc.boolean(),
    outerThreshold: anyThreshold,
    inner: fc.constantFrom(false, false, true),
    innerThreshold: anyThreshold,
  })
  .map((made) => {
    const { timespanMs, suppressMs, metric } = made;
    // Alerts of an inner rule have nothing but their group.
    const rules = made.inner ? ["inner", ...made.rules.filter((rule) => rule === "q")] : made.rules;
    const groupBy = made.inner ? made.groupBy.filter((name) => name === "x") : made.groupBy;
    const field = made.inner ? "x" : made.field;
    const reader = { path: field, read: (item: TestEvent): unknown => item[field] };
    const common = { id: "one", rules, groupBy, timespanMs, suppressMs };
    const { baselineDays, seasonality, minCount } = made;
    const baseline = { metric, metricField: metric === "count" ? undefined : reader, baselineDays, seasonality, minCount };
    const one: CorrelationSpec = made.novel
      ? {
          ...common,
          type: "new_value",
          threshold: {},
          fields: [field],
          more: { newValue: { lookbackMs: made.lookback, minHistoryMs: made.minHistory } },
        }
      : { ...common, type: "baseline_ratio", threshold: made.threshold, more: { baseline } };
    const outer: CorrelationSpec = {
      id: "outer",
      type: "event_count",
      rules: ["one", "q"],
      groupBy,
      timespanMs: DAY,
      threshold: made.outerThreshold,
    };
    const inner: CorrelationSpec = {
      id: "inner",
      type: "event_count",
      rules: ["p"],
      groupBy: ["x"],
      timespanMs: 2 * HOUR,
      threshold: made.innerThreshold,
      alerts: false,
    };
    return [...(made.outer ? [outer] : []), one, ...(made.inner ? [inner] : [])];
  });
