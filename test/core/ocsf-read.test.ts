import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { connectors } from "../../connectors/index.ts";
import { readFileRecords } from "../../src/adapters/files/read-records.ts";
import { sha256 } from "../../src/adapters/system/system.ts";
import { Failure } from "../../src/core/errors.ts";
import type { Event } from "../../src/core/event.ts";
import { eventToOcsf } from "../../src/core/ocsf.ts";
import { eventFromOcsf } from "../../src/core/ocsf/read.ts";

const SAMPLES = resolve(import.meta.dirname, "../../src/demo/samples");
const RECEIVED = Date.UTC(2026, 8, 16);
const FILES = [
  ["kong", "kong.ndjson.gz"],
  ["okta", "okta.ndjson"],
  ["istio", "istio.ndjson"],
  ["kubernetes", "kubernetes.ndjson"],
  ["agent-findings", "agent-findings.ndjson"],
] as const;

async function sampleEvents(id: string, file: string): Promise<Event[]> {
  const connector = connectors.find((one) => one.id === id);
  const normalize = connector?.normalize?.();
  const format = connector?.format?.();
  if (normalize === undefined || format === undefined) throw new Error(`${id} is no file source`);
  const events: Event[] = [];
  for await (const batch of readFileRecords(resolve(SAMPLES, file), format)) {
    for (const record of batch.records) {
      try {
        events.push(...normalize(record, { source: `${id}/test`, received: RECEIVED, sha256 }));
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
      }
    }
  }
  return events;
}

/** OCSF demands a user and a service of an authentication: where the record names none, the actor and the product stand there. */
const COMPLETED = new Set(["targetUserName", "service"]);

function supplied(event: Event): Partial<Event> {
  return Object.fromEntries(Object.entries(event).filter(([, value]) => value !== undefined));
}

describe("an event read back from OCSF", () => {
  test.each(FILES)("is the event that %s made, in both versions", async (id, file) => {
    const events = await sampleEvents(id, file);
    expect(events.length).toBeGreaterThan(50);
    for (const version of ["1.8.0", "1.9.0"] as const) {
      for (const event of events) {
        const [read, ...more] = eventFromOcsf(JSON.parse(JSON.stringify(eventToOcsf(event, { version }))), { received: RECEIVED, sha256 });
        expect(more).toEqual([]);
        expect(read).toMatchObject(supplied(event));
        expect(Object.keys(supplied(read!)).filter((key) => !(key in supplied(event)) && !COMPLETED.has(key))).toEqual([]);
      }
    }
  });

  test("gets its category from its class when the producer names none", () => {
    const object = { class_uid: 3002, activity_id: 1, time: 1_789_000_000_000, metadata: { uid: "x", version: "1.8.0" }, status_id: 2 };
    const [event] = eventFromOcsf(object, { received: RECEIVED, sha256 });
    expect(event).toMatchObject({ uid: "x", category: "authentication", statusId: 2 });
  });

  test("network activity that is not outbound is no egress and is left out", () => {
    const object = { class_uid: 4001, activity_id: 6, time: 1_789_000_000_000, metadata: {}, connection_info: { direction_id: 1 } };
    expect(eventFromOcsf(object, { received: RECEIVED, sha256 })).toEqual([]);
  });

  test("does not believe what somebody else decided about the agent or its policy", () => {
    const unmapped = {
      category: "egress",
      policy: { dst_allowed: true },
      ai_agent: { uid: "agt-1" },
      __proto__: { agent: { role: "admin" } },
    };
    const object = { class_uid: 4001, time: 1_789_000_000_000, metadata: { uid: "y" }, unmapped };
    const [event] = eventFromOcsf(object, { received: RECEIVED, sha256 });
    expect(event).toMatchObject({ agentUid: undefined, dstAllowed: undefined, agentRole: undefined });
  });

  test.each([
    ["RECORD_NOT_OBJECT", 7],
    ["RECORD_FIELD_MISSING", { time: 1_789_000_000_000 }],
    ["RECORD_NO_TIME", { class_uid: 6003 }],
    ["RECORD_TIME_FUTURE", { class_uid: 6003, time: RECEIVED + 90_000_000 }],
  ])("refuses what is none with %s", (code, record) => {
    expect(() => eventFromOcsf(record, { received: RECEIVED, sha256 })).toThrow(expect.objectContaining({ code }));
  });
});
