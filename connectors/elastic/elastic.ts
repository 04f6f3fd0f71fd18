import { findingDelivery } from "../../src/archetypes/finding.ts";
import { defineConnector, type Destination, type Outcome, type Rendered } from "../../src/ports/connector.ts";
import type { Context } from "../../src/ports/context.ts";
import { check } from "./check.ts";
import { called, clientFor, statusFailure } from "./client.ts";
import { config, type Config } from "./config.ts";
import { itemOutcomes } from "./items.ts";
import { render } from "./render.ts";

/**
 * Elasticsearch and Elastic Security. A delivery is an ECS document in a plain index, under the subject's id and with
 * its revision as external version: later revisions replace earlier ones, whatever the order of arrival.
 */
export default defineConnector<Config>({ id: "elastic", title: "Elastic (Elasticsearch bulk)", config, check, destination });

/** The vendor's advice is to start with 500 to 1,000 documents or 5 MB; the smaller of each repeats less after a lost answer. */
const BATCH_ITEMS_MAX = 500;
/** Well below the 100 MB of `http.max_content_length`, and below what proxies and cloud front ends usually take. */
const BATCH_BYTES_MAX = 5_000_000;
/** Nobody reads an alert of more than a quarter megabyte, and a few such must not fill a batch. */
const ITEM_BYTES_MAX = 250_000;

function destination(settings: Config): Destination {
  return {
    limits: { batchItems: BATCH_ITEMS_MAX, batchBytes: BATCH_BYTES_MAX, itemBytes: ITEM_BYTES_MAX },
    accepts: ["alert", "incident"],
    render: (delivery) => render(findingDelivery(delivery), settings, ITEM_BYTES_MAX),
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
