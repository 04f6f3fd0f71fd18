import { itemOutcomes } from "../../src/archetypes/bulk/items.ts";
import { BATCH_ITEMS_MAX, ITEM_BYTES_MAX } from "../../src/archetypes/bulk/limits.ts";
import { renderBulk } from "../../src/archetypes/bulk/render.ts";
import { statusFailure } from "../../src/archetypes/bulk/status.ts";
import { answerObject, connectorFailure } from "../../src/archetypes/http-exchange.ts";
import { defineConnector, type Destination, type Outcome, type Rendered } from "../../src/ports/connector.ts";
import type { Context } from "../../src/ports/context.ts";
import { serviceAsk, type ServiceAsk } from "./ask.ts";
import { check } from "./check.ts";
import { config, isServerless, type Config } from "./config.ts";
import { setup } from "./setup.ts";

/**
 * OpenSearch, self-managed, Amazon OpenSearch Service and OpenSearch Serverless: the documents that Elasticsearch gets, over the
 * same bulk protocol, with its media types and its ways to prove who one is.
 */
export default defineConnector<Config>({ id: "opensearch", title: "OpenSearch (bulk)", config, check, destination, setup });

/** OpenSearch Serverless and small managed domains refuse bodies beyond 10 MiB; half of it leaves room for whatever is in between. */
const BATCH_BYTES_MAX = 5_000_000;

function destination(settings: Config): Destination {
  const ask = serviceAsk(settings);
  const names = { ...settings, stream: undefined, serverIds: !settings.documentIds };
  return {
    limits: { batchItems: BATCH_ITEMS_MAX, batchBytes: BATCH_BYTES_MAX, itemBytes: ITEM_BYTES_MAX },
    accepts: ["alert", "incident", "event"],
    render: (delivery) => renderBulk(delivery, names, ITEM_BYTES_MAX),
    send: (batch, context) => send(batch, settings, ask, context),
  };
}

/** What of the answer is asked for. Serverless documents no such filter. */
const FILTER = "?filter_path=errors,took,items.*.status,items.*.error,items.*._id";

async function send(batch: readonly Rendered[], settings: Config, ask: ServiceAsk, context: Context): Promise<readonly Outcome[]> {
  if (batch.length === 0) return [];
  const body = batch.map((item) => item.body).join("");
  const path = `/_bulk${isServerless(settings) ? "" : FILTER}`;
  // The types of Elastic's own client (application/vnd.elasticsearch+…) are unknown here.
  const answer = await ask({ method: "POST", path, contentType: "application/x-ndjson", body }, context);
  if (answer.status !== 200) {
    const headers = { location: answer.header("location"), "retry-after": answer.header("retry-after") };
    throw statusFailure(answer.status, headers, settings.url, context.clock.now());
  }
  const object = answerObject(answer);
  if (object === undefined) throw connectorFailure("retryable", "HTTP_MALFORMED", "the answer is not the JSON of a bulk request");
  return itemOutcomes(object, batch).outcomes;
}
