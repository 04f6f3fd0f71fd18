import { CATEGORIES } from "../event.ts";
import type { Category, EpochMs } from "../event.ts";
import { buildNet, linearNet } from "../sigma/net-build.ts";
import type { Net } from "../sigma/net.ts";
import { conditionOf, type Predicate } from "../sigma/predicate.ts";
import type { Reader } from "../sigma/reader.ts";
import type { Detection } from "../sigma/rules.ts";
import type { Mark } from "./group.ts";
import type { Counters } from "./intake.ts";
import type { Feed, FeedTarget, Part } from "./plan.ts";
import type { SeenUids } from "./seen.ts";

/** Finds the detections that an event matches, each condition once, and gives it to the parts that want it. */
export function dispatcher<E>(
  feeds: readonly Feed<E>[],
  reader: Reader<E>,
  seen: SeenUids,
  counters: Counters,
  index: boolean,
): (event: E, time: EpochMs) => void {
  const decide = (category: Category | undefined): Deciding<E> => {
    const { predicates, targets } = conditionsOf(
      category === undefined ? feeds : feeds.filter(({ detection }) => admits(detection, category)),
    );
    return { net: index ? buildNet(predicates, category) : linearNet(predicates), targets };
  };
  const whole = decide(undefined);
  const byCategory = new Map(CATEGORIES.map((category) => [category, decide(category)]));
  /** Conditions that the current event satisfies. */
  const satisfied: number[] = [];
  /** Parts that want the current event. */
  const touched: Part<E>[] = [];

  function spread(event: E, time: EpochMs): void {
    const mark: Mark = { uid: reader.uid(event), agents: reader.agent(event), cells: undefined };
    const fresh = seen.add(mark.uid, time);
    let late = false;
    for (const part of touched) {
      const { rules } = part;
      part.rules = 0;
      if (!fresh) continue;
      if (time < part.watermark) late = true;
      part.take(event, time, mark, rules);
    }
    touched.length = 0;
    if (!fresh) counters.duplicates++;
    else counters.events++;
    if (late) counters.late++;
  }

  return (event, time) => {
    const category = reader.category(event);
    const { net, targets } = category === undefined ? whole : (byCategory.get(category) ?? whole);
    satisfied.length = 0;
    net.match(event, satisfied);
    for (const condition of satisfied) {
      for (const { part, bit } of targets[condition]!) {
        if (part.rules === 0) touched.push(part);
        part.rules |= bit;
      }
    }
    if (touched.length === 0) counters.events++;
    else spread(event, time);
  };
}

/** How events of one category are decided, and the parts that want what satisfies each condition. */
interface Deciding<E> {
  readonly net: Net<E>;
  readonly targets: readonly (readonly FeedTarget<E>[])[];
}

function admits<E>({ categories }: Detection<E>, category: Category): boolean {
  return categories === undefined || categories.includes(category);
}

/** The distinct conditions of detections, with everything that each feeds. */
function conditionsOf<E>(feeds: readonly Feed<E>[]): {
  readonly predicates: readonly Predicate<E>[];
  readonly targets: readonly (readonly FeedTarget<E>[])[];
} {
  const targets = new Map<Predicate<E>, FeedTarget<E>[]>();
  for (const feed of feeds) {
    const predicate = conditionOf(feed.detection);
    targets.set(predicate, [...(targets.get(predicate) ?? []), ...feed.targets]);
  }
  return { predicates: [...targets.keys()], targets: [...targets.values()] };
}
