import { expect, test } from "vitest";
import type { Alert } from "../../src/core/alert.ts";
import { grow, isNews } from "../../src/pipeline/grow.ts";
import { alertSubject } from "../fixtures/subjects.ts";

const alert = (changes: Partial<Alert>): Alert => ({
  ...alertSubject().alert,
  firstTime: 10,
  lastTime: 20,
  count: 2,
  evidence: ["a", "b"],
  agents: ["x"],
  final: false,
  ...changes,
});

test("an emission that covers what is stored replaces it", () => {
  const after = alert({ firstTime: 5, lastTime: 25, count: 3, evidence: ["z", "a", "b"], agents: ["w", "x"] });
  expect(grow(alert({}), after)).toEqual(after);
});

test("an emission of a late event alone widens what is stored and takes nothing back", () => {
  const late = alert({ firstTime: 15, lastTime: 15, count: 1, evidence: ["late"], agents: ["y"], final: true });
  expect(grow(alert({}), late)).toMatchObject({
    firstTime: 10,
    lastTime: 20,
    count: 3,
    evidence: ["a", "b", "late"],
    agents: ["x", "y"],
    final: true,
  });
  expect(grow(alert({}), alert({ ...late, evidence: ["a"] }))).toMatchObject({ count: 2, evidence: ["a", "b"] });
});

test("with a full list of evidence the count is never guessed upwards, and the list stays full", () => {
  const many = Array.from({ length: 25 }, (_, index) => `e${index}`);
  expect(grow(alert({ count: 900, evidence: many }), alert({ count: 1, evidence: ["late"] }))).toMatchObject({
    count: 900,
    evidence: many,
  });
});

test("the events behind inner alerts are kept, each once and no more than 25, and are no news", () => {
  const before = alert({ behind: ["p", "q"] });
  const late = { firstTime: 15, lastTime: 15, count: 1, evidence: ["late"] };
  expect(grow(before, alert({ ...late, behind: ["q", "r"] })).behind).toEqual(["p", "q", "r"]);
  expect(grow(before, alert(late)).behind).toEqual(["p", "q"]);
  const many = Array.from({ length: 25 }, (_, index) => `e${index}`);
  expect(grow(alert({ behind: many }), alert({ ...late, behind: ["r"] })).behind).toEqual(many);
  expect(Object.keys(grow(alert({}), alert(late)))).not.toContain("behind");
  expect(isNews(before, alert({ behind: ["p", "q", "r"] }))).toBe(false);
});

test("final stays final", () => {
  expect(grow(alert({ final: true }), alert({ count: 3 })).final).toBe(true);
});

test("news is what is final, more, earlier or later, and nothing else", () => {
  const before = alert({});
  for (const changes of [{ final: true }, { count: 3 }, { firstTime: 9 }, { lastTime: 21 }])
    expect(isNews(before, alert(changes))).toBe(true);
  for (const changes of [{}, { count: 1 }, { firstTime: 11 }, { lastTime: 19 }, { revision: 9 }])
    expect(isNews(before, alert(changes))).toBe(false);
});
