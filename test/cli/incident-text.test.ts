/** What a person at a terminal reads of an incident. */
import { expect, test } from "vitest";
import type { Incident, TimelineEntry } from "../../src/core/incident.ts";
import { incidentText } from "../../src/cli/incident.ts";
import { timelineLines } from "../../src/cli/timeline.ts";
import { alertAt, MINUTE, T } from "../core/incident/build.ts";
import { incidentSubject } from "../fixtures/subjects.ts";

const entry = (index: number, text: string, set: Partial<TimelineEntry> = {}): TimelineEntry => {
  return { time: T + index * 1_000, uid: `e${index}`, source: "kong/gw", text, ...set };
};
const beside = (index: number, kind: string, rest: string, weight: number, count = 2): TimelineEntry =>
  entry(index, kind + rest, { activity: { kind, count, lastTime: T + MINUTE, bytesIn: 0, bytesOut: 0, weight } });
const show = (timeline: readonly TimelineEntry[], set: Partial<Parameters<typeof timelineLines>[1]> = {}): string[] =>
  timelineLines(timeline, { linesMax: 30, alerts: [], ...set });
const shown = (set: Partial<Incident>, columns = 120): string => incidentText({ ...incidentSubject().incident, ...set }, columns);

test("only calls of one outcome become one line, and the outcome stays in sight", () => {
  const path = `/v1/${"long/".repeat(15)}`;
  const timeline = [
    ...[0, 1, 2].map((index) => entry(index, `called DELETE ${path}${index}: 403, 1.0 kB returned`)),
    entry(3, `called DELETE ${path}3: 204, 1.0 kB returned`),
    entry(4, `called DELETE ${path}4: 204, 2.0 kB returned`),
  ];
  const lines = show(timeline, { textMax: 80 });
  expect(lines).toHaveLength(2);
  expect(lines[0]).toMatch(/^\* 12:00:00 kong\/gw +called DELETE \/v1.*….*: 403 {2}\(and 2 more like it until 12:00:02\)$/);
  expect(lines[1]).toMatch(/: 204 {2}\(and 1 more like it until 12:00:04\)$/);
  expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(2 + 9 + 25 + 80);
  const [cut] = show([entry(0, `called GET ${path} from 203.0.113.19: 200, 1.0 kB returned`)], { textMax: 60 });
  expect(cut).toMatch(/called GET \/v.*… from 203\.0\.113\.19: 200, 1\.0 kB returned$/);
});

test("what it did beside is marked as such, says how often and how it ended, and the gravest of it stays among many lines", () => {
  const evidence = Array.from({ length: 40 }, (_, index) => entry(index * 10, `called GET /${"x".repeat(index)}: 200`));
  const reads = Array.from({ length: 40 }, (_, index) => beside(index * 10 + 1, `called GET /r${"y".repeat(index)}: 200`, "", 1));
  const grave = beside(205, `called DELETE /vault/${"z".repeat(90)}: 204`, ", 60 times until 12:01:00Z, 6.0 kB returned", 10, 60);
  const critical = alertAt("1", 0, "critical", { evidence: ["e200"] });
  const timeline = [...evidence, ...reads, grave].sort((a, b) => a.time - b.time);
  const lines = show(timeline, { linesMax: 12, alerts: [critical], textMax: 80 });
  const texts = lines.filter((line) => !line.includes("… "));
  expect(texts).toHaveLength(12);
  const line = texts.find((one) => one.includes("DELETE"));
  expect(line).toMatch(/^ {2}12:03:25 kong\/gw .*z…: 204, 60 times until 12:01:00Z, 6\.0 kB returned$/);
  expect(texts.filter((one) => one.startsWith("*"))).toHaveLength(8);
  expect(texts.some((one) => one.startsWith("* 12:03:20"))).toBe(true);
  const hidden = lines.flatMap((one) => /^ {2}… (\d+) more$/.exec(one)?.[1] ?? []).reduce((sum, count) => sum + Number(count), 0);
  expect(hidden).toBe(timeline.length - 12);
});

test("what no line stands for is counted, with the question that counts it all", () => {
  const { incident } = incidentSubject();
  const text = shown({ agentUid: "agt-1", activityLeftOut: 4_900, blast: { ...incident.blast!, atLeast: true } }, 160);
  const to = (time: number) => new Date(time).toISOString();
  expect(text.replace(/\s+/g, " ")).toContain(
    `left out: at least 4900 more events of the agent: custodes touched --agent agt-1 --from ${to(incident.blast!.from)} --to ${to(incident.blast!.to)}`,
  );
  expect(shown({})).not.toContain("more events of the agent");
});

test("says that nobody knows what it can still reach, and every credential with its places", () => {
  const { incident } = incidentSubject();
  const credentials = [{ kind: "client", uid: "oauth-1", count: 1, addresses: ["203.0.113.9"], countries: [] }] as const;
  const reach = { granted: [], seen: ["crm:write"] };
  const text = shown({ agentUid: "a", profile: { team: "x" }, blast: { ...incident.blast!, credentials, reach } });
  expect(text).toContain("client oauth-1 from 203.0.113.9");
  expect(text).toMatch(
    /can still reach {2}unknown: the registry names no scopes of this agent; crm:write \(seen in use, not\s+registered\)/,
  );
});

test("an end that a person made is read when it goes on", () => {
  const text = shown({
    status: 1,
    reopened: { count: 1, time: T, at: T },
    history: [{ how: "person", by: "ann", reason: "false alarm", time: T }],
  });
  expect(text).toContain("before: closed by a person (ann) at 2026-03-31T12:00:00Z: false alarm");
});
