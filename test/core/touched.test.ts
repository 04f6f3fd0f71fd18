import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { STATUS, type Event } from "../../src/core/event.ts";
import { nameOfEndpoint, TOUCHED_KINDS, touchedBy } from "../../src/core/touched.ts";
import { linkIds, traceOf } from "../../src/core/trace.ts";
import { event } from "../contract/subjects.ts";

const call = (uid: string, time: number, set: Partial<Event> = {}): Event =>
  event(uid, time, { service: "crm", method: "GET", urlPath: "/v1/customers/123", bytesIn: 10, bytesOut: 1, ...set });

describe("what was touched", () => {
  test("one row per thing, with how often, how much, when, and what it holds", () => {
    const events = [
      call("a", 5, { dataClasses: ["pii"], urlPath: "/v1/customers/7" }),
      call("b", 3, { dataClasses: ["finance", "pii"], statusId: STATUS.failure }),
      call("c", 9, { urlPath: "/v1/orders" }),
    ];
    const { rows, totals, bytesIn, bytesOut } = touchedBy(events);
    expect(rows.endpoints).toEqual([
      {
        name: "crm GET /v1/customers/{id}",
        count: 2,
        failed: 1,
        bytesIn: 20,
        bytesOut: 2,
        firstTime: 3,
        lastTime: 5,
        marks: ["finance", "pii"],
      },
      { name: "crm GET /v1/orders", count: 1, failed: 0, bytesIn: 10, bytesOut: 1, firstTime: 9, lastTime: 9, marks: [] },
    ]);
    expect(rows.dataClasses.map(({ name, count }) => [name, count])).toEqual([
      ["pii", 2],
      ["finance", 1],
    ]);
    expect([totals.endpoints, bytesIn, bytesOut]).toEqual([2, 30, 3]);
  });

  test("every kind of thing is found in the events that have it", () => {
    const events = [
      event("1", 1, { category: "egress", dstHost: "paste.example", bytesOut: 45_000_000 }),
      event("2", 1, { category: "dns", dnsQuery: "evil.example" }),
      event("3", 1, { category: "credential", credentialUid: "key-1", clientUid: "oauth-1", srcIp: "10.0.0.1" }),
      event("4", 1, { category: "infra_change", infraAction: "aws:iam:CreateUser", resourceName: "eve", isChange: true }),
      event("5", 1, { category: "infra_change", infraAction: "aws:iam:ListUsers", isChange: false }),
      event("6", 1, { category: "file", filePath: "/etc/passwd" }),
      event("7", 1, { category: "process", process: "curl" }),
      event("8", 1, { toolName: "sql", toolNames: ["sql", "mail"], userUid: "u1", targetUserName: "bob" }),
    ];
    const { rows } = touchedBy(events);
    const names = Object.fromEntries(TOUCHED_KINDS.map((kind) => [kind, rows[kind].map(({ name }) => name).sort()]));
    expect(names).toEqual({
      endpoints: [],
      dataClasses: [],
      tools: ["mail", "sql"],
      hosts: ["evil.example", "paste.example"],
      credentials: ["client oauth-1", "key-1"],
      addresses: ["10.0.0.1"],
      infrastructure: ["aws:iam:CreateUser eve"],
      files: ["/etc/passwd"],
      processes: ["curl"],
      users: ["bob", "u1"],
    });
    expect(rows.credentials[0]?.marks).toEqual(["10.0.0.1"]);
    expect(rows.hosts.find(({ name }) => name === "paste.example")?.bytesOut).toBe(45_000_000);
    // One call with a tool that it names twice used it once.
    expect(rows.tools.every(({ count }) => count === 1)).toBe(true);
  });

  test("lists are bounded, their totals are not, and nothing in them can move a cursor", () => {
    const many = Array.from({ length: 500 }, (_, index) =>
      call(`e${index}`, index, { urlPath: `/p${"x".repeat(index % 7)}y${String.fromCharCode(97 + (index % 26))}z${index}q` }),
    );
    const { rows, totals } = touchedBy([...many, event("h", 1, { category: "egress", dstHost: "\u001b[2Jx\u202e" })]);
    expect(rows.endpoints).toHaveLength(200);
    expect(totals.endpoints).toBe(500);
    expect(rows.hosts[0]?.name).toBe("\\u{1b}[2Jx\\u{202e}");
  });

  test("the order of the events does not matter", () => {
    const events = Array.from({ length: 40 }, (_, index) =>
      call(`e${index}`, index % 7, { urlPath: `/v1/${index % 5}x`, dataClasses: [`c${index % 3}`] }),
    );
    fc.assert(
      fc.property(fc.shuffledSubarray(events, { minLength: events.length }), (shuffled) => {
        expect(touchedBy(shuffled)).toEqual(touchedBy(events));
      }),
      { numRuns: 50 },
    );
  });

  test.each([
    ["/v1/users/123/mail", "/v1/users/{id}/mail"],
    ["/v1/0a1b2c3d-4e5f-6789-abcd-ef0123456789", "/v1/{id}"],
    ["/v1/deadbeef", "/v1/deadbeef"],
    ["/v1/facade", "/v1/facade"],
    ["/1/2", "/{id}/{id}"],
  ])("ids in the path %s are left out", (urlPath, expected) => {
    expect(nameOfEndpoint(event("a", 1, { urlPath }))).toBe(expected);
  });

  test("an event that is no call has no endpoint; a call without a path its operation", () => {
    expect(nameOfEndpoint(event("a", 1, { category: "egress", urlPath: "/x" }))).toBeUndefined();
    expect(nameOfEndpoint(event("a", 1, { operation: "chat", service: "llm" }))).toBe("llm chat");
    expect(nameOfEndpoint(event("a", 1, { service: "llm" }))).toBe("llm");
    expect(nameOfEndpoint(event("a", 1))).toBeUndefined();
  });
});

describe("a run", () => {
  test("is in the order of time, and sums up what its events have in common", () => {
    const found = [
      { event: event("b", 20, { agentUid: "a", category: "egress", dstHost: "paste.example", bytesOut: 7 }), hop: 1 },
      { event: call("a", 10, { agentUid: "a", toolName: "sql", traceUid: "t" }), hop: 0 },
      { event: event("c", 20, { agents: ["x"], category: "agent_finding", findingThreat: "injection", source: "monitor/x" }), hop: 2 },
    ];
    const run = traceOf("t", found, { followed: ["s"], complete: true });
    expect(run.steps.map(({ uid, hop }) => [uid, hop])).toEqual([
      ["a", 0],
      ["b", 1],
      ["c", 2],
    ]);
    expect(run).toMatchObject({
      id: "t",
      from: 10,
      to: 20,
      agents: ["a", "x"],
      sources: ["kong/main", "monitor/x"],
      tools: ["sql"],
      hosts: ["paste.example"],
      findings: ["injection"],
      bytesIn: 10,
      bytesOut: 8,
      followed: ["s"],
      complete: true,
    });
    expect(traceOf("t", found.toReversed(), { followed: ["s"], complete: true })).toEqual(run);
  });

  test("goes on over run, session, trace and conversation ids, not over request ids", () => {
    expect(
      linkIds(event("a", 1, { runUid: "r", sessionUid: "s", traceUid: "", conversationUid: "c", requestUid: "q", spanUid: "p" })),
    ).toEqual(["r", "s", "c"]);
  });
});
