/** Correlators over a store in memory, with a small pack of rules of every way to end: growing, absent, tumbling, resolved late. */
import type { IncidentSettings } from "../../src/pipeline/incidents.ts";
import { incidentPolicy } from "../fixtures/policy.ts";
import { parseRuleFile } from "../../src/adapters/rules/yaml.ts";
import { regexEngine } from "../../src/adapters/rules/re2.ts";
import type { Alert } from "../../src/core/alert.ts";
import { engine } from "../../src/core/correlation/engine.ts";
import { CATEGORIES, STATUS, type EpochMs, type Event } from "../../src/core/event.ts";
import { attribute } from "../../src/core/identity/attribute.ts";
import { directory } from "../../src/core/identity/directory.ts";
import { resolver } from "../../src/core/identity/resolver.ts";
import { compileRules } from "../../src/core/sigma/compile.ts";
import type { RuleSet } from "../../src/core/sigma/rules.ts";
import { eventReader } from "../../src/core/sigma/event-reader.ts";
import { analysis } from "../../src/pipeline/analysis.ts";
import { correlator, type Correlator } from "../../src/pipeline/correlate.ts";
import type { Coverage } from "../../src/pipeline/coverage.ts";
import { deliveryKey, type RunningDestination } from "../../src/pipeline/route.ts";
import type { Store } from "../../src/ports/store.ts";
import { agent, key } from "../core/identity/agents.ts";
import { EVERYTHING, fakeConnector, logged, offline, START, testClock, testLog, testMeter, uuid5 } from "./world.ts";

export const MINUTE = 60_000;
export const LATENESS_MS = 60_000;
export const QUIET_MS = 60 * MINUTE;

export const RULES = `
title: A call
id: call
logsource: {product: agent, category: agent_api}
detection: {selection: {api.operation: call}, condition: selection}
---
title: A deletion
id: deletion
level: medium
logsource: {product: agent, category: agent_api}
detection: {selection: {api.operation: delete}, condition: selection}
---
title: Many calls
id: many
level: high
correlation: {type: event_count, rules: [call], group-by: [ai_agent.uid], timespan: 10m, condition: {gte: 3}}
---
title: Few calls
id: few
level: low
correlation: {type: event_count, rules: [call], group-by: [ai_agent.uid], timespan: 10m, condition: {lt: 2}}
---
title: Sent to a host that is not allowed
id: egress
level: critical
logsource: {product: agent, category: egress}
detection: {selection: {policy.dst_allowed: false}, condition: selection}
---
title: A failed authentication
id: failure
logsource: {product: agent, category: authentication}
detection: {selection: {status_id: 2}, condition: selection}
---
title: Three failed authentications
id: failures
correlation: {type: event_count, rules: [failure], group-by: [ai_agent.uid], timespan: 10m, condition: {gte: 3}}
---
title: Failed authentications, then a call
id: guessed
level: critical
correlation: {type: temporal_ordered, rules: [failures, call], group-by: [ai_agent.uid], timespan: 10m}
`;

/** As RULES, but deletions are worse, failures are counted otherwise, few calls are gone, and two calls alert. */
export const CHANGED_RULES = `${RULES.replace(
  "title: A deletion\nid: deletion\nlevel: medium",
  "title: A deletion\nid: deletion\nlevel: critical",
)
  .replace(
    "rules: [failure], group-by: [ai_agent.uid], timespan: 10m, condition: {gte: 3}",
    "rules: [failure], group-by: [ai_agent.uid], timespan: 20m, condition: {gte: 2}",
  )
  .replace(/---\ntitle: Few calls[\s\S]*?(?=---)/, "")}---
title: A call or two
id: some
level: high
correlation: {type: event_count, rules: [call], group-by: [ai_agent.uid], timespan: 30m, condition: {gte: 2}}
`;

/** The compiled rules of a text. */
export function packOf(text: string): RuleSet<Event> {
  const rules = compileRules(parseRuleFile("rules.yml", text), { reader: eventReader, regex: regexEngine, logsource: true });
  if (rules.rejected.length > 0) throw new Error(JSON.stringify(rules.rejected));
  return rules;
}

const PACK = packOf(RULES);
/** Agents a and b. */
export const registry = directory([
  agent("a", { keys: [key("client", "a")], allowedHosts: ["good.example"] }),
  agent("b", { keys: [key("client", "b")], allowedHosts: [] }),
]);

/** What a test event is; minutes count from START. */
export interface Story {
  readonly minute: number;
  readonly who: "a" | "b";
  readonly what: "call" | "delete" | "lookup" | "flow" | "failure";
}

/** A fresh event of a story, attributed as ingest does. */
export function storyEvent({ minute, who, what }: Story, index: number): Event {
  const time = START + Math.round(minute * MINUTE);
  const uid = `e${String(index).padStart(5, "0")}`;
  const ip = who === "a" ? "10.0.0.1" : "10.0.0.2";
  const made =
    what === "lookup"
      ? logged(uid, time, { category: "dns", dnsQuery: who === "a" ? "good.example" : "bad.example", dnsAnswers: ["192.0.2.1"] })
      : what === "flow"
        ? logged(uid, time, { category: "egress", srcIp: ip, dstIp: "192.0.2.1" })
        : what === "failure"
          ? logged(uid, time, { category: "authentication", clientUid: who, srcIp: "192.0.2.66", statusId: STATUS.failure })
          : logged(uid, time, { clientUid: who, srcIp: ip, operation: what });
  attribute(made, registry);
  return made;
}

/** A destination that routing can use and nothing is sent to. */
export const sink: RunningDestination = {
  id: "d/1",
  connector: fakeConnector,
  when: EVERYTHING,
  maxAttempts: 3,
  concurrency: 1,
  disableAfterMs: Infinity,
  context: offline(testClock(), testLog()),
  destination: {
    limits: { batchItems: 1, batchBytes: 1, itemBytes: 1 },
    accepts: ["alert", "incident"],
    render: () => {
      throw new Error("not rendered here");
    },
    send: () => Promise.reject(new Error("not sent here")),
  },
};

/** What is complete, set by the test. */
export interface Proven {
  watermark: EpochMs;
  missing: readonly string[];
}

/** A correlator that tests can look into. */
export interface Correlating extends Correlator {
  readonly meter: ReturnType<typeof testMeter>;
  readonly log: ReturnType<typeof testLog>;
  /** Asks for other rules, as the service does. */
  take(next: RuleSet<Event>): void;
}

/** A correlator; each is a process of its own. */
export function correlating(
  store: Store,
  proven: Proven,
  now: () => EpochMs = () => START,
  pack: RuleSet<Event> = PACK,
  incidents: Partial<IncidentSettings> = {},
): Correlating {
  const meter = testMeter();
  const log = testLog();
  let rules = pack;
  const made = correlator({
    store,
    now,
    meter,
    log,
    analysis(facts) {
      const names = resolver(registry);
      names.load(facts);
      return analysis(names, engine(rules, { reader: eventReader, uuid5, latenessMs: LATENESS_MS, baselines: true }));
    },
    names(facts) {
      const names = resolver(registry);
      names.load(facts);
      return names;
    },
    coverage: async (): Promise<Coverage> => ({
      watermarks: { all: proven.watermark, byCategory: new Map(CATEGORIES.map((one) => [one, proven.watermark])) },
      missing: proven.missing,
    }),
    rule: (id) => [...rules.detections, ...rules.correlations].find((one) => one.info.id === id)?.info,
    registry: () => registry,
    destinations: [sink],
    uuid5,
    incidents: incidentPolicy({ quietMs: QUIET_MS, ...incidents }),
  });
  return { ...made, meter, log, take: (next) => made.reload(() => (rules = next)) };
}

/** Appends events as an ingest transaction does. */
export async function append(store: Store, events: readonly Event[]): Promise<void> {
  if (events.length > 0) await store.transaction(async (tx) => void (await tx.appendEvents("fake/one", events)));
}

/** The alerts that the store has now, without what depends on how often they were told. */
export async function storedAlerts(store: Store): Promise<Alert[]> {
  const alerts = [...(await store.alerts())].sort((a, b) => (a.id < b.id ? -1 : 1));
  return alerts.map((alert) => ({ ...alert, revision: 0 }));
}

/** What must hold of the outbox at any time: a delivery for each revision from the first to the newest, none twice, none of what is not stored. */
export async function outboxProblems(store: Store): Promise<string[]> {
  const wanted: string[] = [];
  for (const alert of await store.alerts())
    for (let revision = 1; revision <= alert.revision; revision++) wanted.push(deliveryKey("d/1", "alert", alert.id, revision));
  for (const incident of await store.incidents())
    for (let revision = 1; revision <= incident.revision; revision++) wanted.push(deliveryKey("d/1", "incident", incident.id, revision));
  const have = (await store.deliveries()).map((row) => row.key);
  const problems = wanted.filter((one) => !have.includes(one)).map((one) => `missing ${one}`);
  problems.push(...have.filter((one) => !wanted.includes(one)).map((one) => `not stored ${one}`));
  for (const row of await store.deliveries()) {
    const revision =
      row.kind === "alert"
        ? await store.alertRevision(row.subjectId, row.revision)
        : await store.incidentRevision(row.subjectId, row.revision);
    if (revision === undefined) problems.push(`no revision ${row.key}`);
  }
  return problems;
}
