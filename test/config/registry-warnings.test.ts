import { expect, test } from "vitest";
import { parseRegistry } from "../../src/config/registry.ts";
import { registryWarnings } from "../../src/config/registry-warnings.ts";

const warnings = (...agents: string[]): readonly string[] => {
  const parsed = parseRegistry("agents.yaml", `version: 1\nagents:\n${agents.map((one) => `  - {${one}}\n`).join("")}`);
  expect(parsed.problems).toEqual([]);
  return registryWarnings(parsed.agents);
};

test("a key of two agents at one time is told, one that changes hands is not", () => {
  const key = (from: string, to: string) => `identities: {kong_custom_id: {id: k, from: ${from}, to: ${to}}}`;
  expect(warnings(`id: a, ${key("2026-01-01", "2026-02-01")}`, `id: b, ${key("2026-02-01", "null")}`)).toEqual([]);
  expect(warnings(`id: a, ${key("2026-01-01", "2026-02-02")}`, `id: b, ${key("2026-02-01", "null")}`)).toEqual([
    "agent k belongs to a, b at one time: what it does belongs to none of them",
  ]);
  expect(warnings("id: a, identities: {agent_ids: [k, k]}")).toEqual([]);
});

test("a parent that is nobody and intervals that end before they begin are told", () => {
  expect(
    warnings(
      "id: a, parent: ghost, lifecycle: {from: 2026-02-01, until: 2026-01-01}",
      "id: b, parent: a, identities: {credentials: {id: c, from: 2026-02-01, to: 2026-01-01}}",
      "id: c, pods: [{ip: 10.0.0.1, from: 2026-02-01, to: 2026-01-01}]",
    ),
  ).toEqual([
    "a: its parent ghost is no agent",
    "a is retired before it is created",
    "b: credential c ends before it begins, and is never its own",
    "c: its pod at 10.0.0.1 ends before it begins",
  ]);
});

test("of many warnings of one kind some are told", () => {
  const many = Array.from({ length: 30 }, (_, index) => `id: a${index}, parent: ghost`);
  expect(warnings(...many)).toHaveLength(21);
  expect(warnings(...many).at(-1)).toBe("and 10 more of this kind");
});

test("one name in two clusters is no mistake, and in one cluster, or in any, it is", () => {
  const EAST = ", cluster: east";
  const shared = (one: string, other: string) =>
    warnings(...[one, other].map((more, index) => `id: a${index}, identities: {k8s_service_account: {id: sa${more}}}`)).length;
  expect([shared(EAST, ", cluster: west"), shared(EAST, EAST), shared(EAST, "")]).toEqual([0, 1, 1]);
});
