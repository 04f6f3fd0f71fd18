import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseRuleFile } from "../../../src/adapters/rules/yaml.ts";
import { regexEngine } from "../../../src/adapters/rules/re2.ts";
import type { Alert } from "../../../src/core/alert.ts";
import type { BaselineHead, BaselineRow } from "../../../src/core/correlation/baseline.ts";
import { baselineKey } from "../../../src/core/correlation/baseline-key.ts";
import { engine } from "../../../src/core/correlation/engine.ts";
import { addExactly, canonicalSum, exactSum } from "../../../src/core/correlation/exact-sum.ts";
import { keyedHash, numberedHash } from "../../../src/core/correlation/keyed-hash.ts";
import { knownTimes } from "../../../src/core/correlation/known-times.ts";
import { parseUnits, unitsText } from "../../../src/core/correlation/units-text.ts";
import { compileRules } from "../../../src/core/sigma/compile.ts";
import { eventReader } from "../../../src/core/sigma/event-reader.ts";
import { detection, ruleSet, testReader, uuid5, type CorrelationSpec, type TestEvent } from "./build.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const NOVEL: CorrelationSpec = {
  id: "novel",
  type: "new_value",
  rules: ["d"],
  groupBy: ["x"],
  timespanMs: 0,
  suppressMs: HOUR,
  threshold: {},
  fields: ["v"],
  more: { newValue: { lookbackMs: 10 * DAY, minHistoryMs: DAY } },
};

const uuidDigest = (text: string): string => uuid5(text).replaceAll("-", "");

const made = (spec = NOVEL) =>
  engine(ruleSet([detection("d")], [spec]), { reader: testReader, uuid5, latenessMs: 60_000, baselines: true });
const event = (time: number, v: string, x = "g"): TestEvent => ({ uid: `${time}${v}${x}`, time, is: ["d"], x, v });

const finalEvidence = (alerts: readonly Alert[]) => alerts.filter(({ final }) => final).map(({ evidence }) => evidence);

/** What a run of days leaves, and its head. */
function learned(): { head: BaselineHead; rows: readonly BaselineRow[] } {
  const run = made();
  run.push([event(0, "old"), event(DAY, "a"), event(3 * DAY, "b")]);
  run.advance({ all: 5 * DAY });
  const [change] = run.changedBaselines();
  return change!;
}

describe("what a rule remembers", () => {
  it("is only what is decided for good, once, and the head says up to when", () => {
    const run = made();
    run.push([event(0, "a"), event(10, "a"), event(DAY, "b")]);
    run.advance({ all: DAY + 10 });
    const group = ["g"];
    expect(run.changedBaselines()).toMatchObject([
      {
        head: { rule: "novel", type: "new_value", groupBy: ["x"], fields: ["v"], until: DAY - HOUR, depthMs: 10 * DAY },
        rows: [
          { kind: "value", group, value: "a", time: 10 },
          { kind: "first", group, time: 0 },
        ],
      },
    ]);
    expect(run.changedBaselines()).toEqual([]);
    run.advance({ all: DAY + HOUR + 59_999 });
    expect(run.changedBaselines()).toMatchObject([{ head: { until: DAY }, rows: [] }]);
    run.advance({ all: DAY + HOUR + 60_000 });
    expect(run.changedBaselines()).toMatchObject([{ head: { until: DAY + HOUR }, rows: [{ kind: "value", value: "b", time: DAY }] }]);
  });

  it("needs no replay of the days that it looks back, once they are restored, and finds new what was never seen", () => {
    const { head, rows } = learned();
    const run = made();
    expect(run.horizonMs).toBe(11 * DAY + 2 * HOUR + 60_000);
    expect(run.restore(head, rows)).toBe(true);
    expect(run.horizonMs).toBe(2 * HOUR + 60_000);
    run.live();
    run.push([event(6 * DAY, "a"), event(6 * DAY, "new"), event(6 * DAY, "new", "h"), event(13 * DAY + 1, "b")]);
    expect(finalEvidence(run.finish())).toEqual([[`${6 * DAY}newg`], [`${13 * DAY + 1}bg`]]);
  });

  it("is refused for another rule and another definition, and asks for the log when it reaches less far back than the rule", () => {
    const { head, rows } = learned();
    expect(made().restore({ ...head, rule: "other" }, rows)).toBe(false);
    expect(made().restore({ ...head, key: "other" }, rows)).toBe(false);
    const shallow = made({ ...NOVEL, more: { newValue: { lookbackMs: 20 * DAY, minHistoryMs: DAY } } });
    expect(shallow.restore(head, rows)).toBe(true);
    expect(shallow.horizonMs).toBeGreaterThan(20 * DAY);
    // What it knows still counts.
    shallow.push([event(0, "ancient"), event(6 * DAY, "a"), event(6 * DAY, "ancient"), event(6 * DAY, "new")]);
    expect(finalEvidence(shallow.finish())).toEqual([[`${6 * DAY}newg`]]);
  });

  it("is not changed, and nothing is held, by events of a replay that it knows already", () => {
    const { head, rows } = learned();
    const run = made();
    run.restore(head, rows);
    const before = run.stats.entries;
    run.push(Array.from({ length: 50 }, (_, index) => event(DAY + index, `x${index}`)));
    expect(run.stats.entries).toBe(before);
    run.advance({ all: 5 * DAY });
    run.live();
    run.advance({ all: 6 * DAY });
    expect(run.changedBaselines().flatMap((change) => change.rows)).toEqual([]);
  });

  it("holds an event that came far too late as soon as it was pushed, because its offset may be committed then", () => {
    const run = made();
    run.push([event(0, "a"), event(5 * DAY, "a")]);
    run.advance({ all: 5 * DAY });
    run.changedBaselines();
    const alerts = run.push([event(2 * DAY, "late")]);
    expect(alerts.map(({ evidence, final }) => [evidence, final])).toEqual([
      [[`${2 * DAY}lateg`], false],
      [[`${2 * DAY}lateg`], true],
    ]);
    expect(run.changedBaselines()[0]?.rows).toEqual([{ kind: "value", group: ["g"], value: "late", time: 2 * DAY }]);
  });

  it("is forgotten when it lies too far back, but a group's first time never is", () => {
    const run = made();
    run.push([event(0, "a"), event(0, "a", "h")]);
    for (let day = 1; day < 30; day++) {
      run.push([event(day * DAY, "b")]);
      run.advance({ all: day * DAY });
    }
    const changes = run.changedBaselines();
    expect(changes.at(-1)?.forgetBefore).toBeGreaterThan(15 * DAY);
    // Two first times, the one value of the last days, and what is not sealed.
    expect(run.stats.entries).toBeLessThan(6);
    run.push([event(31 * DAY, "a", "h")]);
    expect(finalEvidence(run.finish())).toEqual([[`${31 * DAY}ah`]]);
  });

  it("costs nothing where nobody takes it", () => {
    const run = engine(ruleSet([detection("d")], [NOVEL]), { reader: testReader, uuid5, latenessMs: 0 });
    run.push([event(0, "a")]);
    run.advance({ all: DAY });
    expect(run.changedBaselines().flatMap(({ rows }) => rows)).toEqual([]);
  });
});

const CALL = `
title: call
id: call
logsource: {product: agent, category: agent_api}
detection: {one: {api.operation: [x, y]}, two: {src_endpoint.ip: 1.1.1.1}, condition: one or not two}
`;
const RULE = `
title: novel
id: novel
correlation: {type: new_value, rules: [call], group-by: [ai_agent.uid], lookback: 9d, condition: {field: api.operation}}
`;
const OTHERS = `
title: first
id: aaa
logsource: {product: agent, category: dns}
detection: {one: {cloud.region: z}, two: {api.operation: y}, condition: not two or one}
`;

describe("the key of a baseline", () => {
  const keyOf = (...documents: string[]): string => {
    const rules = compileRules(parseRuleFile("r.yml", documents.join("---")), { reader: eventReader, regex: regexEngine, logsource: true });
    expect(rules.rejected).toEqual([]);
    return baselineKey(
      rules.correlations.find(({ info }) => info.id === "novel")!,
      rules,
      uuid5,
    );
  };
  const key = keyOf(CALL, RULE);

  it.each([
    ["a lookback", CALL, RULE.replace("9d", "3d")],
    ["the least history", CALL, RULE.replace("lookback: 9d", "lookback: 9d, min_history: 2d")],
    ["the title and the level", CALL, RULE.replace("title: novel", "title: other\nlevel: high")],
    ["the suppression", CALL, `${RULE}custodes: {suppress: 9h}\n`],
    ["other rules in the pack", `${OTHERS}---${CALL}`, RULE],
    ["the order of values, and the names in a condition", CALL.replace("[x, y]", "[y, x]").replaceAll("one", "uno"), RULE],
  ])("stays with %s", (_, call, rule) => expect(keyOf(call, rule)).toBe(key));

  it.each([
    ["another field", CALL, RULE.replace("field: api.operation", "field: src_endpoint.ip")],
    ["another group", CALL, RULE.replace("ai_agent.uid", "cloud.region")],
    ["another detection", CALL.replace("[x, y]", "[x]"), RULE],
    ["another condition of the detection", CALL.replace("one or not two", "one and not two"), RULE],
    ["another category", CALL.replace("category: agent_api", "category: egress"), RULE],
    [
      "a filter",
      `${CALL}---\ntitle: f\nid: f\nlogsource: {product: agent, category: agent_api}\nfilter: {rules: [call], s: {cloud.region: r}, condition: not s}\n`,
      RULE,
    ],
  ])("changes with %s", (_, call, rule) => expect(keyOf(call, rule)).not.toBe(key));
});

describe("the tables", () => {
  it("know what a map would", () => {
    const step = fc.oneof(
      { weight: 9, arbitrary: fc.record({ text: fc.string({ maxLength: 3 }), time: fc.integer() }) },
      fc.record({ before: fc.integer() }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        const hash = keyedHash(uuidDigest);
        const table = knownTimes();
        const map = new Map<string, number>();
        for (const one of steps) {
          if ("before" in one) {
            table.forget(one.before);
            for (const [text, time] of map) if (time < one.before) map.delete(text);
          } else {
            table.set(hash(one.text), one.time);
            map.set(one.text, one.time);
          }
          expect(table.size).toBe(map.size);
        }
        for (const one of steps) if ("text" in one) expect(table.get(hash(one.text))).toBe(map.get(one.text));
      }),
    );
  });

  it("stay small: no more than 32 bytes for each of many values", () => {
    const table = knownTimes();
    const hash = numberedHash();
    for (let index = 0; index < 100_000; index++) table.set(hash(`v${index}`), index);
    expect(table.bytes / table.size).toBeLessThan(32);
    table.forget(99_000);
    expect(table.size).toBe(1000);
    expect(table.bytes / table.size).toBeLessThan(32);
  });

  it("hash as the digest does, and equal texts of different groups differently", () => {
    const digests: string[] = [];
    const hash = keyedHash((text) => {
      digests.push(text);
      return "00000001fffffffe0123";
    });
    expect(hash("v")).toEqual({ high: 1, low: 0xffff_fffe });
    hash("v", { high: 3, low: 4 });
    expect(digests).toEqual(["v", "3 4 v"]);
  });

  it("hash differently whatever differs, the text or the group", () => {
    const texts = ["", "\0", "a", "ab", "ba", "3 4 a", "x".repeat(129)];
    const groups = [undefined, { high: 3, low: 4 }, { high: 4, low: 3 }, { high: 34, low: 0 }];
    for (const hash of [keyedHash(uuidDigest), numberedHash()]) {
      const found = texts.flatMap((text) => groups.map((group) => JSON.stringify(hash(text, group))));
      // Of a text that looks as if it were of a group: groups come from a rule, which hashes them without one.
      expect(new Set(found).size).toBe(found.length - 1);
      expect(JSON.stringify(hash("3 4 a"))).toBe(JSON.stringify(hash("a", { high: 3, low: 4 })));
    }
  });
});

describe("measures", () => {
  it("have one form and one text, and come back exactly", () => {
    fc.assert(
      fc.property(fc.array(fc.double({ noNaN: true, noDefaultInfinity: true })), fc.array(fc.maxSafeInteger()), (doubles, whole) => {
        const numbers = [...doubles, ...whole];
        const [up, down] = [exactSum(), exactSum()];
        for (const number of numbers) addExactly(up, number);
        for (const number of numbers.toReversed()) addExactly(down, number);
        expect(canonicalSum(up)).toEqual(canonicalSum(down));
        const { units } = canonicalSum(up);
        expect(parseUnits(unitsText(units))).toBe(units);
        expect(unitsText(units).length).toBeLessThan(560);
      }),
    );
    expect(canonicalSum({ whole: 3, units: 1n << 1074n })).toEqual({ whole: 4, units: 0n });
    expect(unitsText(-(3n << 1018n))).toBe("-3p1018");
  });

  it.each(["0", "p5", "-", "1p", "1p99999", "g", "1p2199x", "01", `1p2200`, "f".repeat(552), "1 ", "--1"])("are not read from %j", (text) =>
    expect(parseUnits(text)).toBeUndefined(),
  );
});
