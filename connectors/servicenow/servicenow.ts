import { findingDelivery } from "../../src/archetypes/finding.ts";
import { connectorFailure } from "../../src/archetypes/http-exchange.ts";
import type { Json } from "../../src/core/record.ts";
import { defineConnector, type Destination, type Outcome, type Rendered } from "../../src/ports/connector.ts";
import type { Context } from "../../src/ports/context.ts";
import { PEER, resultOf, resultsOf } from "./answers.ts";
import { check } from "./check.ts";
import { config, type Config } from "./config.ts";
import { ITEM_BYTES_MAX, render } from "./render.ts";
import { request } from "./request.ts";

/** Events of one request: a refused one is found by halving. */
const BATCH_EVENTS = 50;
const BATCH_BYTES_MAX = 1_000_000;

/** ServiceNow: events of Event Management, which deduplicates by message key, or one record of a table per alert or incident. */
export default defineConnector<Config>({
  id: "servicenow",
  title: "ServiceNow (Event Management or Table API)",
  config,
  check,
  destination,
});

function destination(options: Config): Destination {
  const isEvents = options.api === "events";
  return {
    limits: { batchItems: isEvents ? BATCH_EVENTS : 1, batchBytes: BATCH_BYTES_MAX, itemBytes: ITEM_BYTES_MAX },
    accepts: ["alert", "incident"],
    render: (delivery) => render(findingDelivery(delivery), options),
    send: async (batch, context) => {
      if (batch.length === 0) return [];
      if (isEvents) return await sendEvents(batch, options, context);
      const outcomes: Outcome[] = [];
      for (const one of batch) outcomes.push(await sendRecord(one, options, context));
      return outcomes;
    },
  };
}

async function sendEvents(batch: readonly Rendered[], options: Config, context: Context): Promise<readonly Outcome[]> {
  const body = `{"records":[${batch.map((one) => one.body).join(",")}]}`;
  const result = resultOf(await request("POST", "/api/global/em/jsonv2", body, options, context), context.clock.now());
  const inserted = insertedOf(result);
  // Sent again they are no second alerts: the message key is the same.
  if (inserted !== undefined && inserted < batch.length)
    throw connectorFailure("retryable", "HTTP_MALFORMED", `${PEER} inserted ${inserted} of ${batch.length} events`);
  return batch.map((one) => ({ status: "delivered", receipt: `event, message key ${String(one.meta?.["messageKey"])}` }));
}

/** `{"Default Bulk Endpoint": "2 events were inserted"}`, as instances have been seen to answer; undefined: it does not say. */
function insertedOf(result: Json): number | undefined {
  for (const value of Object.values(result)) {
    const count = typeof value === "string" ? /^(\d{1,6}) events? /.exec(value)?.[1] : undefined;
    if (count !== undefined) return Number(count);
  }
  return undefined;
}

/** Changes the record that an earlier revision made, or one that was made and whose answer was lost; else makes one. */
async function sendRecord(one: Rendered, options: Config, context: Context): Promise<Outcome> {
  const now = context.clock.now();
  const { messageKey = "", sysId, level = "" } = one.meta ?? {};
  const path = `/api/now/table/${options.table}`;
  const known = sysId === undefined ? await findRecord(String(messageKey), path, options, context) : String(sysId);
  if (known !== undefined) {
    const answer = await request("PATCH", `${path}/${known}?sysparm_fields=sys_id,number`, one.body, options, context);
    if (answer.status === 404)
      return {
        status: "failed",
        kind: "permanent",
        code: "HTTP_REJECTED",
        message: `${PEER} answered 404: the record is gone, or may not be read`,
      };
    return delivered(resultOf(answer, now), String(level));
  }
  const made = await request("POST", `${path}?sysparm_fields=sys_id,number,correlation_id`, one.body, options, context);
  const result = resultOf(made, now);
  // Fields that a user may not write are left out without a word; without this one every revision would be a record of its own.
  if (result["correlation_id"] !== messageKey)
    throw connectorFailure("permanent", "DESTINATION_CONFIG", `${PEER} did not store correlation_id; let the user write and read it`);
  return delivered(result, String(level));
}

async function findRecord(correlationId: string, path: string, options: Config, context: Context): Promise<string | undefined> {
  const query = `sysparm_query=${encodeURIComponent(`correlation_id=${correlationId}`)}&sysparm_limit=1&sysparm_fields=sys_id,number,correlation_id`;
  const [found] = resultsOf(await request("GET", `${path}?${query}`, undefined, options, context), context.clock.now());
  if (found === undefined) return undefined;
  // A condition on a field that may not be read is left out, and everything fits.
  if (found["correlation_id"] !== correlationId)
    throw connectorFailure(
      "permanent",
      "DESTINATION_CONFIG",
      `${PEER} gave another record than asked for; let the user read correlation_id`,
    );
  return sysIdOf(found);
}

function delivered(result: Json, level: string): Outcome {
  const sysId = sysIdOf(result);
  const number = typeof result["number"] === "string" && /^[A-Z0-9]{1,40}$/.test(result["number"]) ? result["number"] : "record";
  return { status: "delivered", receipt: `${number} ${sysId}`, memory: `${sysId}:${level}` };
}

function sysIdOf(result: Json): string {
  const id = result["sys_id"];
  if (typeof id === "string" && /^[0-9a-f]{32}$/.test(id)) return id;
  throw connectorFailure("retryable", "HTTP_MALFORMED", `${PEER} answered without a sys_id`);
}
