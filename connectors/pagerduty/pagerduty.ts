import { exchangeWithin } from "../../src/archetypes/deadline.ts";
import { connectorFailure } from "../../src/archetypes/http-exchange.ts";
import { Failure } from "../../src/core/errors.ts";
import { findingDelivery } from "../../src/archetypes/finding.ts";
import { defineConnector, type Check, type Destination, type Rendered } from "../../src/ports/connector.ts";
import type { Context, Secret } from "../../src/ports/context.ts";
import { config, HOSTS, type Config } from "./config.ts";
import { ITEM_BYTES_MAX, render } from "./render.ts";
import { failureOf, PEER } from "./responses.ts";
import { webhook } from "./webhook.ts";

/** The whole answer must be there by then: a server that sends a byte now and then would hold the queue. */
const ANSWER_MS = 30_000;

/** PagerDuty: incidents as pages that open, are acknowledged and close (Events API v2). */
export default defineConnector<Config>({
  id: "pagerduty",
  title: "PagerDuty (Events API v2)",
  config,
  check,
  destination,
  answers: ({ webhookSecret }) => (webhookSecret === undefined ? undefined : webhook(webhookSecret)),
});

function destination(options: Config): Destination {
  return {
    // The API takes one event per request. A key takes 120 a minute; beyond that it answers 429 and the pipeline waits.
    limits: { batchItems: 1, batchBytes: ITEM_BYTES_MAX, itemBytes: ITEM_BYTES_MAX },
    accepts: ["incident"],
    render: (delivery) => render(findingDelivery(delivery), options),
    // A throw may leave an earlier request of the same call done: repeating it changes nothing, the dedup_key is the same.
    send: async (batch, context) => {
      for (const one of batch) for (const key of keysFor(one, options)) await enqueue(one, key, options, context);
      return batch.map((one) => ({ status: "delivered", receipt: `202, dedup_key ${dedupKeyOf(one)}` }));
    },
  };
}

/** An alert can only be acknowledged and resolved through the key that opened it; other keys' events are dropped unseen. */
function keysFor(one: Rendered, options: Config): readonly Secret[] {
  const { routingKey, previousRoutingKey } = options;
  return one.meta?.["action"] === "trigger" || previousRoutingKey === undefined ? [routingKey] : [previousRoutingKey, routingKey];
}

function dedupKeyOf(one: Rendered): string {
  return String(one.meta?.["dedupKey"] ?? "");
}

async function enqueue(one: Rendered, secret: Secret, options: Config, context: Context): Promise<void> {
  const key = secret.reveal();
  if (!/^[A-Za-z0-9]{32}$/.test(key))
    throw connectorFailure(
      "permanent",
      "DESTINATION_CONFIG",
      "the routing key must have 32 letters and digits; check what the secret holds",
    );
  const answer = await exchangeWithin(
    {
      peer: PEER,
      url: `${options.endpoint ?? HOSTS[options.region]}/v2/enqueue`,
      headers: { "Content-Type": "application/json", Accept: "application/json" },
      body: `{"routing_key":"${key}",${one.body.slice(1)}`,
    },
    context,
    ANSWER_MS,
  );
  const failure = failureOf(answer, dedupKeyOf(one), context.clock.now());
  if (failure !== undefined) throw failure;
}

/**
 * Resolves an incident that does not exist: PagerDuty accepts and drops that ("Send an Alert Event"), and a
 * wrong key is refused. There is no documented way to ask about a key without sending an event.
 */
async function check(options: Config, context: Context): Promise<readonly Check[]> {
  const dedupKey = `custodes:check:${Math.floor(context.random() * 2 ** 48).toString(16)}`;
  const body = JSON.stringify({ event_action: "resolve", dedup_key: dedupKey });
  const probe: Rendered = { key: dedupKey, body, bytes: body.length, meta: { action: "check", dedupKey } };
  const names = ["routing key", ...(options.previousRoutingKey === undefined ? [] : ["previous routing key"])];
  const secrets = [options.routingKey, options.previousRoutingKey].filter((one) => one !== undefined);
  const checks: Check[] = [];
  for (const [index, secret] of secrets.entries()) {
    const name = names[index] ?? "routing key";
    try {
      await enqueue(probe, secret, options, context);
      checks.push({ name, ok: true, message: "PagerDuty accepts the key; whether its service is enabled and notifies cannot be asked" });
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      checks.push({ name, ok: false, message: error.message, fix: fixFor(error) });
    }
  }
  return checks;
}

function fixFor(failure: Failure): string {
  switch (failure.code) {
    case "HTTP_UNREACHABLE":
    case "HTTP_TIMEOUT":
      return "check DNS, firewall and proxy for events.pagerduty.com or events.eu.pagerduty.com, port 443";
    case "HTTP_THROTTLED":
    case "HTTP_UNAVAILABLE":
      return "try again in a minute";
    case "DESTINATION_CONFIG":
    case "HTTP_DENIED":
      return "copy the integration key of an Events API v2 integration of the service, and set region to the account's (us or eu)";
    default:
      return "look for a proxy that answers instead of PagerDuty";
  }
}
