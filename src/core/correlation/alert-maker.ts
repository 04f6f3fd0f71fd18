import type { Alert, RuleInfo } from "../alert.ts";
import type { EpochMs } from "../event.ts";
import { CANDIDATES_PATH } from "../sigma/several.ts";
import { eventsBehind } from "./evidence.ts";
import type { Bucket, Mark } from "./group.ts";

/** The group-by names whose value is an agent. */
const AGENT_FIELDS = ["ai_agent.uid", CANDIDATES_PATH];

/** How the alerts of one rule are made. */
export interface AlertMaker {
  readonly info: RuleInfo;
  /** Group-by names, in the order of a group's values. */
  readonly names: readonly string[];
  /** Canonical JSON of a group: keys sorted, no spaces, values as strings. */
  groupText(values: readonly string[]): string;
  /** UUIDv5 over rule id, canonical group and bucket. */
  id(groupText: string, bucket: EpochMs): string;
  /** Distinct agents of a group and its evidence, sorted. */
  agents(values: readonly string[], evidence: readonly Mark[]): readonly string[];
  /** `bucket` carries id, count, first and last time and revision. */
  alert(values: readonly string[], bucket: Bucket, evidence: readonly Mark[], final: boolean): Alert;
}

/** `agentAt`: positions in the group of values that are agents. */
export function alertMaker(
  info: RuleInfo,
  names: readonly string[],
  agentAt: readonly number[],
  uuid5: (name: string) => string,
): AlertMaker {
  const sorted = names.map((name, index) => ({ name, index })).sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const keys = sorted.map(({ name, index }) => ({ text: `${JSON.stringify(name)}:`, index }));

  function groupText(values: readonly string[]): string {
    return `{${keys.map(({ text, index }) => text + JSON.stringify(values[index])).join(",")}}`;
  }

  function agents(values: readonly string[], evidence: readonly Mark[]): readonly string[] {
    const found = new Set<string>();
    for (const at of agentAt) found.add(values[at]!);
    for (const mark of evidence) {
      if (typeof mark.agents === "string") found.add(mark.agents);
      else for (const agent of mark.agents ?? []) found.add(agent);
    }
    return [...found].sort();
  }

  return {
    info,
    names,
    groupText,
    id: (text, bucket) => uuid5(`${info.id}\n${text}\n${bucket}`),
    agents,
    alert: (values, bucket, evidence, final) => ({
      id: bucket.id,
      ruleId: info.id,
      ruleTitle: info.title,
      level: info.level,
      // Defines own properties whatever the names are, `__proto__` too.
      group: Object.fromEntries(names.map((name, index) => [name, values[index]!])),
      bucket: bucket.start,
      firstTime: bucket.first,
      lastTime: bucket.last,
      count: bucket.count,
      evidence: evidence.map((mark) => mark.uid),
      agents: agents(values, evidence),
      revision: bucket.revision,
      final,
      ...behindOf(evidence),
      ...(bucket.baseline === undefined ? undefined : { baseline: bucket.baseline }),
    }),
  };
}

function behindOf(evidence: readonly Mark[]): Pick<Alert, "behind"> {
  const events = eventsBehind(evidence);
  return events.length === 0 ? {} : { behind: events.map(({ uid }) => uid) };
}

/** Whether a group-by name or one of the paths behind it names an agent. */
export function namesAgent(name: string, paths: readonly string[]): boolean {
  return AGENT_FIELDS.some((field) => name === field || paths.includes(field));
}

/**
 * Revision of an alert that only grows: 1 until its count is twice `least`, the smallest count that can satisfy the
 * rule, and one more with each further doubling. The final one has the next number. It depends on nothing but the
 * count, so that a replay after a restart, in whatever batches, never reuses a number for something older.
 */
export function revisionOf(count: number, least: number): number {
  let revision = 1;
  for (let reached = least * 2; reached <= count; reached *= 2) revision++;
  return revision;
}
