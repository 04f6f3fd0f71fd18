import { exchangeWithin } from "../../src/archetypes/deadline.ts";
import type { Answer } from "../../src/archetypes/http-exchange.ts";
import { Failure } from "../../src/core/errors.ts";
import { defineConnector, type Check, type Destination, type Outcome, type Rendered } from "../../src/ports/connector.ts";
import type { Context } from "../../src/ports/context.ts";
import { accepted } from "./answers.ts";
import { config, type Config } from "./config.ts";
import { render } from "./render.ts";

/** OpenTelemetry: log records over OTLP/HTTP with JSON. OTLP has no way to recognize a repeat; `log.record.uid` is the delivery's key. */
export default defineConnector<Config>({ id: "otlp-logs", title: "OpenTelemetry logs (OTLP/HTTP, OCSF)", config, check, destination });

const PEER = "the receiver";
/** Below 4 MB, which collectors and what is before them commonly take, also uncompressed. */
const BATCH_BYTES_MAX = 3_000_000;
/** Around the records of a request, with a comma for each. */
const ENVELOPE_BYTES = 1_000;

function destination(settings: Config): Destination {
  return {
    limits: { batchItems: settings.batchItems, batchBytes: BATCH_BYTES_MAX - ENVELOPE_BYTES, itemBytes: settings.itemBytesMax },
    accepts: ["alert", "incident", "event"],
    render: (delivery) => render(delivery, settings),
    send: (batch, context) => send(batch, settings, context),
  };
}

async function send(batch: readonly Rendered[], settings: Config, context: Context): Promise<readonly Outcome[]> {
  if (batch.length === 0) return [];
  const answer = await post(requestBody(batch.map((item) => item.body).join(","), settings), settings, context);
  const { rejected, warned } = accepted(answer, { peer: PEER, url: settings.endpoint, now: context.clock.now() });
  if (warned) context.log.warn({ rejected, records: batch.length }, "the OTLP receiver took log records and complains");
  if (rejected === 0) return batch.map(() => ({ status: "delivered", receipt: `otlp: HTTP ${answer.status}` }));
  // Which ones is not said, and the request must not be repeated: as dead letters none of them is lost.
  const message = `${rejected} of ${batch.length} log records were refused, and which is not said`;
  return batch.map(() => ({ status: "failed", kind: "permanent", code: "HTTP_REJECTED", message }));
}

function requestBody(records: string, { serviceName }: Config): string {
  const resource = { attributes: [{ key: "service.name", value: { stringValue: serviceName } }] };
  return `{"resourceLogs":[{"resource":${JSON.stringify(resource)},"scopeLogs":[{"scope":{"name":"custodes"},"logRecords":[${records}]}]}]}`;
}

async function post(text: string, settings: Config, context: Context): Promise<Answer> {
  const { endpoint, compression, timeoutMs } = settings;
  const secrets = Object.entries(settings.headers).map(([name, value]) => [name, value.reveal().trim()] as const);
  const headers = {
    ...Object.fromEntries(secrets),
    "content-type": "application/json",
    ...(compression === "gzip" ? { "content-encoding": "gzip" } : {}),
  };
  const body = compression === "gzip" ? await gzip(text) : text;
  return await exchangeWithin({ peer: PEER, url: `${endpoint}/v1/logs`, headers, body }, context, timeoutMs);
}

async function gzip(text: string): Promise<Uint8Array> {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** An empty request: valid, and nothing in it. */
async function check(settings: Config, context: Context): Promise<readonly Check[]> {
  try {
    const answer = await post('{"resourceLogs":[]}', settings, context);
    accepted(answer, { peer: PEER, url: settings.endpoint, now: context.clock.now() });
    return [{ name: "receiver", ok: true, message: "it takes an empty request" }];
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return [{ name: "receiver", ok: false, message: error.message, fix: fixOf(error) }];
  }
}

function fixOf({ code }: Failure): string {
  if (code === "HTTP_DENIED") return "put the receiver's credential into headers, as a secret reference";
  if (code === "HTTP_UNREACHABLE" || code === "HTTP_TIMEOUT")
    return "check host, port, certificate and firewall; OTLP/HTTP usually has port 4318";
  return "endpoint must be the base address of OTLP/HTTP (4318), not gRPC (4317), and its receiver must take JSON";
}
