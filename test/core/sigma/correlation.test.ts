import { describe, expect, test } from "vitest";
import type { Correlation, RuleSet } from "../../../src/core/sigma/rules.ts";
import type { PlainEvent } from "../../../src/core/sigma/plain-reader.ts";
import { compilePlain, plain } from "./build.ts";

/** A detection rule by name. */
function base(name: string): string {
  return `title: ${name}\nname: ${name}\nlogsource: {category: x}\ndetection:\n  s: {kind: ${name}}\n  condition: s\n`;
}

/** A correlation by name over its section. */
function correlation(name: string, section: string, extra = ""): string {
  return `title: ${name}\nname: ${name}\n${extra}correlation:\n${section
    .trim()
    .split("\n")
    .map((line) => `  ${line}\n`)
    .join("")}`;
}

function pack(...documents: readonly string[]): RuleSet<PlainEvent> {
  return compilePlain(documents.join("---\n"));
}

function compiled(section: string, extra = ""): Correlation<PlainEvent> {
  const { correlations, rejected } = pack(base("a"), base("b"), base("c"), correlation("out", section, extra));
  expect(rejected).toEqual([]);
  return correlations[0]!;
}

function why(section: string, extra = ""): string {
  return pack(base("a"), base("b"), base("c"), correlation("out", section, extra))
    .rejected.map((one) => one.reason)
    .join("\n");
}

describe("every type is understood", () => {
  test("event_count", () => {
    const result = compiled("type: event_count\nrules: [b, a]\ngroup-by: [user]\ntimespan: 5m\ncondition: {gte: 10, lt: 100}");
    expect(result).toMatchObject({ type: "event_count", rules: ["b", "a"], timespanMs: 300_000, threshold: { gte: 10, lt: 100 } });
    expect(result).toMatchObject({ suppressMs: 900_000, latenessMs: undefined, fields: [], expression: undefined });
    expect(result.groupBy.map((field) => [field.name, field.path("a")])).toEqual([["user", "user"]]);
    expect(result.groupBy[0]!.read("a")!(plain({ user: "u" }))).toBe("u");
  });

  test("the default suppression window is the timespan where that is longer", () => {
    const section = "type: event_count\nrules: [a]\ntimespan: 2h\ncondition: {gt: 1}";
    expect(compiled(section).suppressMs).toBe(7_200_000);
    expect(compiled(section, "custodes: {suppress: 1m, lateness: 10m}\n")).toMatchObject({ suppressMs: 60_000, latenessMs: 600_000 });
    expect(compiled(section).groupBy).toEqual([]);
  });

  test("value_count over one field or several", () => {
    const one = compiled("type: value_count\nrules: [a]\ntimespan: 1d\ncondition: {field: x.y, gte: 3}");
    expect(one.fields.map((field) => field.path)).toEqual(["x.y"]);
    expect(one.fields[0]!.read(plain({ x: { y: 7 } }))).toBe(7);
    const two = compiled("type: value_count\nrules: [a]\ntimespan: 1d\ncondition: {field: [x, y], gte: 3}");
    expect(two.fields.map((field) => field.path)).toEqual(["x", "y"]);
  });

  test.each(["value_sum", "value_avg", "value_median"])("%s", (type) => {
    const result = compiled(`type: ${type}\nrules: [a]\ntimespan: 1h\ncondition: {field: bytes, gt: 0.5}`);
    expect(result).toMatchObject({ type, threshold: { gt: 0.5 } });
    expect(result.fields).toHaveLength(1);
  });

  test("value_percentile, its percentile beside the field or in the section", () => {
    expect(compiled("type: value_percentile\nrules: [a]\ntimespan: 1h\ncondition: {field: x, gt: 5, percentile: 95}").percentile).toBe(95);
    expect(compiled("type: value_percentile\nrules: [a]\ntimespan: 1h\npercentile: 0\ncondition: {field: x, lte: 5}").percentile).toBe(0);
  });

  test("temporal types need all of their rules by default", () => {
    expect(compiled("type: temporal\nrules: [a, b]\ntimespan: 1m").threshold).toEqual({ gte: 2 });
    expect(compiled("type: temporal\nrules: [a, b, c]\ntimespan: 1m\ncondition: {gte: 2}").threshold).toEqual({ gte: 2 });
    expect(compiled("type: temporal_ordered\nrules: [a, b, c]\ntimespan: 1m").threshold).toEqual({ gte: 3 });
    expect(compiled("type: temporal_ordered\nrules: [a, b]\ntimespan: 1m\ncondition: {gte: 2}").threshold).toEqual({ gte: 2 });
  });

  test("new_value with its defaults and without a timespan", () => {
    expect(compiled("type: new_value\nrules: [a]\ngroup-by: [user]\ncondition: {field: host}")).toMatchObject({
      newValue: { lookbackMs: 2_592_000_000, minHistoryMs: 86_400_000 },
      timespanMs: 0,
      threshold: {},
      suppressMs: 900_000,
    });
    const own = compiled("type: new_value\nrules: [a]\ntimespan: 1h\nlookback: 7d\nmin_history: 0s\ncondition: {field: host}");
    expect(own).toMatchObject({ newValue: { lookbackMs: 604_800_000, minHistoryMs: 0 }, timespanMs: 3_600_000 });
  });

  test("baseline_ratio with its defaults and metrics", () => {
    expect(compiled("type: baseline_ratio\nrules: [a]\ntimespan: 1h\ncondition: {gt: 3}").baseline).toEqual({
      metric: "count",
      metricField: undefined,
      baselineDays: 14,
      seasonality: "none",
      minCount: 0,
    });
    const sum = compiled(
      "type: baseline_ratio\nrules: [a]\ntimespan: 1h\nmetric: sum(x.y)\nbaseline_days: 7\nseasonality: hour_of_week\nmin_count: 20\ncondition: {gte: 1.5, lt: 9}",
    );
    expect(sum.baseline).toMatchObject({ metric: "sum", baselineDays: 7, seasonality: "hour_of_week", minCount: 20 });
    expect(sum.baseline!.metricField!.read(plain({ x: { y: 4 } }))).toBe(4);
    expect(compiled("type: baseline_ratio\nrules: [a]\ntimespan: 1h\nmetric: distinct(ip)\ncondition: {gt: 3}").baseline).toMatchObject({
      metric: "distinct",
      metricField: { path: "ip" },
    });
  });

  test("a correlation takes falsepositives as one text and carries its own level", () => {
    const result = compiled("type: temporal\nrules: [a, b]\ntimespan: 1m", "level: critical\nfalsepositives: none\n");
    expect(result.info).toMatchObject({ level: "critical", falsePositives: ["none"] });
  });
});

describe("sections that are not understood are rejected", () => {
  const COUNT = "type: event_count\nrules: [a]\ntimespan: 5m\ncondition: {gte: 1}";
  test.each([
    ["type: event_cuont\nrules: [a]\ntimespan: 5m\ncondition: {gte: 1}", 'did you mean "event_count"?'],
    ["rules: [a]\ntimespan: 5m\ncondition: {gte: 1}", "has no type"],
    [`${COUNT}\ngroup_by: [x]`, 'unknown key "group_by" in "correlation"; did you mean "group-by"?'],
    [`${COUNT}\nwindow: 5m`, 'unknown key "window" in "correlation"; did you mean'],
    [`${COUNT}\ntime-span: 5m`, 'did you mean "timespan"?'],
    [`${COUNT}\ncustodes: {suppress: 1h}`, "it stands at the top level"],
    [`${COUNT}\nlookback: 1d`, "belongs to new_value, not to event_count"],
    [`${COUNT}\npercentile: 5`, "belongs to value_percentile"],
    ["type: event_count\ntimespan: 5m\ncondition: {gte: 1}", "names no rules"],
    ["type: event_count\nrules: []\ntimespan: 5m\ncondition: {gte: 1}", '"rules" is an empty list'],
    ["type: event_count\nrules: a\ntimespan: 5m\ncondition: {gte: 1}", '"rules" must be a list'],
    ["type: event_count\nrules: [5]\ntimespan: 5m\ncondition: {gte: 1}", '"rules" must hold texts'],
    ["type: event_count\nrules: [a, a]\ntimespan: 5m\ncondition: {gte: 1}", 'lists "a" twice'],
    ["type: event_count\nrules: [aa]\ntimespan: 5m\ncondition: {gte: 1}", 'no rule has this id or name; did you mean "a"?'],
    ["type: event_count\nrules: [a]\ncondition: {gte: 1}", "has no timespan"],
    ["type: event_count\nrules: [a]\ntimespan: 5\ncondition: {gte: 1}", '"timespan" must be a number with'],
    ["type: event_count\nrules: [a]\ntimespan: 0m\ncondition: {gte: 1}", "longer than nothing"],
    ["type: event_count\nrules: [a]\ntimespan: 5 minutes\ncondition: {gte: 1}", '"timespan" must be a number with'],
    ["type: event_count\nrules: [a]\ntimespan: 5m", "needs a condition"],
    ["type: event_count\nrules: [a]\ntimespan: 5m\ncondition: {}", "is an empty map"],
    ["type: event_count\nrules: [a]\ntimespan: 5m\ncondition: 5", '"condition" must be a map'],
    ["type: event_count\nrules: [a]\ntimespan: 5m\ncondition: a and b", "takes a map of comparisons"],
    ["type: event_count\nrules: [a]\ntimespan: 5m\ncondition: {ge: 5}", 'knows no "ge"; did you mean'],
    ["type: event_count\nrules: [a]\ntimespan: 5m\ncondition: {gte: '5'}", '"gte" needs a number'],
    ["type: event_count\nrules: [a]\ntimespan: 5m\ncondition: {gte: .inf}", '"gte" needs a number'],
    ["type: event_count\nrules: [a]\ntimespan: 5m\ncondition: {gte: 5, field: x}", 'knows no "field"'],
    ["type: event_count\nrules: [a]\ngroup-by: x\ntimespan: 5m\ncondition: {gte: 1}", '"group-by" must be a list'],
    ["type: event_count\nrules: [a]\ngroup-by: [x, x]\ntimespan: 5m\ncondition: {gte: 1}", 'lists "x" twice'],
    [`${COUNT}\ngenerate: yes`, '"generate" must be true or false'],
    ["type: value_count\nrules: [a]\ntimespan: 5m\ncondition: {gte: 5}", "needs a field"],
    ["type: value_count\nrules: [a]\ntimespan: 5m\ncondition: {field: x}", "compares with nothing"],
    ["type: value_count\nrules: [a]\ntimespan: 5m\ncondition: {field: [x, x], gt: 1}", "twice"],
    ["type: value_sum\nrules: [a]\ntimespan: 5m\ncondition: {field: [x, y], gt: 1}", "takes one field"],
    ["type: value_percentile\nrules: [a]\ntimespan: 5m\ncondition: {field: x, gt: 1}", 'needs "percentile"'],
    ["type: value_percentile\nrules: [a]\ntimespan: 5m\ncondition: {field: x, gt: 1, percentile: 101}", "from 0 to 100"],
    ["type: value_percentile\nrules: [a]\ntimespan: 5m\npercentile: 5\ncondition: {field: x, gt: 1, percentile: 6}", "given twice"],
    ["type: temporal_ordered\nrules: [a, b]\ntimespan: 5m\ncondition: {gte: 1}", "no comparison but gte: 2"],
    ["type: temporal_ordered\nrules: [a, b]\ntimespan: 5m\ncondition: {gte: 2, lt: 5}", "no comparison but gte: 2"],
    ["type: temporal\nrules: [a, b]\ntimespan: 5m\ncondition: {gte: 2, field: x}", 'knows no "field"'],
    ["type: new_value\nrules: [a]\ncondition: {field: x, gte: 1}", 'knows no "gte"; did you mean "field"?'],
    ["type: new_value\nrules: [a]\ncondition: {field: [x, y]}", "takes one field"],
    ["type: new_value\nrules: [a]", "needs a condition"],
    ["type: new_value\nrules: [a]\nlookback: 30\ncondition: {field: x}", '"lookback" must be a number with'],
    [
      "type: baseline_ratio\nrules: [a]\ntimespan: 1h\nmetric: mean(x)\ncondition: {gt: 1}",
      '"metric" must be count, sum(field) or distinct(field)',
    ],
    ["type: baseline_ratio\nrules: [a]\ntimespan: 1h\nmetric: sum()\ncondition: {gt: 1}", '"metric" must be'],
    ["type: baseline_ratio\nrules: [a]\ntimespan: 20d\ncondition: {gt: 1}", "hold no window"],
    ["type: baseline_ratio\nrules: [a]\ntimespan: 1h\nseasonality: daily\ncondition: {gt: 1}", '"seasonality" cannot be "daily"'],
    ["type: baseline_ratio\nrules: [a]\ntimespan: 1h\nmin_count: -1\ncondition: {gt: 1}", '"min_count" must be a number'],
    ["type: baseline_ratio\nrules: [a]\ncondition: {gt: 1}", "has no timespan"],
  ])("%j: %s", (section, reason) => {
    expect(why(section)).toContain(reason);
  });

  test("a reference to a filter is none to a rule", () => {
    const filter = "title: F\nname: f\nlogsource: {category: x}\nfilter:\n  rules: any\n  s: {a: 1}\n  condition: not s\n";
    const { rejected } = pack(base("a"), filter, correlation("out", "type: temporal\nrules: [a, f]\ntimespan: 1m"));
    expect(rejected[0]!.reason).toContain("which is a filter");
  });

  test("one rule by id and by name is one rule", () => {
    const { rejected } = pack(
      base("a").replace("name: a", "name: a\nid: aid"),
      correlation("out", "type: temporal\nrules: [a, aid]\ntimespan: 1m"),
    );
    expect(rejected[0]!.reason).toContain("twice, by id and by name");
  });
});

describe("boolean conditions", () => {
  const section = (condition: string, rules = "rules: [a, b, c]\n"): string =>
    `type: temporal\n${rules}timespan: 5m\ncondition: ${condition}`;

  test("become a tree over rule keys", () => {
    const result = compiled(section("a and (b or not c)"));
    expect(result.threshold).toEqual({});
    expect(result.expression).toEqual({
      kind: "and",
      of: [
        { kind: "rule", rule: "a" },
        {
          kind: "or",
          of: [
            { kind: "rule", rule: "b" },
            { kind: "not", of: { kind: "rule", rule: "c" } },
          ],
        },
      ],
    });
  });

  test("give the rules in order of appearance when there is no list", () => {
    expect(compiled(section("c and a", "")).rules).toEqual(["c", "a"]);
    expect(compiled(section("c and a and not b")).rules).toEqual(["a", "b", "c"]);
    expect(compiled("type: temporal_ordered\ntimespan: 5m\ncondition: b and not a").rules).toEqual(["b", "a"]);
  });

  test.each([
    ["not a", "rules: [a]\n", "holds without any event"],
    ["not a and not b", "", "holds without any event"],
    ["a or not b", "", "holds without any event"],
    ["not (a and b)", "", "holds without any event"],
    ["a and (b or not c) or not (a or b)", "", "holds without any event"],
    ["a and b", "rules: [a, b, c]\n", '"rules" names "c", which the condition does not'],
    ["a and b and c", "rules: [a, b]\n", 'names "c", which "rules" does not'],
    ["a and x", "rules: [a, b]\n", 'names "x", which "rules" does not'],
    ["a and x", "", "no rule has this id or name"],
    ["1 of a*", "", '"of" does not stand in the condition of a correlation'],
    ["a AND b", "rules: [a, b]\n", "lower case"],
    ["a and", "", "ends where a name is expected"],
  ])("%s with %j is rejected: %s", (condition, rules, reason) => {
    expect(why(section(condition, rules))).toContain(reason);
  });

  test.each(["a or b", "not (not a)", "a and not b or b and not a", "not (not a or b)"])(
    "%s has something positive in each branch",
    (condition) => {
      expect(compiled(section(condition, "")).expression).toBeDefined();
    },
  );

  test("too many alternatives are refused", () => {
    const names = Array.from({ length: 14 }, (_, index) => `r${index}`);
    const condition = Array.from({ length: 7 }, (_, index) => `(r${2 * index} or r${2 * index + 1})`).join(" and ");
    const { rejected } = pack(...names.map(base), correlation("out", `type: temporal\ntimespan: 5m\ncondition: ${condition}`));
    expect(rejected[0]!.reason).toContain("more than 64 alternatives");
  });
});
