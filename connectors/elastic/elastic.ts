import { itemOutcomes } from "../../src/archetypes/bulk/items.ts";
import { BATCH_ITEMS_MAX, ITEM_BYTES_MAX } from "../../src/archetypes/bulk/limits.ts";
import { streamOf } from "../../src/archetypes/bulk/names.ts";
import { renderBulk } from "../../src/archetypes/bulk/render.ts";
import { statusFailure } from "../../src/archetypes/bulk/status.ts";
import { defineConnector, type Destination, type Outcome, type Rendered } from "../../src/ports/connector.ts";
import type { Context } from "../../src/ports/context.ts";
import { check } from "./check.ts";
import { called, clientFor } from "./client.ts";
import { config, type Config } from "./config.ts";
import { setup } from "./setup.ts";

/**
 * Elasticsearch and Elastic Security. An alert or incident is an ECS document in a plain index, under its own id and with
 * its revision as external version: later revisions replace earlier ones, whatever the order of arrival. An event never
 * changes: it is created once, under its uid, in a data stream.
 */
export default defineConnector<Config>({ id: "elastic", title: "Elastic (Elasticsearch bulk)", config, check, destination, setup });

/** Well below the 100 MB of `http.max_content_length`, and below what proxies and cloud front ends usually take. */
const BATCH_BYTES_MAX = 5_000_000;

function destination(settings: Config): Destination {
  const names = { ...settings, eventIndex: settings.eventStream, stream: streamOf(settings.eventStream) };
  return {
    limits: { batchItems: BATCH_ITEMS_MAX, batchBytes: BATCH_BYTES_MAX, itemBytes: ITEM_BYTES_MAX },
    accepts: ["alert", "incident", "event"],
    render: (delivery) => renderBulk(delivery, names, ITEM_BYTES_MAX),
    send: (batch, context) => send(batch, settings, context),
  };
}

/** What of the answer is asked for: an item's index name and shard counts are of no use to anyone here. */
const FILTER_PATH = ["errors", "took", "items.*.status", "items.*.error", "items.*._id", "items.*.failure_store"];

async function send(batch: readonly Rendered[], settings: Config, context: Context): Promise<readonly Outcome[]> {
  if (batch.length === 0) return [];
  const now = context.clock.now();
  // A rendered body is exactly two lines, and the client adds the line ends again.
  const operations = batch.flatMap((item) => item.body.trimEnd().split("\n"));
  const answer = await called(
    clientFor(settings, context).bulk<string>(
      // Errors would quote our document back, and end up in logs.
      { operations, include_source_on_error: false, filter_path: FILTER_PATH },
      { meta: true },
    ),
    settings.url,
    now,
  );
  if (answer.statusCode !== 200) throw statusFailure(answer.statusCode ?? 0, answer.headers ?? {}, settings.url, now);
  const { outcomes, failureStore } = itemOutcomes(answer.body, batch);
  if (failureStore > 0) context.log.warn({ documents: failureStore }, "Elasticsearch put documents into its failure store");
  return outcomes;
}
