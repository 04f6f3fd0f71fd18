import { exchangeWithin } from "../../src/archetypes/deadline.ts";
import { answerObject, type Answer } from "../../src/archetypes/http-exchange.ts";
import { findingDelivery } from "../../src/archetypes/finding.ts";
import { defineConnector, type Check, type Destination, type Outcome, type Rendered } from "../../src/ports/connector.ts";
import type { Context } from "../../src/ports/context.ts";
import { CODE_VERDICTS, outcomesOf } from "./answers.ts";
import { config, type Config } from "./config.ts";
import { render } from "./render.ts";

/**
 * Splunk through the HTTP Event Collector. A delivery is an event of the CIM model Alerts; HEC has no way to
 * replace or recognize an event, so each carries its delivery key in the indexed field `custodes_dedup`.
 */
export default defineConnector<Config>({ id: "splunk", title: "Splunk (HTTP Event Collector)", config, check, destination });

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
    accepts: ["alert", "incident"],
    render: (delivery) => render(findingDelivery(delivery), settings),
    send: (batch, context) => send(batch, settings, context),
  };
}

async function send(batch: readonly Rendered[], settings: Config, context: Context): Promise<readonly Outcome[]> {
  if (batch.length === 0) return [];
  const answer = await post(batch.map((item) => item.body).join("\n"), settings, context);
  const outcomes = outcomesOf(answer, batch.length, settings.url, context.clock.now());
  const code = answerObject(answer)?.["code"];
  if (code === 24 || code === 25) context.log.warn({ code }, "Splunk accepts events but approaches its capacity");
  return outcomes;
}

async function post(body: string, settings: Config, context: Context): Promise<Answer> {
  return await exchangeWithin(
    {
      peer: "Splunk",
      url: `${settings.url}/services/collector/event`,
      headers: {
        authorization: `Splunk ${settings.token.reveal()}`,
        "content-type": "application/json",
        "x-splunk-request-channel": settings.channel,
      },
      body,
    },
    context,
    settings.timeoutMs,
  );
}

/** Health without a credential, then an empty request with it: HEC checks the token before it misses the data. */
async function check(settings: Config, context: Context): Promise<readonly Check[]> {
  const health = await exchangeWithin(
    { peer: "Splunk", method: "GET", url: `${settings.url}/services/collector/health`, headers: {} },
    context,
    settings.timeoutMs,
  ).catch(messageOf);
  if (typeof health === "string")
    return [
      {
        name: "reach",
        ok: false,
        message: health,
        fix: "check host, port and firewall; for a certificate of your own set NODE_EXTRA_CA_CERTS to the file of its authority",
      },
    ];
  const probe = await post("", settings, context).catch(messageOf);
  return [healthCheck(health), tokenCheck(probe), INDEX_CHECK];
}

function healthCheck(answer: Answer): Check {
  const code = answerObject(answer)?.["code"];
  if (answer.status === 200 && (code === 17 || code === 24 || code === 25))
    return { name: "reach", ok: true, message: `HEC is up (code ${code})` };
  if (answer.status === 503 && typeof code === "number")
    return {
      name: "reach",
      ok: false,
      message: `HEC says that it is unhealthy (code ${code})`,
      fix: "look at the indexer's queues; deliveries wait until it recovers",
    };
  return {
    name: "reach",
    ok: false,
    message: `HTTP ${answer.status}: this is not the HTTP Event Collector`,
    fix: "use the collector's own port (8088, Splunk Cloud 443 on http-inputs-…), not Splunk Web or the management port, and enable HEC in its global settings",
  };
}

function tokenCheck(answer: Answer | string): Check {
  if (typeof answer === "string")
    return { name: "token", ok: false, message: answer, fix: "check the connection; the health endpoint did answer" };
  const code = answerObject(answer)?.["code"];
  const known = typeof code === "number" ? CODE_VERDICTS.get(code) : undefined;
  if (answer.status === 400 && code === 5)
    return { name: "token", ok: true, message: "the token is valid (an empty request was refused for being empty)" };
  return {
    name: "token",
    ok: false,
    message: known === undefined ? `HTTP ${answer.status} to an empty request` : `HEC ${known[0]}/${String(code)}: ${known[2]}`,
    fix: "create or enable a HEC token (Settings, Data inputs, HTTP Event Collector) and put it into the referenced secret",
  };
}

const INDEX_CHECK: Check = {
  name: "index",
  ok: true,
  message: "not checked: HEC tells whether a token may write to an index only when something is written",
};

function messageOf(error: unknown): string {
  if (error instanceof Error && error.name === "Failure") return error.message;
  throw error;
}
