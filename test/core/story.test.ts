import { expect, test } from "vitest";
import { CATEGORIES, STATUS, type Category, type Event } from "../../src/core/event.ts";
import { bytes, describeEvent, tellStory } from "../../src/core/story.ts";
import { alertSubject } from "../fixtures/subjects.ts";
import { event } from "./identity/agents.ts";

const HOSTILE_TEXT = `\u001b[31mred\u0007\r\nnext\u2028\u202egnp.exe\u2066\u200b\ufeff\ud800${"W".repeat(500)}`;
const say = (category: Category, changes: Partial<Event> = {}) => describeEvent(event(category, 1, changes));

test.each([
  [
    "agent_api",
    { method: "GET", url: "/v1/x", toolName: "search", srcIp: "10.0.0.1", responseCode: 200, bytesIn: 1500 },
    "called GET /v1/x with tool search from 10.0.0.1: 200, 1.5 kB returned",
  ],
  [
    "agent_api",
    { operation: "agent.turn", toolNames: ["search", "wire_transfer", "search", "a", "b"] },
    "called agent.turn with tools search, wire_transfer, a and 1 more",
  ],
  ["agent_api", { operation: "chat", statusId: STATUS.failure }, "called chat (failed)"],
  ["agent_api", {}, "called call"],
  [
    "agent_finding",
    { findingThreat: "prompt injection", findingSignal: "marker", findingSeverity: "high" },
    "monitor reported prompt injection: marker (high)",
  ],
  [
    "authentication",
    { statusId: STATUS.failure, srcIp: "198.51.100.1", eventCode: "user.session.start" },
    "authentication failed from 198.51.100.1: user.session.start",
  ],
  ["egress", { bytesOut: 0, dstHost: "x.example", dstAllowed: false }, "sent 0 B to x.example (not allowed for this agent)"],
  ["egress", { dstIp: "192.0.2.1" }, "sent data to 192.0.2.1"],
  ["egress", {}, "sent data to an unknown host"],
  ["dns", { dnsQuery: "x.example" }, "looked up x.example"],
  [
    "infra_change",
    { infraAction: "k8s:create:pods", resourceName: "p", grant: "admin", statusId: STATUS.failure },
    "k8s:create:pods p granting admin (failed)",
  ],
  ["process", { process: "curl x" }, "started curl x"],
  ["file", { filePath: "/etc/passwd" }, "opened /etc/passwd"],
  ["credential", { credentialUid: "c1", operation: "rotated" }, "credential c1: rotated"],
] as const)("%s in words", (category, changes, words) => {
  expect(say(category, changes)).toBe(words);
});

test("every category has words, of at most 200 characters, and nothing hostile in them", () => {
  const texts = {
    operation: HOSTILE_TEXT,
    url: HOSTILE_TEXT,
    method: HOSTILE_TEXT,
    toolName: HOSTILE_TEXT,
    srcIp: HOSTILE_TEXT,
    findingSignal: HOSTILE_TEXT,
    findingThreat: HOSTILE_TEXT,
    eventCode: HOSTILE_TEXT,
    dstHost: HOSTILE_TEXT,
    dnsQuery: HOSTILE_TEXT,
    infraAction: HOSTILE_TEXT,
    resourceName: HOSTILE_TEXT,
    process: HOSTILE_TEXT,
    filePath: HOSTILE_TEXT,
    credentialUid: HOSTILE_TEXT,
  };
  for (const category of CATEGORIES) {
    const line = say(category, texts);
    expect(line.length).toBeGreaterThan(0);
    expect(line.length).toBeLessThanOrEqual(200);
    // Controls, line and paragraph separators, and all that is formatting: marks of direction, zero widths, the byte order mark.
    expect(line).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\p{Cf}]/u);
  }
});

test("a story names each rule once, counts the rest, and counts events of one alert, alerts of several", () => {
  const of = (titles: string[], count = 1) => titles.map((ruleTitle) => ({ ...alertSubject().alert, ruleTitle, count }));
  expect(tellStory("bot", of(["A", "B", "A"], 2))).toBe("bot: A; then B (3 alerts).");
  expect(tellStory("bot", of(["A"]))).toBe("bot: A (1 event).");
  expect(tellStory("bot", of(["A", "B", "C", "D", "E", "F"]))).toBe("bot: A; then B; then C; then D; and 2 more (6 alerts).");
  expect(tellStory("bot", of(["A"], 240))).toBe("bot: A (240 events).");
  expect(tellStory("bot", of(["A"]), 71)).toBe("bot: A (at least 71 alerts).");
  expect(tellStory("x".repeat(9999), of(["A"])).length).toBeLessThanOrEqual(500);
});

test("bytes for people round to one digit and stop at the last unit", () => {
  expect([0, 999, 1000, 1500, 999_949, 48_211_904, 2e9, 3e12, 5e15].map(bytes)).toEqual([
    "0 B",
    "999 B",
    "1.0 kB",
    "1.5 kB",
    "999.9 kB",
    "48.2 MB",
    "2.0 GB",
    "3.0 TB",
    "5000.0 TB",
  ]);
});

test.each([
  [
    "agent_api",
    { method: "DELETE", url: `/v1/${"x".repeat(500)}`, toolName: "t".repeat(300), responseCode: 403, bytesIn: 5, srcIp: "2001:db8::1" },
    /: 403, 5 B returned$/,
  ],
  [
    "infra_change",
    { infraAction: "a".repeat(300), resourceName: "r".repeat(300), grant: "g".repeat(300), statusId: STATUS.failure },
    /\(failed\)$/,
  ],
  ["egress", { dstHost: "h".repeat(300), dstAllowed: false }, /\(not allowed for this agent\)$/],
] as const)("however long names are, %s says how it ended", (category, changes, ending) => {
  expect(say(category, changes)).toMatch(ending);
});
