import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Failure } from "../../src/core/errors.ts";
import {
  checkDepth,
  checkKeys,
  jsonDocument,
  jsonLines,
  LINE_BYTES_MAX,
  mayForbidKeys,
  newBatch,
  parseJson,
  RAW_MAX,
  readLine,
  utf8Length,
} from "../../src/core/framing.ts";
import { DEPTH_MAX } from "../../src/core/record.ts";

const codeOf = (work: () => unknown): string => {
  try {
    work();
    return "fine";
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    expect(error.kind).toBe("poison");
    return error.code;
  }
};
const nested = (depth: number, open: string, close: string, pad = ""): string => `${open.repeat(depth)}${pad}${close.repeat(depth)}`;

describe("parseJson", () => {
  test("agrees with JSON.parse on what is good, and gives RECORD_NOT_JSON for what is not", () => {
    fc.assert(
      fc.property(fc.oneof(fc.json({ maxDepth: 5 }), fc.string()), (text) => {
        let expected: unknown;
        let good = true;
        try {
          expected = JSON.parse(text);
        } catch {
          good = false;
        }
        if (good && checkKeys(expected) === undefined) expect(parseJson(text)).toEqual(expected);
        else expect(codeOf(() => parseJson(text))).toMatch(/RECORD_NOT_JSON|RECORD_FORBIDDEN_KEY/);
      }),
    );
  });
  test.each([
    ["arrays", "[", "]", "1"],
    ["objects", '{"a":', "}", "1"],
    ["both", '{"a":[', "]}", "1"],
    ["padded objects", `{"${"k".repeat(200)}":`, "}", "1"],
    ["siblings after the deepest", '{"a":', ',"b":"}"}', "1"],
  ])("nesting of %s is limited exactly", (_, open, close, pad) => {
    const levels = (open.match(/[[{]/g) ?? []).length;
    expect(codeOf(() => parseJson(nested(DEPTH_MAX / levels, open, close, pad)))).toBe("fine");
    expect(codeOf(() => parseJson(nested(DEPTH_MAX / levels + 1, open, close, pad)))).toBe("RECORD_TOO_DEEP");
  });
  test("text and value are judged alike", () => {
    fc.assert(
      fc.property(fc.integer({ min: 60, max: 70 }), fc.integer({ min: 0, max: 5000 }), fc.string(), (depth, size, text) => {
        const json = nested(depth, '{"a":', "}", JSON.stringify("[{".repeat(size) + text));
        const expected = checkDepth(JSON.parse(json)) === undefined ? "fine" : "RECORD_TOO_DEEP";
        expect(codeOf(() => parseJson(json))).toBe(expected);
      }),
    );
  });
  test("no message quotes the text", () => {
    for (const text of ["hush-hush", '{"hush-hush', '{"__proto__":"hush-hush"}', nested(99, '{"hush-hush":', "}", "1")]) {
      expect(() => parseJson(text)).toThrow(expect.objectContaining({ message: expect.not.stringContaining("hush") as string }));
    }
  });
});

describe("mayForbidKeys", () => {
  test("never misses a forbidden key, however its letters are escaped", () => {
    const key = fc.array(fc.boolean(), { minLength: 9, maxLength: 9 }).map((escaped) =>
      "__proto__"
        .split("")
        .map((letter, index) => (escaped[index] === true ? `\\u00${letter.charCodeAt(0).toString(16)}` : letter))
        .join(""),
    );
    fc.assert(
      fc.property(key, fc.json(), (name, value) => {
        const text = `{"a":[{"${name}" : ${value}}]}`;
        expect(mayForbidKeys(text)).toBe(true);
        expect(codeOf(() => parseJson(text))).toBe("RECORD_FORBIDDEN_KEY");
      }),
    );
  });
});

describe("readLine", () => {
  test("a reject keeps its place and a bounded copy of the text", () => {
    const batch = newBatch("/logs/a");
    readLine(jsonLines.open(), `broken ${"x".repeat(2 * RAW_MAX)}`, 7, batch);
    readLine(jsonLines.open(), "y".repeat(LINE_BYTES_MAX + 1), 8, batch);
    expect(batch.rejects.map(({ code, position, line }) => [code, position, line])).toEqual([
      ["RECORD_NOT_JSON", "/logs/a:7", 7],
      ["RECORD_TOO_LONG", "/logs/a:8", 8],
    ]);
    for (const { raw } of batch.rejects) expect(raw.length).toBe(RAW_MAX);
  });
});

describe("jsonDocument", () => {
  test("gives what is picked and what picking throws", () => {
    const format = jsonDocument((document) => (document as { r: unknown[] }).r);
    expect(format.open()('{"r":[1,2]}')).toEqual([1, 2]);
    expect(codeOf(() => format.open()("{"))).toBe("RECORD_NOT_JSON");
  });
});

test("utf8Length counts what an encoder writes", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => utf8Length(text) === Buffer.byteLength(text)));
});
