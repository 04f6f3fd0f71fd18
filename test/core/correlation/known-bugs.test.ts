/** Mistakes that correlation engines are known for, each with the smallest history that shows it. */
import { describe, expect, test } from "vitest";
import type { Alert } from "../../../src/core/alert.ts";
import { engine } from "../../../src/core/correlation/engine.ts";
import type { Engine } from "../../../src/core/correlation/types.ts";
import { plainReader, type PlainEvent } from "../../../src/core/sigma/plain-reader.ts";
import { compilePlain } from "../sigma/build.ts";
import { uuid5 } from "./build.ts";

/** Second, what it is, and other fields. */
type Happened = readonly [second: number, is: string, fields?: Readonly<Record<string, unknown>>];

const DETECTIONS = ["a", "b", "c"].map(
  (is) => `title: ${is}\nname: ${is}\nlogsource: {category: any}\ndetection: {selection: {is: ${is}}, condition: selection}\n`,
);

function running(...correlations: readonly string[]): Engine<PlainEvent> {
  const documents = correlations.map(
    (correlation, index) => `title: rule ${index}\nname: rule${index}\ncustodes: {suppress: 1s}\ncorrelation: {${correlation}}\n`,
  );
  const rules = compilePlain([...DETECTIONS, ...documents].join("---\n"));
  if (rules.rejected.length > 0) throw new Error(JSON.stringify(rules.rejected));
  return engine(rules, { reader: plainReader(), uuid5, latenessMs: 0 });
}

function plainEvents(events: readonly Happened[]): PlainEvent[] {
  return events.map(([second, is, fields], index) => ({ uid: `e${index}`, time: second * 1000, value: { is, ...fields } }));
}

/** Final alerts of correlations, by time. */
function finals(correlations: readonly string[], events: readonly Happened[]): Alert[] {
  const made = running(...correlations);
  return [...made.push(plainEvents(events)), ...made.finish()]
    .filter(({ final, ruleId }) => final && ruleId.startsWith("rule"))
    .sort((x, y) => x.bucket - y.bucket);
}

const seconds = (alerts: readonly Alert[]): number[] => alerts.map(({ bucket }) => bucket / 1000);

describe("sequences", () => {
  const ordered = ["type: temporal_ordered, rules: [a, b, c], timespan: 10s"];

  test("order is checked between all rules, not only against the first", () => {
    expect(
      finals(ordered, [
        [0, "a"],
        [1, "c"],
        [2, "b"],
      ]),
    ).toEqual([]);
    expect(
      seconds(
        finals(ordered, [
          [0, "a"],
          [1, "b"],
          [2, "c"],
        ]),
      ),
    ).toEqual([2]);
  });

  test("an early event of a later rule does not hide a later one that fits", () => {
    expect(
      seconds(
        finals(ordered, [
          [0, "c"],
          [1, "b"],
          [2, "a"],
          [3, "c"],
          [4, "b"],
          [5, "c"],
        ]),
      ),
    ).toEqual([5]);
  });

  test("a later start is found when the first one is too old", () => {
    expect(
      seconds(
        finals(ordered, [
          [0, "a"],
          [5, "a"],
          [6, "b"],
          [14, "c"],
        ]),
      ),
    ).toEqual([14]);
  });

  test("the whole sequence lies in the timespan, not each step", () => {
    expect(
      finals(ordered, [
        [0, "a"],
        [8, "b"],
        [16, "c"],
      ]),
    ).toEqual([]);
  });

  test("a second sequence is found after the first", () => {
    expect(
      seconds(
        finals(ordered, [
          [0, "a"],
          [1, "b"],
          [2, "c"],
          [30, "a"],
          [31, "b"],
          [32, "c"],
        ]),
      ),
    ).toEqual([2, 32]);
  });

  test("events of one time stand in any order", () => {
    expect(
      seconds(
        finals(ordered, [
          [3, "c"],
          [3, "b"],
          [3, "a"],
        ]),
      ),
    ).toEqual([3]);
  });

  test("one event is not two steps", () => {
    const twice = ["type: temporal_ordered, rules: [a, b], timespan: 10s"];
    const both: Happened = [0, "a", { is: ["a", "b"] }];
    expect(finals(twice, [both])).toEqual([]);
    expect(seconds(finals(twice, [both, [0, "b"]]))).toEqual([0]);
  });

  test("the group holds for the steps of a sequence and for sets alike", () => {
    for (const type of ["temporal", "temporal_ordered"]) {
      const grouped = [`type: ${type}, rules: [a, b], group-by: [host], timespan: 10s`];
      expect(
        finals(grouped, [
          [0, "a", { host: "h1" }],
          [1, "b", { host: "h2" }],
        ]),
      ).toEqual([]);
      expect(
        finals(grouped, [
          [0, "a", { host: "h1" }],
          [1, "b", { host: "h1" }],
        ]),
      ).toHaveLength(1);
    }
  });

  test("a set of two rules is not met by two events of one", () => {
    expect(
      finals(
        ["type: temporal, rules: [a, b], timespan: 10s"],
        [
          [0, "a"],
          [1, "a"],
          [2, "a"],
        ],
      ),
    ).toEqual([]);
  });
});

describe("windows", () => {
  const three = ["type: event_count, rules: [a], timespan: 10s, condition: {gte: 3}"];

  test("an event exactly a timespan ago counts, one a millisecond older does not", () => {
    expect(
      finals(three, [
        [0, "a"],
        [5, "a"],
        [10, "a"],
      ]),
    ).toHaveLength(1);
    expect(
      finals(three, [
        [0, "a"],
        [5, "a"],
        [10.001, "a"],
      ]),
    ).toEqual([]);
  });

  test("a window does not start anew at fixed times: a burst across a boundary is one", () => {
    expect(
      seconds(
        finals(three, [
          [8, "a"],
          [9, "a"],
          [12, "a"],
        ]),
      ),
    ).toEqual([12]);
  });

  test("a window does not begin with the first event and wait to be over", () => {
    expect(
      seconds(
        finals(three, [
          [0, "a"],
          [9, "a"],
          [12, "a"],
          [13, "a"],
        ]),
      ),
    ).toEqual([13]);
  });

  test("more events than wanted is no less", () => {
    const made = finals(three, [
      [0, "a"],
      [1, "a"],
      [2, "a"],
      [3, "a"],
      [4, "a"],
    ]);
    expect(seconds(made)).toEqual([2, 3, 4]);
    expect(made.map(({ count }) => count)).toEqual([3, 4, 5]);
  });

  test("equality means exactly so many in a whole window, and never the first event of many", () => {
    const exactly = ["type: event_count, rules: [a], timespan: 10s, condition: {eq: 1}"];
    expect(
      finals(exactly, [
        [0, "a"],
        [1, "a"],
        [2, "a"],
      ]),
    ).toEqual([]);
    expect(
      seconds(
        finals(exactly, [
          [0, "a"],
          [1, "a"],
          [12, "a"],
        ]),
      ),
    ).toEqual([10]);
  });

  test("fewer than so many is not said at the first event", () => {
    const few = running("type: event_count, rules: [a], timespan: 10s, condition: {lt: 3}");
    expect(few.push(plainEvents([[0, "a"]]))).toEqual([]);
    expect(few.advance({ all: 9_999 })).toEqual([]);
    expect(
      few.push(
        plainEvents([
          [0, "a"],
          [1, "a"],
          [2, "a"],
          [3, "a"],
        ]).slice(1),
      ),
    ).toEqual([]);
    expect(few.finish()).toEqual([]);
  });

  test("a group that falls silent is reported once, with none, and not for ever", () => {
    const silent = ["type: event_count, rules: [a], group-by: [host], timespan: 10s, condition: {lt: 1}"];
    const made = finals(silent, [
      [0, "a", { host: "h1" }],
      [60, "a", { host: "h2" }],
    ]);
    expect(made.map(({ group, bucket, count }) => [group["host"], bucket, count])).toEqual([["h1", 10_000, 0]]);
  });

  test("a silence of all is reported for each window, also where no event ends it", () => {
    const silent = running("type: event_count, rules: [a], timespan: 10s, condition: {lt: 1}");
    silent.push(plainEvents([[0, "a"]]));
    expect(silent.advance({ all: 41_000 }).map(({ bucket }) => bucket)).toEqual([10_000, 20_000, 30_000]);
  });

  test("a month is not a minute, and no calendar month either", () => {
    const month = 30.436875 * 86_400;
    const rule = ["type: event_count, rules: [a], timespan: 1M, condition: {gte: 2}"];
    expect(
      finals(rule, [
        [0, "a"],
        [month, "a"],
      ]),
    ).toHaveLength(1);
    expect(
      finals(rule, [
        [0, "a"],
        [month + 0.001, "a"],
      ]),
    ).toEqual([]);
    expect(
      finals(
        ["type: event_count, rules: [a], timespan: 1m, condition: {gte: 2}"],
        [
          [0, "a"],
          [61, "a"],
        ],
      ),
    ).toEqual([]);
  });

  test("the same event twice counts once", () => {
    const made = running(...three);
    const [one, two] = plainEvents([
      [0, "a"],
      [1, "a"],
    ]);
    made.push([one!, one!, two!]);
    made.push([two!, one!]);
    expect(made.finish().filter(({ ruleId }) => ruleId === "rule0")).toEqual([]);
  });

  test("one rule that has fired takes no events from another", () => {
    const made = finals(
      [...three, "type: event_count, rules: [a], timespan: 10s, condition: {gte: 4}"],
      [
        [0, "a"],
        [1, "a"],
        [2, "a"],
        [3, "a"],
      ],
    );
    expect(made.map(({ ruleId, bucket }) => [ruleId, bucket])).toEqual([
      ["rule0", 2000],
      ["rule0", 3000],
      ["rule1", 3000],
    ]);
  });

  test("counting starts anew for no group but its own, and a group that was suppressed hides no other", () => {
    const grouped = ["type: event_count, rules: [a], group-by: [host], timespan: 10s, condition: {gte: 2}"];
    const made = finals(grouped, [
      [0, "a", { host: "h1" }],
      [0, "a", { host: "h2" }],
      [1, "a", { host: "h1" }],
      [1, "a", { host: "h2" }],
    ]);
    expect(made.map(({ group }) => group["host"]).sort()).toEqual(["h1", "h2"]);
  });
});

describe("absence", () => {
  test("is not told before its deadline, and not later than the watermark that proves it", () => {
    const made = running("type: temporal, condition: a and not b, timespan: 10s");
    expect(made.push(plainEvents([[0, "a"]]))).toEqual([]);
    expect(made.advance({ all: 10_000 })).toEqual([]);
    expect(made.advance({ all: 10_001 })).toHaveLength(1);
  });

  test("a trailing one is told without any later event of its group", () => {
    expect(finals(["type: temporal_ordered, rules: [a, b], condition: a and not b, timespan: 10s"], [[0, "a"]])).toHaveLength(1);
  });

  test("is taken back by an event at its very end, and by none after it", () => {
    const rule = ["type: temporal_ordered, rules: [a, b], condition: a and not b, timespan: 10s"];
    expect(
      finals(rule, [
        [0, "a"],
        [10, "b"],
      ]),
    ).toEqual([]);
    expect(
      finals(rule, [
        [0, "a"],
        [10.001, "b"],
      ]),
    ).toHaveLength(1);
  });

  test("is of the same group", () => {
    const rule = ["type: temporal, condition: a and not b, group-by: [host], timespan: 10s"];
    expect(
      finals(rule, [
        [0, "a", { host: "h1" }],
        [1, "b", { host: "h2" }],
      ]),
    ).toHaveLength(1);
    expect(
      finals(rule, [
        [0, "a", { host: "h1" }],
        [1, "b", { host: "h1" }],
      ]),
    ).toEqual([]);
  });

  test("between two events is no absence before or after them", () => {
    const rule = ["type: temporal_ordered, rules: [a, b, c], condition: a and not b and c, timespan: 10s"];
    expect(
      finals(rule, [
        [0, "b"],
        [1, "a"],
        [2, "c"],
        [3, "b"],
      ]),
    ).toHaveLength(1);
    expect(
      finals(rule, [
        [1, "a"],
        [2, "b"],
        [3, "c"],
      ]),
    ).toEqual([]);
  });
});

describe("chains", () => {
  test("a correlation over correlations fires", () => {
    const made = finals(
      [
        "type: event_count, rules: [a], group-by: [host], timespan: 10s, condition: {gte: 2}",
        "type: temporal_ordered, rules: [rule0, b], group-by: [host], timespan: 10s",
      ],
      [
        [0, "a", { host: "h" }],
        [1, "a", { host: "h" }],
        [2, "b", { host: "h" }],
      ],
    );
    expect(made.map(({ ruleId, group }) => [ruleId, group])).toEqual([["rule1", { host: "h" }]]);
  });

  test("an inner alert that grows is still one event", () => {
    const made = finals(
      [
        "type: event_count, rules: [a], timespan: 900s, condition: {gte: 1}",
        "type: event_count, rules: [rule0], timespan: 10s, condition: {gte: 2}",
      ],
      [
        [0, "a"],
        [0.1, "a"],
        [0.2, "a"],
        [0.3, "a"],
      ],
    );
    expect(made).toEqual([]);
  });
});

describe("values", () => {
  test("an event without the counted field is no value, and neither is null", () => {
    const rule = ["type: value_count, rules: [a], timespan: 10s, condition: {field: user, gte: 2}"];
    expect(
      finals(rule, [
        [0, "a", { user: "x" }],
        [1, "a"],
        [2, "a", { user: null }],
      ]),
    ).toEqual([]);
    expect(
      finals(rule, [
        [0, "a", { user: "x" }],
        [1, "a", { user: "" }],
      ]),
    ).toHaveLength(1);
  });

  test("the same value many times is one", () => {
    const rule = ["type: value_count, rules: [a], timespan: 10s, condition: {field: user, gte: 2}"];
    expect(
      finals(rule, [
        [0, "a", { user: "x" }],
        [1, "a", { user: "x" }],
        [2, "a", { user: "x" }],
      ]),
    ).toEqual([]);
  });

  test("a value leaves the count with its last event, not with its first", () => {
    const rule = ["type: value_count, rules: [a], timespan: 10s, condition: {field: user, gte: 2}"];
    expect(
      seconds(
        finals(rule, [
          [0, "a", { user: "x" }],
          [5, "a", { user: "x" }],
          [14, "a", { user: "y" }],
        ]),
      ),
    ).toEqual([14]);
  });

  test("events without a group field are no group of their own", () => {
    const rule = ["type: event_count, rules: [a], group-by: [user], timespan: 10s, condition: {gte: 2}"];
    expect(
      finals(rule, [
        [0, "a"],
        [1, "a"],
        [2, "a", { user: null }],
        [3, "a", { user: null }],
      ]),
    ).toEqual([]);
    expect(
      finals(rule, [
        [0, "a", { user: "" }],
        [1, "a", { user: "" }],
      ]),
    ).toHaveLength(1);
  });

  test("values that meet in text are no tuple that meets", () => {
    const rule = ["type: value_count, rules: [a], timespan: 10s, condition: {field: [x, y], gte: 2}"];
    expect(
      finals(rule, [
        [0, "a", { x: "1,2", y: "3" }],
        [1, "a", { x: "1", y: "2,3" }],
      ]),
    ).toHaveLength(1);
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
    expect(
      finals(rule, [
        [0, "a", { v: 1 }],
        [1, "a", { v: "3" }],
        [2, "a", { v: "n/a" }],
        [3, "a"],
        [4, "a", { v: null }],
      ]),
    ).toHaveLength(1);
  });
});
