import { readFileSync, readdirSync } from "node:fs";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { writeSamples } from "../../src/demo/make-samples.ts";
import { custodes } from "./command.ts";

const CODES = "C1 C2 C3 B06 B07 B08 B09 B10 B11 B12 B13 B28 B31 B34 B41".split(" ");
const SAMPLES = "src/demo/samples";

test("the demo does the main job within a minute: every rule of the story alerts, and every destination gets it", async () => {
  const started = performance.now();
  const ran = await custodes(["demo"]);
  expect([ran.code, ran.stderr]).toEqual([0, ""]);
  expect(performance.now() - started).toBeLessThan(60_000);
  const alerts = ran.stdout.slice(ran.stdout.indexOf("ALERTS BY RULE"), ran.stdout.indexOf("INCIDENTS ("));
  for (const code of CODES) expect(alerts).toMatch(new RegExp(`\\b${code}\\b`));
  for (const agent of ["support-bot", "refund-bot", "lead-bot", "migration-bot", "people-bot", "search-bot"])
    expect(ran.stdout).toMatch(new RegExp(`(CRITICAL|HIGH|MEDIUM) +${agent} `));
  const delivered = ran.stdout.slice(ran.stdout.indexOf("DELIVERED"));
  for (const destination of ["elastic/soc", "splunk/soc", "sentinel/soc", "pagerduty/oncall"])
    expect(delivered).toMatch(new RegExp(`^${destination} +[1-9]\\d* +\\d+ +0 `, "m"));
});

test("the bundled samples are those that the generator writes", () => {
  const directory = mkdtempSync(join(tmpdir(), "custodes-samples-"));
  try {
    writeSamples(directory);
    const names = readdirSync(directory).sort();
    expect(names).toEqual(readdirSync(SAMPLES).sort());
    const read = (path: string) => (path.endsWith(".gz") ? gunzipSync(readFileSync(path)) : readFileSync(path)).toString("utf8");
    for (const name of names) expect(read(join(directory, name)) === read(join(SAMPLES, name)), name).toBe(true);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
