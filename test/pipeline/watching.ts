/** Two sources by hand, a correlator and a watch over them, a minute at a time. */
import { incidentPolicy } from "../fixtures/policy.ts";
import type { TestStore } from "./world.ts";
import { engine } from "../../src/core/correlation/engine.ts";
import { healthRule } from "../../src/core/completeness/health-rules.ts";
import type { Category, EpochMs } from "../../src/core/event.ts";
import { directory } from "../../src/core/identity/directory.ts";
import type { AgentProfile } from "../../src/core/identity/profile.ts";
import { resolver } from "../../src/core/identity/resolver.ts";
import { eventReader } from "../../src/core/sigma/event-reader.ts";
import { analysis } from "../../src/pipeline/analysis.ts";
import { correlator } from "../../src/pipeline/correlate.ts";
import { coverageNow } from "../../src/pipeline/coverage.ts";
import type { Hold } from "../../src/pipeline/hold.ts";
import { puller } from "../../src/pipeline/pull.ts";
import { watcher } from "../../src/pipeline/watch.ts";
import { Failure } from "../../src/core/errors.ts";
import type { Page } from "../../src/ports/connector.ts";
import { agent, key } from "../core/identity/agents.ts";
import { packOf, sink } from "./correlating.ts";
import { fakeConnector, ingestDeps, offline, page, running, sha256, testClock, testLog, testMeter, uuid5 } from "./world.ts";
import type { FakeRecord } from "./world.ts";

export const MINUTE = 60_000;
const STALL = 15 * MINUTE;
const RULES = `
title: A call
id: call
logsource: {product: agent, category: agent_api}
detection: {selection: {api.operation: call}, condition: selection}
---
title: A sign-in
id: sign-in
logsource: {product: agent, category: authentication}
detection: {selection: {api.operation: sign-in}, condition: selection}
---
title: Calls and sign-ins
id: both
level: high
correlation: {type: event_count, rules: [call, sign-in], group-by: [ai_agent.uid], timespan: 1h, condition: {gte: 2}}
`;

/** A vendor that answers with what it has, or fails. */
function fake() {
  let records: FakeRecord[] = [];
  let failure: Failure | undefined;
  let proven: EpochMs | undefined;
  return {
    add: (...more: FakeRecord[]) => void records.push(...more),
    fail: (how: Failure | undefined) => void (failure = how),
    /** From now on it proves no more than this; undefined: all but the last minute. */
    prove: (time: EpochMs | undefined) => void (proven = time),
    pull: async (now: EpochMs): Promise<Page> => {
      if (failure !== undefined) throw failure;
      const given = records;
      records = [];
      return page(given, { next: `c${now}`, completeTo: proven ?? now - MINUTE });
    },
  };
}

/** Two sources, a correlator and a watch over them, a minute at a time. */
export function watching(
  { store }: TestStore,
  agents: readonly AgentProfile[] = [agent("a", { keys: [key("client", "a")] })],
  options = {},
) {
  const clock = testClock();
  const now = (): EpochMs => clock.now();
  const meter = testMeter();
  const vendors = { api: fake(), idp: fake() };
  const sourceOf = (id: "api" | "idp", category: Category) =>
    running(
      { pull: () => vendors[id].pull(now()) },
      { id: `fake/${id}`, connector: { ...fakeConnector, categories: [category] }, stallMs: STALL },
    );
  const sources = [sourceOf("api", "agent_api"), sourceOf("idp", "authentication")];
  const registry = directory(agents);
  const holds = new Map<string, Hold>();
  let startTime = now();
  const rules = packOf(RULES);
  const startWatch = () =>
    watcher({
      store,
      now,
      meter,
      sources,
      startTime,
      uuid5,
      sha256,
      destinations: [sink],
      deliverer: { hold: (id) => holds.get(id) },
      registry: () => registry,
      options: { alerts: true, gapAfter: 15 * MINUTE, heldAfter: 15 * MINUTE, ...options },
    });
  let watch = startWatch();
  const start = () =>
    correlator({
      store,
      now,
      meter,
      log: testLog(),
      uuid5,
      destinations: [sink],
      incidents: incidentPolicy({ openAt: "medium", quietMs: 60 * MINUTE }),
      analysis: (facts) => {
        const names = resolver(registry);
        names.load(facts);
        return analysis(names, engine(rules, { reader: eventReader, uuid5, latenessMs: MINUTE, baselines: true }));
      },
      names: () => resolver(registry),
      coverage: () => coverageNow(store, sources, now(), startTime),
      ownAlerts: () => watch.alerts(),
      rule: (id) => [...rules.detections, ...rules.correlations].find((one) => one.info.id === id)?.info ?? healthRule(id),
      registry: () => registry,
    });
  let correlation = start();
  const pull = puller(ingestDeps(store, clock, meter, registry), offline(clock, testLog()));
  const signal = new AbortController().signal;
  return {
    store,
    now,
    meter,
    holds,
    ...vendors,
    restart: () => {
      startTime = now();
      watch = startWatch();
      correlation = start();
    },
    async minutes(count: number) {
      for (let minute = 0; minute < count; minute++) {
        clock.move(MINUTE);
        for (const source of sources) await pull(source, signal);
        await watch.look();
        await correlation.run(signal);
      }
    },
    alert: async (rule: string) => (await store.alerts()).filter(({ ruleId }) => ruleId === rule),
    incident: async (entity: string) => (await store.incidents()).filter((one) => one.entity === entity),
    gaps: () => store.gaps({ recent: 0 }),
  };
}
export const unreachable = new Failure("gone", { kind: "retryable", code: "HTTP_UNREACHABLE" });
export const call = (id: string, time: EpochMs): FakeRecord => ({ id, time, client: "a", operation: "call" });
export const signIn = (id: string, time: EpochMs): FakeRecord => ({
  id,
  time,
  category: "authentication",
  client: "a",
  operation: "sign-in",
});
