import { describe, expect, test } from "vitest";
import { parseRuleFile } from "../../../src/adapters/rules/yaml.ts";
import { regexEngine } from "../../../src/adapters/rules/re2.ts";
import { compileRules } from "../../../src/core/sigma/compile.ts";
import { eventReader } from "../../../src/core/sigma/event-reader.ts";
import { compilePlain, plain } from "./build.ts";

/** A detection rule by id and name. */
function base(name: string, selection = `{kind: ${name}}`, logsource = "{category: x}"): string {
  return `title: ${name}\nid: id-${name}\nname: ${name}\nlogsource: ${logsource}\ndetection:\n  s: ${selection}\n  condition: s\n`;
}

function count(name: string, rules: string, extra = ""): string {
  return `title: ${name}\nid: id-${name}\nname: ${name}\ncorrelation:\n  type: event_count\n  rules: ${rules}\n  timespan: 5m\n  condition: {gte: 2}\n${extra}`;
}

function pack(...documents: readonly string[]): ReturnType<typeof compilePlain> {
  return compilePlain(documents.join("---\n"));
}

describe("aliases", () => {
  const section = (aliases: string, rest = "  group-by: [who]\n"): string =>
    `title: T\ncorrelation:\n  type: temporal\n  rules: [a, b]\n${rest}  timespan: 5m\n  aliases: ${aliases}\n`;

  test("give a group name a field per rule, by name or id", () => {
    const { correlations, rejected } = pack(base("a"), base("b"), section("{who: {a: x.user, id-b: actor}}", "  group-by: [who, host]\n"));
    expect(rejected).toEqual([]);
    const [who, host] = correlations[0]!.groupBy;
    expect([who!.path("id-a"), who!.path("id-b"), host!.path("id-a")]).toEqual(["x.user", "actor", "host"]);
    expect(who!.read("id-a")!(plain({ x: { user: "u" } }))).toBe("u");
    expect(who!.read("id-b")!(plain({ actor: "v" }))).toBe("v");
    expect(who!.read("id-nobody")).toBeNull();
  });

  test.each([
    ["{who: {a: x}}", 'has no field for "id-b"; it must cover every referenced rule'],
    ["{who: {a: x, b: y, c: z}}", 'the alias names "c", which "rules" does not'],
    ["{whom: {a: x, b: y}}", 'the alias "whom" is not in group-by'],
    ["{who: {a: x, b: 5}}", '"b" must be a text'],
    ["{who: x}", '"who" must be a map'],
    ["{who: {a: x, id-a: x, b: y}}", "twice, by id and by name"],
  ])("%s is rejected: %s", (aliases, reason) => {
    expect(
      pack(base("a"), base("b"), base("c"), section(aliases))
        .rejected.map((one) => one.reason)
        .join(),
    ).toContain(reason);
  });

  test("do not reach the counted field", () => {
    const text = `title: T\ncorrelation:\n  type: value_count\n  rules: [a]\n  group-by: [who]\n  timespan: 5m\n  aliases: {who: {a: x}}\n  condition: {field: who, gte: 2}\n`;
    const [correlation] = pack(base("a"), text).correlations;
    expect(correlation!.fields[0]!.read(plain({ x: 1, who: 2 }))).toBe(2);
  });
});

describe("muting", () => {
  const alerting = (set: ReturnType<typeof compilePlain>): readonly string[] =>
    [...set.detections, ...set.correlations].filter((one) => one.alerts).map((one) => one.info.title);

  test("covers every referenced document, correlations too", () => {
    expect(alerting(pack(base("a"), base("b"), count("inner", "[a]"), count("outer", "[inner]")))).toEqual(["b", "outer"]);
  });

  test("is lifted by generate of any referring rule, at the top or in the section", () => {
    expect(alerting(pack(base("a"), count("one", "[a]"), count("two", "[a]", "generate: true\n")))).toEqual(["a", "one", "two"]);
    expect(alerting(pack(base("a"), count("one", "[a]").replace("timespan", "generate: true\n  timespan")))).toEqual(["a", "one"]);
    expect(alerting(pack(base("a"), count("one", "[a]", "generate: false\n")))).toEqual(["one"]);
    const both = count("one", "[a]", "generate: true\n").replace("timespan", "generate: false\n  timespan");
    expect(pack(base("a"), both).rejected[0]!.reason).toContain("given twice, differently");
  });

  test("a rejected rule mutes nothing", () => {
    const broken = count("one", "[a]").replace("5m", "5 m");
    expect(alerting(pack(base("a"), broken))).toEqual(["a"]);
    expect(alerting(pack(base("a"), count("one", "[a, nobody]")))).toEqual(["a"]);
    expect(alerting(pack(base("a"), count("one", "[a]"), count("two", "[one, nobody]")))).toEqual(["one"]);
  });
});

describe("chains", () => {
  const grouped = (name: string, rules: string, groups: string): string =>
    count(name, rules).replace("timespan", `group-by: ${groups}\n  timespan`);

  test("a correlation reads the group of an inner one by path", () => {
    const { correlations, rejected } = pack(
      base("a"),
      grouped("outer", "[inner, a]", "[who]").replace("timespan", "aliases: {who: {inner: user, a: actor.id}}\n  timespan"),
      grouped("inner", "[a]", "[user, host]"),
    );
    expect(rejected).toEqual([]);
    const outer = correlations.find((one) => one.info.title === "outer")!;
    expect(outer.rules).toEqual(["id-inner", "id-a"]);
    expect(outer.groupBy[0]!.read("id-inner")).toBeNull();
    expect(outer.groupBy[0]!.path("id-inner")).toBe("user");
    expect(outer.groupBy[0]!.read("id-a")!(plain({ actor: { id: 5 } }))).toBe(5);
  });

  test("an outer group field that the inner one lacks rejects the outer rule only", () => {
    const { correlations, rejected } = pack(base("a"), grouped("inner", "[a]", "[user]"), grouped("outer", "[inner]", "[usr]"));
    expect(correlations.map((one) => [one.info.title, one.alerts])).toEqual([["inner", true]]);
    expect(rejected[0]!.reason).toBe('the correlation "id-inner" does not group by "usr"; did you mean "user"?');
  });

  test("a counted field that the inner one lacks is warned about", () => {
    const outer = `title: O\ncorrelation:\n  type: value_count\n  rules: [inner]\n  timespan: 5m\n  condition: {field: host, gte: 2}\n`;
    const { correlations, warnings } = pack(base("a"), grouped("inner", "[a]", "[user]"), outer);
    expect(correlations).toHaveLength(2);
    expect(warnings.map((one) => one.message).join()).toContain('alerts of "id-inner" have no "host"');
    expect(correlations.find((one) => one.info.title === "O")!.fields[0]!.read(plain({ host: 1 }))).toBeUndefined();
  });

  test("cycles are rejected, and what leads into one", () => {
    const { correlations, rejected } = pack(
      base("a"),
      count("one", "[two]"),
      count("two", "[three, a]"),
      count("three", "[one]"),
      count("self", "[self]"),
      count("before", "[one]"),
      count("fine", "[a]"),
    );
    expect(correlations.map((one) => one.info.title)).toEqual(["fine"]);
    expect(rejected.map((one) => [one.rule, one.reason])).toEqual([
      ["id-one", 'the correlation refers to itself through "id-two"'],
      ["id-two", 'the correlation refers to itself through "id-three"'],
      ["id-three", 'the correlation refers to itself through "id-one"'],
      ["id-self", 'the correlation refers to itself through "id-self"'],
      ["id-before", 'the correlation refers to "id-one", which was rejected'],
    ]);
  });

  test("a rejected inner rule rejects all that is built on it", () => {
    const { correlations, rejected } = pack(base("a", "{'k|nope': 1}"), count("inner", "[a]"), count("outer", "[inner]"));
    expect(correlations).toEqual([]);
    expect(rejected.map((one) => [one.rule, one.line])).toEqual([
      ["id-a", 6],
      ["id-inner", 14],
      ["id-outer", 23],
    ]);
    expect(rejected[1]!.reason).toBe('the correlation refers to "a", which was rejected');
  });

  test("a long chain is linked whatever the order of its documents", () => {
    const length = 500;
    const names = Array.from({ length }, (_, index) => `c${String(index).padStart(4, "0")}`);
    const documents = names.map((name, index) => count(name, index + 1 < length ? `[${names[index + 1]}]` : "[a]"));
    const { correlations, rejected } = pack(...documents, base("a"));
    expect(rejected).toEqual([]);
    expect(correlations.filter((one) => one.alerts).map((one) => one.info.title)).toEqual(["c0000"]);
  });
});

describe("filters", () => {
  const filter = (rules: string, body: string, logsource = "{category: x}", name = "f"): string =>
    `title: ${name}\nname: ${name}\nlogsource: ${logsource}\nfilter:\n  rules: ${rules}\n${body}`;
  const NOT_ADMIN = "  s: {user|startswith: adm_}\n  condition: not s\n";

  test("are ANDed to the rules that they name, with identifiers of their own", () => {
    const { detections, rejected } = pack(base("a", "{kind: 1}"), base("b", "{kind: 1}"), filter("[a]", NOT_ADMIN));
    expect(rejected).toEqual([]);
    const [a, b] = detections;
    expect(a!.matches(plain({ kind: 1, user: "bob" }))).toBe(true);
    expect(a!.matches(plain({ kind: 1, user: "adm_bob" }))).toBe(false);
    expect(b!.matches(plain({ kind: 1, user: "adm_bob" }))).toBe(true);
  });

  test("an of in a rule does not see a filter's identifiers", () => {
    const rule = base("a").replace("condition: s", "condition: all of them");
    const [a] = pack(rule, filter("[id-a]", "  s2: {user: adm}\n  condition: not s2\n")).detections;
    expect(a!.matches(plain({ kind: "a", user: "x" }))).toBe(true);
  });

  test("any means every detection rule whose logsource the filter's contains", () => {
    const { detections } = pack(
      base("a", "{kind: 1}", "{category: x, product: p}"),
      base("b", "{kind: 1}", "{product: p}"),
      base("c", "{kind: 1}", "{category: y, product: p}"),
      filter("any", NOT_ADMIN, "{category: x}"),
      filter("any", "  s: {host: h}\n  condition: not s\n", "{product: p}", "g"),
    );
    const verdicts = (event: object): readonly boolean[] => detections.map((one) => one.matches(plain(event)));
    expect(verdicts({ kind: 1, user: "adm_x" })).toEqual([false, true, true]);
    expect(verdicts({ kind: 1, host: "h" })).toEqual([false, false, false]);
  });

  test("what it cannot filter is warned about", () => {
    const { detections, warnings, rejected } = pack(
      base("a", "{kind: 1}"),
      base("other", "{kind: 1}", "{category: y}"),
      count("corr", "[a]"),
      filter("[a, nobody, other, corr]", "  s: {user: x}\n  condition: s\n"),
    );
    expect(rejected).toEqual([]);
    const messages = warnings.filter((one) => one.rule === "f").map((one) => one.message);
    expect(messages).toEqual([
      'no rule has the id or name "nobody"',
      'the filter\'s logsource does not contain that of "other"',
      '"corr" is a correlation; filters apply to detection rules',
      'the filter\'s condition has no "not": it keeps what it describes and drops the rest',
    ]);
    expect(detections.map((one) => one.matches(plain({ kind: 1 })))).toEqual([false, true]);
  });

  test("a rejected filter filters nothing", () => {
    const { detections, rejected } = pack(base("a", "{kind: 1}"), filter("any", "  s: {'user|nope': 1}\n  condition: not s\n"));
    expect(rejected.map((one) => one.rule)).toEqual(["f"]);
    expect(detections[0]!.matches(plain({ kind: 1, user: 1 }))).toBe(true);
  });

  test.each([
    ["  s: {a: 1}\n  condition: not s\n", "names no rules"],
    ["  rules: all\n  s: {a: 1}\n  condition: not s\n", 'must be "any" or a list'],
    ["  rules: [5]\n  s: {a: 1}\n  condition: not s\n", "must hold ids or names"],
    ["  rules: any\n  condition: not s\n", "nothing to search for"],
    ["  rules: any\n  s: {a: 1}\n", "the condition is missing"],
    ["  rules: any\n  s: {a: 1}\n  condition: not t\n", "which is no identifier"],
  ])("%j is rejected: %s", (body, reason) => {
    expect(pack(`title: F\nlogsource: {category: x}\nfilter:\n${body}`).rejected[0]!.reason).toContain(reason);
  });

  test("on normalized events the product agent says nothing", () => {
    const text = `${base("a", "{agent.role: x}", "{category: egress}")}---\n${filter("any", "  s: {agent.state: active}\n  condition: not s\n", "{product: agent}")}`;
    const { detections } = compileRules(parseRuleFile("r.yml", text), { reader: eventReader, regex: regexEngine, logsource: true });
    expect(detections[0]!.predicate!.parts.map((part) => part.kind)).toEqual(["category", "field", "not"]);
  });
});
