import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { registryYaml } from "../src/demo/fleet.ts";
import { makeSamples, SAMPLES_DAY } from "../src/demo/make-samples.ts";

const bundled = (name: string): string => {
  const bytes = readFileSync(resolve(import.meta.dirname, "../src/demo/samples", name));
  return (name.endsWith(".gz") ? gunzipSync(bytes) : bytes).toString("utf8");
};

test("the bundled samples are those that their generator makes", () => {
  const samples = makeSamples();
  const text = (lines: readonly string[]) => `${lines.join("\n")}\n`;
  expect(bundled("kong.ndjson.gz") === text(samples.kong)).toBe(true);
  expect(bundled("okta.ndjson") === text(samples.okta)).toBe(true);
  expect(bundled("istio.ndjson") === text(samples.istio)).toBe(true);
  expect(bundled("kubernetes.ndjson") === text(samples.kubernetes)).toBe(true);
  expect(bundled("agent-findings.ndjson") === text(samples.agentFindings)).toBe(true);
  expect(bundled("agents.yaml") === registryYaml(SAMPLES_DAY)).toBe(true);
});
