import { exchangeWithin } from "../../src/archetypes/deadline.ts";
import { findingDelivery } from "../../src/archetypes/finding.ts";
import { connectorFailure } from "../../src/archetypes/http-exchange.ts";
import { statusFailure } from "../../src/archetypes/http-status.ts";
import { Failure } from "../../src/core/errors.ts";
import { defineConnector, type Check, type Destination, type Outcome, type Rendered } from "../../src/ports/connector.ts";
import type { Context } from "../../src/ports/context.ts";
import { config, type Config } from "./config.ts";
import { render } from "./render.ts";

/**
 * Prometheus Alertmanager, API v2. An incident is an alert there that fires until it closes; posting it again amends it. Members of a
 * cluster do not tell each other of alerts, so each is told.
 */
export default defineConnector<Config>({ id: "alertmanager", title: "Prometheus Alertmanager (API v2)", config, check, destination });

const PEER = "Alertmanager";
/** Alertmanager names no limits; these keep a request small for what is before it. */
const BATCH_ITEMS_MAX = 100;
const BATCH_BYTES_MAX = 1_000_000;
const ITEM_BYTES_MAX = 30_000;

function destination(settings: Config): Destination {
  return {
    // One byte per item is the comma.
    limits: { batchItems: BATCH_ITEMS_MAX, batchBytes: BATCH_BYTES_MAX - BATCH_ITEMS_MAX - 2, itemBytes: ITEM_BYTES_MAX },
    accepts: ["alert", "incident"],
    render: (delivery) => render(findingDelivery(delivery), settings, ITEM_BYTES_MAX),
    send: (batch, context) => send(batch, settings, context),
  };
}

/** One member that has it is enough: it notifies. The others are told of the next revision. */
async function send(batch: readonly Rendered[], settings: Config, context: Context): Promise<readonly Outcome[]> {
  if (batch.length === 0) return [];
  const body = `[${batch.map((item) => item.body).join(",")}]`;
  const results = await Promise.all(settings.urls.map((url) => post(url, body, settings, context).catch(failureOf)));
  const failures = results.filter((one) => one instanceof Failure);
  // What one member refuses for its content, all would.
  const refused = failures.find((one) => one.scope === "item");
  if (refused !== undefined) throw refused;
  if (failures.length === results.length) throw failures.find((one) => one.kind === "retryable") ?? failures[0]!;
  for (const { code, message } of failures) context.log.warn({ code, message }, "one of several Alertmanagers was not told");
  const receipt = `alertmanager: ${results.length - failures.length} of ${results.length}`;
  return batch.map(() => ({ status: "delivered", receipt }));
}

/** @throws {Failure} scope item for 400 and 422: what is valid of the batch was taken, and which was not is not said; a repeat does no harm */
async function post(url: string, body: string, settings: Config, context: Context): Promise<void> {
  const headers = { ...authorization(settings), "content-type": "application/json" };
  const answer = await exchangeWithin({ peer: PEER, url: `${url}/api/v2/alerts`, headers, body }, context, settings.timeoutMs);
  if (answer.status !== 200) {
    const malformed = answer.status > 200 && answer.status < 300;
    if (!malformed) throw statusFailure(answer, { peer: PEER, url, now: context.clock.now() });
  } else if (answer.text.trim() === "") return;
  throw connectorFailure("retryable", "HTTP_MALFORMED", `HTTP ${answer.status} with what Alertmanager does not answer`);
}

function authorization({ authorization: value }: Config): Record<string, string> {
  return value === undefined ? {} : { authorization: value.reveal().trim() };
}

function failureOf(error: unknown): Failure {
  if (error instanceof Failure) return error;
  throw error;
}

/** Every member by itself: what it is, and whether the credential may ask. */
async function check(settings: Config, context: Context): Promise<readonly Check[]> {
  return await Promise.all(settings.urls.map((url, index) => checkOne(`member ${index + 1}`, url, settings, context)));
}

async function checkOne(name: string, url: string, settings: Config, context: Context): Promise<Check> {
  try {
    const request = { peer: PEER, method: "GET", url: `${url}/api/v2/status`, headers: authorization(settings) } as const;
    const answer = await exchangeWithin(request, context, settings.timeoutMs);
    if (answer.status !== 200) throw statusFailure(answer, { peer: PEER, url, now: context.clock.now() });
    if (answer.text.includes('"versionInfo"')) return { name, ok: true, message: "it is an Alertmanager and answers" };
    throw connectorFailure("permanent", "DESTINATION_CONFIG", "what answers is no Alertmanager");
  } catch (error) {
    const { code, message } = failureOf(error);
    return { name, ok: false, message, fix: fixOf(code) };
  }
}

function fixOf(code: Failure["code"]): string {
  if (code === "HTTP_DENIED") return "put the value of the header Authorization into the secret that authorization refers to";
  if (code === "DESTINATION_CONFIG" || code === "HTTP_WRONG_HOST")
    return "urls must lead to Alertmanager itself (9093), with its --web.route-prefix";
  return "check host, port, certificate and firewall";
}
