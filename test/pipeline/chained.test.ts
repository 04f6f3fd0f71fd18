import { directory } from "../../src/core/identity/directory.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadSubject } from "../../src/pipeline/subject.ts";
import type { Store } from "../../src/ports/store.ts";
import { append, correlating, MINUTE, storyEvent, type Proven, type Story } from "./correlating.ts";
import { memoryStore, START, type TestStore } from "./world.ts";

let memory: TestStore;
let store: Store;
beforeAll(async () => {
  memory = await memoryStore();
  store = memory.store;
});
afterAll(() => store.close());

const never = new AbortController().signal;

test("an incident of a rule over other rules tells of the events behind those, also when they were read long before", async () => {
  const proven: Proven = { watermark: START, missing: [] };
  const one = correlating(store, proven);
  const failures = [0, 1, 2].map((minute): Story => ({ minute, who: "a", what: "failure" }));
  await append(store, failures.map(storyEvent));
  await one.run(never);
  await append(store, [storyEvent({ minute: 3, who: "a", what: "call" }, 3)]);
  proven.watermark = START + 4 * MINUTE;
  await one.run(never);
  const [alert] = await store.alerts();
  expect(alert).toMatchObject({ ruleId: "guessed", count: 2, behind: ["e00000", "e00001", "e00002"] });
  expect(alert?.evidence).toEqual([expect.stringMatching(/^[0-9a-f-]{36}$/u), "e00003"]);
  const [incident] = await store.incidents();
  expect(incident).toMatchObject({ entity: "agent:a", level: "critical", ips: ["10.0.0.1", "192.0.2.66"] });
  expect(incident?.timeline.map(({ uid, text }) => [uid, text.split(":")[0]])).toEqual([
    ["e00000", "authentication failed from 192.0.2.66"],
    ["e00001", "authentication failed from 192.0.2.66"],
    ["e00002", "authentication failed from 192.0.2.66"],
    ["e00003", "called call from 10.0.0.1"],
  ]);
  const deps = { store, rule: () => undefined, registry: () => directory([]) };
  for (const row of await store.deliveries()) {
    const subject = await loadSubject(deps, row);
    expect(subject?.kind !== "event" && subject?.evidence.map(({ uid }) => uid)).toEqual(["e00003", "e00000", "e00001", "e00002"]);
  }
});
