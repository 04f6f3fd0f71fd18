/**
 * Guards: what is forgotten of a key answers every later question as if it were still there. Of an exclusive key the lives go
 * from the oldest on, and none before all older ones: without whoever took the key, the one who lost it would have it again.
 */
import type { EpochMs } from "../event.ts";
import { compacted, livesOf, reachOf, type Life, type Mark, type Pair } from "./pairs.ts";
import type { Reach } from "./reach.ts";

/** What can still matter of each pair of one key, in order, to questions about `time` and later; empty when nothing of it can. */
export function remembered(pairs: readonly Pair[], time: EpochMs): readonly Mark[][] {
  const [first] = pairs;
  if (first === undefined) return [];
  const reach = reachOf(first.from);
  if (!reach.exclusive) return pairs.map((pair) => ofMany(pair, time, reach));
  const lives = pairs.flatMap(livesOf).sort((a, b) => a.since - b.since);
  const cut = lives.find((life) => reachesTo(life, lives, reach) >= time)?.since ?? time;
  return pairs.map(({ to, marks }) => {
    const since = lives.find((life) => life.to === to && life.since >= cut)?.since ?? Infinity;
    // What is not yet old may be part of something that is still on its way.
    const from = marks.findIndex((mark) => mark.time >= Math.min(since, time) && (mark.time >= time || !mark.ends));
    return from === -1 ? [] : from === 0 ? marks : marks.slice(from);
  });
}

/** What matters of a key that many may have at once: no life that is over, and of one that lasts its beginning and what still reaches. */
function ofMany(pair: Pair, time: EpochMs, { maxMs, lingerMs }: Reach): Mark[] {
  // What did not end may be told again, which goes on with it.
  const lastOf = ({ ended, until, told }: Life): EpochMs => (ended ? until! : told + maxMs) + lingerMs;
  const lasting = livesOf(pair).find((life) => lastOf(life) >= time)?.since ?? Infinity;
  const from = pair.marks.findIndex((mark) => mark.time >= Math.min(lasting, time));
  return from === -1 ? [] : compacted({ ...pair, marks: pair.marks.slice(from) }, time, time);
}

/** The last time that a life matters by itself. What is told of a lost key until a silence is still told by the one who lost it. */
function reachesTo({ to, since, until, told, ended }: Life, lives: readonly Life[], { maxMs, lingerMs, silenceMs }: Reach): EpochMs {
  if (ended) return until! + lingerMs;
  const taken = lives.find((other) => other.to !== to && other.since > since)?.since ?? Infinity;
  return Math.min(told + maxMs, Math.max(told, taken) + silenceMs) + lingerMs;
}
