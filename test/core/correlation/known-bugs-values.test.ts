/** Mistakes with counted and measured values that engines are known for. */
import { describe, expect, test } from "vitest";
import { at, finals, keeping, plainEvents, seconds, type Happened } from "./known-bugs.ts";

describe("values", () => {
  test("an event without the counted field is no value, and neither is null", () => {
    const rule = ["type: value_count, rules: [a], timespan: 10s, condition: {field: user, gte: 2}"];
    expect(finals(rule, at('0 a user="x"; 1 a; 2 a user=null'))).toEqual([]);
    expect(finals(rule, at('0 a user="x"; 1 a user=""'))).toHaveLength(1);
  });

  test("the same value many times is one", () => {
    const rule = ["type: value_count, rules: [a], timespan: 10s, condition: {field: user, gte: 2}"];
    expect(finals(rule, at('0 a user="x"; 1 a user="x"; 2 a user="x"'))).toEqual([]);
  });

  test("a value leaves the count with its last event, not with its first", () => {
    const rule = ["type: value_count, rules: [a], timespan: 10s, condition: {field: user, gte: 2}"];
    expect(seconds(finals(rule, at('0 a user="x"; 5 a user="x"; 14 a user="y"')))).toEqual([14]);
  });

  test("events without a group field are no group of their own", () => {
    const rule = ["type: event_count, rules: [a], group-by: [user], timespan: 10s, condition: {gte: 2}"];
    expect(finals(rule, at("0 a; 1 a; 2 a user=null; 3 a user=null"))).toEqual([]);
    expect(finals(rule, at('0 a user=""; 1 a user=""'))).toHaveLength(1);
  });

  test("values that meet in text are no tuple that meets", () => {
    const rule = ["type: value_count, rules: [a], timespan: 10s, condition: {field: [x, y], gte: 2}"];
    expect(finals(rule, at('0 a x="1,2" y="3"; 1 a x="1" y="2,3"'))).toHaveLength(1);
  });

  test("a percentile is between two values, and is compared with the limit", () => {
    const rule = (limit: string): string[] => [
      `type: value_percentile, rules: [a], timespan: 10s, percentile: 75, condition: {field: v, ${limit}}`,
    ];
    // Type 7 of 1, 2, 3, 10 at 75 %: 3 + 0.25 × 7.
    const events: Happened[] = [1, 2, 3, 10].map((v, index) => [index, "a", { v }]);
    expect(finals(rule("gte: 4.75"), events)).toHaveLength(1);
    expect(finals(rule("gt: 4.75"), events)).toEqual([]);
    expect(finals(rule("gte: 75"), events)).toEqual([]);
  });

  test("a median of an even number of values is between two", () => {
    const rule = ["type: value_median, rules: [a], timespan: 10s, condition: {field: v, eq: 2.5}"];
    expect(
      finals(
        rule,
        [4, 1, 3, 2].map((v, index) => [index, "a", { v }]),
      ),
    ).toHaveLength(1);
  });

  test("a sum of decimals does not depend on their order, and of huge numbers neither", () => {
    const rule = ["type: value_sum, rules: [a], timespan: 10s, condition: {field: v, gte: 10000000000000001}"];
    for (const values of [
      [1e16, 1, 1],
      [1, 1e16, 1],
      [1, 1, 1e16],
    ])
      expect(
        finals(
          rule,
          values.map((v, index) => [index, "a", { v }]),
        ).at(-1)?.bucket,
      ).toBe(2000);
  });

  test("a mean is of what is there, and a text is no zero", () => {
    const rule = ["type: value_avg, rules: [a], timespan: 10s, condition: {field: v, eq: 2}"];
    expect(finals(rule, at('0 a v=1; 1 a v="3"; 2 a v="n/a"; 3 a; 4 a v=null'))).toHaveLength(1);
  });
});

test("a baseline holds nothing of its own window, also when that is measured again for an event that came too late", () => {
  const made = keeping(86_400_000, "type: baseline_ratio, rules: [a], timespan: 1h, baseline_days: 0.084, condition: {gte: 5}");
  const events = plainEvents(at("0 a; 3600 a; 3601 a; 3602 a"));
  made.push(events.slice(0, 3));
  // One event in the hour before, none in the one before that: a mean of a half, and two are four times that.
  expect(made.advance({ all: 7_200_000 }).filter(({ bucket }) => bucket === 3_600_000)).toEqual([]);
  made.push(events.slice(3));
  expect(made.finish().find(({ bucket }) => bucket === 3_600_000)).toMatchObject({
    count: 3,
    baseline: { numerator: 3, baseline: 0.5, windows: 2 },
  });
});
