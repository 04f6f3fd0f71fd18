import { findingDelivery } from "../../src/archetypes/finding.ts";
import { defineConnector, type Destination, type Outcome } from "../../src/ports/connector.ts";
import { check } from "./check.ts";
import { config, type Config } from "./config.ts";
import { renderDigest } from "./digest.ts";
import { ITEM_BYTES_MAX, render } from "./render.ts";
import { sendOne } from "./send.ts";
import { webhook } from "./webhook.ts";

/** PagerDuty: incidents as pages that open, are acknowledged and close (Events API v2). */
export default defineConnector<Config>({
  id: "pagerduty",
  title: "PagerDuty (Events API v2)",
  config,
  check,
  destination,
  answers: ({ webhookSecret, previousWebhookSecret }) =>
    webhookSecret === undefined
      ? undefined
      : webhook([webhookSecret, ...(previousWebhookSecret === undefined ? [] : [previousWebhookSecret])]),
});

function destination(options: Config): Destination {
  const { storm, perMinute } = options;
  return {
    // The API takes one event per request.
    limits: { batchItems: 1, batchBytes: ITEM_BYTES_MAX, itemBytes: ITEM_BYTES_MAX, perMinute },
    accepts: ["incident"],
    render: (delivery) => render(findingDelivery(delivery), options),
    storm: {
      incidents: storm.incidents,
      withinMs: storm.within,
      render: (delivery) => renderDigest(delivery, { ...options, withinMs: storm.within }),
    },
    // A throw may leave an earlier request of the same call done: repeating it changes nothing, the dedup_key is the same.
    send: async (batch, context) => {
      const outcomes: Outcome[] = [];
      for (const one of batch) outcomes.push(await sendOne(one, options, context));
      return outcomes;
    },
  };
}
