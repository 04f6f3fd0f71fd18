/** What says that an agent did wrong: secrets in its answers, and detections that a guardrail put on the record. */
import { ACTION, CLASS, SEVERITY, type Event } from "../../src/core/event.ts";
import { newEvent } from "../../src/core/new-event.ts";
import { text } from "../../src/core/record.ts";
import { firstText } from "./attributes.ts";
import { outputSecrets } from "./content.ts";
import { applyEnvelope, type Envelope } from "./envelope.ts";
import { applyIdentity } from "./semconv.ts";

/** All findings of a record; `uid` is only asked for when there is one. */
export function findingsOf(envelope: Envelope, uid: () => string): Event[] {
  const findings: Event[] = [];
  for (const pattern of outputSecrets(envelope)) {
    const event = finding(envelope, `${uid()}#${pattern}`);
    event.eventCode = "secret_in_output";
    event.findingThreat = "data_exfiltration";
    event.findingSignal = pattern;
    applySeverity(event, "critical");
    findings.push(event);
  }
  const detection = detectionOf(envelope, uid);
  if (detection !== undefined) findings.push(detection);
  return findings;
}

function finding(envelope: Envelope, uid: string): Event {
  const event = newEvent(uid, envelope.time, "agent_finding", CLASS.detectionFinding, 1);
  applyEnvelope(event, envelope);
  applyIdentity(event, envelope);
  event.toolName = firstText(envelope.attributes, ["gen_ai.tool.name", "tool.name"]);
  event.model = firstText(envelope.attributes, ["gen_ai.response.model", "gen_ai.request.model"]);
  return event;
}

/**
 * Names of two proposals for detections at run time, the only documented shapes there are:
 * https://github.com/open-telemetry/semantic-conventions-genai/pull/165 (agent.threat.detection.*) and
 * https://github.com/traceloop/openllmetry/pull/4491 (gen_ai.security.threat.*).
 */
const DETECTION = {
  rule: ["agent.threat.detection.rule_id", "gen_ai.security.threat.rule_id"],
  category: ["gen_ai.security.threat.category"],
  severity: ["agent.threat.detection.severity", "gen_ai.security.threat.severity"],
  action: ["agent.threat.detection.action", "gen_ai.security.threat.action"],
} as const;

function detectionOf(envelope: Envelope, uid: () => string): Event | undefined {
  const rule = firstText(envelope.attributes, DETECTION.rule);
  if (rule === undefined) return undefined;
  const event = finding(envelope, `${uid()}#detection`);
  event.eventCode = "agent.threat.detection";
  event.findingSignal = rule;
  event.findingThreat = text(firstText(envelope.attributes, DETECTION.category)?.replaceAll("-", "_").toLowerCase());
  applySeverity(event, firstText(envelope.attributes, DETECTION.severity)?.toLowerCase());
  event.actionId = actionOf(firstText(envelope.attributes, DETECTION.action)?.toLowerCase());
  return event;
}

const SEVERITIES: ReadonlyMap<string, number> = new Map([
  ["low", SEVERITY.low],
  ["medium", SEVERITY.medium],
  ["high", SEVERITY.high],
  ["critical", SEVERITY.critical],
]);

function applySeverity(event: Event, severity: string | undefined): void {
  event.findingSeverity = severity;
  event.severityId = SEVERITIES.get(severity ?? "") ?? SEVERITY.unknown;
}

function actionOf(action: string | undefined): number | undefined {
  if (action === "allow") return ACTION.allowed;
  if (action === "block" || action === "blocked") return ACTION.denied;
  return action === undefined ? undefined : ACTION.observed;
}
