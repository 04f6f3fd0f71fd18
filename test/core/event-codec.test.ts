import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeEvent, encodeEvent } from "../../src/core/event-codec.ts";
import { CATEGORIES, type Event } from "../../src/core/event.ts";
import { Failure } from "../../src/core/errors.ts";
import { newEvent } from "../../src/core/new-event.ts";

const FIELDS = Object.keys(newEvent("u", 1, "dns", 1, 1)) as (keyof Event)[];

/** Any text at all, with NUL and lone surrogates. */
const text = fc.string({ unit: "binary", maxLength: 20 });

function code(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof Failure) return error.code;
    throw error;
  }
  return "none";
}

describe("encodeEvent and decodeEvent", () => {
  test("give back every text, number, flag and list that was set, whatever it holds", () => {
    fc.assert(
      fc.property(
        text,
        fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
        fc.constantFrom(...CATEGORIES),
        fc.record({ operation: text, purpose: text, userUid: text, srcIp: text }, { requiredKeys: [] }),
        fc.record({ tokensIn: fc.integer(), costUsd: fc.double({ noNaN: true, noDefaultInfinity: true }) }, { requiredKeys: [] }),
        fc.record({ refusal: fc.boolean(), isMfa: fc.boolean() }, { requiredKeys: [] }),
        fc.record({ agents: fc.array(text), scopes: fc.array(text) }, { requiredKeys: [] }),
        (uid, time, category, texts, numbers, flags, lists) => {
          const event = Object.assign(newEvent(uid, time, category, 6003, 2), texts, numbers, flags, lists);
          // JSON has no negative zero.
          if (Object.is(event.costUsd, -0)) event.costUsd = 0;
          expect(decodeEvent(encodeEvent(event))).toStrictEqual(event);
        },
      ),
    );
  });

  test("give back an event in which every field is set", () => {
    const event = newEvent("kong:1", 5, "agent_api", 6003, 2);
    const fields = event as unknown as Record<string, unknown>;
    for (const key of FIELDS.filter((name) => event[name] === undefined)) {
      // The event's type is gone at run time, so the decoder says which of the four kinds of value it takes.
      const taken = ["text", 7, true, ["a", "b"]].map((value) => [value, decodeEvent(JSON.stringify({ ...event, [key]: value }))] as const);
      for (const [value, decoded] of taken) if (decoded[key] !== undefined) fields[key] = value;
      expect(taken.filter(([, decoded]) => decoded[key] !== undefined)).toHaveLength(1);
    }
    expect(FIELDS.filter((key) => event[key] === undefined)).toEqual([]);
    expect(decodeEvent(encodeEvent(event))).toStrictEqual(event);
  });

  test("keep the difference between a field that is not said and one that is said to be empty", () => {
    const event = newEvent("kong:1", 5, "agent_api", 6003, 2);
    event.purpose = "";
    const decoded = decodeEvent(encodeEvent(event));
    expect([decoded.purpose, decoded.consentUid]).toEqual(["", undefined]);
  });

  test("write only what is set, without a raw NUL or a lone surrogate", () => {
    const event = newEvent("kong:1", 5, "agent_api", 6003, 2);
    event.operation = "\u0000\ud800";
    const encoded = encodeEvent(event);
    expect(encoded).not.toContain("purpose");
    expect(encoded.includes("\u0000")).toBe(false);
    expect(encoded.isWellFormed()).toBe(true);
    expect(decodeEvent(encoded).operation).toBe("\u0000\ud800");
  });

  test("decode into the one order of fields, whatever the order in the text", () => {
    const text = '{"spanUid":"s","activityId":2,"classUid":6003,"category":"dns","time":5,"uid":"u"}';
    expect(Object.keys(decodeEvent(text))).toEqual(FIELDS);
  });

  test("leave out unknown keys, prototypes and values of a wrong type", () => {
    const decoded = decodeEvent(
      '{"uid":"u","time":5,"category":"dns","classUid":4003,"activityId":1,"__proto__":{"polluted":1},"constructor":"x",' +
        '"extra":1,"srcIp":7,"srcPort":"80","isMfa":"true","agents":["a",1],"agentUid":null}',
    );
    expect(decoded).toStrictEqual(newEvent("u", 5, "dns", 4003, 1));
    expect((decoded as unknown as { polluted?: number }).polluted).toBeUndefined();
    expect(({} as { polluted?: number }).polluted).toBeUndefined();
  });

  test("refuse text that is not an event, and do not quote it", () => {
    expect(code(() => decodeEvent("{secret"))).toBe("RECORD_NOT_JSON");
    expect(code(() => decodeEvent("[1]"))).toBe("RECORD_NOT_OBJECT");
    expect(code(() => decodeEvent('{"uid":"u"}'))).toBe("RECORD_FIELD_MISSING");
    expect(code(() => decodeEvent('{"uid":"u","time":5,"category":"x","classUid":1,"activityId":1}'))).toBe("RECORD_FIELD_MISSING");
    expect(() => decodeEvent("{secret")).toThrow(/^(?!.*secret).*$/);
  });
});
