/** Attributions and joins against the truth. */
import { ATTRIBUTION, type Event } from "../../src/core/event.ts";
import { MINUTE, type SourceName } from "./world.ts";
import type { Seen } from "./play.ts";

/** Shares of 1; NaN where there was nothing to count. */
export interface Score {
  readonly precision: number;
  readonly recall: number;
  /** What was said, and what would have been right to say. */
  readonly said: number;
  readonly true: number;
}

/** Who is said to have made an event; empty: nobody. */
export type Says = (seen: Seen) => readonly string[];

/** What the resolver says, where it names one agent. */
export const resolved: Says = ({ event }) => (event.agentUid === undefined ? [] : [event.agentUid]);

/** Every agent that is named counts as said. What nobody can decide cannot be missed, but can be wrong. */
export function attributions(seen: readonly Seen[], says: Says): Score {
  let said = 0;
  let right = 0;
  let decidable = 0;
  let found = 0;
  for (const one of seen) {
    const named = says(one);
    said += named.length;
    const isRight = one.truth !== undefined && named.includes(one.truth);
    if (isRight) right++;
    if (one.truth === undefined || one.undecidable) continue;
    decidable++;
    if (isRight) found++;
  }
  return { precision: right / said, recall: found / decidable, said, true: decidable };
}

/** Two kinds of events that belong together when one agent made both within a time. */
export interface Join {
  readonly name: string;
  readonly left: (seen: Seen) => boolean;
  readonly right: (seen: Seen) => boolean;
}

const isGateway = ({ source }: Seen): boolean => source === "kong";
/** The joins that the shipped rules make. */
export const JOINS: readonly Join[] = [
  { name: "gateway call + egress", left: isGateway, right: ({ event }) => event.category === "egress" },
  { name: "change + gateway call", left: ({ event }) => event.category === "infra_change" && event.isChange === true, right: isGateway },
];
const WITHIN = 10 * MINUTE;

/** Pairs of events that share a key, against pairs of one true agent. */
export function joins(seen: readonly Seen[], { left, right }: Join, keysOf: (seen: Seen) => readonly string[]): Score {
  const sides = [seen.filter(left), seen.filter(right)] as const;
  let said = 0;
  let correct = 0;
  let found = 0;
  eachPair(sides, keysOf, (a, b) => {
    said++;
    if (!isTrue(a, b)) return;
    correct++;
    if (!a.undecidable && !b.undecidable) found++;
  });
  let all = 0;
  const decidable = sides.map((side) => side.filter(({ undecidable }) => !undecidable)) as unknown as typeof sides;
  eachPair(
    decidable,
    ({ truth }) => (truth === undefined ? [] : [truth]),
    () => all++,
  );
  return { precision: correct / said, recall: found / all, said, true: all };
}

function isTrue(a: Seen, b: Seen): boolean {
  return a.truth !== undefined && a.truth === b.truth;
}

/** Each pair within the time that shares a key, once. */
function eachPair(
  [left, right]: readonly [readonly Seen[], readonly Seen[]],
  keysOf: (seen: Seen) => readonly string[],
  visit: (a: Seen, b: Seen) => void,
): void {
  interface Keyed {
    readonly seen: Seen;
    readonly keys: readonly string[];
  }
  const keyed = (side: readonly Seen[]): Map<string, Keyed[]> => {
    const table = new Map<string, Keyed[]>();
    for (const one of side.toSorted((a, b) => a.event.time - b.event.time)) {
      const keys = [...new Set(keysOf(one))].sort();
      for (const key of keys) {
        const list = table.get(key);
        if (list === undefined) table.set(key, [{ seen: one, keys }]);
        else list.push({ seen: one, keys });
      }
    }
    return table;
  };
  const others = keyed(right);
  for (const [key, list] of keyed(left)) {
    const candidates = others.get(key) ?? [];
    let from = 0;
    for (const a of list) {
      while (from < candidates.length && candidates[from]!.seen.event.time < a.seen.event.time - WITHIN) from++;
      for (let at = from; at < candidates.length && candidates[at]!.seen.event.time <= a.seen.event.time + WITHIN; at++) {
        const b = candidates[at]!;
        // Of several shared keys the first one tells of the pair.
        if (a.keys.find((one) => b.keys.includes(one)) === key) visit(a.seen, b.seen);
      }
    }
  }
}

const RAW: readonly (keyof Event)[] = [
  "agentNative",
  "clientUid",
  "credentialUid",
  "roleUid",
  "serviceAccount",
  "spiffeId",
  "podUid",
  "podName",
  "sessionUid",
  "runUid",
  "userUid",
  "userName",
  "srcIp",
];

/** Every identifier and the address of an event, as its record has them. */
export function rawKeys({ event }: Seen): readonly string[] {
  return RAW.flatMap((field) => {
    const value = event[field];
    return typeof value === "string" && value !== "" ? [value] : [];
  });
}

/**
 * The join on strings: an event is an agent's when one of its strings is in the registry, or is the address of a call of
 * that agent through the gateway, whenever that was.
 */
export function naive(seen: readonly Seen[], registry: ReadonlyMap<string, string>): Says {
  const registered = (one: Seen): readonly string[] => [...new Set(rawKeys(one).flatMap((key) => registry.get(key) ?? []))];
  const addresses = new Map<string, Set<string>>();
  for (const one of seen) {
    if (!isGateway(one) || one.event.srcIp === undefined) continue;
    for (const agent of registered(one)) {
      const holders = addresses.get(one.event.srcIp);
      if (holders === undefined) addresses.set(one.event.srcIp, new Set([agent]));
      else holders.add(agent);
    }
  }
  return (one) => {
    const own = registered(one);
    return own.length > 0 ? own : [...(addresses.get(one.event.srcIp ?? "") ?? [])];
  };
}

/** What is said of events that no record decides. */
export interface Undecidable {
  readonly events: number;
  /** One agent is named, and it is the true one, or another. */
  readonly right: number;
  readonly wrong: number;
  /** Several are named, the true one among them, or not. */
  readonly among: number;
  readonly missed: number;
  readonly unknown: number;
}

/** How often the truth is among the candidates of what is undecidable in principle. */
export function undecidable(seen: readonly Seen[]): Undecidable {
  const count = { events: 0, right: 0, wrong: 0, among: 0, missed: 0, unknown: 0 };
  for (const { event, truth, undecidable: is } of seen) {
    if (!is) continue;
    count.events++;
    if (event.agentUid !== undefined) count[event.agentUid === truth ? "right" : "wrong"]++;
    else if (event.agents !== undefined) count[event.agents.includes(truth!) ? "among" : "missed"]++;
    else count.unknown++;
  }
  return count;
}

/** Of the attacks, how many had every step of theirs given to the agent that was attacked, and to nobody else. */
export function wholeAttacks(seen: readonly Seen[], says: Says): { readonly attacks: number; readonly whole: number } {
  const steps = Map.groupBy(
    seen.filter(({ attack }) => attack !== undefined),
    ({ attack }) => attack,
  );
  const whole = [...steps.values()].filter((all) => all.every((one) => says(one).length === 1 && says(one)[0] === one.truth));
  return { attacks: steps.size, whole: whole.length };
}

/** What the record itself does not tell: the events that bindings have to decide. */
export function indirect(seen: readonly Seen[]): readonly Seen[] {
  return seen.filter(({ event }) => event.attributionId !== ATTRIBUTION.direct);
}

/** By the source of the record. */
export function bySource(seen: readonly Seen[]): ReadonlyMap<SourceName, readonly Seen[]> {
  return Map.groupBy(seen, ({ source }) => source);
}
