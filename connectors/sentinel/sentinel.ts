import { exchangeWithin } from "../../src/archetypes/deadline.ts";
import { connectorFailure, type Answer } from "../../src/archetypes/http-exchange.ts";
import type { Failure } from "../../src/core/errors.ts";
import type { EpochMs } from "../../src/core/event.ts";
import { findingDelivery } from "../../src/archetypes/finding.ts";
import { defineConnector, type Destination, type Outcome, type Rendered } from "../../src/ports/connector.ts";
import type { Context } from "../../src/ports/context.ts";
import { azureAccess, type Access } from "./access.ts";
import { check } from "./check.ts";
import { CLOUDS, config, type Config } from "./config.ts";
import { BATCH_BYTES_MAX, BATCH_ITEMS_MAX, ITEM_BYTES_MAX, render } from "./render.ts";
import { errorCode, ingestionFailure, PEER } from "./responses.ts";

/** The whole answer must be there by then: a server that sends a byte now and then would hold the queue. */
const ANSWER_MS = 30_000;

/** While a role may still be on its way, access is tried this often. */
const DENIED_PROBE_MS = 300_000;

/** Microsoft Sentinel: alerts and incidents as ASIM rows through the Logs Ingestion API. */
export default defineConnector<Config>({
  id: "sentinel",
  title: "Microsoft Sentinel (Logs Ingestion API)",
  config,
  check: (options, context) => check(options, accessOf(options), (token, body) => post(options, token, body, context), context),
  destination,
});

function accessOf(options: Config): Access {
  return azureAccess(options, CLOUDS[options.cloud].scope);
}

function destination(options: Config): Destination {
  const access = accessOf(options);
  return {
    limits: { batchItems: BATCH_ITEMS_MAX, batchBytes: BATCH_BYTES_MAX, itemBytes: ITEM_BYTES_MAX },
    accepts: ["alert", "incident"],
    render: (delivery) => render(findingDelivery(delivery), options),
    send: async (batch, context) => {
      if (batch.length === 0) return [];
      const { answer, requestId } = await send(options, access, batch, context);
      const now = context.clock.now();
      if (answer.status === 403) throw deniedFailure(answer, batch, options.freshRoleGraceMs, now);
      if (answer.status !== 204) throw ingestionFailure(answer, now);
      const outcome: Outcome = { status: "delivered", receipt: `204, request ${requestId}` };
      return batch.map(() => outcome);
    },
  };
}

/** Sends with a token; one that is refused is replaced once, since it may have been revoked before its end. */
async function send(options: Config, access: Access, batch: readonly Rendered[], context: Context): Promise<Sent> {
  const body = `[${batch.map((one) => one.body).join(",")}]`;
  const token = await access.token(context);
  const sent = await post(options, token, body, context);
  if (sent.answer.status !== 401) return sent;
  access.drop(token);
  const renewed = await access.token(context);
  const again = await post(options, renewed, body, context);
  if (again.answer.status !== 401) return again;
  access.drop(renewed);
  throw connectorFailure("permanent", "HTTP_DENIED", `${PEER} refuses a fresh token; check that cloud and endpoint belong together`);
}

interface Sent {
  readonly answer: Answer;
  readonly requestId: string;
}

async function post(options: Config, token: string | undefined, body: string, context: Context): Promise<Sent> {
  const requestId = uuid(context);
  const answer = await exchangeWithin(
    {
      peer: PEER,
      url: `${options.endpoint}/dataCollectionRules/${options.dcrImmutableId}/streams/${options.stream}?api-version=2023-01-01`,
      headers: {
        ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
        "Content-Type": "application/json",
        "x-ms-client-request-id": requestId,
      },
      body,
    },
    context,
    ANSWER_MS,
  );
  return { answer, requestId };
}

/** Random id by which Microsoft's support finds a request; version 4 of RFC 9562. */
function uuid(context: Context): string {
  const digits = Array.from({ length: 32 }, (_, index) => {
    if (index === 12) return "4";
    const digit = Math.floor(context.random() * 16);
    return (index === 16 ? (digit & 3) | 8 : digit).toString(16);
  }).join("");
  return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-${digits.slice(12, 16)}-${digits.slice(16, 20)}-${digits.slice(20)}`;
}

/**
 * Tells a role that does not work yet from one that is missing. Both answer 403, and only time tells them apart:
 * while the longest waiting delivery of the batch is younger than the grace, the denial counts as passing. The
 * pipeline keeps trying in both cases; the second one shows as a destination that needs a human.
 */
function deniedFailure(answer: Answer, batch: readonly Rendered[], graceMs: number, now: EpochMs): Failure {
  const code = errorCode(answer);
  const said = `${PEER} denies access${code === undefined ? "" : ` (${code})`}`;
  const waiting = now - Math.min(...batch.map((one) => Number(one.meta?.["createdTime"] ?? now)));
  if (waiting < graceMs) {
    const wait = Math.min(DENIED_PROBE_MS, graceMs - waiting);
    return connectorFailure("retryable", "HTTP_DENIED", `${said}; a new role takes up to 30 minutes to work`, wait);
  }
  return connectorFailure(
    "permanent",
    "HTTP_DENIED",
    `${said}: the application needs the role Monitoring Metrics Publisher on the data collection rule, and endpoint and rule must belong together`,
  );
}
