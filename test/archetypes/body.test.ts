import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bodyRecords } from "../../src/archetypes/body.ts";

const read = (body: string | Uint8Array): { records: unknown[]; places: string[]; rejects: string[] } => {
  const { records, rejects } = bodyRecords(typeof body === "string" ? Buffer.from(body) : body);
  return {
    records: records.map(({ record }) => record),
    places: records.map(({ position }) => position),
    rejects: rejects.map(({ code, position }) => `${code} ${position}`),
  };
};

describe("bodyRecords", () => {
  test.each([
    ['{"a":1}', [{ a: 1 }]],
    ['\uFEFF{"a":1}\r\n', [{ a: 1 }]],
    ['{\n  "a": 1,\n  "b": [\n1]\n}\n', [{ a: 1, b: [1] }]],
    ['[{"a":1},{"a":2}]', [{ a: 1 }, { a: 2 }]],
    ['[\n{"a":1},\n{"a":2}\n]', [{ a: 1 }, { a: 2 }]],
    ['{"a":1}\n{"a":2}', [{ a: 1 }, { a: 2 }]],
    ['{"a":1}\r\n\r\n{"a":2}\r\n', [{ a: 1 }, { a: 2 }]],
    ["[]", []],
    ["", []],
    [" \n ", []],
    ["42", [42]],
  ])("%j", (body, records) => {
    expect(read(body)).toEqual({ records, places: records.map(() => expect.stringMatching(/^body:\d+$/) as unknown), rejects: [] });
  });
  test("bad lines are rejects beside good records", () => {
    expect(read('{"a":1}\nbroken\n{"__proto__":1}\n{"a":2}')).toEqual({
      records: [{ a: 1 }, { a: 2 }],
      places: ["body:1", "body:4"],
      rejects: ["RECORD_NOT_JSON body:2", "RECORD_FORBIDDEN_KEY body:3"],
    });
    expect(read('broken\n{"a":2}')).toEqual({ records: [{ a: 2 }], places: ["body:2"], rejects: ["RECORD_NOT_JSON body:1"] });
  });
  test("a body that is nothing is one reject and never a throw", () => {
    expect(read("garbage").rejects).toEqual(["RECORD_NOT_JSON body:1"]);
    expect(read('{"a":').rejects).toEqual(["RECORD_NOT_JSON body:1"]);
    expect(read(Buffer.from([0x22, 0xff, 0x22])).rejects).toEqual(["RECORD_ENCODING body:1"]);
    expect(read(`${"[".repeat(500_000)}`).rejects).toEqual(["RECORD_TOO_DEEP body:1"]);
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => void read(bytes)));
    expect(read(gzipSync("{}")).records).toEqual([]);
  });
  test("any values come through in each of the three shapes", () => {
    const objects = fc.array(
      fc.dictionary(
        fc.string().filter((key) => key !== "__proto__"),
        fc.jsonValue({ maxDepth: 3 }),
      ),
      { maxLength: 5 },
    );
    fc.assert(
      fc.property(
        objects.map((list) => JSON.parse(JSON.stringify(list)) as unknown[]),
        (list) => {
          if (JSON.stringify(list).includes("__proto__")) return;
          expect(read(JSON.stringify(list)).records).toEqual(list);
          expect(read(JSON.stringify(list, undefined, 2)).records).toEqual(list);
          expect(read(list.map((one) => JSON.stringify(one)).join("\n")).records).toEqual(list);
        },
      ),
    );
  });
});
