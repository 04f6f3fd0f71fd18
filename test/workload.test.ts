/** The shipped rules over a generated day of a fleet's logs, against its ground truth. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { GENERATOR, generate, runWorkload } from "./workload/run.ts";
import { score, scoreTable, type Score } from "./workload/truth.ts";

const CODES = "C1 C2 C3 B06 B07 B08 B09 B10 B12 B13 B28 B31 B34".split(" ");
const SEEDS = [42, 1906];
const RECORDS = 50_000;
const AGENTS = 500;
const present = existsSync(GENERATOR);

test("the generator is there", ({ skip }) => {
  if (!present && process.env["CI"] !== "true") skip("../shared is not next to the checkout");
  expect(present, "../shared/bench/gen.mjs must be next to the checkout in CI").toBe(true);
});

describe.skipIf(!present).each(SEEDS)("a generated workload, seed %i", (seed) => {
  let directory = "";
  let scores: readonly Score[] = [];
  let rejected = 0;
  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), "custodes-truth-"));
    generate(directory, RECORDS, AGENTS, seed);
    const { found, result } = await runWorkload(directory);
    scores = score(directory, found, CODES);
    ({ rejected } = result);
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  test("exactly the broken lines are quarantined", () => {
    const meta = JSON.parse(readFileSync(join(directory, "meta.json"), "utf8")) as { files: Record<string, { malformed_total?: number }> };
    const broken = Object.values(meta.files).reduce((sum, file) => sum + (file.malformed_total ?? 0), 0);
    expect(broken).toBeGreaterThan(20);
    expect(rejected).toBe(broken);
  });

  test.each(CODES)("%s: every attack is found, no decoy fires, and nobody else", (code) => {
    const one = scores.find((row) => row.code === code)!;
    expect(one.attacks, "the workload plants this attack").toBeGreaterThan(0);
    expect({ missed: one.missed, fired: one.fired, extra: one.extra }, scoreTable(scores)).toEqual({ missed: [], fired: [], extra: [] });
  });
});
