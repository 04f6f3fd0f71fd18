import { exchangeWithin } from "../../src/archetypes/deadline.ts";
import { findingDelivery } from "../../src/archetypes/finding.ts";
import { connectorFailure, type Answer } from "../../src/archetypes/http-exchange.ts";
import { defineConnector, type Destination, type Outcome, type Rendered } from "../../src/ports/connector.ts";
import type { Context } from "../../src/ports/context.ts";
import { messageOf, PEER, throwForWebhook } from "./answers.ts";
import { webhookAddress } from "./address.ts";
import { check } from "./check.ts";
import { config, HOSTS, type Config } from "./config.ts";
import { ITEM_BYTES_MAX, render } from "./render.ts";

/** The whole answer must be there by then. */
const ANSWER_MS = 30_000;
/** "Rate limits": about one message a second and channel, and fifty changes a minute (tier 3). */
const PER_MINUTE = 50;

/**
 * Slack: one message per alert or incident, which later revisions edit or answer. Slack knows no idempotency key: a message whose
 * answer was lost may stand there twice.
 */
export default defineConnector<Config>({ id: "slack", title: "Slack (Web API or incoming webhook)", config, check, destination });

function destination(options: Config): Destination {
  return {
    limits: { batchItems: 1, batchBytes: ITEM_BYTES_MAX, itemBytes: ITEM_BYTES_MAX, perMinute: PER_MINUTE },
    accepts: ["alert", "incident"],
    render: (delivery) => render(findingDelivery(delivery), options),
    send: async (batch, context) => {
      const outcomes: Outcome[] = [];
      for (const one of batch) outcomes.push(await sendOne(one, options, context));
      return outcomes;
    },
  };
}

async function sendOne(one: Rendered, options: Config, context: Context): Promise<Outcome> {
  const now = context.clock.now();
  if (options.webhookUrl !== undefined) {
    throwForWebhook(await post(webhookAddress(options), {}, one.body, context), now);
    return { status: "delivered", receipt: "ok" };
  }
  const { method, channel, ts } = one.meta ?? {};
  let taken = messageOf(await call(String(method), one.body, options, context), now);
  // Deleted, or too old to be changed: what is new is said in a message of its own.
  if (taken === "gone") taken = messageOf(await call("chat.postMessage", withoutPlace(one.body), options, context), now);
  if (taken === "gone") throw connectorFailure("permanent", "DESTINATION_CONFIG", `${PEER} refuses a new message as if it were an old one`);
  // A thread belongs to its first message, and that is what later revisions must find.
  const inThread = method === "chat.postMessage" && typeof channel === "string" && typeof ts === "string";
  const memory = inThread ? `${channel}:${ts}` : `${taken.channel}:${taken.ts}`;
  return { status: "delivered", receipt: `${taken.channel} ${taken.ts}`, memory };
}

function withoutPlace(body: string): string {
  const { ts: _ts, thread_ts: _thread, ...rest } = JSON.parse(body) as Readonly<Record<string, unknown>>;
  return JSON.stringify({ ...rest, unfurl_links: false, unfurl_media: false });
}

/** Calls a method of the Web API with the bot's token. */
async function call(method: string, body: string, { endpoint, workspace, token }: Config, context: Context): Promise<Answer> {
  return await post(
    `${endpoint ?? HOSTS[workspace].api}/api/${method}`,
    { authorization: `Bearer ${token?.reveal() ?? ""}` },
    body,
    context,
  );
}

async function post(url: string, headers: Readonly<Record<string, string>>, body: string, context: Context): Promise<Answer> {
  return await exchangeWithin(
    { peer: PEER, url, headers: { ...headers, "content-type": "application/json; charset=utf-8" }, body },
    context,
    ANSWER_MS,
  );
}
