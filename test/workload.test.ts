import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { GENERATOR, generate, runWorkload } from "./workload/run.ts";
import { score } from "./workload/truth.ts";

/** Rows of the rule inventory that the shipped pack implements and the truth knows. */
const CODES = ["C1", "C2", "C3", "B06", "B07", "B08", "B09", "B10", "B12", "B13", "B28", "B31", "B34"];
const present = existsSync(GENERATOR);

test.runIf(process.env["CI"] === "true")("the workload generator is there", () => {
  expect(present).toBe(true);
});

describe.skipIf(!present)("the shipped rules on a generated day of ten sources", () => {
  const directories: string[] = [];
  afterAll(() => {
    for (const directory of directories) rmSync(directory, { recursive: true, force: true });
  });

  test.each([42, 7])("find every planted attack and fire for no near miss (seed %i)", async (seed) => {
    const directory = mkdtempSync(join(tmpdir(), "custodes-workload-"));
    directories.push(directory);
    generate(directory, 50_000, 160, seed);
    const { result, found } = await runWorkload(directory);
    expect(result.events).toBeGreaterThan(49_000);
    const scores = score(directory, found, CODES);
    expect(scores.filter((one) => one.attacks > 0).length).toBeGreaterThanOrEqual(12);
    expect(scores.flatMap((one) => [...one.missed, ...one.fired, ...one.extra.map((agent) => `${one.code} fired for ${agent}`)])).toEqual(
      [],
    );
  });
});
