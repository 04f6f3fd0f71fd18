import { exchangeWithin } from "../../src/archetypes/deadline.ts";
import { connectorFailure, type Answer } from "../../src/archetypes/http-exchange.ts";
import { statusFailure } from "../../src/archetypes/http-status.ts";
import { ocsfWithin, type SubjectFacts } from "../../src/archetypes/ocsf-subject.ts";
import { isoTime } from "../../src/archetypes/own-object.ts";
import { Failure } from "../../src/core/errors.ts";
import { safeText } from "../../src/core/safe-text.ts";
import { defineConnector, type Check, type Delivery, type Destination, type Outcome, type Rendered } from "../../src/ports/connector.ts";
import type { Context } from "../../src/ports/context.ts";
import { addressFault, config, type Config } from "./config.ts";
import { signatureHeaders, signingKey } from "./sign.ts";

/**
 * Any HTTP endpoint, by Standard Webhooks 1.0.0: OCSF findings and events in signed requests. The `webhook-id` of a
 * message is a hash of its delivery key and so the same in every attempt.
 */
export default defineConnector<Config>({ id: "webhook", title: "Webhook (Standard Webhooks, OCSF)", config, check, destination });

const PEER = "the webhook";
/** Largest request: what receivers commonly take, and what a lost answer makes us repeat. */
const BATCH_BYTES_MAX = 1_000_000;
/** Around the messages of a batch, with a comma for each. */
const ENVELOPE_BYTES = 1_000;

function destination(settings: Config): Destination {
  const { batchItems } = settings;
  const batchBytes = batchItems === 1 ? BATCH_BYTES_MAX : BATCH_BYTES_MAX - ENVELOPE_BYTES;
  const itemBytes = Math.min(settings.itemBytesMax, batchBytes);
  return {
    limits: { batchItems, batchBytes, itemBytes },
    accepts: ["alert", "incident", "event"],
    render: (delivery) => render(delivery, settings, itemBytes),
    send: (batch, context) => send(batch, settings, context),
  };
}

/** `type`, `timestamp`, `data`, as the specification advises; `data.key` is the same in every attempt. */
function render(delivery: Delivery, { ocsf }: Config, bytesMax: number): Rendered {
  const { key } = delivery;
  const message = (finding: object, { change, time, id, revision }: SubjectFacts): string => {
    const data = { key: safeText(key, 1_024), id: safeText(id, 1_024), revision, ocsf: finding };
    return JSON.stringify({ type: change, timestamp: isoTime(time), data });
  };
  return { key, ...ocsfWithin(delivery, { bytesMax, version: ocsf }, message) };
}

async function send(batch: readonly Rendered[], settings: Config, context: Context): Promise<readonly Outcome[]> {
  const [first] = batch;
  if (first === undefined) return [];
  const now = context.clock.now();
  const url = addressOf(settings);
  const body = settings.batchItems === 1 ? first.body : batchBody(batch, now);
  const id = `msg_${context.digest.sha256(batch.map((item) => item.key).join("\n"))}`;
  const headers = {
    "content-type": "application/json",
    ...(settings.authorization === undefined ? {} : { authorization: settings.authorization.reveal().trim() }),
    ...signatureHeaders({ id, timestamp: Math.floor(now / 1000), body }, settings.secrets, context.digest),
  };
  const answer = await exchangeWithin({ peer: PEER, url, headers, body }, context, settings.timeoutMs);
  if (answer.status < 200 || answer.status >= 300) throw statusFailure(answer, { peer: PEER, url, now });
  return batch.map(() => ({ status: "delivered", receipt: `${answer.status} ${id}` }));
}

function batchBody(batch: readonly Rendered[], now: number): string {
  return `{"type":"batch","timestamp":"${isoTime(now)}","data":[${batch.map((item) => item.body).join(",")}]}`;
}

/** @throws {Failure} permanent, scope connector, without the address: it may be the credential */
function addressOf({ url, allowHttp }: Config): string {
  const text = typeof url === "string" ? url : url.reveal().trim();
  const fault = addressFault(text, allowHttp);
  if (fault !== undefined) throw connectorFailure("permanent", "DESTINATION_CONFIG", `url ${fault}`);
  return text;
}

/** Keys and address as they are now, and whether anybody answers. Nothing can be asked of a webhook without sending it something. */
async function check(settings: Config, context: Context): Promise<readonly Check[]> {
  const checks: Check[] = settings.secrets.map((secret, index) =>
    verdict(`key ${index + 1}`, "can sign", "put `whsec_` and the base64 of 24 to 64 random bytes into the referenced secret", () =>
      signingKey(secret),
    ),
  );
  const address = verdict("address", "is one", "put an https address into url, or into the secret that it refers to", () =>
    addressOf(settings),
  );
  checks.push(address);
  if (!address.ok) return checks;
  const url = addressOf(settings);
  const answer = await exchangeWithin({ peer: PEER, method: "HEAD", url, headers: {} }, context, settings.timeoutMs).catch(messageOf);
  checks.push(reachCheck(answer));
  return checks;
}

function reachCheck(answer: Answer | string): Check {
  if (typeof answer === "string") return { name: "reach", ok: false, message: answer, fix: "check host, port, certificate and firewall" };
  if (answer.status >= 300 && answer.status < 400)
    return { name: "reach", ok: false, message: `HTTP ${answer.status}: it redirects`, fix: "configure the address that it leads to" };
  if (answer.status === 410)
    return { name: "reach", ok: false, message: "HTTP 410: the webhook is gone", fix: "ask the receiver for a new address" };
  return {
    name: "reach",
    ok: true,
    message: `it answers (HTTP ${answer.status} to HEAD); whether it takes our messages shows only when one is sent`,
  };
}

function verdict(name: string, good: string, fix: string, look: () => unknown): Check {
  try {
    look();
    return { name, ok: true, message: good };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { name, ok: false, message: error.message, fix };
  }
}

function messageOf(error: unknown): string {
  if (error instanceof Failure) return error.message;
  throw error;
}
