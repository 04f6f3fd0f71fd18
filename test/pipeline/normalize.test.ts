import { expect, test } from "vitest";
import { poison } from "../../src/core/errors.ts";
import { directory } from "../../src/core/identity/directory.ts";
import { newEvent } from "../../src/core/new-event.ts";
import { normalizeRecords, RAW_MAX } from "../../src/pipeline/normalize.ts";
import type { Normalize } from "../../src/ports/connector.ts";
import { agent, key } from "../core/identity/agents.ts";
import { fakeNormalize, located, sha256, START } from "./world.ts";

const context = { source: "fake/one", received: START, sha256 };
const run = (
  records: readonly unknown[],
  normalize: Normalize = fakeNormalize,
  registry = directory([agent("a", { keys: [key("client", "k")] })]),
) => normalizeRecords(located(records), normalize, context, registry);

test("events are stamped with source and time of receipt, and attributed", () => {
  const { events } = run([{ id: "1", time: START, client: "k" }]);
  expect(events[0]).toMatchObject({ source: "fake/one", receivedTime: START, agentUid: "a" });
});

test("a record is stored in full or quarantined in full, never half of each", () => {
  const two: Normalize = (record, given) => [...fakeNormalize(record, given), newEvent("", START, "agent_api", 6003, 1)];
  const { events, rejects } = run([{ id: "1", time: START }], two);
  expect(events).toEqual([]);
  expect(rejects).toHaveLength(1);
});

test.each([
  ["no uid", { uid: "" }],
  ["a uid too long for an index", { uid: "x".repeat(513) }],
  ["a time before the epoch", { time: 0 }],
  ["a broken time", { time: Number.NaN }],
  ["a time in fractions of a millisecond", { time: START + 0.5 }],
  ["an unknown category", { category: "gossip" as never }],
  ["a time more than a day after it was received", { time: START + 86_400_001 }],
])("an event with %s does not reach the log", (_, changes) => {
  const { events, rejects } = run([{}], () => [Object.assign(newEvent("u", START, "agent_api", 6003, 1), changes)]);
  expect(events).toEqual([]);
  expect(rejects[0]?.code).toBe("RECORD_BUG");
});

test("a poison failure keeps its code and message; any other error says nothing of the record", () => {
  const bad: Normalize = (record) => {
    if (record === 1) throw poison("RECORD_NO_TIME", "the record has no usable time");
    throw new TypeError(`cannot read ${String(record)}`);
  };
  const { rejects } = run([1, "top secret"], bad);
  expect(rejects.map(({ code, message }) => [code, message])).toEqual([
    ["RECORD_NO_TIME", "the record has no usable time"],
    ["RECORD_BUG", "the connector failed on this record (TypeError)"],
  ]);
});

test("the raw text of a rejected record is cut, and a record that is no JSON is still rejected with its place", () => {
  const circular: Record<string, unknown> = {};
  circular["self"] = circular;
  const { rejects } = run(["x".repeat(RAW_MAX + 1), { long: "y".repeat(RAW_MAX) }, circular, undefined, 1n], () => {
    throw poison("RECORD_NOT_OBJECT", "no");
  });
  expect(rejects.map((one) => one.raw.length)).toEqual([RAW_MAX, RAW_MAX, 0, 0, 0]);
  expect(rejects.map((one) => one.position)).toEqual(["page:1", "page:2", "page:3", "page:4", "page:5"]);
});

test("a record of no interest is neither an event nor a reject", () => {
  expect(run([1, 2], () => [])).toEqual({ events: [], rejects: [] });
});
