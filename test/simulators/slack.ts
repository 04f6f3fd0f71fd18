/** A strict stand-in for what of Slack's Web API and incoming webhooks is used; errors as Slack gives them, with status 200. */
import {
  faultQueue,
  startLoopback,
  type HttpFault,
  type SimulatedAnswer,
  type SimulatedRequest,
} from "../../src/simulators/http-server.ts";
import { messageError } from "./slack-blocks.ts";

type Json = Readonly<Record<string, unknown>>;

/** A channel of the workspace. */
export interface SlackChannel {
  readonly name: string;
  readonly archived?: boolean;
  readonly member?: boolean;
}

/** How the simulated workspace is set up. */
export interface SlackSimulatorOptions {
  readonly token?: string;
  readonly scopes?: readonly string[];
  readonly channels?: Readonly<Record<string, SlackChannel>>;
  /** Path below /services/ of the one webhook. */
  readonly webhook?: string;
  /** Messages a minute and channel. */
  readonly perMinute?: number;
  readonly now?: () => number;
}

/** A message as it stands in a channel. */
export interface SlackMessage {
  readonly channel: string;
  readonly ts: string;
  readonly threadTs: string | undefined;
  readonly text: string;
  readonly blocks: readonly Json[];
  readonly metadata: Json | undefined;
  readonly unfurl: boolean;
  readonly edits: number;
}

const CHANNEL = "C0123456789";

/** Starts the simulator on a free loopback port. */
export async function startSlackSimulator(given: SlackSimulatorOptions = {}) {
  const options = {
    token: "xoxb-test",
    scopes: ["chat:write", "channels:read"],
    channels: { [CHANNEL]: { name: "soc" } } as Readonly<Record<string, SlackChannel>>,
    webhook: "T0/B0/x",
    perMinute: 60,
    now: Date.now,
    ...given,
  };
  const messages: SlackMessage[] = [];
  const recent = new Map<string, number[]>();
  const faults = faultQueue<HttpFault>();

  const throttled = (channel: string): boolean => {
    const times = (recent.get(channel) ?? []).filter((time) => time > options.now() - 60_000);
    recent.set(channel, times);
    if (times.length >= options.perMinute) return true;
    times.push(options.now());
    return false;
  };

  const api = (request: SimulatedRequest, method: string): SimulatedAnswer => {
    const no = (error: string, more: Json = {}): SimulatedAnswer => ({ status: 200, body: { ok: false, error, ...more } });
    const headers = { "x-oauth-scopes": options.scopes.join(",") };
    const bearer = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1];
    if (bearer === undefined) return no("not_authed");
    if (bearer !== options.token) return no("invalid_auth");
    if (method === "auth.test")
      return { status: 200, headers, body: { ok: true, url: "https://x.slack.com/", team: "Acme", user: "custodes", bot_id: "B1" } };
    if (method === "conversations.info") {
      if (!options.scopes.includes("channels:read")) return no("missing_scope", { needed: "channels:read" });
      const id = request.query.get("channel") ?? "";
      const channel = options.channels[id];
      if (channel === undefined) return no("channel_not_found");
      return {
        status: 200,
        body: {
          ok: true,
          channel: { id, name: channel.name, is_archived: channel.archived === true, is_member: channel.member !== false },
        },
      };
    }
    if (method !== "chat.postMessage" && method !== "chat.update") return no("unknown_method");
    if (request.method !== "POST" || !(request.headers["content-type"] ?? "").startsWith("application/json")) return no("invalid_json");
    if (!options.scopes.includes("chat:write")) return no("missing_scope", { needed: "chat:write" });
    const message = parsed(request);
    if (message === undefined) return no("invalid_json");
    const id = typeof message["channel"] === "string" ? message["channel"] : "";
    const channel = options.channels[id];
    if (channel === undefined) return no("channel_not_found");
    if (channel.archived === true) return no("is_archived");
    if (channel.member === false) return no("not_in_channel");
    const error = messageError(message);
    if (error !== undefined) return no(error);
    if (throttled(id)) return { status: 429, headers: { "retry-after": "30" }, body: { ok: false, error: "ratelimited" } };
    return method === "chat.update" ? update(message, id) : take(message, id);
  };

  const take = (message: Json, channel: string): SimulatedAnswer => {
    const threadTs = message["thread_ts"];
    if (threadTs !== undefined && !messages.some((one) => one.channel === channel && one.ts === threadTs))
      return { status: 200, body: { ok: false, error: "cannot_reply_to_message" } };
    const ts = `17${String(messages.length + 1).padStart(8, "0")}.000100`;
    messages.push({
      channel,
      ts,
      threadTs: typeof threadTs === "string" ? threadTs : undefined,
      text: typeof message["text"] === "string" ? message["text"] : "",
      blocks: (message["blocks"] ?? []) as readonly Json[],
      metadata: message["metadata"] as Json | undefined,
      unfurl: message["unfurl_links"] !== false || message["unfurl_media"] !== false,
      edits: 0,
    });
    return { status: 200, body: { ok: true, channel, ts, message: { type: "message" } } };
  };

  const update = (message: Json, channel: string): SimulatedAnswer => {
    const at = messages.findIndex((one) => one.channel === channel && one.ts === message["ts"]);
    const before = messages[at];
    if (before === undefined) return { status: 200, body: { ok: false, error: "message_not_found" } };
    if ("unfurl_links" in message || "thread_ts" in message) return { status: 200, body: { ok: false, error: "invalid_arguments" } };
    const { text, blocks, metadata } = message as { text?: string; blocks?: readonly Json[]; metadata?: Json };
    messages[at] = { ...before, text: text ?? "", blocks: blocks ?? [], metadata, edits: before.edits + 1 };
    return { status: 200, body: { ok: true, channel, ts: before.ts, text } };
  };

  const hook = (request: SimulatedRequest, path: string): SimulatedAnswer => {
    if (request.method !== "POST") return { status: 404, body: "no_service" };
    if (path !== options.webhook) return { status: 404, body: "no_service" };
    const message = parsed(request);
    if (message === undefined) return { status: 400, body: "invalid_payload" };
    const error = messageError(message);
    if (error !== undefined) return { status: 400, body: error };
    if (throttled("webhook")) return { status: 429, headers: { "retry-after": "30" }, body: "rate_limited" };
    take({ ...message, channel: CHANNEL }, CHANNEL);
    return { status: 200, body: "ok" };
  };

  const server = await startLoopback<HttpFault>({
    fault: () => faults.next(),
    handle: (request) => {
      const method = /^\/api\/([a-zA-Z.]+)$/.exec(request.path)?.[1];
      if (method !== undefined) return api(request, method);
      const path = /^\/services\/(.+)$/.exec(request.path)?.[1];
      return path === undefined ? { status: 404 } : hook(request, path);
    },
  });
  return {
    url: server.url,
    received: (): readonly SlackMessage[] => messages,
    /** As when somebody deletes everything in the channel. */
    wipe: () => void messages.splice(0),
    requests: () => server.requests(),
    fail: (...list: readonly HttpFault[]) => faults.add(list),
    close: () => server.close(),
  };
}

function parsed(request: SimulatedRequest): Json | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(request.body));
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
  } catch {
    // No JSON in UTF-8: the caller answers as the service does.
    return undefined;
  }
}
