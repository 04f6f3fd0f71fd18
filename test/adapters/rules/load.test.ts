import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { loadRules } from "../../../src/adapters/rules/load.ts";
import { parseRuleFile } from "../../../src/adapters/rules/yaml.ts";
import { compilePlain } from "../../core/sigma/build.ts";

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "custodes-rules-"));
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

function write(path: string, text: string | Uint8Array): string {
  const full = join(root, path);
  mkdirSync(join(full, ".."), { recursive: true });
  writeFileSync(full, text);
  return full;
}

describe("rule files", () => {
  test("directories are searched in order, without tests, hidden names and other files", () => {
    for (const path of ["b/two.yaml", "a/one.yml", "a/one.test.yml", "a/two.test.yaml", "README.md", ".git/x.yml", "B.YML", "a/z/deep.yml"])
      write(path, "title: x\n");
    expect(loadRules([root]).map((one) => one.path.slice(root.length + 1))).toEqual(["B.YML", "a/one.yml", "a/z/deep.yml", "b/two.yaml"]);
  });

  test("a file is loaded once, whatever leads to it", () => {
    const file = write("a/one.yml", "title: x\n");
    symlinkSync(join(root, "a"), join(root, "link"));
    symlinkSync(root, join(root, "a", "circle"));
    symlinkSync(join(root, "gone"), join(root, "a", "dangling.yml"));
    expect(loadRules([root, file, join(root, "a")])).toHaveLength(1);
  });

  test("a given file is read whatever its name, a given path that is not there is a mistake", () => {
    expect(loadRules([write("rules.txt", "title: x\n")])).toHaveLength(1);
    expect(loadRules([write("one.test.yml", "title: x\n")])).toEqual([]);
    expect(() => loadRules([join(root, "nowhere")])).toThrow(expect.objectContaining({ kind: "config", code: "CONFIG_INVALID" }));
  });

  test("a file that is no text or too large is a document with an error", () => {
    const errorOf = (path: string): string | undefined => loadRules([path])[0]!.error?.message;
    expect(errorOf(write("a.yml", new Uint8Array([0x74, 0xff, 0xfe])))).toBe("the file is not UTF-8 text");
    expect(errorOf(write("b.yml", "#".repeat(5 * 1024 * 1024)))).toContain("larger than");
    expect(loadRules([write("c.yml", "\ufefftitle: x\n")])[0]!.value).toEqual({ title: "x" });
  });
});

describe("documents", () => {
  test("each has its first line and the lines of its keys", () => {
    const [first, second] = parseRuleFile("r.yml", "# words\n\ntitle: a\nlist:\n  - x\n  - k: v\n    l: w\n---\n# more\ntitle: b\n");
    expect([first!.line, second!.line]).toEqual([3, 10]);
    const lines = [["title"], ["list"], ["list", 0], ["list", 1], ["list", 1, "l"], ["list", 1, "none", 5], ["nope"], []];
    expect(lines.map((keys) => first!.lineOf(keys))).toEqual([3, 4, 5, 6, 7, 6, 3, 3]);
    expect(second!.lineOf(["title"])).toBe(10);
  });

  test("empty ones are skipped", () => {
    expect(parseRuleFile("r.yml", "---\n---\n# nothing\n---\ntitle: a\n---\n")).toHaveLength(1);
    expect(parseRuleFile("r.yml", "")).toEqual([]);
    expect(parseRuleFile("r.yml", "null\n")).toHaveLength(1);
  });

  test("a syntax error rejects its document and the rest of the file", () => {
    const documents = parseRuleFile("r.yml", "title: a\n---\ntitle: [b\nid: x\n---\ntitle: c\n");
    expect(documents.map((one) => one.error === undefined)).toEqual([true, false]);
    expect(documents[1]!.error!.line).toBeGreaterThan(2);
    const { rejected } = compilePlain("title: a: b\n---\ntitle: c\n");
    expect(rejected).toHaveLength(1);
    expect(rejected[0]!.reason).toContain("not valid YAML");
  });

  test("duplicate keys reject the document alone, by its id", () => {
    const good = "title: B\nlogsource: {category: x}\ndetection:\n  s: {a: 1}\n  condition: s\n";
    const { rejected, detections } = compilePlain(`title: A\nid: dup\nlevel: low\nlevel: high\n---\n${good}`);
    expect(rejected).toEqual([{ rule: "dup", file: "rules.yml", line: 4, reason: "not valid YAML: Map keys must be unique" }]);
    expect(detections).toHaveLength(1);
  });

  test("keys that change prototypes are keys like others", () => {
    const [document] = parseRuleFile("r.yml", "title: a\n__proto__: {x: 1}\n");
    expect(Object.keys(document!.value as object)).toEqual(["title", "__proto__"]);
    expect(Object.getPrototypeOf(document!.value)).toBe(Object.prototype);
  });

  test.each([
    ["? [a]\n: b\n", "a key must be a plain text"],
    ["<<: {a: 1}\n", "the key << is not supported"],
    ["~: 1\n", "the key null is not supported"],
    ["a: !ruby/object x\n", "not valid YAML"],
    [
      `${Array.from({ length: 12 }, (_, i) => (i === 0 ? "a0: &a0 [x]" : `a${i}: &a${i} [${`*a${i - 1},`.repeat(9)}]`)).join("\n")}\n`,
      "not valid YAML",
    ],
    ["a: *nope\n", "not valid YAML"],
    ["a:\n\t- b\n", "not valid YAML"],
  ])("%.40j is refused: %s", (text, reason) => {
    expect(parseRuleFile("r.yml", text)[0]!.error?.message).toContain(reason);
  });

  test("nesting without end is refused, not crashed on", () => {
    for (const depth of [100, 200, 400, 600, 800, 3000])
      expect(parseRuleFile("r.yml", `a: ${"[".repeat(depth)}${"]".repeat(depth)}\n`)).toHaveLength(1);
    const { rejected } = compilePlain(`title: T\na: ${"[".repeat(20_000)}\n`);
    expect(rejected).toHaveLength(1);
  });

  test.each([
    ["yes", "the boolean true"],
    ["No", "the boolean false"],
    ["on", "the boolean true"],
    ["OFF", "the boolean false"],
    ["y", "the boolean true"],
    ["12:30:45", "a number in base 60"],
    ["0777", "a number in base 8"],
    ["0o17", "a text"],
    ["0b101", "a number in base 2"],
    ["1_000", "a number with separators"],
    ["1e3", "a text"],
    ["1.5e3", "a text"],
    [".5E3", "a text"],
    ["08", "a text"],
    ["-019", "a text"],
    ["1_000", "a number with separators"],
    ["1_000.5", "a number with separators"],
    [".1_5", "a number with separators"],
    ["1.5_0e+3", "a number with separators"],
    ["012", "a number in base 8"],
    ["0o7", "a text"],
    ["1:30", "a number in base 60"],
    ["1:30.5", "a number in base 60"],
    ["0:30.5", "a number in base 60"],
    ["2026-01-31", "a date"],
    ["2026-01-31T10:00:00Z", "a time"],
  ])("%s gets a warning: YAML 1.1 makes it %s", (value, what) => {
    const [document] = parseRuleFile("r.yml", `title: a\nx:\n  - ${value}\n`);
    expect(document!.warnings).toHaveLength(1);
    expect(document!.warnings![0]!.line).toBe(3);
    expect(document!.warnings![0]!.message).toContain(`${what} in YAML 1.1`);
    expect(parseRuleFile("r.yml", `x: '${value}'\n`)[0]!.warnings).toEqual([]);
  });

  test.each([
    "true",
    "10",
    "1.5",
    "0x1F",
    "~",
    "null",
    ".inf",
    "text",
    "-7",
    "0",
    "1.5e+3",
    ".5",
    "1.",
    "a_b",
    "_1",
    "0.0",
    "10.0.0.1",
    "1:2:3:x",
    "::1",
  ])("%s means the same in both", (value) => {
    expect(parseRuleFile("r.yml", `x: ${value}\n`)[0]!.warnings).toEqual([]);
  });

  test("the dates of a rule are texts by definition", () => {
    expect(parseRuleFile("r.yml", "date: 2026-01-31\nmodified: 2026-01-31\n")[0]!.warnings).toEqual([]);
    expect(parseRuleFile("r.yml", "x: {date: 2026-01-31}\n")[0]!.warnings).toHaveLength(1);
  });

  test("values are those of YAML 1.2's core schema", () => {
    const [document] = parseRuleFile("r.yml", "a: 0777\nb: yes\nc: 0x10\nd: 0o10\ne: 2026-01-31\nf: 1e3\ng: True\n");
    expect(document!.value).toEqual({ a: 777, b: "yes", c: 16, d: 8, e: "2026-01-31", f: 1000, g: true });
  });
});
