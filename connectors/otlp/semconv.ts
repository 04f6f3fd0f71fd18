/**
 * Calls of models, tools and agents as the semantic conventions name them, old and new names:
 * https://github.com/open-telemetry/semantic-conventions-genai (gen_ai.*, mcp.*), OpenInference
 * (https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md) and OpenClaw's spans
 * (https://docs.openclaw.ai/gateway/opentelemetry). None of these names is known outside of this folder.
 */
import { CLASS, SEVERITY, type Event } from "../../src/core/event.ts";
import { isIp } from "../../src/core/ip.ts";
import { newEvent } from "../../src/core/new-event.ts";
import { hostName, numeric, text, textList } from "../../src/core/record.ts";
import { firstCount, firstText, suppliedOf, type Attributes } from "./attributes.ts";
import { argumentsHash } from "./content.ts";
import { applyEnvelope, applyOutcome, type Envelope } from "./envelope.ts";

/** Attribute names per meaning, the preferred first. */
const KEYS = {
  agent: ["gen_ai.agent.id", "gen_ai.agent.name"],
  agentVersion: ["gen_ai.agent.version"],
  provider: ["gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "openclaw.provider"],
  model: ["gen_ai.response.model", "gen_ai.request.model", "llm.model_name", "openclaw.model"],
  conversation: ["gen_ai.conversation.id", "session.id"],
  session: ["session.id", "mcp.session.id"],
  user: ["enduser.id", "user.id"],
  userName: ["user.email", "user.name"],
  tokensIn: ["gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt"],
  tokensOut: ["gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion"],
  tool: ["gen_ai.tool.name", "tool.name", "openclaw.toolName"],
  call: ["gen_ai.tool.call.id", "tool_call.id"],
  arguments: ["gen_ai.tool.call.arguments", "tool.parameters"],
  error: ["error.type", "openclaw.errorCategory"],
  code: ["http.response.status_code", "http.status_code"],
  dataSource: ["gen_ai.data_source.id"],
} as const;

/** Spans of OpenClaw that are calls, and the operation that each is. Its other spans describe queues and channels. */
const OPENCLAW: ReadonlyMap<string, string> = new Map([
  ["openclaw.model.call", "chat"],
  ["openclaw.tool.execution", "execute_tool"],
  ["openclaw.exec", "execute_tool"],
  ["openclaw.run", "invoke_agent"],
]);

/** OpenInference span kinds that are calls. */
const OPENINFERENCE: ReadonlyMap<string, string> = new Map([
  ["LLM", "chat"],
  ["EMBEDDING", "embeddings"],
  ["TOOL", "execute_tool"],
  ["AGENT", "invoke_agent"],
  ["RETRIEVER", "retrieval"],
]);

/** Log events about a call that has its own span or event: counting them would count the call twice. */
const NO_CALLS = /^gen_ai\.(evaluation\.|client\.operation\.exception|choice$|(system|user|assistant|tool)\.message$)/;

/** The operation that the record reports, or undefined when it reports none of an agent. */
export function operationOf(envelope: Envelope): string | undefined {
  const { attributes, name } = envelope;
  if (envelope.signal === "log" && NO_CALLS.test(name)) return undefined;
  const operation = text(attributes.get("gen_ai.operation.name"));
  if (operation !== undefined) return operation;
  const openclaw = OPENCLAW.get(name);
  if (openclaw !== undefined || name.startsWith("openclaw.")) return openclaw;
  const method = text(attributes.get("mcp.method.name"));
  if (method !== undefined) return method === "tools/call" ? "execute_tool" : method;
  const kind = text(attributes.get("openinference.span.kind"));
  if (kind !== undefined) return OPENINFERENCE.get(kind.toUpperCase());
  if (attributes.has("gen_ai.tool.name")) return "execute_tool";
  const isModelCall =
    firstText(attributes, ["gen_ai.provider.name", "gen_ai.system"]) !== undefined && attributes.has("gen_ai.request.model");
  return isModelCall ? "chat" : undefined;
}

/** The event of one call. */
export function callEvent(envelope: Envelope, operation: string, uid: string): Event {
  const { attributes } = envelope;
  const event = newEvent(uid, envelope.time, "agent_api", CLASS.apiActivity, activityOf(operation));
  applyEnvelope(event, envelope);
  if (envelope.name.startsWith("openclaw.")) [event.vendor, event.product] = ["OpenClaw", "OpenClaw"];
  event.operation = operation;
  event.eventCode = eventCode(envelope, operation);
  event.aiRoleId = roleOf(operation);
  applyIdentity(event, envelope);
  applyModel(event, attributes);
  applyTool(event, envelope, operation);
  applyPeer(event, attributes);
  event.responseCode = firstCount(attributes, KEYS.code);
  applyOutcome(event, envelope.failed ?? false, firstText(attributes, KEYS.error));
  if (event.errorFlag === 1) event.severityId = SEVERITY.low;
  return event;
}

/** Span names hold models and tools; the operation (or MCP method) is what they have in common. */
function eventCode(envelope: Envelope, operation: string): string {
  if (envelope.signal === "log" && envelope.name !== "") return envelope.name;
  if (envelope.name.startsWith("openclaw.")) return envelope.name;
  return text(envelope.attributes.get("mcp.method.name")) ?? operation;
}

/** Identity that both calls and findings carry. */
export function applyIdentity(event: Event, envelope: Envelope): void {
  const { attributes, resource } = envelope;
  event.agentNative = firstText(attributes, KEYS.agent) ?? firstText(resource.attributes, KEYS.agent);
  event.agentVersion = firstText(attributes, KEYS.agentVersion) ?? resource.version;
  event.conversationUid = firstText(attributes, KEYS.conversation);
  event.sessionUid = firstText(attributes, KEYS.session);
  event.userUid = suppliedOf(attributes, KEYS.user);
  event.userName = suppliedOf(attributes, KEYS.userName);
}

function applyModel(event: Event, attributes: Attributes): void {
  event.model = firstText(attributes, KEYS.model);
  event.modelProvider = firstText(attributes, KEYS.provider);
  event.tokensIn = firstCount(attributes, KEYS.tokensIn);
  event.tokensOut = firstCount(attributes, KEYS.tokensOut);
  const reasons = textList(attributes.get("gen_ai.response.finish_reasons")) ?? singleReason(attributes);
  if (reasons === undefined) return;
  event.finishReason = text(reasons.join(","));
  event.refusal = reasons.some((reason) => REFUSALS.has(reason));
}

/** Finish reasons by which models and their providers refuse: OpenAI and Azure, Anthropic, Gemini, Bedrock. */
const REFUSALS: ReadonlySet<string> = new Set([
  "content_filter",
  "refusal",
  "SAFETY",
  "safety",
  "PROHIBITED_CONTENT",
  "guardrail_intervened",
]);

function singleReason(attributes: Attributes): string[] | undefined {
  const reason = firstText(attributes, ["gen_ai.response.finish_reasons", "llm.finish_reason"]);
  return reason === undefined ? undefined : [reason];
}

function applyTool(event: Event, envelope: Envelope, operation: string): void {
  const { attributes } = envelope;
  event.toolName = firstText(attributes, KEYS.tool) ?? (envelope.name === "openclaw.exec" ? "exec" : undefined);
  event.requestUid = firstText(attributes, KEYS.call) ?? text(attributes.get("gen_ai.response.id"));
  const isTool = operation === "execute_tool";
  const given = KEYS.arguments.map((key) => attributes.get(key)).find((value) => value !== undefined);
  event.argsHash = argumentsHash(given ?? (isTool ? attributes.get("input.value") : undefined), envelope.context);
  const uri = text(attributes.get("mcp.resource.uri"));
  if (uri !== undefined) {
    // What follows the path may hold credentials.
    event.resourceUid = uri.split(/[?#]/, 1)[0];
    event.resourceType = "mcp_resource";
    return;
  }
  event.resourceUid = firstText(attributes, KEYS.dataSource);
  if (event.resourceUid !== undefined) event.resourceType = "data_source";
}

function applyPeer(event: Event, attributes: Attributes): void {
  const server = text(attributes.get("server.address"));
  if (server !== undefined && isIp(server)) event.dstIp = server;
  else event.dstHost = hostName(server);
  const port = numeric(attributes.get("server.port"));
  if (port !== undefined && Number.isInteger(port) && port >= 0 && port <= 65_535) event.dstPort = port;
}

/** OCSF API Activity: 1 Create 2 Read, 99 Other for everything that is done rather than stored. */
function activityOf(operation: string): number {
  if (operation === "create_agent") return 1;
  return operation === "retrieval" || /\/(list|read|get)$/.test(operation) ? 2 : 99;
}

/** OCSF `ai_role_id` of whoever acts. */
function roleOf(operation: string): number | undefined {
  switch (operation) {
    case "chat":
    case "generate_content":
    case "text_completion":
      return 2;
    case "execute_tool":
      return 3;
    case "invoke_agent":
    case "create_agent":
      return 4;
    case "invoke_workflow":
      return 5;
    case "retrieval":
      return 6;
    default:
      return undefined;
  }
}
