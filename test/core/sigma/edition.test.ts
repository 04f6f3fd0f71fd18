import { describe, expect, test } from "vitest";
import { parseRuleFile } from "../../../src/adapters/rules/yaml.ts";
import { regexEngine } from "../../../src/adapters/rules/re2.ts";
import { compileDocuments } from "../../../src/core/sigma/compile.ts";
import { nextEdition, type Edition } from "../../../src/core/sigma/edition.ts";
import { plainReader, type PlainEvent } from "../../../src/core/sigma/plain-reader.ts";
import type { RuleDocument } from "../../../src/core/sigma/reader.ts";

const READER = plainReader();
const compile = (documents: readonly RuleDocument[]) =>
  compileDocuments(documents, { reader: READER, regex: regexEngine, logsource: false });
type Files = Readonly<Record<string, string>>;
const documentsOf = (files: Files): RuleDocument[] => Object.entries(files).flatMap(([path, text]) => [...parseRuleFile(path, text)]);

/** The editions that a series of states of the files leads to; the last one. */
function after(...states: readonly Files[]): Edition<PlainEvent> {
  let edition: Edition<PlainEvent> | undefined;
  for (const files of states) edition = nextEdition(edition?.loaded ?? [], documentsOf(files), compile);
  return edition!;
}
/** `id=value` of each detection: which version works. */
const working = (edition: Edition<PlainEvent>): string[] =>
  edition.rules.detections
    .map((one) => `${one.info.id}=${["1", "2", "3"].filter((a) => one.matches({ uid: "u", time: 0, value: { a } })).join("")}`)
    .concat(edition.rules.correlations.map(({ info, threshold }) => `${info.id}=${threshold.gte ?? ""}`))
    .sort();
const rule = (id: string, value: number | string, name = `${id}_n`): string =>
  `title: ${id}\nid: ${id}\nname: ${name}\nlogsource: { category: x }\ndetection: { s: { a: ${value} }, condition: s }\n`;
const count = (id: string, of: string, gte: number | string): string =>
  `title: ${id}\nid: ${id}\ncorrelation: { type: event_count, rules: [${of}], timespan: 1m, condition: { gte: ${gte} } }\n`;
const file = (...documents: readonly string[]): string => documents.join("---\n");
const BROKEN = "title: [\n";

describe("a change of rule files", () => {
  test("is taken as a whole when nothing is wrong", () => {
    const edition = after({ a: file(rule("r", 1), rule("gone", 1)) }, { a: rule("r", 2), b: rule("s", 3) });
    expect(working(edition)).toEqual(["r=2", "s=3"]);
    expect([edition.rejected, edition.kept]).toEqual([[], []]);
  });

  test("of a file with a syntax error keeps all rules that the file had, and takes the other files", () => {
    const edition = after({ a: file(rule("r", 1), rule("s", 1)), b: rule("t", 1) }, { a: BROKEN, b: rule("t", 2) });
    expect(working(edition)).toEqual(["r=1", "s=1", "t=2"]);
    expect(edition.rejected).toMatchObject([{ file: "a", line: 2 }]);
    expect(edition.kept).toEqual([
      { rule: "r", file: "a", line: 1 },
      { rule: "s", file: "a", line: 7 },
    ]);
  });

  test("takes the good documents of a file beside the older version of the bad one", () => {
    const edition = after(
      { a: file(rule("r", 1), rule("s", 1)) },
      { a: file(rule("r", "1\n  condition: ["), rule("s", 2), rule("new", 3)) },
    );
    // A syntax error hides what follows it.
    expect(working(edition)).toEqual(["r=1", "s=1"]);
    const rejected = after({ a: file(rule("r", 1), rule("s", 1)) }, { a: file(rule("r", "{}"), rule("s", 2), rule("new", 3)) });
    expect(working(rejected)).toEqual(["new=3", "r=1", "s=2"]);
    expect(rejected.kept).toEqual([{ rule: "r", file: "a", line: 1 }]);
  });

  test("heals when the file is mended, and keeps over several broken states", () => {
    const states = [{ a: rule("r", 1) }, { a: BROKEN }, { a: `${BROKEN}more` }];
    expect(working(after(...states))).toEqual(["r=1"]);
    const mended = after(...states, { a: rule("r", 2) });
    expect(working(mended)).toEqual(["r=2"]);
    expect([mended.rejected, mended.kept]).toEqual([[], []]);
  });

  test("drops a rule that is gone from a file where nothing is wrong, and a file that is gone", () => {
    expect(working(after({ a: file(rule("r", 1), rule("s", 1)), b: rule("t", 1) }, { a: rule("s", 1) }))).toEqual(["s=1"]);
  });

  test("keeps a correlation whose text is wrong on the new version of what it refers to", () => {
    const edition = after({ a: file(rule("r", 1), count("c", "r", 2)) }, { a: file(rule("r", 2), count("c", "r", "many")) });
    expect(working(edition)).toEqual(["c=2", "r=2"]);
  });

  test("keeps a correlation that refers to what does not exist", () => {
    const edition = after({ a: file(rule("r", 1), count("c", "r", 2)) }, { a: file(rule("r", 2), count("c", "other", 3)) });
    expect(working(edition)).toEqual(["c=2", "r=2"]);
    expect(edition.rejected).toMatchObject([{ rule: "c", reason: expect.stringContaining("other") }]);
  });

  test("keeps correlations of other files over the older version of what they refer to, and takes new ones over it", () => {
    const edition = after(
      { a: rule("r", 1), b: count("c", "r", 2) },
      {
        a: BROKEN,
        b: file(
          count("c", "r", 3),
          "title: n\nid: n\ncorrelation: { type: event_count, rules: [r], timespan: 1m, condition: { gte: 4 } }\n",
        ),
      },
    );
    expect(working(edition)).toEqual(["c=3", "n=4", "r=1"]);
    expect(edition.rejected).toHaveLength(1);
  });

  test("leaves a whole file as it was when the older rule does not fit to the new ones", () => {
    const edition = after(
      { a: file(rule("r", 1, "old"), count("c", "old", 2)) },
      { a: file(rule("r", 2, "new"), count("c", "new", "many")) },
    );
    expect(working(edition)).toEqual(["c=2", "r=1"]);
    expect(edition.rejected.map((one) => one.rule)).toEqual(expect.arrayContaining(["c", "r"]));
    expect(edition.rejected.find((one) => one.rule === "r")?.reason).toMatch(/until the other documents of its file/);
  });

  test("does not keep what another file has taken over", () => {
    const edition = after({ a: rule("r", 1) }, { a: BROKEN, b: rule("r", 2) });
    expect(working(edition)).toEqual(["r=2"]);
    expect(edition.kept).toEqual([]);
  });

  test("rejects a rule whose reference was removed, as a start would", () => {
    const edition = after({ a: rule("r", 1), b: count("c", "r", 2) }, { b: count("c", "r", 2) });
    expect(working(edition)).toEqual([]);
    expect(edition.rejected).toMatchObject([{ rule: "c", file: "b" }]);
  });

  test("keeps a filter whose text is wrong", () => {
    const filter = (value: string): string =>
      `title: f\nid: f\nlogsource: { category: x }\nfilter: { rules: any, s: { a: ${value} }, condition: not s }\n`;
    const edition = after({ a: rule("r", "[1, 2]"), f: filter("2") }, { a: rule("r", "[1, 2]"), f: filter("{}") });
    expect(working(edition)).toEqual(["r=1"]);
    expect(edition.kept).toEqual([{ rule: "f", file: "f", line: 1 }]);
  });
});
