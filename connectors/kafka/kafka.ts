import { ocsfWithin, type SubjectFacts } from "../../src/archetypes/ocsf-subject.ts";
import { Failure } from "../../src/core/errors.ts";
import { safeText } from "../../src/core/safe-text.ts";
import { defineConnector, type Check, type Delivery, type Destination, type Outcome, type Rendered } from "../../src/ports/connector.ts";
import type { Context } from "../../src/ports/context.ts";
import type { Placed } from "./client.ts";
import { config, type Config } from "./config.ts";

/**
 * Kafka: an OCSF object per record, keyed so that all revisions of a subject lie in one partition. Headers follow CloudEvents' binding
 * for Kafka (github.com/cloudevents/spec, kafka-protocol-binding); `ce_id` is the delivery's key.
 */
export default defineConnector<Config>({ id: "kafka", title: "Kafka (OCSF)", config, check, destination });

/** Loaded when it is needed: the protocol's code takes a third of a second and 45 MB, also from those who have no Kafka. */
const client = (): Promise<typeof import("./client.ts")> => import("./client.ts");

/** What a failed request makes us send again. */
const BATCH_ITEMS_MAX = 500;
/** Brokers take batches up to `message.max.bytes`, 1,048,588 by default; keys and headers of 500 records need less than the rest. */
const BATCH_BYTES_MAX = 700_000;
/** Longest header and key. */
const TEXT_MAX = 512;

function destination(settings: Config): Destination {
  return {
    limits: { batchItems: BATCH_ITEMS_MAX, batchBytes: BATCH_BYTES_MAX, itemBytes: settings.recordBytesMax },
    accepts: ["alert", "incident", "event"],
    render: (delivery) => render(delivery, settings),
    send: (batch, context) => send(batch, settings, context),
  };
}

function render(delivery: Delivery, settings: Config): Rendered {
  const { key } = delivery;
  let meta: Readonly<Record<string, string>> = {};
  const value = (ocsf: object, { id, change }: SubjectFacts): string => {
    const agent = settings.key === "agent" ? agentOf(delivery) : undefined;
    meta = { recordKey: safeText(agent ?? id, TEXT_MAX), type: `custodes.${change}`, subject: safeText(id, TEXT_MAX) };
    return JSON.stringify(ocsf);
  };
  const rendered = ocsfWithin(delivery, { bytesMax: settings.recordBytesMax, version: settings.ocsf }, value);
  return { key, ...rendered, meta };
}

function agentOf({ subject }: Delivery): string | undefined {
  const agents =
    subject.kind === "alert" ? subject.alert.agents : [subject.kind === "incident" ? subject.incident.agentUid : subject.event.agentUid];
  const [agent] = agents;
  return agents.length === 1 && agent !== "" ? agent : undefined;
}

/** @throws {Failure} scope item to have the batch halved, when a partition refused several records for their size or content */
async function send(batch: readonly Rendered[], settings: Config, context: Context): Promise<readonly Outcome[]> {
  if (batch.length === 0) return [];
  const records = batch.map(({ key, body, meta = {} }) => ({
    key: String(meta["recordKey"]),
    value: body,
    headers: {
      ce_specversion: "1.0",
      ce_id: safeText(key, TEXT_MAX),
      ce_source: "custodes",
      ce_type: String(meta["type"]),
      ce_subject: String(meta["subject"]),
      "content-type": "application/json",
    },
  }));
  const { produce } = await client();
  const results = await produce(records, settings, context);
  const failures = results.filter((one) => one instanceof Failure);
  // Whatever stops all of it, stops the destination; what a partition refuses for its content, is found by halving.
  const [first] = failures;
  if (first !== undefined && failures.length === results.length && first.scope === "connector") throw first;
  const refused = failures.filter((one) => one.scope === "item");
  if (refused.length > 1) throw refused[0]!;
  return results.map((one) => outcomeOf(one, settings.topic));
}

function outcomeOf(result: Placed, topic: string): Outcome {
  if (!(result instanceof Failure)) return { status: "delivered", receipt: `${topic}/${result.partition}@${result.offset}` };
  const { kind, code, message } = result;
  return { status: "failed", kind, code, message };
}

/** Logs in and asks for the topic; whether the user may write to it shows only when something is written. */
async function check(settings: Config, context: Context): Promise<readonly Check[]> {
  try {
    const { lookUp } = await client();
    const partitions = await lookUp(settings, context);
    return [
      { name: "topic", ok: true, message: `it is there, with ${partitions} partitions; whether it may be written to shows when it is` },
    ];
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return [{ name: "topic", ok: false, message: error.message, fix: fixOf(error) }];
  }
}

function fixOf({ code }: Failure): string {
  if (code === "HTTP_DENIED") return "check sasl, ca and certificate; the user needs Write, Describe and IdempotentWrite";
  if (code === "DESTINATION_CONFIG") return "create the topic, or allow the user to Describe it; check sasl.mechanism";
  return "check brokers, tls and firewall: every broker must be reachable under the name that it advertises";
}
