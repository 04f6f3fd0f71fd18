import fc from "fast-check";
import { expect, test } from "vitest";
import { Entries, type ExtraKind, type Span } from "../../../src/core/correlation/entries.ts";
import type { Mark } from "../../../src/core/correlation/group.ts";

const GROUPS = 6;
const step = fc.oneof(
  { weight: 12, arbitrary: fc.record({ add: fc.nat(GROUPS - 1), time: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.record({ drop: fc.nat(GROUPS - 1), count: fc.nat(40) }) },
  { weight: 1, arbitrary: fc.record({ sort: fc.nat(GROUPS - 1) }) },
  { weight: 1, arbitrary: fc.record({ release: fc.nat(GROUPS - 1) }) },
  { weight: 1, arbitrary: fc.constant("compact" as const) },
);

interface Row {
  readonly time: number;
  readonly mark: Mark;
  readonly extra: number | string;
}

function rowsOf(entries: Entries, { at, size }: Span, kind: ExtraKind): Row[] {
  return Array.from({ length: size }, (_, offset) => ({
    time: entries.times[at + offset]!,
    mark: entries.marks[at + offset]!,
    extra: kind === "none" ? 0 : kind === "number" ? entries.numbers[at + offset]! : entries.texts[at + offset]!,
  }));
}

test("entries of many groups are as if each group had lists of its own", () => {
  fc.assert(
    fc.property(fc.constantFrom<ExtraKind>("none", "number", "text"), fc.array(step, { maxLength: 400 }), (kind, steps) => {
      const entries = new Entries(kind);
      const spans: Span[] = Array.from({ length: GROUPS }, () => ({ block: 0, room: 0, at: 0, size: 0 }));
      const lists: Row[][] = spans.map(() => []);
      for (const [number, one] of steps.entries()) {
        if (one === "compact") entries.compact(spans);
        else if ("add" in one) {
          const row = {
            time: one.time,
            mark: { uid: `u${number}`, agents: undefined },
            extra: kind === "none" ? 0 : kind === "number" ? number : `t${number}`,
          };
          entries.append(spans[one.add]!, row.time, row.mark, row.extra);
          lists[one.add]!.push(row);
        } else if ("drop" in one) {
          const count = Math.min(one.count, lists[one.drop]!.length);
          entries.dropFirst(spans[one.drop]!, count);
          lists[one.drop]!.splice(0, count);
        } else if ("release" in one) {
          entries.release(spans[one.release]!);
          lists[one.release]!.length = 0;
        } else {
          const list = lists[one.sort]!;
          const before = [...list];
          list.sort((a, b) => a.time - b.time);
          const span = spans[one.sort]!;
          const moved = entries.sortLast(span, span.size) - span.at;
          // What comes before is where it was.
          expect(list.slice(0, moved)).toEqual(before.slice(0, moved));
        }
        for (const [index, list] of lists.entries()) expect(rowsOf(entries, spans[index]!, kind)).toEqual(list);
      }
    }),
    { numRuns: 150 },
  );
});

test("the first position at or after a time, and the first after it", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(8), { maxLength: 20 }), fc.integer({ min: -1, max: 9 }), (times, time) => {
      const entries = new Entries("none");
      const other: Span = { block: 0, room: 0, at: 0, size: 0 };
      const span: Span = { block: 0, room: 0, at: 0, size: 0 };
      entries.append(other, 4, { uid: "o", agents: undefined }, 0);
      const sorted = times.toSorted((a, b) => a - b);
      for (const one of sorted) entries.append(span, one, { uid: "u", agents: undefined }, 0);
      expect(entries.lowerBound(span, time) - span.at).toBe(sorted.filter((one) => one < time).length);
      expect(entries.upperBound(span, time) - span.at).toBe(sorted.filter((one) => one <= time).length);
    }),
  );
});
