/** The way back from an incident to its records, for a person at a terminal. */
import type { Incident } from "../core/incident.ts";
import { select } from "../core/incident/select.ts";
import { safeText } from "../core/safe-text.ts";

/** Lines of proof: more than a screen shows help nobody; `--json` has all. */
const PROOF_LINES = 12;
/** Longest name, characters. */
const NAME_MAX = 90;

/** Where the evidence comes from: the first, the last, and something of every grave alert. */
export function proofLines({ id, proof = [], alerts, evidenceLeftOut = 0 }: Incident): string[] {
  const lines = select(
    proof.map((one) => ({ ...one, uids: [one.uid] })),
    alerts,
    PROOF_LINES,
  )
    .map(({ time, source, uid, originalUid, sequence, url }) =>
      [
        new Date(time).toISOString().replace(/\.\d{3}Z$/, "Z"),
        safeText(source, 40),
        safeText(uid, NAME_MAX),
        originalUid === undefined || uid.endsWith(originalUid) ? undefined : `vendor id ${safeText(originalUid, NAME_MAX)}`,
        sequence === undefined ? undefined : `log ${sequence}`,
        url === undefined ? undefined : safeText(url, 500),
      ].filter((one) => one !== undefined),
    )
    .map((parts) => `  ${parts.join("  ")}`);
  const known = proof.length > 0 ? proof.length : new Set(alerts.flatMap((alert) => alert.evidence)).size;
  const more = known - lines.length;
  const kept = more > 0 ? [`  … and ${more} more: custodes incidents show ${safeText(id, 40)} --json`] : [];
  return [...lines, ...kept, ...leftOutLines({ evidenceLeftOut })];
}

/** What the incident itself does not keep; the log does. */
export function leftOutLines({ evidenceLeftOut = 0 }: Pick<Incident, "evidenceLeftOut">): string[] {
  return evidenceLeftOut === 0 ? [] : [`  left out: ${evidenceLeftOut} more events of its alerts, which are in the log`];
}

/** What the agent did beside that has no line; the question that counts all of it. */
export function activityLeftOutLines({ activityLeftOut = 0, agentUid, blast }: Incident): string[] {
  if (activityLeftOut === 0 || agentUid === undefined || blast === undefined) return [];
  const [from, to] = [blast.from, blast.to].map((time) => new Date(time).toISOString());
  const least = blast.atLeast ? "at least " : "";
  return [
    `  left out: ${least}${activityLeftOut} more events of the agent: custodes touched --agent ${safeText(agentUid, NAME_MAX)} --from ${from} --to ${to}`,
  ];
}
