/** What Kong's AI plugins add under `ai` (https://developer.konghq.com/ai-gateway/ai-audit-log-reference/); payloads are left out. */
import { ACTION, type Event } from "../../src/core/event.ts";
import { asObject, numeric, text, type Json } from "../../src/core/record.ts";

/** Plugins of one request that are looked at: a route has a handful. */
const PLUGINS_MAX = 16;
/** Calls in one MCP request that are looked at. */
const CALLS_MAX = 64;

/** Adds model, tokens and cost of the proxied completions, and the tools of MCP calls. */
export function addAi(event: Event, ai: Json | undefined): void {
  if (ai === undefined) return;
  let plugins = 0;
  for (const name of Object.keys(ai)) {
    if (name === "payload" || name === "mcp" || ++plugins > PLUGINS_MAX) continue;
    const plugin = asObject(ai[name]);
    if (plugin !== undefined) addPlugin(event, plugin);
  }
  const mcp = asObject(ai["mcp"]);
  if (mcp !== undefined) addMcp(event, mcp);
}

function addPlugin(event: Event, plugin: Json): void {
  const meta = asObject(plugin["meta"]);
  const usage = asObject(plugin["usage"]);
  event.model ??= text(meta?.["response_model"]) ?? text(meta?.["request_model"]);
  event.modelProvider ??= text(meta?.["provider_name"]);
  // Singular names up to Gateway 3.8, plural ones since. Several plugins of one request each spend their own tokens.
  event.tokensIn = plus(event.tokensIn, usage?.["prompt_tokens"] ?? usage?.["prompt_token"]);
  event.tokensOut = plus(event.tokensOut, usage?.["completion_tokens"] ?? usage?.["completion_token"]);
  event.costUsd = plus(event.costUsd, usage?.["cost"]);
}

function plus(sum: number | undefined, value: unknown): number | undefined {
  const number = numeric(value);
  if (number === undefined || number < 0 || number > Number.MAX_SAFE_INTEGER) return sum;
  return (sum ?? 0) + number;
}

function addMcp(event: Event, mcp: Json): void {
  event.sessionUid = text(mcp["mcp_session_id"]);
  const tools: string[] = [];
  let method: string | undefined;
  for (const call of listOf(mcp["rpc"])) {
    method ??= text(call["method"]);
    const tool = text(call["tool_name"]);
    if (tool !== undefined) tools.push(tool);
  }
  for (const audit of listOf(mcp["audit"])) {
    // A refused call is not among `rpc`: only its audit entry names the tool.
    if (audit["action"] !== "deny") continue;
    event.actionId = ACTION.denied;
    const tool = audit["primitive"] === "tool" ? text(audit["primitive_name"]) : undefined;
    if (tool !== undefined && tools.length < CALLS_MAX) tools.push(tool);
  }
  event.eventCode = method;
  event.toolName = tools[0];
  if (tools.length > 0) event.toolNames = tools;
}

function listOf(value: unknown): readonly Json[] {
  if (!Array.isArray(value)) return [];
  const objects: Json[] = [];
  for (const item of (value as readonly unknown[]).slice(0, CALLS_MAX)) {
    const object = asObject(item);
    if (object !== undefined) objects.push(object);
  }
  return objects;
}
