import fc from "fast-check";
import { expect, test } from "vitest";
import {
  asObject,
  canonicalJson,
  contentUid,
  DEPTH_MAX,
  FUTURE_MAX_MS,
  hostName,
  ID_MAX,
  numeric,
  parseTime,
  recordId,
  recordObject,
  recordTime,
  redactUrl,
  suppliedText,
  text,
  textList,
  urlPath,
} from "../../src/core/record.ts";

/** Texts are cut to this, characters. */
const TEXT_MAX = 1024;
/** With a small t a time is not read in the short way. */
const longWay = (value: string) => parseTime(value.slice(0, 10) + (value[10] === "T" ? "t" : value[10]) + value.slice(11));

test.each([
  ["2026-03-31T12:00:00Z", Date.UTC(2026, 2, 31, 12)],
  ["2026-03-31T12:00:00.5Z", Date.UTC(2026, 2, 31, 12, 0, 0, 500)],
  ["2026-03-31T12:00:00.123999999Z", Date.UTC(2026, 2, 31, 12, 0, 0, 123)],
  ["2026-03-31T12:00:00.123Z", Date.UTC(2026, 2, 31, 12, 0, 0, 123)],
  ["2026-03-31t12:00:00z", Date.UTC(2026, 2, 31, 12)],
  ["2026-03-31 12:00:00+02:00", Date.UTC(2026, 2, 31, 10)],
  ["2026-03-31T12:00:00-0530", Date.UTC(2026, 2, 31, 17, 30)],
  ["2024-02-29T00:00:00Z", Date.UTC(2024, 1, 29)],
  ["2000-02-29T00:00:00Z", Date.UTC(2000, 1, 29)],
  ["1969-12-31T23:59:59Z", -1000],
  ["2026-12-31T23:59:60Z", Date.UTC(2027, 0, 1)],
  ["0050-01-01T00:00:00+00:00", Date.parse("0050-01-01T00:00:00Z")],
])("%s is a time", (value, expected) => {
  expect(parseTime(value)).toBe(expected);
});

test.each([
  "2026-03-31",
  "2026-03-31T12:00:00",
  "2026-02-30T00:00:00Z",
  "2026-02-29T00:00:00Z",
  "1900-02-29T00:00:00Z",
  "2026-04-31T00:00:00.000Z",
  "2026-13-01T00:00:00Z",
  "2026-00-01T00:00:00Z",
  "2026-01-00T00:00:00Z",
  "2026-01-01T24:00:00Z",
  "2026-01-01T24:00:00.000Z",
  "2026-01-01T12:60:00Z",
  "2026-01-01T12:00:61Z",
  "2026-01-01T12:00:00+25:00",
  "2026-01-01T12:00:00+01:60",
  "+026-01-01T12:00:00Z",
  "2026-1 -01T12:00:00Z",
  "Jan 1 2026T12:00:00Z",
  "2026-01-01T12:00:00 UTC",
  "yesterday",
  "",
  " ",
  "0x10",
  "1e400",
  "NaN",
  "Infinity",
  "1,5",
])("%j is no time", (value) => {
  expect(parseTime(value)).toBeUndefined();
});

test("numbers below 1e11 are seconds, others milliseconds, floored, also as text", () => {
  expect([
    parseTime(1_774_958_400),
    parseTime(1_774_958_400_000),
    parseTime("1774958400.9996"),
    parseTime("1.7749584e9"),
    parseTime(-1.0001),
  ]).toEqual([1_774_958_400_000, 1_774_958_400_000, 1_774_958_400_999, 1_774_958_400_000, -1001]);
  expect([parseTime(99_999_999_999), parseTime(100_000_000_000)]).toEqual([99_999_999_999_000, 100_000_000_000]);
  for (const value of [Number.NaN, Infinity, null, undefined, true, {}, [], 1n]) expect(parseTime(value)).toBeUndefined();
});

test("the short way to read a time agrees with the long one on every date of the calendar and on damaged texts", () => {
  fc.assert(
    fc.property(
      fc.date({ min: new Date("0001-01-01T00:00:00Z"), max: new Date("9999-12-31T23:59:59.999Z"), noInvalidDate: true }),
      (date) => {
        const iso = date.toISOString();
        expect(parseTime(iso)).toBe(date.getTime());
        expect(parseTime(`${iso.slice(0, 19)}Z`)).toBe(Math.floor(date.getTime() / 1000) * 1000);
        expect(longWay(iso)).toBe(date.getTime());
        expect(parseTime(iso.replace("Z", "+00:00"))).toBe(date.getTime());
      },
    ),
  );
  const sample = "2026-03-31T12:34:56.789Z";
  fc.assert(
    fc.property(fc.nat(sample.length - 1), fc.string({ minLength: 1, maxLength: 1 }), (at, other) => {
      const damaged = sample.slice(0, at) + other + sample.slice(at + 1);
      expect(parseTime(damaged)).toBe(longWay(damaged));
    }),
    { numRuns: 500 },
  );
});

test("a record's time must exist, lie after the epoch, and at most a day in the future", () => {
  const now = Date.UTC(2026, 2, 31);
  expect(recordTime(now + FUTURE_MAX_MS, now)).toBe(now + FUTURE_MAX_MS);
  expect(() => recordTime(now + FUTURE_MAX_MS + 1, now)).toThrow(expect.objectContaining({ kind: "poison", code: "RECORD_TIME_FUTURE" }));
  for (const value of [undefined, null, "", 0, -1, "1969-12-31T23:59:59Z", 1e300, {}])
    expect(() => recordTime(value, now)).toThrow(
      expect.objectContaining({ kind: "poison", code: expect.stringMatching(/^RECORD_(NO_TIME|TIME_FUTURE)$/) }),
    );
});

test("a number is read from a number or a whole numeric text, and from nothing else", () => {
  expect(["1", "-1.5", "+.5", "1.", "1e3", "1E-3"].map(numeric)).toEqual([1, -1.5, 0.5, 1, 1000, 0.001]);
  for (const value of ["", " 1", "1 ", "1_000", "0x1", ".", "e1", "1e", "--1", "١", "1e999", Number.NaN, Infinity, null, true, [1]])
    expect(numeric(value)).toBeUndefined();
});

test("a very long text that is almost a number is refused without trying every way to split it", () => {
  expect(numeric(`${"1".repeat(300_000)}x`)).toBeUndefined();
  expect(parseTime(`${"1".repeat(300_000)}x`)).toBeUndefined();
  expect(parseTime(`2026-03-31T12:00:00.${"1".repeat(300_000)}x`)).toBeUndefined();
  expect(parseTime(`2026-03-31T12:00:00${" ".repeat(300_000)}x`)).toBeUndefined();
  expect(redactUrl(`/?${"&token".repeat(50_000)}`)?.length).toBeLessThanOrEqual(TEXT_MAX + 2000);
});

test("text is cut, empty text and other types are nothing, numbers become text", () => {
  expect(text("x".repeat(TEXT_MAX + 1))).toHaveLength(TEXT_MAX);
  expect([text("a"), text(0), text(-1.5)]).toEqual(["a", "0", "-1.5"]);
  for (const value of ["", null, undefined, true, {}, ["a"]]) expect(text(value)).toBeUndefined();
});

test("a text that the source supplies as none is told from one that it does not supply", () => {
  expect([
    suppliedText({ a: null }, "a"),
    suppliedText({ a: "" }, "a"),
    suppliedText({}, "a"),
    suppliedText({ a: "x" }, "a"),
    suppliedText({ a: {} }, "a"),
  ]).toEqual(["", "", undefined, "x", undefined]);
});

test("an id is never cut: two long ones must not become one", () => {
  expect(recordId("x".repeat(ID_MAX), "id")).toHaveLength(ID_MAX);
  expect(() => recordId("x".repeat(ID_MAX + 1), "id")).toThrow(expect.objectContaining({ code: "RECORD_FIELD_INVALID" }));
  for (const value of ["", null, undefined, {}])
    expect(() => recordId(value, "id")).toThrow(expect.objectContaining({ code: "RECORD_FIELD_MISSING", message: "id is missing" }));
});

test("lists of texts leave out what is none and are bounded", () => {
  expect(textList(["a", "", null, 1, {}])).toEqual(["a", "1"]);
  expect(textList(Array(100).fill("x"))).toHaveLength(64);
  for (const value of [[], ["", null], "a", {}, undefined]) expect(textList(value)).toBeUndefined();
});

test("only objects are objects", () => {
  expect(asObject({})).toEqual({});
  for (const value of [null, [], "x", 1, undefined]) {
    expect(asObject(value)).toBeUndefined();
    expect(() => recordObject(value)).toThrow(expect.objectContaining({ kind: "poison", code: "RECORD_NOT_OBJECT" }));
  }
});

test.each([
  ["API.Example.COM", "api.example.com"],
  ["api.example.com.", "api.example.com"],
  ["api.example.com:443", "api.example.com"],
  ["[2001:DB8::1]:443", "2001:db8::1"],
  ["2001:db8::1", "2001:db8::1"],
  ["[::1]", "::1"],
  ["-", undefined],
  ["", undefined],
  [":443", undefined],
  [".", undefined],
  [42, undefined],
])("the host of %j is %j", (value, expected) => {
  expect(hostName(value)).toBe(expected);
});

test.each([
  ["https://user:pass@x.example/v1/a?b=1", "/v1/a?b=1"],
  ["https://x.example", "/"],
  ["/a?access_token=abc&b=1", "/a?access_token=REDACTED&b=1"],
  ["/a?b=1&API_KEY=abc#f", "/a?b=1&API_KEY=REDACTED#f"],
  ["/a?X-Amz-Signature=abc&X-Amz-Credential=d", "/a?X-Amz-Signature=REDACTED&X-Amz-Credential=REDACTED"],
  ["/a?password=a=b=c&d=1", "/a?password=REDACTED&d=1"],
  ["/cb#access_token=abc&state=1", "/cb#access_token=REDACTED&state=1"],
  ["/cb?x=1#id_token=abc", "/cb?x=1#id_token=REDACTED"],
  ["/a?code=abc", "/a?code=REDACTED"],
  ["/a?empty=&token=", "/a?empty=&token=REDACTED"],
  ["", undefined],
  [7, undefined],
])("%j is kept as %j", (value, expected) => {
  expect(redactUrl(value)).toBe(expected);
});

test("the path of a URL ends before its query and fragment", () => {
  expect([urlPath("/a/b?c"), urlPath("/a#b?c"), urlPath("/a"), urlPath(undefined)]).toEqual(["/a/b", "/a", "/a", undefined]);
});

test("canonical JSON is the same for every order of keys, and is JSON", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }), { noNullPrototype: true }), (value) => {
      const shuffled = Object.fromEntries(Object.entries(value).reverse());
      expect(canonicalJson(shuffled)).toBe(canonicalJson(value));
      expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
    }),
  );
  expect(canonicalJson({ b: undefined, a: [undefined, null] })).toBe('{"a":[null,null]}');
  expect(canonicalJson(JSON.parse('{"__proto__":1,"a":2}'))).toBe('{"__proto__":1,"a":2}');
});

test("a record that is nested too deeply is poison, not a crash", () => {
  const deep = (levels: number): unknown => JSON.parse(`${"[".repeat(levels)}${"]".repeat(levels)}`);
  expect(canonicalJson(deep(DEPTH_MAX))).toBe("[".repeat(DEPTH_MAX) + "]".repeat(DEPTH_MAX));
  for (const levels of [DEPTH_MAX + 2, 5000])
    expect(() => canonicalJson(deep(levels))).toThrow(expect.objectContaining({ kind: "poison", code: "RECORD_TOO_DEEP" }));
});

test("the uid of a record without one names its connector and depends on its content alone", () => {
  const sha256 = (value: string) => `${value.length}`.padStart(64, "0");
  expect(contentUid("kong", { b: 1, a: 2 }, sha256)).toBe(contentUid("kong", { a: 2, b: 1 }, sha256));
  expect(contentUid("kong", {}, sha256)).toMatch(/^kong:sha256:0{32}$/);
});
