/** Which routing key an event goes out with, and what its answer means. */
import { exchangeWithin } from "../../src/archetypes/deadline.ts";
import { connectorFailure } from "../../src/archetypes/http-exchange.ts";
import { Failure } from "../../src/core/errors.ts";
import type { Outcome, Rendered } from "../../src/ports/connector.ts";
import type { Context, Secret } from "../../src/ports/context.ts";
import { HOSTS, type Config } from "./config.ts";
import { failureOf, PEER } from "./responses.ts";

/** The whole answer must be there by then: a server that sends a byte now and then would hold the queue. */
export const ANSWER_MS = 30_000;

/** Sends with the key that opened the alert; where nobody knows that any more, an end goes out with both. */
export async function sendOne(one: Rendered, options: Config, context: Context): Promise<Outcome> {
  const action = String(one.meta?.["action"]);
  const { keys, first } = keysFor(action, one.meta?.["opened"], options);
  let used = "";
  for (const secret of keys) {
    try {
      await enqueue(one, secret, options, context);
      used = fingerprint(secret.reveal());
      if (first) break;
    } catch (error) {
      const isLast = secret === keys.at(-1);
      if (isLast || !(error instanceof Failure && error.code === "DESTINATION_CONFIG")) throw error;
      // Its integration is deleted: what it opened can be changed by nobody, and must not hold up everything else.
      context.log.warn({ code: error.code }, "PagerDuty refuses the previous routing key; remove previousRoutingKey");
    }
  }
  const receipt = `202, dedup_key ${dedupKeyOf(one)}, key ${used}`;
  if (action === "acknowledge") return { status: "delivered", receipt };
  // After its end an alert is never reopened; the next one under the same dedup_key is new, and opens with the present key.
  return { status: "delivered", receipt, memory: action === "trigger" ? used : "" };
}

/**
 * The keys to send with, the present one last; with `first`, no other after one that was taken. An alert can only be changed
 * through the key that opened it, and the present key opens everything new.
 */
function keysFor(
  action: string,
  opened: unknown,
  { routingKey, previousRoutingKey }: Config,
): { readonly keys: readonly Secret[]; readonly first: boolean } {
  if (previousRoutingKey === undefined || opened === fingerprint(routingKey.reveal())) return { keys: [routingKey], first: true };
  if (opened === fingerprint(previousRoutingKey.reveal())) return { keys: [previousRoutingKey, routingKey], first: true };
  return action === "trigger" ? { keys: [routingKey], first: true } : { keys: [previousRoutingKey, routingKey], first: false };
}

/** 32 bits (FNV-1a) of a key: tells two keys apart, and leaves 158 of its 190 bits unknown. */
function fingerprint(key: string): string {
  let hash = 0x811c9dc5;
  for (let index = 0; index < key.length; index++) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, "0");
}

function dedupKeyOf(one: Rendered): string {
  return String(one.meta?.["dedupKey"] ?? "");
}

/** Sends one event with one key. @throws {Failure} */
export async function enqueue(one: Rendered, secret: Secret, options: Config, context: Context): Promise<void> {
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
