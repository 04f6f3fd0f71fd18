import { expect, test } from "vitest";
import { metrics } from "../../../src/adapters/metrics/metrics.ts";

const lines = async (made: ReturnType<typeof metrics>) =>
  (await made.text()).body.split("\n").filter((line) => line.startsWith("custodes_"));

test("counters add up per label, gauges keep the last value, histograms count", async () => {
  const made = metrics();
  made.count("source_events_total", { source: "a/1" });
  made.count("source_events_total", { source: "a/1" }, 4);
  made.count("source_events_total", { source: "b/1" }, 0);
  made.gauge("destination_held", { destination: "d/1" }, 1);
  made.gauge("destination_held", { destination: "d/1" }, 0);
  made.observe("delivery_seconds", { destination: "d/1" }, 0.03);
  made.gauge("correlate_offset", {}, 7);
  const found = await lines(made);
  expect(found).toContain('custodes_source_events_total{source="a/1"} 5');
  expect(found).toContain('custodes_source_events_total{source="b/1"} 0');
  expect(found).toContain('custodes_destination_held{destination="d/1"} 0');
  expect(found).toContain('custodes_delivery_seconds_bucket{le="0.05",destination="d/1"} 1');
  expect(found).toContain('custodes_delivery_seconds_bucket{le="0.02",destination="d/1"} 0');
  expect(found).toContain("custodes_correlate_offset 7");
});

test("every metric has a help text, and label values cannot break out of their line", async () => {
  const made = metrics();
  made.count("alerts_total", { rule: 'x"} 1\ncustodes_evil 1', level: "high", revision: "first" });
  const { body, contentType } = await made.text();
  expect(contentType).toContain("text/plain");
  expect(body).not.toMatch(/^custodes_evil/m);
  const names = [...body.matchAll(/^# TYPE (custodes_\w+)/gm)].map((match) => match[1]);
  expect(names.length).toBeGreaterThan(15);
  for (const name of names) expect(body).toMatch(new RegExp(`^# HELP ${name} \\S.{5,}`, "m"));
});

test("two meters of one process do not share numbers", async () => {
  const [one, two] = [metrics(), metrics()];
  one.gauge("correlate_offset", {}, 1);
  two.gauge("correlate_offset", {}, 2);
  expect(await lines(one)).toContain("custodes_correlate_offset 1");
});
