/** Random rules and histories for the real pipeline over a real store. */
import { incidentPolicy } from "../fixtures/policy.ts";
import { parseRuleFile } from "../../src/adapters/rules/yaml.ts";
import { regexEngine } from "../../src/adapters/rules/re2.ts";
import { engine } from "../../src/core/correlation/engine.ts";
import type { Watermarks } from "../../src/core/correlation/types.ts";
import { CATEGORIES, type Category, type Event } from "../../src/core/event.ts";
import { directory } from "../../src/core/identity/directory.ts";
import { resolver, type Resolver } from "../../src/core/identity/resolver.ts";
import { compileRules } from "../../src/core/sigma/compile.ts";
import { eventReader } from "../../src/core/sigma/event-reader.ts";
import type { RuleSet } from "../../src/core/sigma/rules.ts";
import { analysis } from "../../src/pipeline/analysis.ts";
import { correlator, type Correlator } from "../../src/pipeline/correlate.ts";
import type { Fact, Store } from "../../src/ports/store.ts";
import type { CorrelationSpec, TestEvent } from "../core/correlation/build.ts";
import { ruleFile } from "../property/written.ts";
import { sink } from "./correlating.ts";
import { logged, START, testLog, testMeter, uuid5 } from "./world.ts";

/** Windows are written in whole seconds, and times start at a multiple of all of them. */
const SCALE = 1000;
const ORIGIN = Math.floor(START / 60_000) * 60_000;

const FIELDS: Readonly<Record<string, string>> = { x: "session.uid", y: "user.uid", v: "traffic.bytes_out", w: "traffic.bytes_in" };
const CATEGORY: Readonly<Record<string, Category>> = { dns: "agent_api", egress: "authentication" };
const named = (name: string): string => FIELDS[name] ?? name;

/** The rule over fields that normalized events have, its windows in seconds. */
export function storedSpec(spec: CorrelationSpec): CorrelationSpec {
  const { groupBy = [], aliases, fields, suppressMs, timespanMs, ...rest } = spec;
  const fieldsOf = (byRule: Readonly<Record<string, string>>): Record<string, string> =>
    Object.fromEntries(Object.entries(byRule).map(([rule, field]) => [rule, named(field)]));
  return {
    ...rest,
    groupBy: groupBy.map(named),
    ...(aliases && { aliases: Object.fromEntries(Object.entries(aliases).map(([name, byRule]) => [name, fieldsOf(byRule)])) }),
    ...(fields && { fields: fields.map(named) }),
    timespanMs: timespanMs * SCALE,
    suppressMs: suppressMs! * SCALE,
  };
}

/** The event with what a normalized one can hold: texts to group by, numbers to measure. */
export function storedEvent({ uid, time, is, category, agent, ...values }: TestEvent): TestEvent {
  const text = (value: unknown): unknown => (typeof value === "string" && value !== "" ? value : undefined);
  const number = (value: unknown): unknown => (typeof value === "number" ? value + 0 : undefined);
  return {
    uid,
    time: timeOf(time),
    is,
    category: CATEGORY[category ?? "dns"]!,
    ...(agent === undefined ? {} : { agent }),
    "ai_agent.uid": agent,
    "session.uid": text(values["x"]),
    "user.uid": text(values["y"]),
    "traffic.bytes_out": number(values["v"]),
    "traffic.bytes_in": number(values["w"]),
  };
}

/** A moment of a random history. */
export function timeOf(time: number): number {
  return ORIGIN + time * SCALE;
}

/** What the log stores of it. */
export function logEvent(event: TestEvent): Event {
  return logged(event.uid, event.time, {
    category: event.category!,
    toolNames: [...event.is],
    agentUid: event.agent,
    sessionUid: event["session.uid"] as string | undefined,
    targetUserUid: event["user.uid"] as string | undefined,
    bytesOut: event["traffic.bytes_out"] as number | undefined,
    bytesIn: event["traffic.bytes_in"] as number | undefined,
  });
}

/** Compiles the rules as they would be written. */
export function storedRules(specs: readonly CorrelationSpec[], loud: ReadonlySet<string>): RuleSet<Event> {
  const text = ruleFile(specs, loud, { field: "tool.names", logsource: { product: "agent" } });
  const rules = compileRules(parseRuleFile("rules.yml", text), { reader: eventReader, regex: regexEngine, logsource: true });
  if (rules.rejected.length > 0) throw new Error(JSON.stringify(rules.rejected));
  return rules;
}

/** A process that correlates; `watermarks` are what is proven when it asks. */
export function worker(store: Store, rules: RuleSet<Event>, latenessMs: number, watermarks: () => Watermarks): Correlator {
  const infos = new Map([...rules.detections, ...rules.correlations].map((one) => [one.info.id, one.info]));
  const registry = directory([]);
  const names = (facts: readonly Fact[]): Resolver => {
    const made = resolver(registry);
    made.load(facts);
    return made;
  };
  return correlator({
    store,
    now: () => START,
    meter: testMeter(),
    log: testLog(),
    analysis: (facts) => analysis(names(facts), engine(rules, { reader: eventReader, uuid5, latenessMs, distinct: true, baselines: true })),
    names,
    coverage: () => Promise.resolve({ watermarks: watermarks(), missing: [] }),
    rule: (id) => infos.get(id),
    registry: () => registry,
    destinations: [sink],
    uuid5,
    incidents: incidentPolicy(),
  });
}

/** The watermarks of a random history's step. */
export function storedWatermarks({ all, byCategory }: Watermarks): Watermarks {
  const of = (category: string): number => timeOf(byCategory?.get(category as Category) ?? all);
  return {
    all: timeOf(all),
    byCategory: new Map(
      CATEGORIES.map((one) => [one, one === CATEGORY["dns"] ? of("dns") : one === CATEGORY["egress"] ? of("egress") : timeOf(all)]),
    ),
  };
}
