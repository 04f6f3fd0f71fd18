import fc from "fast-check";
import { expect, test } from "vitest";
import { SECRET_PATTERNS, SECRET_PATTERNS_VERSION, secretsIn } from "../../src/core/secret-patterns.ts";

const upper = "ABCDEFGHIJKLMNOP";
const long = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8";

/** The five expressions of the seed product, and ours as expressions, to compare with. */
const EXPRESSIONS: Readonly<Record<string, RegExp>> = {
  openai_api_key: /sk-[A-Za-z0-9]{20,}/,
  anthropic_api_key: /sk-ant-[A-Za-z0-9_-]{20,}/,
  aws_access_key: /AKIA[0-9A-Z]{16}/,
  jwt: /eyJ[A-Za-z0-9_=-]+\.[A-Za-z0-9_=-]+\.[A-Za-z0-9_.+/=-]+/,
  private_key: /-----BEGIN (?:RSA |EC |DSA |OPENSSH |ENCRYPTED )?PRIVATE KEY-----/,
  openai_project_key: /sk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{20,}/,
  aws_session_key: /ASIA[0-9A-Z]{16}/,
  bedrock_api_key: /ABSK[A-Za-z0-9+/=]{40,}/,
  github_token: /gh[pousr]_[A-Za-z0-9]{36,}/,
  github_fine_grained_token: /github_pat_[A-Za-z0-9_]{22,}/,
  gitlab_token: /glpat-[A-Za-z0-9_-]{20,}/,
};

test.each([
  ["openai_api_key", `key: sk-${long}`],
  ["anthropic_api_key", `sk-ant-api03-${long}-AA`],
  ["aws_access_key", `AKIA${upper} and more`],
  ["jwt", "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"],
  ["private_key", "-----BEGIN OPENSSH PRIVATE KEY-----\nabc"],
  ["openai_project_key", `sk-proj-${long}_x`],
  ["aws_session_key", `(ASIA${upper})`],
  ["bedrock_api_key", `ABSK${long}${long}==`],
  ["github_token", `ghs_${long}`],
  ["github_fine_grained_token", `github_pat_${long}_${long}`],
  ["gitlab_token", `glpat-${long}`],
])("%s is found in a text around it", (name, text) => {
  expect(secretsIn(`Here you are: ${text}`)).toContain(name);
});

test.each([
  "sk-ant-short",
  `sk-${"a".repeat(19)}`,
  `AKIA${upper.toLowerCase()}`,
  "eyJhbGciOiJIUzI1NiJ9",
  "eyJ.a.b",
  "a.eyJ",
  "-----BEGIN PUBLIC KEY-----",
  "-----BEGIN CERTIFICATE-----",
  "task-list and disk-usage and glpat- and ghp_short",
  "",
])("%j is no secret", (text) => {
  expect(secretsIn(text)).toEqual([]);
});

test("another set of patterns is another version", () => {
  expect([SECRET_PATTERNS_VERSION, ...SECRET_PATTERNS.map(({ name }) => name)]).toEqual([1, ...Object.keys(EXPRESSIONS)]);
});

test("every pattern finds exactly what its expression finds", () => {
  const pieces = fc.constantFrom(
    "sk-",
    "ant-",
    "proj-",
    "svcacct-",
    "AKIA",
    "ASIA",
    "ABSK",
    "ghp_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "eyJ",
    ".",
    "=",
    "-",
    "_",
    " ",
    "-----BEGIN ",
    "RSA ",
    "EC ",
    "PRIVATE KEY-----",
    upper,
    long,
    long.slice(0, 7),
    "aB3",
    "/",
    "+",
    "\n",
    "é",
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 14 }), (parts) => {
      const text = parts.join("");
      const expected = SECRET_PATTERNS.map(({ name }) => name).filter((name) => EXPRESSIONS[name]!.test(text));
      expect(secretsIn(text)).toEqual(expected);
    }),
    { numRuns: 5000 },
  );
});

test("a hostile text of a megabyte is read in one pass", () => {
  for (const unit of ["eyJ", "sk-", "sk-ant-", "eyJa.", "AKIAA", "github_pat_", "-----BEGIN ", "ghp_a", "ABSK/"]) {
    const text = unit.repeat(Math.ceil(1_000_000 / unit.length));
    let characters = 0;
    // Counts what matchers look at, instead of measuring time.
    const spied = { charCodeAt: (at: number) => ((characters += 1), text.charCodeAt(at)) };
    const watched = new Proxy(new String(text), {
      get: (target, key) => {
        if (key === "charCodeAt") return spied.charCodeAt;
        const value = Reflect.get(target, key, target) as unknown;
        return typeof value === "function" ? (value as () => unknown).bind(target) : value;
      },
    }) as unknown as string;
    for (const { name, found } of SECRET_PATTERNS) {
      characters = 0;
      found(watched);
      // 40 characters are looked at behind a prefix at most, and every prefix has three characters or more.
      expect(characters, `${name} on ${unit}`).toBeLessThan(text.length * 14);
    }
  }
});
