import { describe, expect, it } from "vitest";
import { CORRELATION_TYPES } from "../../src/core/sigma/rules.ts";
import { check } from "./naive-check.ts";
import type { Scene } from "./naive-check.ts";
import type { NaiveAlert } from "./naive.ts";
import { HISTORIES, holdsFor } from "./plan.ts";
import { busyScene, longScene, scene } from "./scenes.ts";

/** How many alerts each kind of rule raised: a property about rules that never fire says nothing. */
const raised = new Map<string, number>();

function count({ specs }: Scene, alerts: readonly NaiveAlert[]): void {
  const kinds = new Map(specs.map(({ id, type, more }) => [id, more?.expression === undefined ? type : `boolean ${type}`]));
  for (const { ruleId } of alerts) {
    const kind = kinds.get(ruleId) ?? "detection";
    raised.set(kind, (raised.get(kind) ?? 0) + 1);
  }
}

describe("the engine", () => {
  it("gives the final alerts of the text of the semantics, for any order, split, repetition and watermark", () => {
    holdsFor("final alerts", scene, (given) => count(given, check(given)));
  });

  it("gives the final alerts of the text for new values and baselines too", () => {
    holdsFor("final alerts of extensions", longScene, (given) => count(given, check(given)));
  });

  it("gives the final alerts of the text while it forgets what is over", () => {
    holdsFor("final alerts of busy groups", busyScene, (given) => count(given, check(given)));
  });

  it("was seen to raise alerts of every kind of rule", () => {
    const kinds = [...CORRELATION_TYPES, "boolean temporal", "boolean temporal_ordered", "detection"];
    for (const kind of kinds) expect([kind, (raised.get(kind) ?? 0) > 200]).toEqual([kind, true]);
  });
});

it("at least 20,000 histories are tried", () => {
  expect(Object.values(HISTORIES).reduce((sum, one) => sum + one, 0)).toBeGreaterThanOrEqual(20_000);
});
