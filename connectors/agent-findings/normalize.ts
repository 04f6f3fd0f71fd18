/**
 * The record of one agent turn as `cp_security` sends it: version 1 with ten keys, version 2 with approval_id, consent_id,
 * session_id, egress_host, tokens, model and refusal besides. Keys that a record supplies as null or "" mean "none".
 */
import { linkTexts, proven } from "../../src/archetypes/links.ts";
import { poison } from "../../src/core/errors.ts";
import { CLASS, SEVERITY, type Category, type EpochMs, type Event } from "../../src/core/event.ts";
import { newEvent } from "../../src/core/new-event.ts";
import {
  asObject,
  contentUid,
  hostName,
  numeric,
  recordObject,
  recordTime,
  suppliedText,
  text,
  textList,
  type Json,
} from "../../src/core/record.ts";
import type { Normalize, NormalizeContext } from "../../src/ports/connector.ts";

/** Findings of one turn that become events; more come only from a broken or hostile producer. */
export const FINDINGS_MAX = 256;
/** OCSF `ai_role_id` of an agent. */
const AGENT_ROLE = 4;

/** One `agent_api` event for the turn, one `agent_finding` event per finding, one `egress` event when it names a host. */
export const agentFindingsNormalize: Normalize = (record, context) => {
  const turn = recordObject(record);
  const time = recordTime(turn["ts"] ?? turn["created_at"] ?? turn["timestamp"], context.received);
  if (text(turn["agent_id"]) === undefined && text(turn["type"]) === undefined)
    throw poison("RECORD_FIELD_MISSING", "the record has neither agent_id nor type");
  const findings = findingsOf(turn["findings"]);
  const uid = uidOf(turn, context);
  const events = [turnEvent(turn, uid, time, context, findings.length)];
  for (let index = 0; index < findings.length && index < FINDINGS_MAX; index++) {
    events.push(findingEvent(turn, findings[index] as Json, `${uid}#f${index}`, time, context));
  }
  // Once for all events of the turn.
  events[0]!.links = linksOf(events[0]!);
  const host = hostName(turn["egress_host"]);
  if (host !== undefined) events.push(egressEvent(turn, host, `${uid}#egress`, time, context));
  return events;
};

/** The producer's event id; without one the record's content: input hashes repeat when a user repeats himself. */
function uidOf(turn: Json, context: NormalizeContext): string {
  const id = text(turn["id"]) ?? text(turn["event_id"]);
  return id === undefined || id.length > 256 ? contentUid("agent-findings", turn, context.sha256) : `agent-findings:${id}`;
}

function findingsOf(value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || !value.every((item) => asObject(item) !== undefined))
    throw poison("RECORD_FIELD_INVALID", "findings is not a list of objects");
  return value;
}

/** What all events of a turn share: who, for whom, with whose consent. */
function baseEvent(turn: Json, place: { readonly uid: string; readonly time: EpochMs }, kind: Kind, context: NormalizeContext): Event {
  const event = newEvent(place.uid, place.time, kind.category, kind.classUid, kind.activityId);
  event.source = context.source;
  event.receivedTime = context.received;
  event.vendor = "ClawPulse";
  event.product = "cp_security";
  event.eventCode = text(turn["type"]);
  event.originalUid = text(turn["id"]) ?? text(turn["event_id"]);
  event.agentNative = text(turn["agent_id"]);
  event.sessionUid = text(turn["session_id"]);
  event.runUid = text(turn["run_id"]);
  event.userUid = suppliedText(turn, "user_id");
  event.purpose = suppliedText(turn, "purpose");
  event.consentUid = suppliedText(turn, "consent_id");
  event.approvalUid = suppliedText(turn, "approval_id");
  event.model = text(turn["model"]);
  event.inputHash = text(turn["input_sha256"]);
  event.outputHash = text(turn["output_sha256"]);
  return event;
}

interface Kind {
  readonly category: Category;
  readonly classUid: number;
  readonly activityId: number;
}
const TURN: Kind = { category: "agent_api", classUid: CLASS.apiActivity, activityId: 99 };
const FINDING: Kind = { category: "agent_finding", classUid: CLASS.detectionFinding, activityId: 1 };
const EGRESS: Kind = { category: "egress", classUid: CLASS.networkActivity, activityId: 1 };

/** The monitor saw the agent in this session and this run. */
function linksOf({ agentNative, sessionUid, runUid }: Event): readonly string[] | undefined {
  const agent = ["agent", agentNative] as const;
  return linkTexts([proven(["session", sessionUid], agent), proven(["run", runUid], agent)]);
}

function turnEvent(turn: Json, uid: string, time: EpochMs, context: NormalizeContext, findings: number): Event {
  const event = baseEvent(turn, { uid, time }, TURN, context);
  const tokens = asObject(turn["tokens"]);
  event.operation = text(turn["type"]) ?? "agent.turn";
  event.aiRoleId = AGENT_ROLE;
  event.toolNames = textList(turn["tools"]);
  event.durationMs = count(turn["latency_ms"]);
  event.tokensIn = count(tokens?.["input"] ?? turn["tokens_in"]);
  event.tokensOut = count(tokens?.["output"] ?? turn["tokens_out"]);
  event.costUsd = count(turn["cost_usd"]);
  event.refusal = typeof turn["refusal"] === "boolean" ? turn["refusal"] : undefined;
  event.finishReason = text(turn["finish_reason"]);
  if (findings > FINDINGS_MAX) event.statusDetail = `${findings - FINDINGS_MAX} of ${findings} findings left out`;
  return event;
}

function findingEvent(turn: Json, finding: Json, uid: string, time: EpochMs, context: NormalizeContext): Event {
  const event = baseEvent(turn, { uid, time }, FINDING, context);
  const severity = text(finding["severity"])?.toLowerCase();
  event.findingThreat = text(finding["threat"]);
  event.findingSignal = text(finding["signal"]);
  event.findingSeverity = severity;
  event.severityId = severityOf(severity);
  event.argsHash = text(finding["args_hash"]);
  // The signal of tool abuse is the tool that was called.
  if (event.findingThreat === "tool_abuse") event.toolName = event.findingSignal;
  return event;
}

function egressEvent(turn: Json, host: string, uid: string, time: EpochMs, context: NormalizeContext): Event {
  const event = baseEvent(turn, { uid, time }, EGRESS, context);
  event.dstHost = host;
  event.directionId = 2;
  return event;
}

function severityOf(severity: string | undefined): number {
  switch (severity) {
    case "critical":
      return SEVERITY.critical;
    case "high":
      return SEVERITY.high;
    case "medium":
      return SEVERITY.medium;
    case "low":
      return SEVERITY.low;
    case "info":
    case "informational":
      return SEVERITY.informational;
    default:
      return SEVERITY.unknown;
  }
}

function count(value: unknown): number | undefined {
  const number = numeric(value);
  return number === undefined || number < 0 || number > Number.MAX_SAFE_INTEGER ? undefined : number;
}
