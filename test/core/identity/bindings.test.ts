import { expect, test } from "vitest";
import { bindings, type Bindings } from "../../../src/core/identity/bindings.ts";
import type { ObservedFact } from "../../../src/core/identity/facts.ts";
import type { KeyText } from "../../../src/core/identity/links.ts";
import { CLOCK_TOLERANCE_MS, OBSERVED_MS, REACH } from "../../../src/core/identity/reach.ts";
import { ROOM } from "../../../src/core/identity/room.ts";
import { NOON } from "./agents.ts";

const IP: KeyText = "ip:10.0.0.1";
const HOUR = 3_600_000;
type Telling = readonly [time: number, from: KeyText, to: KeyText, until?: number, ends?: boolean];
function told(tellings: readonly Telling[], links: Bindings = bindings()): Bindings {
  for (const [time, from, to, until = Infinity, ends = false] of tellings) links.add({ from, to, until, ends }, time, `at ${time - NOON}`);
  return links;
}
const holders = (links: Bindings, key: KeyText, time: number): readonly string[] => links.at(key, time).map(({ to }) => to);

test("a pod has its address until another gets it; within the clocks' tolerance of the change both have it", () => {
  const links = told([
    [NOON, IP, "pod:a"],
    [NOON + HOUR, IP, "pod:b"],
  ]);
  const at = (time: number) => holders(links, IP, NOON + time);
  expect(at(-CLOCK_TOLERANCE_MS - 1)).toEqual([]);
  expect(at(-CLOCK_TOLERANCE_MS)).toEqual(["pod:a"]);
  expect(at(HOUR - CLOCK_TOLERANCE_MS - 1)).toEqual(["pod:a"]);
  expect(at(HOUR - CLOCK_TOLERANCE_MS)).toEqual(["pod:a", "pod:b"]);
  expect(at(HOUR + CLOCK_TOLERANCE_MS - 1)).toEqual(["pod:a", "pod:b"]);
  expect(at(HOUR + CLOCK_TOLERANCE_MS)).toEqual(["pod:b"]);
});

test("a pod that has ended and still shows its address does not get it back, but one that was given it again does", () => {
  const links = told([
    [NOON, IP, "pod:a"],
    [NOON + HOUR, IP, "pod:b"],
    [NOON + 2 * HOUR, IP, "pod:a"],
  ]);
  expect(holders(links, IP, NOON + 3 * HOUR)).toEqual(["pod:b"]);
  told([[NOON + 90 * 60_000, IP, "pod:a", Infinity, true]], links);
  expect(holders(links, IP, NOON + 3 * HOUR)).toEqual(["pod:a"]);
});

test("a link ends when its record says so, when it is ended, or when its kind's reach is over", () => {
  const links = told([
    [NOON, "cred:until", "sa:x", NOON + 1000],
    [NOON, "cred:ended", "sa:x"],
    [NOON + 1000, "cred:ended", "sa:x", Infinity, true],
    [NOON, "cred:open", "sa:x"],
  ]);
  const last = (key: KeyText, end: number) => [
    holders(links, key, end + CLOCK_TOLERANCE_MS - 1),
    holders(links, key, end + CLOCK_TOLERANCE_MS),
  ];
  expect(last("cred:until", NOON + 1000)).toEqual([["sa:x"], []]);
  expect(last("cred:ended", NOON + 1000)).toEqual([["sa:x"], []]);
  expect(last("cred:open", NOON + REACH.cred.maxMs)).toEqual([["sa:x"], []]);
});

test("what was told again is left out below the watermark, and above it is kept for what may still come between", () => {
  const minutes = (list: readonly number[]) => list.map((minute): Telling => [NOON + minute * 60_000, "cred:c", "sa:x"]);
  const links = told(minutes([0, 1, 2, 3, 4]));
  links.settle(NOON + 60_000);
  expect(links.size).toBe(5);
  // An end between two tellings: the next one begins it anew.
  told([[NOON + 30_000, "cred:c", "sa:x", Infinity, true]], links);
  expect(holders(links, "cred:c", NOON + 50_000)).toEqual([]);
  expect(links.at("cred:c", NOON + 90_000)).toMatchObject([{ since: NOON + 60_000, origin: "at 60000" }]);
  links.settle(NOON + HOUR);
  expect(links.size).toBe(4);
  expect(links.at("cred:c", NOON + 90_000)).toMatchObject([{ since: NOON + 60_000 }]);
});

test("a silence is never bridged by leaving out what lies in it", () => {
  const step = REACH.cred.silenceMs * 0.75;
  const links = told([0, 1, 2, 3].map((index): Telling => [NOON + index * step, "cred:c", "sa:x"]));
  links.settle(NOON + 10 * step);
  expect(links.size).toBe(4);
});

/** A telling each second for an hour; `lasts`: seconds, of the telling in that second. */
const eachSecond = (lasts: (second: number) => number) =>
  Array.from({ length: 3600 }, (_, second): Telling => [
    NOON + second * 1000,
    "agent:sub",
    "agent:a",
    NOON + (second + lasts(second)) * 1000,
  ]);
test.each([
  { name: "of two replicas, whose ends differ", lasts: (second: number) => 300 - (second % 300) + (second % 2) * 7 },
  { name: "with an end of its own in each call", lasts: () => 300 },
  { name: "with ends at random", lasts: (second: number) => 60 + ((second * 7919) % 241) },
])("tokens $name cost a mark for each time that they would have run out, in memory and in the store", ({ lasts }) => {
  const links = bindings();
  let stored = 0;
  for (const [index, one] of eachSecond(lasts).entries()) {
    told([one], links);
    if (index % 60 === 0) stored += links.settle(NOON + index * 1000).length;
  }
  links.settle(NOON + HOUR);
  expect(links.size).toBeLessThan(60);
  expect(stored).toBeLessThan(60);
  const plain = told(eachSecond(lasts));
  for (let second = -10; second < 4000; second++) {
    const at = (one: Bindings) => one.at("agent:sub", NOON + second * 1000).map(({ to, since, origin }) => ({ to, since, origin }));
    expect(at(links)).toEqual(at(plain));
  }
});

test("what two tellings leave open between them is not covered by a third that was between", () => {
  const links = told([
    [NOON, "agent:sub", "agent:a", NOON + 60_000],
    [NOON + 50_000, "agent:sub", "agent:a", NOON + 110_000],
    [NOON + 100_000, "agent:sub", "agent:a", NOON + 160_000],
  ]);
  links.settle(NOON + HOUR);
  expect(links.size).toBe(3);
  expect(holders(links, "agent:sub", NOON + 80_000)).toEqual(["agent:a"]);
});

test("of a key that is told of for weeks only what still reaches stays, and when it began", () => {
  const links = bindings();
  const forDays = 20;
  for (let minute = 0; minute < forDays * 1440; minute += 10) {
    const time = NOON + minute * 60_000;
    links.add({ from: "agent:sub", to: "agent:a", until: time + 300_000, ends: false }, time, "told");
    if (minute % 60 !== 0) continue;
    links.settle(time);
    links.prune(time - 12 * HOUR);
  }
  const end = NOON + forDays * 24 * HOUR - 600_000;
  expect(links.size).toBeLessThan(12 * 6 + 2 * forDays);
  expect(links.at("agent:sub", end)).toMatchObject([{ since: NOON }]);
});

test("facts are given to the store once, when a replay would no longer read them, and taken back as they were", () => {
  const links = told([
    [NOON, IP, "pod:a"],
    [NOON, "cred:c", "role:r", NOON + HOUR],
    [NOON + 1000, "pod:a", "sa:x", Infinity, true],
  ]);
  expect(links.settle(NOON + OBSERVED_MS - 1)).toEqual([]);
  const facts: ObservedFact[] = [...links.settle(NOON + OBSERVED_MS + 1000)];
  expect(facts).toHaveLength(3);
  expect(links.settle(NOON + HOUR)).toEqual([]);
  const again = bindings();
  expect(facts.every((fact) => again.restore(fact))).toBe(true);
  for (const key of [IP, "cred:c", "pod:a"] as const) expect(again.all(key)).toEqual(links.all(key));
  expect(again.settle(NOON + HOUR)).toEqual([]);
  expect(again.restore({ key: "dns:1@2", value: "x", first: 1, last: 1 })).toBe(false);
});

test("what reaches nothing any more is forgotten, and who took an address is remembered as long as who lost it", () => {
  const links = told([
    [NOON, IP, "pod:a"],
    [NOON + HOUR, IP, "pod:b"],
    [NOON + 2 * HOUR, IP, "pod:b", Infinity, true],
    [NOON, "cred:c", "sa:x"],
  ]);
  links.prune(NOON + 10 * HOUR);
  expect(holders(links, IP, NOON + 10 * HOUR)).toEqual([]);
  expect(links.size).toBe(4);
  links.prune(NOON + 40 * HOUR);
  expect(links.size).toBe(0);
});

test("lives of an address are forgotten from the oldest on, and who took it is not before the one who lost it", () => {
  const links = told([
    [NOON, IP, "pod:a"],
    [NOON + HOUR, IP, "pod:b"],
    [NOON + 2 * HOUR, IP, "pod:b", Infinity, true],
    [NOON + 36 * HOUR, IP, "pod:a"],
  ]);
  links.prune(NOON + 24 * HOUR);
  expect(links.size).toBe(4);
  expect(holders(links, IP, NOON + 24 * HOUR)).toEqual([]);
  links.prune(NOON + 30 * HOUR);
  expect(links.size).toBe(1);
  expect(holders(links, IP, NOON + 30 * HOUR)).toEqual([]);
  expect(links.at(IP, NOON + 36 * HOUR)).toMatchObject([{ to: "pod:a", since: NOON + 36 * HOUR }]);
});

test("an end is not forgotten before what it ends can have come", () => {
  const links = told([[NOON + HOUR, IP, "pod:a", Infinity, true]]);
  links.prune(NOON);
  told(
    [
      [NOON + 1000, IP, "pod:a"],
      [NOON + 2 * HOUR, IP, "pod:a"],
    ],
    links,
  );
  expect(links.all(IP)).toHaveLength(2);
});

test("an address that was over by itself is ended by no record", () => {
  const end = NOON + REACH.ip.maxMs + 1;
  const links = told([
    [NOON, IP, "pod:a"],
    [end, IP, "pod:a", Infinity, true],
  ]);
  expect(links.isParted(IP, end - HOUR, end + HOUR)).toBe(false);
  told([[NOON + 1, IP, "pod:a"]], links);
  expect(links.isParted(IP, end - HOUR, end + HOUR)).toBe(true);
});

test("a link that begins after its record is stored when a replay no longer reads the record", () => {
  const links = bindings();
  links.add({ from: "cred:c", to: "sa:x", until: Infinity, ends: false, since: NOON + HOUR }, NOON, "record");
  expect(links.settle(NOON + OBSERVED_MS - 1)).toEqual([]);
  expect(links.settle(NOON + OBSERVED_MS)).toMatchObject([{ first: NOON + HOUR, origin: "record" }]);
});

test("of too many keys the one that was told of last stays, and the count stays right when one key alone is too much", () => {
  const few = bindings({ ...ROOM, marks: 10 });
  for (let index = 0; index < 30; index++)
    told(
      [
        [NOON, "cred:often", "sa:x"],
        [NOON + index, `cred:c${index}`, "sa:x"],
      ],
      few,
    );
  expect(holders(few, "cred:often", NOON + 30)).toEqual(["sa:x"]);
  const one = bindings({ ...ROOM, marks: 3 });
  for (let index = 0; index < 8; index++) told([[NOON + index, "cred:c", "sa:x"]], one);
  expect([one.size, one.evicted]).toEqual([0, 8]);
  one.settle(NOON + HOUR);
  expect(one.size).toBe(0);
});

test("memory is bounded: the oldest keys go first, of one key the oldest holder, and both are counted", () => {
  const few = bindings({ ...ROOM, marks: 10 });
  for (let index = 0; index < 15; index++) told([[NOON + index, `cred:c${index}`, "sa:x"]], few);
  expect([few.size, few.evicted]).toEqual([10, 5]);
  expect(holders(few, "cred:c4", NOON)).toEqual([]);
  expect(holders(few, "cred:c5", NOON)).toEqual(["sa:x"]);
  const crowded = bindings();
  for (let index = 0; index < 300; index++) told([[NOON + index, "cred:c", `sa:x${index}`]], crowded);
  expect([crowded.size, crowded.evicted]).toEqual([256, 44]);
});
