/** Attribution by definition, over the whole story at once: no order, no index, nothing forgotten. Shares no code with src. */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const TOLERANCE = 5 * SECOND;
const SIGHT = 5 * MINUTE;

/** What a record told: `from` belonged to `to`, or no longer did. */
export interface ToldLink {
  readonly time: number;
  readonly from: string;
  readonly to: string;
  readonly until: number | undefined;
  readonly ends: boolean;
}
/** A call of a known agent, with the keys that it used. */
export interface Sight {
  readonly time: number;
  readonly agent: string;
  readonly keys: readonly string[];
}
/** All that is told of the keys. */
export interface NaiveStory {
  readonly links: readonly ToldLink[];
  readonly sights: readonly Sight[];
  /** Keys of the registry, by agent; they hold at any time. */
  readonly registry: ReadonlyMap<string, readonly string[]>;
}

const MAX: Readonly<Record<string, number>> = { ip: 30 * DAY, pod: 30 * DAY, cred: 36 * HOUR, role: 12 * HOUR };
const kindOf = (key: string): string => key.split(":")[0]!;
const maxOf = (key: string): number => MAX[kindOf(key)] ?? DAY;
const lingerOf = (key: string): number => (["ip", "pod"].includes(kindOf(key)) ? 35 * SECOND : TOLERANCE);
const isAssignment = ({ from, to }: ToldLink): boolean => kindOf(from) !== "ip" || kindOf(to) === "pod";
const VALUE: Readonly<Record<string, number>> = { registry: 95, told: 80, delegated: 70, seen: 60 };

interface Hop {
  readonly to: string;
  readonly how: string;
  /** When it began, of what was told. */
  readonly since?: number;
}

/** Assertions of a pair that hold at a time, others not considered. */
function holding(all: readonly ToldLink[], time: number): ToldLink[] {
  return all.filter((one) => {
    if (one.ends || one.time - TOLERANCE > time) return false;
    if (time >= Math.min(one.until ?? Infinity, one.time + maxOf(one.from)) + TOLERANCE) return false;
    return !all.some((other) => other.ends && other.time >= one.time && other.time + lingerOf(one.from) <= time);
  });
}

/** When the unbroken holding began that an assertion belongs to: no end lies in it, and no silence as long as it may last: of an address, of a day. */
function beginning(all: readonly ToldLink[], one: ToldLink): number {
  const broken = Math.max(-Infinity, ...all.filter((other) => other.ends && other.time < one.time).map(({ time }) => time));
  const times = all.filter((other) => !other.ends && other.time > broken && other.time <= one.time).map(({ time }) => time);
  let begun = one.time;
  for (const time of times.sort((a, b) => b - a)) if (begun - time <= (kindOf(one.from) === "ip" ? DAY : maxOf(one.from))) begun = time;
  return begun;
}

const pairsOf = (story: NaiveStory, from: string): Map<string, ToldLink[]> =>
  Map.groupBy(
    story.links.filter((link) => link.from === from && isAssignment(link)),
    ({ to }) => to,
  );

function linkHops(story: NaiveStory, from: string, time: number): Hop[] {
  const hops: Hop[] = [];
  const pairs = pairsOf(story, from);
  for (const [to, all] of pairs) {
    const held = holding(all, time);
    if (held.length === 0) continue;
    const since = beginning(
      all,
      held.reduce((a, b) => (b.time >= a.time ? b : a)),
    );
    const taken =
      kindOf(from) === "ip" &&
      [...pairs].some(
        ([other, theirs]) =>
          other !== to && theirs.some((one) => !one.ends && beginning(theirs, one) > since && beginning(theirs, one) + TOLERANCE <= time),
      );
    if (!taken) hops.push({ to, how: kindOf(from) === "agent" ? "delegated" : "told", since });
  }
  return hops;
}

/** Changes of hands: the beginnings of all holdings, and the ends of those that were ended while nobody else had the address. */
function borders(story: NaiveStory, ip: string): number[] {
  const pairs = [...pairsOf(story, ip).values()];
  const begun = pairs.map((all) => all.filter(({ ends }) => !ends).map((one) => beginning(all, one)));
  return pairs.flatMap((all, index) => {
    const ended = all.filter((end) => {
      const before = Math.max(-Infinity, ...all.filter((other) => other.ends && other.time < end.time).map(({ time }) => time));
      const held = all.filter((other) => !other.ends && other.time <= end.time && other.time > before);
      // The holding that was the last, unless it was over by itself.
      const last = held.length === 0 ? undefined : held.reduce((a, b) => (b.time >= a.time ? b : a));
      if (!end.ends || last === undefined || end.time - last.time > maxOf(ip)) return false;
      const since = beginning(all, last);
      const others = begun.flatMap((list, other) => (other === index ? [] : list));
      return !others.some((time) => time > since && time < end.time);
    });
    return [...begun[index]!, ...ended.map(({ time }) => time)];
  });
}

function sightHops(story: NaiveStory, key: string, time: number): Hop[] {
  const observed = [
    ...story.sights.filter(({ keys }) => keys.includes(key)).map((sight) => ({ time: sight.time, to: `=${sight.agent}` })),
    ...story.links
      .filter((link) => link.from === key && !isAssignment(link) && !link.ends)
      .map((link) => ({ time: link.time, to: link.to })),
  ];
  if (kindOf(key) !== "ip") {
    if (kindOf(key) !== "cred" && kindOf(key) !== "session" && kindOf(key) !== "run") return [];
    const near = observed.filter((one) => one.to.startsWith("=") && time >= one.time - TOLERANCE && time <= one.time + DAY);
    return [...new Set(near.map(({ to }) => to))].map((to) => ({ to, how: "seen" }));
  }
  const edges = borders(story, key);
  // Of five minutes the first and the last sight of somebody count.
  const groups = Map.groupBy(observed, (one) => `${one.to} ${Math.floor(one.time / (5 * MINUTE))}`);
  const counted = [...groups.values()].flatMap((group) => [
    group.reduce((a, b) => (b.time < a.time ? b : a)),
    group.reduce((a, b) => (b.time > a.time ? b : a)),
  ]);
  const near = counted.filter((one) => {
    const low = Math.min(one.time, time) + TOLERANCE;
    const high = Math.max(one.time, time) - TOLERANCE;
    return Math.abs(one.time - time) <= SIGHT && !edges.some((edge) => edge > low && edge <= high);
  });
  return [...new Set(near.map(({ to }) => to))].map((to) => ({ to, how: "seen" }));
}

type Sure = Map<string, number>;

function both(first: Sure, other: Sure): Sure {
  if (first.size === 0) return other;
  const common = new Map([...first].filter(([agent]) => other.has(agent)));
  return common.size === 0 ? first : common;
}

interface When {
  readonly event: number;
  readonly time: number;
}

/** Behind a session or credential that was handed out: whoever had the other one when he asked, else whoever has it now. */
function behind(
  story: NaiveStory,
  when: When,
  [from, hop]: readonly [string, Hop],
  past: readonly string[],
  hows: readonly string[],
): Sure {
  const isHandedOut = [from, hop.to].every((key) => ["cred", "role"].includes(kindOf(key))) && hop.how === "told";
  const asked = isHandedOut ? Math.min(when.time, Math.max(hop.since!, when.event - 12 * HOUR)) : when.time;
  const found = search(story, { ...when, time: asked }, hop.to, past, hows);
  return found.size > 0 ? found : search(story, when, hop.to, past, hows);
}

function search(story: NaiveStory, when: When, node: string, past: readonly string[], hows: readonly string[]): Sure {
  const holders = node.startsWith("=")
    ? [node.slice(1)]
    : [...story.registry].filter(([id, keys]) => keys.includes(node) || node === `agent:${id}`).map(([id]) => id);
  if (holders.length > 0) {
    const weakest = Math.min(95, ...hows.map((how) => VALUE[how]!));
    return new Map(holders.map((id) => [id, Math.max(30, weakest - 5 * Math.max(0, hows.length - 1))]));
  }
  if (hows.length >= 4 || node.startsWith("=")) return new Map();
  const hops = [...linkHops(story, node, when.time), ...sightHops(story, node, when.time)].filter(
    ({ to }) => !past.includes(to) && to !== node,
  );
  let found: Sure = new Map();
  const order = ["agent", "client", "cred", "role", "sa", "spiffe", "session", "run", "pod", "user", "="];
  for (const kind of [...order, ...order.map((one) => `seen ${one}`)]) {
    const holders = hops.filter(({ to, how }) => (how === "seen" ? "seen " : "") + (to.startsWith("=") ? "=" : kindOf(to)) === kind);
    const sures = holders.map((hop) => behind(story, when, [node, hop], [...past, node], [...hows, hop.how]));
    // One of them is no agent: it may be that one.
    if (sures.some(({ size }) => size === 0)) {
      const leads = ({ to }: Hop): boolean => linkHops(story, to, when.time).length + sightHops(story, to, when.time).length > 0;
      if (kindOf(node) === "ip" && (holders.length > 1 || holders.some(leads))) return new Map();
      continue;
    }
    const same = new Map<string, number>();
    for (const sure of sures) for (const [agent, value] of sure) same.set(agent, Math.max(value, same.get(agent) ?? 0));
    if (same.size > 0) found = both(found, same);
  }
  return found;
}

/** Who an event with these keys may belong to, and how sure that is for each; `keys`: the strongest first. */
export function naiveCandidates(story: NaiveStory, keys: readonly string[], time: number): Sure {
  let found: Sure = new Map();
  for (const key of keys) {
    const more = search(story, { event: time, time }, key, [], []);
    if (more.size > 0) found = both(found, more);
  }
  return found;
}
