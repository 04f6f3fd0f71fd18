import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { fixedSecret, isSecret, secretReference } from "../../src/config/secrets.ts";
import { directoryOf } from "./build.ts";

test("only a whole reference is one", () => {
  expect(isSecret(secretReference("${env:A}", {}))).toBe(true);
  expect(isSecret(secretReference("${file:/x/y}", {}))).toBe(true);
  for (const text of ["", "A", "${A}", "${env:}", "x${env:A}", "${env:A}x", "${vault:A}", "$env:A", "${env:A}\n"])
    expect(secretReference(text, { A: "1" })).toBeUndefined();
});

test("a secret is read anew each time, so that a rotated one is used without a restart", () => {
  const environment: Record<string, string | undefined> = { A: "old" };
  const secret = secretReference("${env:A}", environment)!;
  expect(secret.reveal()).toBe("old");
  environment["A"] = "new";
  expect(secret.reveal()).toBe("new");
  const directory = directoryOf({ key: "old\n" });
  const file = secretReference(`\${file:${join(directory, "key")}}`, {})!;
  expect(file.reveal()).toBe("old");
  writeFileSync(join(directory, "key"), "new\r\n");
  expect(file.reveal()).toBe("new");
});

test("only one final newline of a file is no part of the secret", () => {
  const path = join(directoryOf({ key: "  a\nb \n\n" }), "key");
  expect(secretReference(`\${file:${path}}`, {})!.reveal()).toBe("  a\nb \n");
});

test("a secret that is missing or empty fails as configuration, names its reference, and holds no value", () => {
  const missing = { kind: "config", code: "SECRET_MISSING", scope: "connector" };
  expect(() => secretReference("${env:NONE}", {})!.reveal()).toThrow(
    expect.objectContaining({ ...missing, message: "the secret ${env:NONE} is missing or empty" }),
  );
  expect(() => secretReference("${env:E}", { E: "" })!.reveal()).toThrow(expect.objectContaining(missing));
  const directory = directoryOf({ empty: "\n" });
  expect(() => secretReference(`\${file:${directory}/empty}`, {})!.reveal()).toThrow(expect.objectContaining(missing));
  expect(() => secretReference(`\${file:${directory}/none}`, {})!.reveal()).toThrow(
    expect.objectContaining({ ...missing, message: expect.stringContaining("cannot be read") }),
  );
  expect(() => secretReference(`\${file:${directory}}`, {})!.reveal()).toThrow(expect.objectContaining(missing));
});

test("names of Object's members are not taken from the environment's prototype", () => {
  expect(() => secretReference("${env:constructor}", {})!.reveal()).toThrow(expect.objectContaining({ code: "SECRET_MISSING" }));
  expect(() => secretReference("${env:__proto__}", {})!.reveal()).toThrow(expect.objectContaining({ code: "SECRET_MISSING" }));
});

test("a fixed secret prints like any other", () => {
  const secret = fixedSecret("value");
  expect(secret.reveal()).toBe("value");
  expect(`${JSON.stringify({ secret })} ${JSON.stringify(Object.entries(secret))}`).not.toContain("value");
});
