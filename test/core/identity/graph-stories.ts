/** Stories that records tell of keys, decided by a process in some order and by definition. */
import fc from "fast-check";
import { expect } from "vitest";
import { ATTRIBUTION, type EpochMs, type Event } from "../../../src/core/event.ts";
import { attribute } from "../../../src/core/identity/attribute.ts";
import { directory } from "../../../src/core/identity/directory.ts";
import { linkText, type KeyText } from "../../../src/core/identity/links.ts";
import { resolver, type ObservedFact } from "../../../src/core/identity/resolver.ts";
import { agent, event, key, NOON } from "./agents.ts";
import { naiveCandidates, type NaiveStory } from "./naive-graph.ts";

const MINUTE = 60_000;
const registry = directory(
  ["a", "b", "c"].map((id) =>
    agent(id, { keys: [key("client", id), key("serviceAccount", `sa-${id}`), ...(id === "c" ? [key("role", "role-c")] : [])] }),
  ),
);
const REGISTERED = new Map(["a", "b", "c"].map((id) => [id, [`client:${id}`, `sa:sa-${id}`, ...(id === "c" ? ["role:role-c"] : [])]]));

/** One record of a story. */
export type Item =
  | { readonly is: "sight"; readonly time: EpochMs; readonly agent: string; readonly keys: readonly KeyText[] }
  | {
      readonly is: "link";
      readonly time: EpochMs;
      readonly from: KeyText;
      readonly to: KeyText;
      /** Minutes until it ends as the record says, of its time; 0: not said. */
      readonly mins: number;
      /** Minutes until it begins as the record says. */
      readonly delay: number;
      readonly ends: boolean;
    }
  | { readonly is: "event"; readonly time: EpochMs; readonly keys: readonly KeyText[] };

/** Dense around the tolerance of clocks, the reach of a sight, and the reaches of sessions or of addresses. */
const timesOf = (far: readonly number[]): fc.Arbitrary<EpochMs> =>
  fc
    .tuple(
      fc.oneof(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: 12 }), fc.constantFrom(0, ...far)),
      fc.integer({ min: 0, max: 20 }),
    )
    .map(([minute, fine]) => NOON + minute * MINUTE + fine * 2500);
const HOURS = timesOf([720, 1440, 2160]);
const DAYS = timesOf([600, 1200, 2000, 10 * 1440, 30 * 1440, 30 * 1440 + 700, 31 * 1440, 32 * 1440, 61 * 1440]);
/** Stories are about few keys, so that much is told of each. */
interface Palette {
  readonly from: readonly KeyText[];
  readonly to: readonly KeyText[];
  readonly sights: readonly (readonly KeyText[])[];
  readonly subjects: readonly (readonly KeyText[])[];
}
const HANDS: Palette = {
  from: ["ip:10.0.0.0", "ip:10.0.0.0", "ip:10.0.0.0", "pod:p0", "pod:p1"],
  to: ["pod:p0", "pod:p1", "sa:sa-a", "sa:sa-b"],
  sights: [["ip:10.0.0.0"]],
  subjects: [["ip:10.0.0.0"], ["ip:10.0.0.0"], ["pod:p0"]],
};
const TOKENS: Palette = {
  from: ["role:r0", "cred:k0"],
  to: ["sa:sa-a", "sa:sa-b", "role:r0", "role:role-c", "client:c"],
  sights: [["cred:k0"]],
  subjects: [["cred:k0"], ["role:r0"], ["cred:k0", "role:r0"]],
};
const SPAWNED: Palette = {
  from: ["agent:s1", "agent:s2", "agent:s3", "agent:s4", "agent:s5"],
  to: ["agent:s2", "agent:s3", "agent:s4", "agent:s5", "agent:a"],
  sights: [["session:s0"]],
  subjects: [["agent:s1"], ["agent:s2"]],
};
const ALL: Palette = {
  from: ["ip:10.0.0.0", "ip:10.0.0.1", "pod:p0", "pod:p1", "cred:k0", "role:r0", "agent:sub", "session:s0"],
  to: ["pod:p0", "pod:p1", "sa:sa-a", "sa:sa-b", "sa:sa-x", "role:r0", "role:role-c", "agent:sub", "agent:a", "client:c"],
  sights: [["ip:10.0.0.0"], ["ip:10.0.0.1"], ["ip:10.0.0.0", "cred:k0"], ["session:s0"], ["cred:k0"]],
  subjects: [
    ["ip:10.0.0.0"],
    ["session:s0"],
    ["cred:k0", "session:s0"],
    ["pod:p0", "ip:10.0.0.0"],
    ["agent:sub", "cred:k0", "pod:p1", "session:s0"],
  ],
};

const itemOf = ({ from, to, sights, subjects }: Palette, times: fc.Arbitrary<EpochMs>): fc.Arbitrary<Item> =>
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ is: fc.constant("event" as const), time: times, keys: fc.constantFrom(...subjects) }) },
    {
      weight: 2,
      arbitrary: fc.record({
        is: fc.constant("sight" as const),
        time: times,
        agent: fc.constantFrom("a", "b", "c"),
        keys: fc.constantFrom(...sights),
      }),
    },
    {
      weight: 5,
      arbitrary: fc
        .record({
          is: fc.constant("link" as const),
          time: times,
          from: fc.constantFrom(...from),
          to: fc.constantFrom(...to),
          mins: fc.oneof(fc.constantFrom(0, 0, 0, 0, 1, 20, -1), fc.integer({ min: 1, max: 12 })),
          delay: fc.constantFrom(0, 0, 0, 0, 0, 0, 1, 20, 700),
          ends: fc.integer({ min: 0, max: 4 }).map((chance) => chance === 0),
        })
        .filter((one) => one.from !== one.to),
    },
  );
/** Random stories. */
export const stories = fc
  .tuple(fc.constantFrom(HANDS, HANDS, TOKENS, SPAWNED, ALL), fc.constantFrom(HOURS, HOURS, DAYS))
  .chain(([palette, times]) => fc.array(itemOf(palette, times), { minLength: 1, maxLength: 40, size: "max" }));

const FIELD: Readonly<Record<string, keyof Event>> = {
  ip: "srcIp",
  pod: "podUid",
  cred: "credentialUid",
  role: "roleUid",
  agent: "agentNative",
  session: "sessionUid",
};
function fieldsOf(keys: readonly KeyText[]): Partial<Event> {
  return Object.fromEntries(keys.map((one) => [FIELD[one.split(":")[0]!]!, one.slice(one.indexOf(":") + 1)]));
}

function record(one: Item, index: number): Event {
  const made =
    one.is === "event"
      ? event(one.keys.some((text) => text.startsWith("ip:")) ? "process" : "agent_api", one.time, fieldsOf(one.keys))
      : one.is === "sight"
        ? event("agent_api", one.time, { ...fieldsOf(one.keys), clientUid: one.agent })
        : event("infra_change", one.time, { links: [linkText(toldOf(one))] });
  made.uid = `u${String(index).padStart(3, "0")}`;
  attribute(made, registry);
  return made;
}

function toldOf({ from, to, time, mins, delay, ends }: Extract<Item, { is: "link" }>) {
  return {
    from,
    to,
    ...(delay === 0 ? {} : { since: time + delay * MINUTE }),
    ...(mins === 0 ? {} : { until: time + mins * MINUTE }),
    ...(ends ? { ends } : {}),
  };
}

/** Seen at an address counts when it was seen. */
function beginOf({ time, from, to, delay }: Extract<Item, { is: "link" }>): EpochMs {
  return from.startsWith("ip:") && !to.startsWith("pod:") ? time : time + delay * MINUTE;
}

function naiveStory(story: readonly Item[]): NaiveStory {
  return {
    registry: REGISTERED,
    sights: story.filter((one) => one.is === "sight"),
    links: story
      .filter((one) => one.is === "link")
      .map((one) => ({ time: beginOf(one), from: one.from, to: one.to, until: toldOf(one).until, ends: one.ends })),
  };
}

interface Verdict {
  readonly agents: readonly string[];
  readonly confidence: number | undefined;
}

function verdictOf({ agentUid, agents, attributionConfidence, attributionId }: Event): Verdict {
  expect(attributionId).toBe(agentUid !== undefined ? ATTRIBUTION.observed : agents !== undefined ? ATTRIBUTION.shared : ATTRIBUTION.none);
  return { agents: agentUid === undefined ? (agents ?? []) : [agentUid], confidence: attributionConfidence };
}

function expected(story: NaiveStory, one: Extract<Item, { is: "event" }>): Verdict {
  const order = ["agent", "cred", "role", "pod", "session", "ip"];
  const keys = [...one.keys].sort((x, y) => order.indexOf(x.split(":")[0]!) - order.indexOf(y.split(":")[0]!));
  const found = naiveCandidates(story, keys, one.time);
  return { agents: [...found.keys()].sort(), confidence: found.size > 1 ? 20 : [...found.values()][0] };
}

/** Facts as the store merges them. */
function keep(kept: Map<string, ObservedFact>, changed: readonly ObservedFact[]): void {
  for (const fact of changed) {
    const old = kept.get(`${fact.key} ${fact.value}`);
    const isFirst = old === undefined || fact.first < old.first || (fact.first === old.first && fact.origin! < old.origin!);
    kept.set(`${fact.key} ${fact.value}`, {
      ...(isFirst ? fact : old),
      first: Math.min(fact.first, old?.first ?? fact.first),
      last: Math.max(fact.last, old?.last ?? fact.last),
    });
  }
}

/** A process that takes a story in some order, with watermarks, repetitions and restarts at will. */
function decideAll(story: readonly Item[], pick: () => number): Map<number, Event> {
  const arrival = story
    .map((one, index) => ({ index, at: one.time + (pick() % 3 === 0 ? (pick() % 2000) * MINUTE : 0) }))
    .sort((x, y) => x.at - y.at)
    .map(({ index }) => index);
  const arrived: number[] = [];
  const kept = new Map<string, ObservedFact>();
  const decided = new Map<number, Event>();
  let names = resolver(registry);
  let watermark = -Infinity;
  const take = (events: readonly Event[]): void => {
    for (const one of events) decided.set(Number(one.uid.slice(1)), one);
  };
  for (const index of arrival) {
    arrived.push(index);
    const again =
      pick() % 4 === 0 ? story.map((_, other) => other).filter((other) => arrived.includes(other) && story[other]!.is === "link") : [];
    // A repeated fact says nothing new, when its event has been there before.
    names.push(again.map((other) => record(story[other]!, other)));
    take(names.push([record(story[index]!, index)]));
    if (pick() % 2 === 0) {
      const missing = story.filter((_, other) => !arrived.includes(other)).map(({ time }) => time);
      const proven = Math.min(...missing, NOON + 100 * 1440 * MINUTE) - 1 - (pick() % 2) * (pick() % 20) * MINUTE;
      watermark = Math.max(watermark, proven);
      take(names.advance(watermark));
    }
    keep(kept, names.changedFacts());
    if (pick() % 4 !== 0) continue;
    names = resolver(registry);
    names.load([...kept.values()]);
    names.push(arrived.filter((one) => story[one]!.time > watermark - names.horizonMs).map((one) => record(story[one]!, one)));
    take(names.advance(watermark).filter(({ time }) => time > watermark - 5 * MINUTE));
  }
  take(names.advance(Infinity));
  return decided;
}

/** Compares what a process decides with what the set of records says; gives the number of candidates of each event. */
export function compare(story: readonly Item[], pick: () => number): readonly number[] {
  const naive = naiveStory(story);
  const decided = decideAll(story, pick);
  return story.flatMap((one, index) => {
    if (one.is !== "event") return [];
    const verdict = verdictOf(decided.get(index)!);
    expect(verdict).toEqual(expected(naive, one));
    return [verdict.agents.length];
  });
}
