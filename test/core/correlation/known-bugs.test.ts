/** Mistakes that correlation engines are known for, each with the smallest history that shows it. */
import { describe, expect, test } from "vitest";
import { at, finals, plainEvents, running, seconds, type Happened } from "./known-bugs.ts";

describe("sequences", () => {
  const ordered = ["type: temporal_ordered, rules: [a, b, c], timespan: 10s"];

  test("order is checked between all rules, not only against the first", () => {
    expect(finals(ordered, at("0 a; 1 c; 2 b"))).toEqual([]);
    expect(seconds(finals(ordered, at("0 a; 1 b; 2 c")))).toEqual([2]);
  });

  test("an early event of a later rule does not hide a later one that fits", () => {
    expect(seconds(finals(ordered, at("0 c; 1 b; 2 a; 3 c; 4 b; 5 c")))).toEqual([5]);
  });

  test("a later start is found when the first one is too old", () => {
    expect(seconds(finals(ordered, at("0 a; 5 a; 6 b; 14 c")))).toEqual([14]);
  });

  test("the whole sequence lies in the timespan, not each step", () => {
    expect(finals(ordered, at("0 a; 8 b; 16 c"))).toEqual([]);
  });

  test("a second sequence is found after the first", () => {
    expect(seconds(finals(ordered, at("0 a; 1 b; 2 c; 30 a; 31 b; 32 c")))).toEqual([2, 32]);
  });

  test("events of one time stand in any order", () => {
    expect(seconds(finals(ordered, at("3 c; 3 b; 3 a")))).toEqual([3]);
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
      expect(finals(grouped, at('0 a host="h1"; 1 b host="h2"'))).toEqual([]);
      expect(finals(grouped, at('0 a host="h1"; 1 b host="h1"'))).toHaveLength(1);
    }
  });

  test("a set of two rules is not met by two events of one", () => {
    expect(finals(["type: temporal, rules: [a, b], timespan: 10s"], at("0 a; 1 a; 2 a"))).toEqual([]);
  });
});

describe("windows", () => {
  const three = ["type: event_count, rules: [a], timespan: 10s, condition: {gte: 3}"];

  test("an event exactly a timespan ago counts, one a millisecond older does not", () => {
    expect(finals(three, at("0 a; 5 a; 10 a"))).toHaveLength(1);
    expect(finals(three, at("0 a; 5 a; 10.001 a"))).toEqual([]);
  });

  test("a window does not start anew at fixed times: a burst across a boundary is one", () => {
    expect(seconds(finals(three, at("8 a; 9 a; 12 a")))).toEqual([12]);
  });

  test("a window does not begin with the first event and wait to be over", () => {
    expect(seconds(finals(three, at("0 a; 9 a; 12 a; 13 a")))).toEqual([13]);
  });

  test("more events than wanted is no less", () => {
    const made = finals(three, at("0 a; 1 a; 2 a; 3 a; 4 a"));
    expect(seconds(made)).toEqual([2, 3, 4]);
    expect(made.map(({ count }) => count)).toEqual([3, 4, 5]);
  });

  test("equality means exactly so many in a whole window, and never the first event of many", () => {
    const exactly = ["type: event_count, rules: [a], timespan: 10s, condition: {eq: 1}"];
    expect(finals(exactly, at("0 a; 1 a; 2 a"))).toEqual([]);
    expect(seconds(finals(exactly, at("0 a; 1 a; 12 a")))).toEqual([10]);
  });

  test("fewer than so many is not said at the first event", () => {
    const few = running("type: event_count, rules: [a], timespan: 10s, condition: {lt: 3}");
    expect(few.push(plainEvents(at("0 a")))).toEqual([]);
    expect(few.advance({ all: 9_999 })).toEqual([]);
    expect(few.push(plainEvents(at("0 a; 1 a; 2 a; 3 a")).slice(1))).toEqual([]);
    expect(few.finish()).toEqual([]);
  });

  test("a group that falls silent is reported once, with none, and not for ever", () => {
    const silent = ["type: event_count, rules: [a], group-by: [host], timespan: 10s, condition: {lt: 1}"];
    const made = finals(silent, at('0 a host="h1"; 60 a host="h2"'));
    expect(made.map(({ group, bucket, count }) => [group["host"], bucket, count])).toEqual([["h1", 10_000, 0]]);
  });

  test("a silence of all is reported for each window, also where no event ends it", () => {
    const silent = running("type: event_count, rules: [a], timespan: 10s, condition: {lt: 1}");
    silent.push(plainEvents(at("0 a")));
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
    expect(finals(["type: event_count, rules: [a], timespan: 1m, condition: {gte: 2}"], at("0 a; 61 a"))).toEqual([]);
  });

  test("the same event twice counts once", () => {
    const made = running(...three);
    const [one, two] = plainEvents(at("0 a; 1 a"));
    made.push([one!, one!, two!]);
    made.push([two!, one!]);
    expect(made.finish().filter(({ ruleId }) => ruleId === "rule0")).toEqual([]);
  });

  test("one rule that has fired takes no events from another", () => {
    const made = finals([...three, "type: event_count, rules: [a], timespan: 10s, condition: {gte: 4}"], at("0 a; 1 a; 2 a; 3 a"));
    expect(made.map(({ ruleId, bucket }) => [ruleId, bucket])).toEqual([
      ["rule0", 2000],
      ["rule0", 3000],
      ["rule1", 3000],
    ]);
  });

  test("counting starts anew for no group but its own, and a group that was suppressed hides no other", () => {
    const grouped = ["type: event_count, rules: [a], group-by: [host], timespan: 10s, condition: {gte: 2}"];
    const made = finals(grouped, at('0 a host="h1"; 0 a host="h2"; 1 a host="h1"; 1 a host="h2"'));
    expect(made.map(({ group }) => group["host"]).toSorted((x, y) => (x! < y! ? -1 : 1))).toEqual(["h1", "h2"]);
  });
});

describe("absence", () => {
  test("is not told before its deadline, and not later than the watermark that proves it", () => {
    const made = running("type: temporal, condition: a and not b, timespan: 10s");
    expect(made.push(plainEvents(at("0 a")))).toEqual([]);
    expect(made.advance({ all: 10_000 })).toEqual([]);
    expect(made.advance({ all: 10_001 })).toHaveLength(1);
  });

  test("a trailing one is told without any later event of its group", () => {
    expect(finals(["type: temporal_ordered, rules: [a, b], condition: a and not b, timespan: 10s"], at("0 a"))).toHaveLength(1);
  });

  test("is taken back by an event at its very end, and by none after it", () => {
    const rule = ["type: temporal_ordered, rules: [a, b], condition: a and not b, timespan: 10s"];
    expect(finals(rule, at("0 a; 10 b"))).toEqual([]);
    expect(finals(rule, at("0 a; 10.001 b"))).toHaveLength(1);
  });

  test("is of the same group", () => {
    const rule = ["type: temporal, condition: a and not b, group-by: [host], timespan: 10s"];
    expect(finals(rule, at('0 a host="h1"; 1 b host="h2"'))).toHaveLength(1);
    expect(finals(rule, at('0 a host="h1"; 1 b host="h1"'))).toEqual([]);
  });

  test("between two events is no absence before or after them", () => {
    const rule = ["type: temporal_ordered, rules: [a, b, c], condition: a and not b and c, timespan: 10s"];
    expect(finals(rule, at("0 b; 1 a; 2 c; 3 b"))).toHaveLength(1);
    expect(finals(rule, at("1 a; 2 b; 3 c"))).toEqual([]);
  });
});

describe("chains", () => {
  test("a correlation over correlations fires", () => {
    const made = finals(
      [
        "type: event_count, rules: [a], group-by: [host], timespan: 10s, condition: {gte: 2}",
        "type: temporal_ordered, rules: [rule0, b], group-by: [host], timespan: 10s",
      ],
      at('0 a host="h"; 1 a host="h"; 2 b host="h"'),
    );
    expect(made.map(({ ruleId, group }) => [ruleId, group])).toEqual([["rule1", { host: "h" }]]);
  });

  test("an inner alert that grows is still one event", () => {
    const made = finals(
      [
        "type: event_count, rules: [a], timespan: 900s, condition: {gte: 1}",
        "type: event_count, rules: [rule0], timespan: 10s, condition: {gte: 2}",
      ],
      at("0 a; 0.1 a; 0.2 a; 0.3 a"),
    );
    expect(made).toEqual([]);
  });
});
