import { LEVELS, type Alert } from "../core/alert.ts";

/** Evidence that an alert lists (`semantics.md` section 5), and events behind it. */
const EVIDENCE_MAX = 25;

/**
 * A stored alert with what a later emission adds. Alerts only grow: an engine that has let go of an alert's events knows
 * only the late one, and what it says must not take back what is stored.
 */
export function grow(before: Alert, after: Alert): Alert {
  const final = before.final || after.final;
  // Whoever emits it has not looked at its evidence.
  const { confidence = before.confidence } = after;
  const sure = confidence === undefined ? {} : { confidence };
  if (after.count >= before.count && after.firstTime <= before.firstTime && after.lastTime >= before.lastTime)
    return { ...after, ...sure, final };
  const known = new Set(before.evidence);
  const fresh = after.evidence.filter((uid) => !known.has(uid));
  // With a full list nobody knows which of the new ones were counted before.
  const counted = before.evidence.length === before.count ? before.count + fresh.length : before.count;
  return {
    ...after,
    ...sure,
    final,
    firstTime: Math.min(before.firstTime, after.firstTime),
    lastTime: Math.max(before.lastTime, after.lastTime),
    count: Math.max(counted, after.count),
    evidence: [...before.evidence, ...fresh].slice(0, EVIDENCE_MAX),
    ...behindOf(before, after),
    agents: [...new Set([...before.agents, ...after.agents])].sort(),
  };
}

function behindOf(before: Alert, after: Alert): Pick<Alert, "behind"> {
  const behind = [...new Set([...(before.behind ?? []), ...(after.behind ?? [])])].slice(0, EVIDENCE_MAX);
  return behind.length === 0 ? {} : { behind };
}

/** Whether a revision says anything that the one before did not. */
export function isNews(before: Alert, after: Alert): boolean {
  if (after.final !== before.final || after.count > before.count || isRaised(before, after)) return true;
  return after.firstTime < before.firstTime || after.lastTime > before.lastTime;
}

/**
 * Whether an alert that a replay came to must be told again: it was never told, its level has risen, or its count has
 * doubled. What an unchanged rule had told before a restart is none of these, however the replay's batches lay.
 */
export function isUntold(before: Alert | undefined, after: Alert): boolean {
  return before === undefined || isRaised(before, after) || after.count >= 2 * before.count;
}

function isRaised(before: Alert, after: Alert): boolean {
  return LEVELS.indexOf(after.level) > LEVELS.indexOf(before.level);
}
