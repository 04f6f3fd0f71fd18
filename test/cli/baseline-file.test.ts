/** Files of baselines come from other people: everything in them is checked, and the place of what is wrong is said. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { baselineWriter, readBaselines } from "../../src/cli/baseline-file.ts";
import { lineWriter } from "../../src/cli/output.ts";
import type { BaselineHead, BaselineRow } from "../../src/core/correlation/baseline.ts";

const directory = mkdtempSync(join(tmpdir(), "custodes-baseline-file-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const path = join(directory, "file.ndjson");

const KEY = "5a84bf9a-d1ff-53c1-92bd-79d31baa7603";
const fixed = { key: KEY, groupBy: ["ai_agent.uid"], fields: ["api.operation"], until: 50, depthMs: 10, keepMs: 20 };
const NOVEL: BaselineHead = { ...fixed, rule: "novel", type: "new_value", timespanMs: 0 };
const BUSY: BaselineHead = { ...fixed, rule: "busy", type: "baseline_ratio", timespanMs: 10 };

async function write(sections: readonly (readonly [BaselineHead, readonly BaselineRow[]])[]): Promise<string> {
  const writer = baselineWriter(lineWriter(path));
  await writer.header({ custodes_baseline: 1, pack: "a".repeat(64), from: null, to: 5 });
  for (const [head, rows] of sections) {
    await writer.head(head);
    for (const row of rows) await writer.row(row);
  }
  await writer.end();
  return readFileSync(path, "utf8");
}

async function read(): Promise<[BaselineHead, BaselineRow[]][]> {
  const found: [BaselineHead, BaselineRow[]][] = [];
  for await (const { head, rows } of readBaselines(path)) {
    if (found.at(-1)?.[0] !== head) found.push([head, []]);
    found.at(-1)![1].push(...rows);
  }
  return found;
}

test("what is written is read again, whatever texts and numbers it holds, and the same rows give the same bytes", async () => {
  const group = fc.tuple(fc.string({ unit: "binary" }));
  const time = fc.integer({ min: -1e12, max: 1e13 });
  const values: fc.Arbitrary<BaselineRow> = fc.oneof(
    fc.record({ kind: fc.constant("first" as const), group, time }),
    fc.record({ kind: fc.constant("value" as const), group, value: fc.string({ unit: "binary" }), time }),
  );
  const windows: fc.Arbitrary<BaselineRow> = fc.record({
    kind: fc.constant("window" as const),
    group,
    time: time.map((one) => one * 10),
    whole: fc.maxSafeInteger(),
    units: fc.bigInt({ min: -(2n ** 1100n), max: 2n ** 1100n }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(values), fc.array(windows), async (one, other) => {
      const sections = [
        [NOVEL, one],
        [BUSY, other],
      ] as const;
      const text = await write(sections);
      expect(await read()).toEqual(sections);
      expect(await write(sections)).toBe(text);
    }),
    { numRuns: 60 },
  );
});

test("more rows than are held at once are read part by part", async () => {
  const rows = Array.from({ length: 12_345 }, (_, index): BaselineRow => ({
    kind: "value",
    group: ["g"],
    value: `v${index}`,
    time: index,
  }));
  await write([[NOVEL, rows]]);
  const sizes: number[] = [];
  let count = 0;
  for await (const part of readBaselines(path)) {
    expect(part.rows[0]).toEqual(rows[count]);
    count += part.rows.length;
    sizes.push(part.rows.length);
  }
  expect([count, Math.max(...sizes)]).toEqual([12_345, 5000]);
});

const good = await write([
  [
    NOVEL,
    [
      { kind: "first", group: ["a"], time: 1 },
      { kind: "value", group: ["a"], value: "x", time: 2 },
    ],
  ],
  [BUSY, [{ kind: "window", group: ["a"], time: 10, whole: 3, units: 1n }]],
]);
const lines = good.trimEnd().split("\n");
const [HEADER, , FIRST, VALUE, , WINDOW] = [0, 1, 2, 3, 4, 5] as const;
const edit = (at: number, from: string, to: string): string[] => lines.map((line, index) => (index === at ? line.replace(from, to) : line));

test.each<[string, string[], RegExp]>([
  ["cut off", lines.slice(0, -1), /cut off: its last line/],
  ["empty", [], /cut off/],
  ["longer than its end", [...lines, lines[2]!], /:8: there is more after the end/],
  ["changed", edit(WINDOW, '"whole":3', '"whole":4'), /:7: the file was changed/],
  ["short of a row", lines.filter((_, index) => index !== VALUE), /:6: the end counts 3 rows, and there are 2/],
  ["without a header", lines.slice(1), /:1: no header of a baseline file of version 1/],
  ["of another version", edit(HEADER, ":1,", ":2,"), /:1: no header/],
  ["without a head", [lines[0]!, ...lines.slice(2)], /:2: a row stands before the rule/],
  ["torn", edit(VALUE, '"x"}', ""), /:4: /],
  ["no JSON", edit(VALUE, "{", "\0"), /:4: /],
  ["with an unknown key", edit(VALUE, "{", '{"x":1,'), /:4: .*Unrecognized key/],
  ["with a number as a group", edit(VALUE, '["a"]', "[7]"), /:4: .* at group.0: /],
  ["with a time that is none", edit(FIRST, "1,", "1.5,"), /:3: .* at first/],
  ["with a time beyond all", edit(FIRST, "1,", "9e15,"), /:3: .* at first/],
  ["with more groups than the rule has", edit(VALUE, '["a"]', '["a","b"]'), /:4: the group has 2 values, and novel groups by 1/],
  ["with a window that starts in between", edit(WINDOW, '"window":10', '"window":11'), /:6: no window of 10 ms starts at 11/],
  ["with a sum that is none", edit(WINDOW, '"units":"1"', '"units":"0"'), /:6: .* at units/],
  ["with an endless sum", edit(WINDOW, '"units":"1"', '"units":"1p9999"'), /:6: .* at units/],
  ["with a value where windows are", edit(WINDOW, lines[WINDOW]!, lines[VALUE]!), /:6: no row of a baseline_ratio rule/],
  ["with a key that is none", edit(1, KEY, "x"), /:2: a head is damaged at key/],
  ["with a prototype", edit(VALUE, "{", '{"__proto__":{},'), /:4: /],
  ["nested", edit(VALUE, '"x"', `${"[".repeat(5000)}${"]".repeat(5000)}`), /:4: /],
])("a file that is %s is refused, with its line", async (_, broken, message) => {
  writeFileSync(path, broken.map((line) => `${line}\n`).join(""));
  const error: unknown = await read().catch((reason: unknown) => reason);
  expect(error).toMatchObject({ name: "CommandError", exitCode: 1 });
  expect((error as Error).message).toMatch(message);
  expect((error as Error).message).toContain(path);
});
