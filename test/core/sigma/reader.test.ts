import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { FIELD_PATHS } from "../../../src/core/fields.ts";
import { newEvent } from "../../../src/core/new-event.ts";
import { canonicalJson, type Json } from "../../../src/core/record.ts";
import { EVENT_FIELDS } from "../../../src/core/sigma/event-fields.ts";
import { eventReader } from "../../../src/core/sigma/event-reader.ts";
import { plainEvent, plainReader } from "../../../src/core/sigma/plain-reader.ts";

const hash = (record: Json): string => createHash("sha256").update(canonicalJson(record)).digest("hex");

describe("normalized events", () => {
  test("every path of the field table leads to its field", () => {
    const event = newEvent("u", 5, "egress", 4001, 6);
    const numbered = event as unknown as Record<string, unknown>;
    Object.keys(event).forEach((field, index) => {
      numbered[field] = index;
    });
    for (const [path, field] of Object.entries(FIELD_PATHS)) {
      const expected = Object.keys(event).indexOf(field);
      expect(eventReader.field(path)!(event)).toBe(expected);
      expect(EVENT_FIELDS[field](event)).toBe(expected);
    }
    expect(Object.keys(EVENT_FIELDS)).toEqual(Object.keys(event));
  });

  test("identity, time, category and agent come from the event; other paths are unknown", () => {
    const event = { ...newEvent("u", 5, "egress", 4001, 6), agentUid: "a1" };
    expect([eventReader.uid(event), eventReader.time(event), eventReader.category(event), eventReader.agent(event)]).toEqual([
      "u",
      5,
      "egress",
      "a1",
    ]);
    for (const path of ["agentUid", "__proto__", "constructor", "toString", "", "ai_agent"])
      expect(eventReader.field(path)).toBeUndefined();
    expect(eventReader.paths).toContain("ai_agent.uid");
  });

  test("keywords see every text that rules can name, once", () => {
    const event = { ...newEvent("u", 5, "egress", 4001, 6), dstHost: "evil.example", toolNames: ["t1", "t2"], bytesOut: 7 };
    const seen: string[] = [];
    eventReader.strings(event, (text) => seen.push(text));
    expect(seen.filter((text) => text !== "").toSorted()).toEqual(["evil.example", "t1", "t2", "u"]);
  });
});

describe("plain events", () => {
  const uid = (record: object): string => plainEvent({ timestamp: 1, ...record }, "timestamp", hash).uid;

  test("the uid is uid, else id, else a hash of the content whatever the order of its keys", () => {
    expect(uid({ uid: "a", id: "b" })).toBe("a");
    expect(uid({ uid: "", id: "b" })).toBe("b");
    expect(uid({ uid: 7, id: "b" })).toBe("7");
    expect(uid({ uid: null, id: 8 })).toBe("8");
    expect(uid({ uid: { x: 1 }, id: true, y: 2 })).toBe(hash({ timestamp: 1, uid: { x: 1 }, id: true, y: 2 }));
    expect(uid({ a: 1, b: 2 })).toBe(uid({ b: 2, a: 1 }));
    expect(uid({ a: 1 })).not.toBe(uid({ a: 2 }));
  });

  test("the time is at any path, in the forms that times have", () => {
    const time = (record: object, path: string): number => plainEvent(record, path, hash).time;
    expect(time({ t: "2026-01-01T00:00:00Z" }, "t")).toBe(1_767_225_600_000);
    expect(time({ t: "2026-01-01T02:00:00.5+02:00" }, "t")).toBe(1_767_225_600_500);
    expect(time({ t: 1_767_225_600 }, "t")).toBe(1_767_225_600_000);
    expect(time({ t: "1767225600000.9" }, "t")).toBe(1_767_225_600_000);
    expect(time({ t: -1 }, "t")).toBe(-1000);
    expect(time({ a: { b: 5 } }, "a.b")).toBe(5000);
    expect(time({ "a.b": 5 }, "a.b")).toBe(5000);
  });

  test.each([
    [{}, "RECORD_NO_TIME"],
    [{ t: "2026-01-01" }, "RECORD_NO_TIME"],
    [{ t: "2026-01-01T00:00:00" }, "RECORD_NO_TIME"],
    [{ t: null }, "RECORD_NO_TIME"],
    [{ t: [1] }, "RECORD_NO_TIME"],
    [{ t: 1e300 }, "RECORD_NO_TIME"],
    [[1], "RECORD_NOT_OBJECT"],
    [null, "RECORD_NOT_OBJECT"],
    ["x", "RECORD_NOT_OBJECT"],
  ])("%j is poison: %s", (record, code) => {
    expect(() => plainEvent(record, "t", hash)).toThrow(expect.objectContaining({ kind: "poison", code }));
  });

  test("a record that is nested too deep is poison, at any depth", () => {
    for (const depth of [66, 5000]) {
      const record = JSON.parse(`{"t":1,"uid":"x","a":${"[".repeat(depth)}${"]".repeat(depth)}}`) as unknown;
      expect(() => plainEvent(record, "t", hash)).toThrow(expect.objectContaining({ code: "RECORD_TOO_DEEP" }));
    }
  });

  test("nothing is read through prototypes, and own keys of such names are", () => {
    const reader = plainReader();
    const event = plainEvent(JSON.parse('{"t":1,"__proto__":{"x":"own"},"constructor":"c"}'), "t", hash);
    expect(reader.field("__proto__.x")!(event)).toBe("own");
    expect(reader.field("constructor")!(event)).toBe("c");
    expect(reader.field("toString")!(event)).toBeUndefined();
    expect(reader.field("__proto__.toString")!(event)).toBeUndefined();
    expect(({} as Record<string, unknown>)["x"]).toBeUndefined();
  });

  test("keywords see nested strings, not keys or numbers", () => {
    const seen: string[] = [];
    plainReader().strings(plainEvent({ t: 1, a: { key: "v1" }, b: ["v2", [{ c: "v3" }], 5, true, null] }, "t", hash), (text) =>
      seen.push(text),
    );
    expect(seen).toEqual(["v1", "v2", "v3"]);
  });
});
