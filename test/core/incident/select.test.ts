import { expect, test } from "vitest";
import { select } from "../../../src/core/incident/select.ts";
import { alertAt } from "./build.ts";

const lines = (count: number) => Array.from({ length: count }, (_, index) => ({ time: index, uids: [`u${index}`] }));
const uidsOf = (kept: readonly { readonly uids: readonly string[] }[]): string[] => kept.flatMap(({ uids }) => uids);

test("what fits stays as it is", () => {
  expect(select(lines(4), [], 4)).toEqual(lines(4));
});

test("of too many the first, the last and something of every grave alert stay, in order of time", () => {
  const evidence = (from: number, to: number) => uidsOf(lines(100).slice(from, to));
  const alerts = [
    ...Array.from({ length: 60 }, (_, index) => alertAt(`high ${index}`, index, "high", { evidence: evidence(index, index + 25) })),
    alertAt("grant", 50, "critical", { evidence: ["u50"] }),
    alertAt("inner", 51, "critical", { evidence: ["an alert"], behind: ["u55"] }),
  ];
  const kept = uidsOf(select(lines(100), alerts, 12));
  expect(kept).toHaveLength(12);
  expect(kept).toEqual(expect.arrayContaining(["u0", "u1", "u2", "u50", "u55", "u97", "u98", "u99"]));
  expect(kept.map((uid) => Number(uid.slice(1)))).toEqual(kept.map((uid) => Number(uid.slice(1))).toSorted((a, b) => a - b));
});

test("many lines of one alert do not hide the one line of another of its level, and an unsure one is not grave", () => {
  const many = uidsOf(lines(100).slice(10, 60));
  const alerts = [
    alertAt("many", 9, "high", { evidence: many }),
    alertAt("one", 1, "high", { evidence: ["u80"] }),
    alertAt("unsure", 9, "critical", { evidence: many.slice(25), confidence: 10 }),
  ];
  const kept = uidsOf(select(lines(100), alerts, 6));
  expect(kept).toEqual(["u0", expect.any(String), expect.any(String), expect.any(String), "u80", "u99"]);
});

test("the places that nobody claims are filled from the start", () => {
  expect(uidsOf(select(lines(20), [], 8))).toEqual(["u0", "u1", "u2", "u3", "u4", "u5", "u18", "u19"]);
});
