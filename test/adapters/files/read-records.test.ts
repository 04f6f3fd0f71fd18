import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readFileRecords } from "../../../src/adapters/files/read-records.ts";
import { DOCUMENT_BYTES_MAX, jsonDocument, jsonLines, LINE_BYTES_MAX } from "../../../src/core/framing.ts";
import type { Format } from "../../../src/ports/connector.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "custodes-read-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const put = (name: string, content: string | Uint8Array): string => {
  const path = join(folder, name);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, content);
  return path;
};

interface Seen {
  readonly records: readonly (readonly [number, unknown])[];
  readonly rejects: readonly (readonly [number, string])[];
}
async function readAll(path: string, format: Format = jsonLines): Promise<Seen> {
  const records: [number, unknown][] = [];
  const rejects: [number, string][] = [];
  for await (const batch of readFileRecords(path, format)) {
    batch.records.forEach((record, index) => records.push([batch.lines[index] ?? 0, record]));
    for (const { line, code, position } of batch.rejects) {
      expect(position).toBe(`${batch.path}:${line}`);
      rejects.push([line, code]);
    }
  }
  return { records, rejects };
}

const words: Format = { framing: "lines", open: () => (text) => [text.split(" ")] };

describe("lines", () => {
  test("ends of lines, blank lines and a last line without an end", async () => {
    const seen = await readAll(put("a", '{"a":1}\r\n\n \t \r\n{"a":2}\n{"a":3}'));
    expect(seen).toEqual({
      records: [
        [1, { a: 1 }],
        [4, { a: 2 }],
        [5, { a: 3 }],
      ],
      rejects: [],
    });
  });
  test("an empty file and one of blank lines hold nothing", async () => {
    for (const content of ["", "\n", "\r\n\r\n", "\uFEFF", "\uFEFF\n"])
      expect(await readAll(put("a", content))).toEqual({ records: [], rejects: [] });
  });
  test("a byte order mark is cut, a second one is content", async () => {
    expect(await readAll(put("a", '\uFEFF{"a":1}\n{"a":2}\n'))).toEqual({
      records: [
        [1, { a: 1 }],
        [2, { a: 2 }],
      ],
      rejects: [],
    });
    expect((await readAll(put("a", '{"a":1}\n\uFEFF{"a":2}\n'))).rejects).toEqual([[2, "RECORD_NOT_JSON"]]);
  });
  test.each(["utf16le", "utf-16be"])("UTF-16 (%s) is one reject", async (encoding) => {
    const bytes = Buffer.from('\uFEFF{"a":1}\n{"a":2}\n', "utf16le");
    expect(await readAll(put("a", encoding === "utf16le" ? bytes : bytes.swap16()))).toEqual({
      records: [],
      rejects: [[1, "RECORD_ENCODING"]],
    });
  });
  test.each([
    ["text", "RECORD_NOT_JSON"],
    ['{"a":', "RECORD_NOT_JSON"],
    ['{"a":1}{"a":2}', "RECORD_NOT_JSON"],
    ['{"a":"\u0001"}', "RECORD_NOT_JSON"],
    ['{"a":NaN}', "RECORD_NOT_JSON"],
    ['{"__proto__":{"x":1}}', "RECORD_FORBIDDEN_KEY"],
    ['{"a":[{"b":{"__proto__":1}}]}', "RECORD_FORBIDDEN_KEY"],
    ['{"a":[{"b":{"\\u005F_prot\\u006f__":1}}]}', "RECORD_FORBIDDEN_KEY"],
    [`${'{"a":'.repeat(65)}1${"}".repeat(65)}`, "RECORD_TOO_DEEP"],
    [`{"a":${"[".repeat(70)}1${"]".repeat(70)}}`, "RECORD_TOO_DEEP"],
    [`{"a":${"[".repeat(300_000)}}`, "RECORD_TOO_DEEP"],
    [`{"pad":"${"x".repeat(5000)}","a":${"[".repeat(64)}${"]".repeat(64)}}`, "RECORD_TOO_DEEP"],
  ])("%# is one reject, and reading goes on", async (line, code) => {
    expect(await readAll(put("a", `{"a":1}\n${line}\n{"a":2}`))).toEqual({
      records: [
        [1, { a: 1 }],
        [3, { a: 2 }],
      ],
      rejects: [[2, code]],
    });
  });
  test("what only looks dangerous is a record", async () => {
    const lines = [
      '{"a":"__proto__"}',
      '{"a":"{\\"__proto__\\":1}"}',
      '{"__proto":1,"_proto__":2,"constructor":3}',
      `{"a":"${"[{".repeat(4000)}","b":"\\\\"}`,
      `{"a":"${'\\"['.repeat(2000)}"}`,
      `${'{"a":'.repeat(64)}1${"}".repeat(64)}`,
      `[${"[],".repeat(3000)}[]]`,
      '"text"',
      "42",
      "null",
    ];
    const seen = await readAll(put("a", lines.join("\n")));
    expect(seen.rejects).toEqual([]);
    expect(seen.records.map(([, record]) => record)).toEqual(lines.map((line) => JSON.parse(line) as unknown));
  });
  test("bytes that are not UTF-8 spoil their own line only", async () => {
    const good = Buffer.from('{"a":"ü€😀"}\n');
    const bad = [[0xff], [0xc3, 0x28], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xc3]].map((bytes) =>
      Buffer.concat([Buffer.from('{"a":"'), Buffer.from(bytes), Buffer.from('"}\n')]),
    );
    for (const format of [jsonLines, words]) {
      const seen = await readAll(put("a", Buffer.concat([good, ...bad, good])), format);
      expect(seen.rejects).toEqual([2, 3, 4, 5, 6].map((line) => [line, "RECORD_ENCODING"]));
      expect(seen.records.map(([line]) => line)).toEqual([1, 7]);
    }
  });
  test("a line of the limit is read, one byte more is not, whatever the alphabet", async () => {
    for (const letter of ["x", "ü", "€"]) {
      const width = Buffer.byteLength(letter);
      const fill = LINE_BYTES_MAX - 2;
      const exact = `"${letter.repeat(Math.floor(fill / width))}${"x".repeat(fill % width)}"`;
      const seen = await readAll(put("a", `1\n${exact}\r\n2\n${exact} \n3`));
      expect(seen.records.map(([line]) => line)).toEqual([1, 2, 3, 5]);
      expect(seen.rejects).toEqual([[4, "RECORD_TOO_LONG"]]);
    }
  });
  test("a line far beyond the limit is one reject with a short raw text, and reading goes on", async () => {
    const path = put("a", `{"a":1}\n{"a":"${"x".repeat(9 * LINE_BYTES_MAX)}"}\n{"a":2}\n${"y".repeat(3 * LINE_BYTES_MAX)}`);
    const seen = await readAll(path);
    expect(seen).toEqual({
      records: [
        [1, { a: 1 }],
        [3, { a: 2 }],
      ],
      rejects: [
        [2, "RECORD_TOO_LONG"],
        [4, "RECORD_TOO_LONG"],
      ],
    });
    for await (const batch of readFileRecords(path, jsonLines))
      for (const { raw } of batch.rejects) expect(raw.length).toBeLessThanOrEqual(65_536);
  });
  test("a format's own reader gets the lines in order with its state, one per file", async () => {
    const header: Format = {
      framing: "lines",
      open: () => {
        let names: readonly string[] | undefined;
        return (text) => {
          if (names !== undefined) return [Object.fromEntries(text.split(" ").map((value, index) => [names?.[index], value]))];
          names = text.split(" ");
          return [];
        };
      },
    };
    put("d/1.log", "a b\n1 2\n3 4");
    put("d/2.log", "b a\n5 6\n");
    expect((await readAll(join(folder, "d"), header)).records).toEqual([
      [2, { a: "1", b: "2" }],
      [3, { a: "3", b: "4" }],
      [2, { b: "5", a: "6" }],
    ]);
  });
  test("a mistake of a format is a reject of its own, not an end", async () => {
    const format: Format = { framing: "lines", open: () => (text) => [(JSON.parse(text) as { a: { b: number } }).a.b.toFixed(1)] };
    expect(await readAll(put("a", '{"a":{"b":1}}\n{"a":1}\n{"a":{"b":2}}'), format)).toEqual({
      records: [
        [1, "1.0"],
        [3, "2.0"],
      ],
      rejects: [[2, "RECORD_BUG"]],
    });
  });
  test("the same lines come out wherever chunks and regions end", async () => {
    const line = fc.oneof(
      fc.string({ unit: "grapheme", maxLength: 300 }).map((a) => JSON.stringify({ a })),
      fc.constantFrom("", "broken", "42", `{"pad":"${"z".repeat(70_000)}"}`),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 60 }), fc.integer({ min: 0, max: 400_000 }), async (lines, pad) => {
        const text = [`{"pad":"${"p".repeat(pad)}"}`, `{"pad":"${"q".repeat(900_000)}"}`, ...lines].join("\n");
        const expected: Seen = { records: [], rejects: [] };
        const records: [number, unknown][] = [];
        const rejects: [number, string][] = [];
        text.split("\n").forEach((one, index) => {
          if (one.trim() === "") return;
          try {
            records.push([index + 1, JSON.parse(one)]);
          } catch {
            rejects.push([index + 1, "RECORD_NOT_JSON"]);
          }
        });
        expect(await readAll(put("a", text))).toEqual({ ...expected, records, rejects });
      }),
      { numRuns: 40 },
    );
  });
});

describe("documents", () => {
  const records = jsonDocument((document) => (document as { Records: unknown[] }).Records);
  test("a document gives what its format picks, at its first line", async () => {
    const path = put("a.json.gz", gzipSync('\uFEFF{"Records":[{"a":"ü"},\n{"a":2}]}'));
    expect(await readAll(path, records)).toEqual({
      records: [
        [1, { a: "ü" }],
        [1, { a: 2 }],
      ],
      rejects: [],
    });
  });
  test.each([
    ['{"Records":[', "RECORD_NOT_JSON"],
    ['{"Records":[{"__proto__":1}]}', "RECORD_FORBIDDEN_KEY"],
    ['{"Records":3}', "RECORD_BUG"],
    [Buffer.from([0x7b, 0xff]), "RECORD_ENCODING"],
    [`[${"[".repeat(80)}`, "RECORD_NOT_JSON"],
    [`${"[".repeat(80)}${"]".repeat(80)}`, "RECORD_TOO_DEEP"],
  ])("%# is one reject", async (content, code) => {
    expect(await readAll(put("a.json", content), records)).toEqual({ records: [], rejects: [[1, code]] });
  });
  test("a document beyond the limit is one reject, compressed or not", async () => {
    const path = put("a.json.gz", gzipSync(Buffer.alloc(DOCUMENT_BYTES_MAX + 1, 32), { level: 1 }));
    expect(await readAll(path, records)).toEqual({ records: [], rejects: [[1, "RECORD_TOO_LONG"]] });
  });
});
