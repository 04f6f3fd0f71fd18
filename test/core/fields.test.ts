import { expect, test } from "vitest";
import type { Event } from "../../src/core/event.ts";
import { FIELD_PATHS } from "../../src/core/fields.ts";
import { newEvent } from "../../src/core/new-event.ts";
import { eventReader } from "../../src/core/sigma/event-reader.ts";

test("a rule reads through every path what a normalizer wrote into its field", () => {
  for (const [path, field] of Object.entries(FIELD_PATHS)) {
    const event = newEvent("u", 1, "agent_api", 6003, 1);
    const value = ["uid", "source", "vendor", "product"].includes(field) ? "written" : field === "time" ? 7 : `written to ${field}`;
    Object.assign(event, { [field]: value });
    expect(eventReader.field(path)?.(event)).toBe(value);
  }
});

test("paths are lower case with dots, and none is the start of another field's value", () => {
  for (const path of Object.keys(FIELD_PATHS)) expect(path).toMatch(/^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$/);
});

test("a path that is none of them reads nothing, names of Object's members included", () => {
  const event = newEvent("u", 1, "agent_api", 6003, 1);
  for (const path of ["nothing.here", "__proto__", "constructor", "toString", "hasOwnProperty", ""])
    expect(eventReader.field(path)?.(event)).toBeUndefined();
});

test("every new event has all fields, in one order", () => {
  const keys = Object.keys(newEvent("a", 1, "dns", 4003, 1));
  expect(Object.keys(newEvent("b", 2, "egress", 4001, 6))).toEqual(keys);
  const fields: (keyof Event)[] = Object.values(FIELD_PATHS);
  for (const field of fields) expect(keys).toContain(field);
});
