import { Buffer } from "node:buffer";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { compilePlain, onlyDetection, plain, reasons, ruleText, selectionReason, selects } from "./build.ts";

type Row = readonly [selection: string, event: object, matches: boolean];

function table(title: string, rows: readonly Row[]): void {
  describe(title, () => {
    test.each(rows)("%s on %j is %s", (selection, event, matches) => {
      expect(selects(selection, event)).toBe(matches);
    });
  });
}

table("re searches anywhere, by RE2's rules", [
  ["{f|re: 'b+c'}", { f: "abbbc" }, true],
  ["{f|re: 'b+c'}", { f: "ABBBC" }, false],
  ["{f|re: '^b'}", { f: "ab" }, false],
  ["{f|re: '(?i)B+C'}", { f: "abbbc" }, true],
  ["{f|re|i: 'B+C'}", { f: "abbbc" }, true],
  ["{f|re: 'a$'}", { f: "a\n" }, false],
  ["{f|re: '^b$'}", { f: "a\nb\nc" }, false],
  ["{f|re|m: '^b$'}", { f: "a\nb\nc" }, true],
  ["{f|re: 'a.b'}", { f: "a\nb" }, false],
  ["{f|re|s: 'a.b'}", { f: "a\nb" }, true],
  ["{f|re|i|s: 'A.B'}", { f: "a\nb" }, true],
  ["{f|re: '^4\\d{3}$'}", { f: 4625 }, true],
  ["{f|re: 'true'}", { f: true }, true],
  ["{f|re: 'a'}", { f: null }, false],
  ["{f|re: '.*'}", {}, false],
  ["{f|re: ['x', 'b+']}", { f: "abb" }, true],
  ["{f|re|all: ['a', 'b']}", { f: ["xa", "xb"] }, true],
  ["{f|re|all: ['a', 'c']}", { f: "ab" }, false],
  ["{f|re|startswith: 'b'}", { f: "ab" }, true],
  ["{f|contains|re: '^b'}", { f: "ab" }, false],
  ["{f|re|endswith: 'a'}", { f: "ab" }, true],
]);

describe("a pattern that RE2 refuses rejects the rule", () => {
  test.each(["(?=a)b", "(a)\\1", "(?<!a)b", "a{1001}", "(", "[a", "a**", "(?>a)"])("%s", (pattern) => {
    expect(selectionReason(`{f|re: '${pattern}'}`)).toContain("is refused");
  });
});

table("cidr covers IPv4 and IPv6", [
  ["{f|cidr: 10.0.0.0/8}", { f: "10.255.1.2" }, true],
  ["{f|cidr: 10.0.0.0/8}", { f: "11.0.0.1" }, false],
  ["{f|cidr: 192.168.16.0/20}", { f: "192.168.31.255" }, true],
  ["{f|cidr: 192.168.16.0/20}", { f: "192.168.32.0" }, false],
  ["{f|cidr: 0.0.0.0/0}", { f: "1.2.3.4" }, true],
  ["{f|cidr: 1.2.3.4/32}", { f: "1.2.3.4" }, true],
  ["{f|cidr: 1.2.3.4}", { f: "1.2.3.5" }, false],
  ["{f|cidr: 10.0.0.0/8}", { f: "10.1.2" }, false],
  ["{f|cidr: 10.0.0.0/8}", { f: "10.01.2.3" }, false],
  ["{f|cidr: 10.0.0.0/8}", { f: "host" }, false],
  ["{f|cidr: 10.0.0.0/8}", { f: 10 }, false],
  ["{f|cidr: 10.0.0.0/8}", { f: "::ffff:10.0.0.1" }, false],
  ["{f|cidr: '2001:db8::/32'}", { f: "2001:DB8:1::1" }, true],
  ["{f|cidr: '2001:db8::/32'}", { f: "2001:db9::1" }, false],
  ["{f|cidr: '::/0'}", { f: "::1" }, true],
  ["{f|cidr: '::/0'}", { f: "1.2.3.4" }, false],
  ["{f|cidr: 'fe80::/10'}", { f: "febf::1" }, true],
  ["{f|cidr: '::ffff:10.0.0.0/104'}", { f: "::ffff:10.1.2.3" }, true],
  ["{f|cidr: [10.0.0.0/8, 'fe80::/10']}", { f: ["x", "fe80::5"] }, true],
  ["{f|cidr|neq: 10.0.0.0/8}", { f: "8.8.8.8" }, true],
]);

describe("networks that are none are rejected", () => {
  test.each([
    ["10.0.0.1/8", "has host bits set"],
    ["2001:db8::1/32", "has host bits set"],
    ["10.0.0.0/33", "prefix length"],
    ["'::/129'", "prefix length"],
    ["10.0.0/8", "is not an IPv4 or IPv6 network"],
    ["10.0.0.0/x", "prefix length"],
    ["'1:2:3'", "is not an IPv4 or IPv6 network"],
    ["'1::2::3'", "is not an IPv4 or IPv6 network"],
    ["'*'", "is not an IPv4 or IPv6 network"],
  ])("%s %s", (network, reason) => {
    expect(selectionReason(`{f|cidr: ${network}}`)).toContain(reason);
  });
});

table("fieldref compares two fields of one event, whatever the case", [
  ["{f|fieldref: g}", { f: "Abc", g: "aBC" }, true],
  ["{f|fieldref: g}", { f: "a", g: "b" }, false],
  ["{f|fieldref: g}", { f: "a" }, false],
  ["{f|fieldref: g}", { g: "a" }, false],
  ["{f|fieldref: g}", {}, false],
  ["{f|fieldref: g}", { f: null, g: null }, false],
  ["{f|fieldref: g}", { f: 7, g: "7" }, true],
  ["{f|fieldref: g}", { f: "a*", g: "abc" }, false],
  ["{f|fieldref: g.h}", { f: "x", g: [{ h: "y" }, { h: "X" }] }, true],
  ["{f|fieldref|startswith: g}", { f: "abc", g: "AB" }, true],
  ["{f|fieldref|startswith: g}", { f: "ab", g: "abc" }, false],
  ["{f|fieldref|endswith: g}", { f: "abc", g: "BC" }, true],
  ["{f|fieldref|contains: g}", { f: "abc", g: "B" }, true],
  ["{f|contains|fieldref: g}", { f: "abc", g: "x" }, false],
  ["{f|fieldref|neq: g}", { f: "a", g: "b" }, true],
  ["{f|fieldref|neq: g}", { f: "a", g: "A" }, false],
  ["{f|fieldref|neq: g}", { f: "a" }, false],
  ["{f|fieldref|neq: g}", { g: "a" }, false],
  ["{f|fieldref|neq: g}", { f: ["a", "b"], g: "b" }, false],
  ["{f|fieldref: [g, h]}", { f: "a", h: "a" }, true],
  ["{f|fieldref|all: [g, h]}", { f: "a", g: "a", h: "b" }, false],
  ["{f|fieldref|neq: [g, h]}", { f: "a", g: "b", h: "a" }, false],
]);

table("times give minute, hour, day, week, month and year in UTC", [
  ["{f|minute: 30}", { f: "2026-03-01T02:30:00+05:30" }, false],
  ["{f|minute: 0}", { f: "2026-03-01T02:30:00+05:30" }, true],
  ["{f|hour: 21}", { f: "2026-03-01T02:30:00+05:30" }, true],
  ["{f|day: 28}", { f: "2026-03-01T02:30:00+05:30" }, true],
  ["{f|month: 2}", { f: "2026-03-01T02:30:00+05:30" }, true],
  ["{f|year: 2026}", { f: 1767225600 }, true],
  ["{f|year: 2025}", { f: "1767225599999" }, true],
  ["{f|week: 53}", { f: "2021-01-03T23:59:59Z" }, true],
  ["{f|week: 1}", { f: "2021-01-04T00:00:00Z" }, true],
  ["{f|week: 1}", { f: "2024-12-30T00:00:00Z" }, true],
  ["{f|hour|gte: 22}", { f: "2026-01-01T22:00:00Z" }, true],
  ["{f|hour|lt: 6}", { f: "2026-01-01T22:00:00Z" }, false],
  ["{f|lt|hour: 6}", { f: "2026-01-01T05:59:59Z" }, true],
  ["{f|hour: 5}", { f: "2026-01-01" }, false],
  ["{f|hour: 0}", { f: "2026-01-01T00:00:00" }, false],
  ["{f|hour: 0}", { f: true }, false],
]);

table("keywords are substrings of any string value, nested too", [
  ["[evil]", { a: { b: ["x", "some EVIL text"] } }, true],
  ["[evil, bad]", { a: "bad" }, true],
  ["[evil]", { evil: "no" }, false],
  ["[7]", { a: 7 }, false],
  ["[7]", { a: "x7" }, true],
  ["['e*l']", { a: "xEvily" }, true],
  ["{'|all': [evil, text]}", { a: "evil", b: "text" }, true],
  ["{'|all': [evil, text]}", { a: "evil" }, false],
  ["{'|cased': [evil]}", { a: "EVIL" }, false],
  ["{'|re': '^e.il$'}", { a: { b: "evil" } }, true],
  ["{'|re': '^e.il$'}", { a: "evils" }, false],
  ["[evil, {f: a}]", { f: "a" }, true],
  ["[evil, {f: a}]", { g: "devilish" }, true],
  ["evil", { a: "evil" }, true],
]);

table("windash takes every form of a dash that starts a parameter, each by itself", [
  ["{f|windash|contains: ' -enc'}", { f: "p -enc x" }, true],
  ["{f|windash|contains: ' -enc'}", { f: "p /ENC x" }, true],
  ["{f|windash|contains: ' -enc'}", { f: "p \u2013enc" }, true],
  ["{f|windash|contains: ' -enc'}", { f: "p \u2014enc" }, true],
  ["{f|windash|contains: ' -enc'}", { f: "p \u2015enc" }, true],
  ["{f|windash|contains: ' /enc'}", { f: "p -enc" }, true],
  ["{f|windash|contains: ' -enc'}", { f: "p +enc" }, false],
  ["{f|windash: '-a -b'}", { f: "/a \u2013b" }, true],
  ["{f|windash: '-a -b'}", { f: "-a /b" }, true],
  ["{f|windash: 'x-y'}", { f: "x/y" }, false],
  ["{f|windash: 'x-y'}", { f: "x-y" }, true],
  ["{f|windash|contains: 'a/b'}", { f: "a-b" }, false],
  ["{f|windash: '- x'}", { f: "/ x" }, false],
  ["{f|windash|startswith: '-x*y'}", { f: "/x__y__" }, true],
  ["{f: '-x'}", { f: "/x" }, false],
]);

describe("encodings", () => {
  test.each(["a", "cmd", "whoami /all", "grüße 😀", "xy", "xyz", "xyzz"])("base64 of %s is that of its UTF-8", (text) => {
    const encoded = Buffer.from(text, "utf8").toString("base64");
    expect(selects(`{f|base64: '${text}'}`, { f: encoded })).toBe(true);
    expect(selects(`{f|base64|contains: '${text}'}`, { f: `<${encoded}>` })).toBe(true);
    expect(selects(`{f|base64: '${text}'}`, { f: encoded.toLowerCase() === encoded ? "x" : encoded.toLowerCase() })).toBe(false);
  });

  test("base64offset finds the value at any place of an encoded text", () => {
    const detection = onlyDetection(ruleText("  selection: {f|base64offset|contains: 'secret'}"));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 20 }), fc.uint8Array({ maxLength: 20 }), (before, after) => {
        const encoded = Buffer.concat([before, Buffer.from("secret"), after]).toString("base64");
        expect(detection.matches(plain({ f: encoded }))).toBe(true);
      }),
    );
    expect(detection.matches(plain({ f: Buffer.from("something else").toString("base64") }))).toBe(false);
  });

  test("wide, utf16le, utf16be and utf16 give the bytes that are then encoded", () => {
    const le = Buffer.from("cmd", "utf16le");
    const be = Buffer.from(le).swap16();
    expect(selects("{f|wide|base64: cmd}", { f: le.toString("base64") })).toBe(true);
    expect(selects("{f|utf16le|base64: cmd}", { f: le.toString("base64") })).toBe(true);
    expect(selects("{f|utf16be|base64: cmd}", { f: be.toString("base64") })).toBe(true);
    const marked = Buffer.concat([Buffer.from([0xff, 0xfe]), le]);
    expect(selects("{f|utf16|base64: cmd}", { f: marked.toString("base64") })).toBe(true);
    expect(selects("{f|wide|base64: cmd}", { f: be.toString("base64") })).toBe(false);
    const deep = Buffer.concat([Buffer.from("x"), le, Buffer.from("y")]).toString("base64");
    expect(selects("{f|wide|base64offset|contains: cmd}", { f: deep })).toBe(true);
  });

  test("wide alone is text with a zero byte after each character, wildcards kept", () => {
    expect(selects("{f|wide: cmd}", { f: "c\0m\0d\0" })).toBe(true);
    expect(selects("{f|wide: 'c?d'}", { f: "c\0x\0d\0" })).toBe(true);
    expect(selects("{f|wide: 'c*d'}", { f: "c\0x\0y\0d\0" })).toBe(true);
    expect(selects("{f|wide: cmd}", { f: "cmd" })).toBe(false);
  });

  test("windash before an encoding tries every form", () => {
    const encoded = Buffer.from("/enc").toString("base64");
    expect(selects("{f|windash|base64: '-enc'}", { f: encoded })).toBe(true);
    expect(selects("{f|base64: '-enc'}", { f: encoded })).toBe(false);
  });

  test.each([
    ["{f|base64: 'a*'}", "takes no wildcards"],
    ["{f|base64offset|contains: 'a?'}", "takes no wildcards"],
    ["{f|base64: ''}", "says nothing"],
    ["{f|base64offset|contains: 'a'}", "one byte"],
    ["{f|base64: 5}", "needs a text"],
    ["{f|base64|base64offset: a}", "exclude each other"],
    ["{f|windash|base64: '-a -b -c -d -e -f'}", "too many forms"],
  ])("%s is rejected: %s", (selection, reason) => {
    expect(selectionReason(selection)).toContain(reason);
  });

  test("an escaped wildcard is encoded as the character", () => {
    expect(selects("{f|base64: 'a\\*'}", { f: Buffer.from("a*").toString("base64") })).toBe(true);
  });
});

describe("placeholders", () => {
  const values = { Admins: ["root", "adm*"], Hosts: ["h1", "h2"], Empty: [] };

  test("each configured value counts, with its wildcards", () => {
    expect(selects("{f|expand: '%Admins%'}", { f: "ROOT" }, values)).toBe(true);
    expect(selects("{f|expand: '%Admins%'}", { f: "administrator" }, values)).toBe(true);
    expect(selects("{f|expand: '%Admins%'}", { f: "user" }, values)).toBe(false);
    expect(selects("{f|expand: 'x-%Hosts%-%Admins%'}", { f: "x-h2-root" }, values)).toBe(true);
    expect(selects("{f|expand|contains: '%Hosts%'}", { f: "__h1__" }, values)).toBe(true);
    expect(selects("{f|re|expand: '^%Hosts%$'}", { f: "h2" }, values)).toBe(true);
  });

  test("without the modifier, or escaped, a percent sign is a percent sign", () => {
    expect(selects("{f: '%Admins%'}", { f: "%Admins%" }, values)).toBe(true);
    expect(selects("{f|expand: '\\%plain%Hosts%'}", { f: "%plainh1" }, values)).toBe(true);
    expect(selects("{f|expand: '50%'}", { f: "50%" }, values)).toBe(true);
  });

  test("an unresolved or empty placeholder rejects the rule", () => {
    const reason = (value: string): string =>
      compilePlain(ruleText(`  selection: {f|expand: '${value}'}`), values)
        .rejected.map((one) => one.reason)
        .join();
    expect(reason("%Admin%")).toBe('the placeholder "Admin" is not configured; did you mean "Admins"?');
    expect(reason("%Empty%")).toContain("has no values");
    expect(reasons(ruleText("  selection: {f|expand: '%x%'}"))[0]).toContain("is not configured");
  });

  test("a product of long lists is refused", () => {
    const many = { L: Array.from({ length: 200 }, (_, index) => `v${index}`) };
    const { rejected } = compilePlain(ruleText("  selection: {f|expand: '%L%-%L%'}"), many);
    expect(rejected[0]?.reason).toContain("more than 10000");
  });
});
