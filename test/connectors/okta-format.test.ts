import { describe, expect, test } from "vitest";
import okta from "../../connectors/okta/okta.ts";
import { Failure } from "../../src/core/errors.ts";

describe("okta: files", () => {
  const read = (lines: readonly string[]): unknown[] => {
    const reader = okta.format!().open();
    return lines.flatMap((line) => [...reader(line)]);
  };
  const events = [{ a: 'x}]{[\\"' }, { b: [1, { c: "," }] }, { d: {} }];
  test.each([
    ["one per line", events.map((event) => JSON.stringify(event))],
    ["an array on one line", [JSON.stringify(events)]],
    ["a pretty-printed array", JSON.stringify(events, null, 2).split("\n")],
    ["an array with an event per line", ["[", ...events.map((event) => `${JSON.stringify(event)},`), "]"]],
    ["several arrays", [JSON.stringify(events.slice(0, 1)), JSON.stringify(events.slice(1))]],
  ])("%s gives all events", (_, lines) => {
    expect(read(lines)).toEqual(events);
  });
  test("an array of something else is refused", () => {
    expect(() => read(["[1, 2]"])).toThrow(Failure);
  });
  test("an item that never ends is refused, and reading goes on", () => {
    const reader = okta.format!().open();
    reader("[{");
    const filler = `"k": "${"x".repeat(100_000)}",`;
    expect(() => {
      for (let index = 0; index < 12; index++) reader(filler);
    }).toThrow("longer than");
    expect(reader('{"a":1}]')).toEqual([{ a: 1 }]);
  });
});
