/** Restarts that once lost alerts, as the properties shrank them. */
import { expect, it } from "vitest";
import type { CorrelationSpec, TestEvent } from "../core/correlation/build.ts";
import { runWithCrashes } from "./log.ts";
import { finals, naiveFinals } from "./naive-check.ts";
import type { Scene } from "./naive-check.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const EARLY: readonly TestEvent[] = [
  { uid: "e0", time: DAY - 1, is: ["p"], x: "a", category: "dns" },
  { uid: "e1", time: 26 * HOUR, is: ["p"], x: "b", category: "dns" },
];

const REMEMBERING: CorrelationSpec = {
  id: "one",
  type: "new_value",
  rules: ["r"],
  groupBy: ["ai_agent.uid"],
  timespanMs: HOUR,
  suppressMs: HOUR,
  threshold: {},
  fields: ["v"],
  more: { newValue: { lookbackMs: 1, minHistoryMs: DAY } },
};

function event(uid: string, time: number, v: unknown): TestEvent {
  return { uid, time, is: ["r"], v, category: "egress" };
}

/** Everything is pushed, the watermark moves, and the process ends and starts again. */
function restarted(spec: CorrelationSpec, events: readonly TestEvent[], watermark: number, then: readonly TestEvent[]): Scene {
  const steps = [{ push: events }, { advance: { all: watermark } }, { push: then }];
  return { specs: [spec], events: [...events, ...then], evidenceMax: 25, latenessMs: 0, steps };
}

it.each<readonly [string, Scene]>([
  [
    "a silence that began longer ago than the horizon is still one: a rule without groups reports every window after its first event",
    restarted(
      { id: "silent", type: "event_count", rules: ["r"], timespanMs: 10, suppressMs: 10, threshold: { lt: 1 } },
      [event("e0", 0, 1)],
      500,
      [event("e1", 600, 1)],
    ),
  ],
  [
    "a group that was first seen longer ago than lookback and min_history together is no new group",
    restarted(
      {
        id: "novel",
        type: "new_value",
        rules: ["r"],
        timespanMs: DAY,
        suppressMs: DAY,
        threshold: {},
        fields: ["v"],
        more: { newValue: { lookbackMs: DAY, minHistoryMs: DAY } },
      },
      [event("e0", 0, "a"), event("e1", 20 * DAY, "a")],
      20 * DAY + 1,
      [event("e2", 20 * DAY + 10, "b")],
    ),
  ],
  [
    "what a rule remembers is stored with the first watermark, also where a rule that sleeps refers to it",
    {
      ...restarted(REMEMBERING, [{ ...event("e0", -1, "a"), "ai_agent.uid": "a1" }], 5 * DAY - 8, [
        { ...event("e1", 5 * DAY - 1, "b"), "ai_agent.uid": "a1" },
      ]),
      specs: [
        { id: "outer", type: "event_count", rules: ["one", "q"], groupBy: ["ai_agent.uid"], timespanMs: DAY, threshold: { gte: 1e9 } },
        REMEMBERING,
      ],
    },
  ],
  [
    "an alert over alerts that is open still needs the first event behind the first of these: horizons add up",
    {
      specs: [
        { id: "outer", type: "event_count", rules: ["one"], timespanMs: 12, suppressMs: 5, threshold: { gte: 2 }, more: { latenessMs: 0 } },
        { id: "one", type: "event_count", rules: ["r"], timespanMs: 12, suppressMs: 5, threshold: { gte: 2 }, more: { latenessMs: 0 } },
      ],
      events: [event("e0", 0, 1), event("e1", 10, 1), event("e2", 20, 1)],
      evidenceMax: 25,
      latenessMs: 0,
      steps: [{ push: [event("e0", 0, 1), event("e1", 10, 1), event("e2", 20, 1)] }, { advance: { all: 24 } }, { push: [] }],
    },
  ],
  [
    "what a rule has decided on inner alerts that one category let through early is decided once: the seal follows the steps of inner rules",
    {
      specs: [
        {
          id: "novel",
          type: "new_value",
          rules: ["inner"],
          timespanMs: HOUR,
          suppressMs: 5 * HOUR,
          threshold: {},
          fields: ["x"],
          more: { newValue: { lookbackMs: 1, minHistoryMs: 0 } },
        },
        { id: "inner", type: "event_count", rules: ["p"], groupBy: ["x"], timespanMs: 2 * HOUR, threshold: { neq: 2 }, alerts: false },
      ],
      events: EARLY,
      evidenceMax: 25,
      latenessMs: 0,
      steps: [
        { push: EARLY },
        {
          advance: {
            all: 26 * HOUR - 15,
            byCategory: new Map([
              ["dns", 26 * HOUR],
              ["egress", 26 * HOUR - 15],
            ]),
          },
        },
        { push: [] },
      ],
    },
  ],
])("%s", (_, scene) => {
  const expected = naiveFinals(scene);
  expect(expected.filter(({ ruleId }) => ruleId !== "r").length).toBeGreaterThan(0);
  for (const crashes of [[], [1], [0, 1, 2]]) expect(finals(runWithCrashes(scene, new Set(crashes)))).toEqual(expected);
});
