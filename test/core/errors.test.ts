import { expect, test } from "vitest";
import { CODES, Failure, poison, type FailureCode } from "../../src/core/errors.ts";

test("every code has a name in upper case and a meaning that is a sentence", () => {
  expect(Object.keys(CODES).length).toBeGreaterThan(20);
  for (const [code, meaning] of Object.entries(CODES)) {
    expect(code).toMatch(/^[A-Z]+(_[A-Z]+)+$/);
    expect(meaning).toMatch(/^[A-Z].{10,}\.$/);
  }
});

test("meanings differ: a code that means the same as another is one too many", () => {
  expect(new Set(Object.values(CODES)).size).toBe(Object.keys(CODES).length);
});

test("a failure carries what the pipeline decides by, and concerns its item unless it says otherwise", () => {
  const cause = new Error("socket");
  const failure = new Failure("message", { kind: "retryable", code: "HTTP_TIMEOUT", retryAfterMs: 5, cause });
  expect(failure).toMatchObject({
    name: "Failure",
    message: "message",
    kind: "retryable",
    code: "HTTP_TIMEOUT",
    retryAfterMs: 5,
    scope: "item",
    cause,
  });
  expect(failure).toBeInstanceOf(Error);
  expect("cause" in new Failure("m", { kind: "poison", code: "RECORD_BUG" })).toBe(false);
  expect(new Failure("m", { kind: "poison", code: "RECORD_BUG", scope: "connector" }).scope).toBe("connector");
});

test("poison is a failure of one record", () => {
  const code: FailureCode = "RECORD_NO_TIME";
  expect(poison(code, "no time")).toMatchObject({ kind: "poison", scope: "item", code, message: "no time" });
});
