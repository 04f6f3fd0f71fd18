import { defineConnector, type Destination, type Outcome, type Rendered } from "../../src/ports/connector.ts";
import type { Context } from "../../src/ports/context.ts";
import { channelAt, confirm, ticketFor } from "./acks.ts";
import { outcomesOf } from "./answers.ts";
import { check } from "./check.ts";
import { config, type Config } from "./config.ts";
import { post } from "./post.ts";
import { render } from "./render.ts";
import { setup } from "./setup.ts";

/**
 * Splunk through the HTTP Event Collector. A delivery is an event of a CIM model; HEC has no way to replace or recognize
 * an event, so each carries its delivery key in the indexed field `custodes_dedup`.
 */
export default defineConnector<Config>({ id: "splunk", title: "Splunk (HTTP Event Collector)", config, check, destination, setup });

/** Usual batch of collectors of this kind (kafka-connect-splunk sends 500): a lost answer repeats no more than this. */
const BATCH_ITEMS_MAX = 500;
/** Splunk Cloud's recommended request size, and within the limit of every version of Splunk Enterprise. */
const BATCH_BYTES_MAX = 1_000_000;

function destination(settings: Config): Destination {
  return {
    // One byte per item is the newline between envelopes.
    limits: {
      batchItems: BATCH_ITEMS_MAX,
      batchBytes: BATCH_BYTES_MAX - BATCH_ITEMS_MAX,
      itemBytes: Math.min(settings.eventBytesMax, BATCH_BYTES_MAX - BATCH_ITEMS_MAX),
    },
    accepts: ["alert", "incident", "event"],
    render: (delivery) => render(delivery, settings),
    send: (batch, context) => send(batch, settings, context),
    confirm: (tickets, context) => confirm(tickets, settings, context),
  };
}

async function send(batch: readonly Rendered[], settings: Config, context: Context): Promise<readonly Outcome[]> {
  if (batch.length === 0) return [];
  const { acknowledge, ackEveryMs, stickyCookie } = settings;
  const channel = acknowledge ? channelAt(settings.channel, context.clock.now()) : settings.channel;
  const answer = await post(batch.map((item) => item.body).join("\n"), channel, settings, context);
  const ack = { ticketOf: (id: number): string => ticketFor(answer, channel, id, stickyCookie), askAfterMs: ackEveryMs };
  const outcomes = outcomesOf(answer, batch.length, settings.url, context.clock.now(), acknowledge ? ack : undefined);
  const { log } = context;
  if (outcomes.some((one) => one.status !== "failed" && one.busy === true))
    log.warn({}, "Splunk accepts events but approaches its capacity");
  if (acknowledge && outcomes.some((one) => one.status === "delivered"))
    log.warn({}, "the token has no indexer acknowledgement: what Splunk took counts as delivered");
  return outcomes;
}
