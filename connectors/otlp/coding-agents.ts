/**
 * Log events of coding agents, which have names of their own:
 * Claude Code (https://code.claude.com/docs/en/monitoring-usage), Codex (https://developers.openai.com/codex/config-advanced)
 * and Gemini CLI (https://github.com/google-gemini/gemini-cli/blob/main/docs/cli/telemetry.md).
 */
import { ACTION, CLASS, SEVERITY, type Event } from "../../src/core/event.ts";
import { newEvent } from "../../src/core/new-event.ts";
import { numeric, text } from "../../src/core/record.ts";
import { firstCount, firstText, suppliedOf, type Attributes } from "./attributes.ts";
import { argumentsHash } from "./content.ts";
import { applyEnvelope, applyOutcome, type Envelope } from "./envelope.ts";

interface Agent {
  readonly vendor: string;
  readonly product: string;
  readonly provider: string;
  /** Events that are calls, by name without prefix, and the operation that each is. */
  readonly calls: ReadonlyMap<string, string>;
}

const TOOL = "execute_tool";
const AGENTS: ReadonlyMap<string, Agent> = new Map([
  [
    "claude_code",
    {
      vendor: "Anthropic",
      product: "Claude Code",
      provider: "anthropic",
      calls: new Map([
        ["api_request", "chat"],
        ["api_error", "chat"],
        ["api_refusal", "chat"],
        ["tool_result", TOOL],
        ["tool_decision", "tool_decision"],
        ["user_prompt", "user_prompt"],
      ]),
    },
  ],
  [
    "codex",
    {
      vendor: "OpenAI",
      product: "Codex",
      provider: "openai",
      calls: new Map([
        ["api_request", "chat"],
        ["sse_event", "chat"],
        ["tool_result", TOOL],
        ["tool_decision", "tool_decision"],
        ["user_prompt", "user_prompt"],
      ]),
    },
  ],
  [
    "gemini_cli",
    {
      vendor: "Google",
      product: "Gemini CLI",
      provider: "gcp.gemini",
      calls: new Map([
        ["api_response", "chat"],
        ["api_error", "chat"],
        ["tool_call", TOOL],
        ["user_prompt", "user_prompt"],
      ]),
    },
  ],
]);

/** Whether the record is a log event of a coding agent; its dialect is read here and nowhere else. */
export function isCodingAgent(envelope: Envelope): boolean {
  return envelope.signal === "log" && AGENTS.has(prefixOf(envelope.name));
}

function prefixOf(name: string): string {
  return name.slice(0, Math.max(0, name.indexOf(".")));
}

/** The event of a coding agent's call; undefined for its other events, such as start and settings. */
export function codingEvent(envelope: Envelope, uid: () => string): Event | undefined {
  const { attributes, name } = envelope;
  const prefix = prefixOf(name);
  const agent = AGENTS.get(prefix);
  const kind = name.slice(prefix.length + 1);
  const operation = agent?.calls.get(kind);
  if (agent === undefined || operation === undefined || isPartOfACall(prefix, kind, attributes)) return undefined;
  const event = newEvent(uid(), envelope.time, "agent_api", CLASS.apiActivity, 99);
  applyEnvelope(event, envelope);
  [event.vendor, event.product, event.eventCode, event.operation] = [agent.vendor, agent.product, name, operation];
  event.aiRoleId = operation === TOOL ? 3 : operation === "chat" ? 2 : 1;
  if (operation === "tool_decision") event.aiRoleId = undefined;
  applyWho(event, envelope);
  if (operation === "chat") applyCall(event, attributes, agent.provider, kind);
  if (operation === TOOL || operation === "tool_decision") applyTool(event, envelope);
  event.durationMs = firstCount(attributes, ["duration_ms"]);
  event.responseCode = firstCount(attributes, ["status_code", "http.response.status_code"]);
  applyOutcome(event, outcomeOf(kind, attributes), firstText(attributes, ["error_type", "error.type"]));
  if (event.errorFlag === 1) event.severityId = SEVERITY.low;
  return event;
}

/** Codex reports a call as a request and then as its stream; the stream's end has the tokens, a failed request has no stream. */
function isPartOfACall(prefix: string, kind: string, attributes: Attributes): boolean {
  if (prefix !== "codex") return false;
  if (kind === "sse_event") return attributes.get("event.kind") !== "response.completed";
  const failed = (firstCount(attributes, ["http.response.status_code"]) ?? 0) >= 400 || attributes.has("error.message");
  return kind === "api_request" && !failed;
}

function applyWho(event: Event, envelope: Envelope): void {
  const { attributes, resource } = envelope;
  const agent = ["gen_ai.agent.id", "agent.id", "gen_ai.agent.name"];
  event.agentNative = firstText(attributes, agent) ?? firstText(resource.attributes, agent);
  event.agentVersion = firstText(attributes, ["app.version"]) ?? resource.version;
  event.sessionUid = firstText(attributes, ["session.id", "conversation.id"]);
  event.conversationUid = firstText(attributes, ["conversation.id", "session.id"]);
  event.tenant = firstText(attributes, ["organization.id"]);
  event.userUid = suppliedOf(attributes, ["user.account_uuid", "user.account_id", "user.id"]);
  event.userName = suppliedOf(attributes, ["user.email"]);
}

function applyCall(event: Event, attributes: Attributes, provider: string, kind: string): void {
  event.model = firstText(attributes, ["model"]);
  event.modelProvider = provider;
  event.requestUid = firstText(attributes, ["request_id"]);
  // Claude Code counts what came from and went to its cache apart; everywhere else that is part of the input.
  const cached = (firstCount(attributes, ["cache_read_tokens"]) ?? 0) + (firstCount(attributes, ["cache_creation_tokens"]) ?? 0);
  const input = firstCount(attributes, ["input_tokens", "input_token_count"]);
  event.tokensIn = input === undefined ? undefined : input + cached;
  event.tokensOut = firstCount(attributes, ["output_tokens", "output_token_count"]);
  event.costUsd = firstCount(attributes, ["cost_usd"]);
  event.finishReason = firstText(attributes, ["stop_reason", "finish_reasons"]);
  event.refusal = kind === "api_refusal" || event.finishReason === "refusal" ? true : undefined;
}

const ALLOWED: ReadonlySet<string> = new Set(["accept", "approved", "approved_for_session", "auto_accept", "modify"]);
/** Deciders that are people, as against rules, hooks and modes. */
const PEOPLE = /^user/;

/** Arguments only leave a hash, commands included. */
function applyTool(event: Event, envelope: Envelope): void {
  const { attributes } = envelope;
  event.toolName = firstText(attributes, ["tool_name", "function_name"]);
  event.requestUid = firstText(attributes, ["tool_use_id", "call_id"]);
  const given = ["tool_input", "tool_parameters", "arguments", "function_args"].map((key) => attributes.get(key));
  event.argsHash = argumentsHash(
    given.find((value) => value !== undefined),
    envelope.context,
  );
  const decision = firstText(attributes, ["decision", "decision_type"]);
  if (decision === undefined) return;
  const allowed = ALLOWED.has(decision);
  event.actionId = allowed ? ACTION.allowed : ACTION.denied;
  const decider = firstText(attributes, ["source", "decision_source"]);
  event.statusDetail = decider;
  const byPerson = decider === undefined ? decision === "accept" || decision === "modify" : PEOPLE.test(decider);
  // Empty: the agent says who let it, and it was nobody.
  event.approvalUid = allowed && byPerson ? (event.requestUid ?? approvalName(event, attributes)) : "";
}

function approvalName(event: Event, attributes: Attributes): string {
  const place = text(attributes.get("prompt.id")) ?? text(attributes.get("prompt_id")) ?? event.sessionUid ?? "unnamed";
  return `${place}/${numeric(attributes.get("event.sequence")) ?? event.time}`;
}

function outcomeOf(kind: string, attributes: Attributes): boolean | undefined {
  const success = attributes.get("success");
  if (success !== undefined) return success === false || success === "false";
  if (kind === "api_error") return true;
  if (kind === "api_request" && attributes.has("error.message")) return true;
  return kind === "tool_decision" ? undefined : false;
}
