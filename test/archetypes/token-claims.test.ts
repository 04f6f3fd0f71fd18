import { expect, test } from "vitest";
import { actorsOf, ACTORS_MAX, expiryOf, tokenClaims } from "../../src/archetypes/token-claims.ts";

const encode = (value: string): string => Buffer.from(value).toString("base64url");
const token = (claims: unknown): string => `${encode('{"alg":"RS256"}')}.${encode(JSON.stringify(claims))}.${encode("signature")}`;

test.each(["a", "ab", "abc", "abcd", "Zoë–☃😀"])("claims are read whatever their length and letters: %s", (sub) => {
  expect(tokenClaims(token({ sub }))).toEqual({ sub });
  expect(tokenClaims(`Bearer ${token({ sub })}`)).toEqual({ sub });
});

test.each([
  ["nothing", undefined],
  ["no token", "REDACTED"],
  ["basic credentials", "Basic dXNlcjpwYXNz"],
  ["two parts", "aaa.bbb"],
  ["bytes that are no text", `aaa.${Buffer.from([0xff, 0xfe]).toString("base64url")}.ccc`],
  ["text that is no JSON", `aaa.${encode("{")}.ccc`],
  ["JSON that is no object", `aaa.${encode("[1]")}.ccc`],
  ["a forbidden key", `aaa.${encode('{"__proto__":{}}')}.ccc`],
  ["an endless one", `aaa.${"A".repeat(20_000)}.ccc`],
])("%s has no claims", (_, given) => {
  expect(tokenClaims(given)).toBeUndefined();
});

test("a chain of actors is read from the one who acts, in every form that gateways pass on", () => {
  const act = { sub: "sub-agent", act: { sub: "agent", act: { sub: "root" } } };
  expect(actorsOf(act)).toEqual(["sub-agent", "agent", "root"]);
  expect(actorsOf(JSON.stringify(act))).toEqual(["sub-agent", "agent", "root"]);
  expect(actorsOf("sub-agent")).toEqual(["sub-agent"]);
  for (const none of ["", "{", "{}", 7, null, undefined, { act }]) expect(actorsOf(none)).toEqual([]);
});

test("a chain without end is cut", () => {
  const endless: { sub: string; act?: unknown } = { sub: "a" };
  endless.act = endless;
  expect(actorsOf(endless)).toHaveLength(ACTORS_MAX);
});

test("an expiry is seconds, as a number or as a text", () => {
  expect([expiryOf(1_774_918_801), expiryOf("1774918801"), expiryOf(1.5), expiryOf("soon"), expiryOf(null)]).toEqual([
    1_774_918_801_000,
    1_774_918_801_000,
    1500,
    undefined,
    undefined,
  ]);
});
