/** Histories that once went wrong, as the properties of the engine shrank them. */
import { describe, it } from "vitest";
import type { TestEvent } from "../core/correlation/build.ts";
import { check } from "./naive-check.ts";
import type { Scene } from "./naive-check.ts";

function event(uid: string, time: number, is: readonly string[], more: Partial<TestEvent> = {}): TestEvent {
  return { uid, time, is, category: is.includes("p") ? "dns" : "egress", ...more };
}

function atOnce(scene: Pick<Scene, "specs" | "events">): Scene {
  return { ...scene, evidenceMax: 25, latenessMs: 0, steps: [{ push: scene.events }] };
}

const CASES: readonly (readonly [what: string, scene: Scene])[] = [
  [
    "a rule over alerts and a rule over events group by the same name",
    atOnce({
      specs: [
        {
          id: "outer",
          rules: ["one"],
          groupBy: ["ai_agent.uid"],
          timespanMs: 1,
          suppressMs: 5,
          type: "event_count",
          threshold: { gte: 1 },
        },
        {
          id: "one",
          rules: ["p"],
          groupBy: ["x", "ai_agent.uid"],
          timespanMs: 1,
          suppressMs: 30,
          type: "event_count",
          threshold: { gte: 1 },
        },
        {
          id: "two",
          rules: ["q"],
          groupBy: ["ai_agent.uid"],
          timespanMs: 6,
          suppressMs: 5,
          type: "value_avg",
          threshold: { gte: 3 },
          fields: ["v"],
        },
      ],
      events: [event("e0", -1, ["q"], { x: "a", v: 5, "ai_agent.uid": "a1", agent: "a1" })],
    }),
  ],
  [
    "an event is wanted by one alternative and forbidden by another",
    atOnce({
      specs: [
        {
          id: "two",
          rules: ["r", "p", "q"],
          timespanMs: 12,
          suppressMs: 5,
          type: "temporal",
          threshold: {},
          more: {
            expression: {
              kind: "or",
              of: [
                {
                  kind: "and",
                  of: [
                    { kind: "not", of: { kind: "rule", rule: "q" } },
                    { kind: "rule", rule: "p" },
                  ],
                },
                { kind: "rule", rule: "r" },
              ],
            },
          },
        },
      ],
      events: [...Array.from({ length: 8 }, (_, index) => event(`e${index}`, -1, ["r"])), event("f", 11, ["q", "r"])],
    }),
  ],
];

describe("the engine, where it once was wrong", () => {
  it.each(CASES)("gives the alerts of the text when %s", (_, scene) => void check(scene));
});
