import { Failure } from "../../src/core/errors.ts";
import { defineConnector, type Check, type Destination, type Outcome, type Rendered } from "../../src/ports/connector.ts";
import type { Connection, Context } from "../../src/ports/context.ts";
import { config, messageBytesMax, type Config } from "./config.ts";
import { framed } from "./frame.ts";
import { render } from "./render.ts";

/**
 * Syslog: RFC 5424 messages over TLS (RFC 5425) or TCP (RFC 6587). The protocol has no acknowledgement; what comes nearest
 * is a connection that both sides end in order, so each batch has a connection of its own.
 */
export default defineConnector<Config>({
  id: "syslog",
  title: "Syslog (RFC 5424 over TLS or TCP; CEF or OCSF)",
  config,
  check,
  destination,
});

/** What a connection that breaks makes us send again. */
const BATCH_ITEMS_MAX = 500;
const BATCH_BYTES_MAX = 1_000_000;
/** Longest octet count with its blank. */
const COUNT_BYTES = 8;

function destination(settings: Config): Destination {
  const itemBytes = messageBytesMax(settings);
  return {
    limits: { batchItems: BATCH_ITEMS_MAX, batchBytes: Math.max(BATCH_BYTES_MAX - BATCH_ITEMS_MAX * COUNT_BYTES, itemBytes), itemBytes },
    accepts: ["alert", "incident", "event"],
    render: (delivery) => render(delivery, settings),
    send: (batch, context) => send(batch, settings, context),
  };
}

async function send(batch: readonly Rendered[], settings: Config, context: Context): Promise<readonly Outcome[]> {
  if (batch.length === 0) return [];
  const connection = await open(settings, context);
  try {
    await connection.write(framed(batch.map((item) => item.body)));
    const ended = await connection.end(settings.closeWaitMs);
    const receipt = ended === "closed" ? "written, connection ended in order" : "written, connection still open";
    return batch.map(() => ({ status: "delivered", receipt }));
  } finally {
    connection.destroy();
  }
}

function open(settings: Config, context: Context): Promise<Connection> {
  const { host, port, timeoutMs, ca, certificate, key, serverName } = settings;
  const tls = {
    ...(ca === undefined ? {} : { ca: ca.reveal() }),
    ...(certificate === undefined ? {} : { certificate: certificate.reveal() }),
    ...(key === undefined ? {} : { key: key.reveal() }),
    ...(serverName === undefined ? {} : { serverName }),
  };
  return context.connect({ host, port, timeoutMs, signal: context.signal, ...(settings.tls ? { tls } : {}) });
}

/** Connects, verifies the certificate and ends the connection again; a message would be the only further test, and nobody would answer it. */
async function check(settings: Config, context: Context): Promise<readonly Check[]> {
  const { host, port, tls, closeWaitMs } = settings;
  try {
    const connection = await open(settings, context);
    await connection.end(Math.min(closeWaitMs, 1_000));
    const how = tls ? "its certificate is good" : "without TLS: anybody on the way can read and change what is sent";
    return [{ name: "reach", ok: true, message: `${host}:${port} takes connections; ${how}. Whether it keeps messages it cannot tell` }];
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return [{ name: "reach", ok: false, message: error.message, fix: fixOf(error) }];
  }
}

function fixOf({ code }: Failure): string {
  if (code === "HTTP_DENIED")
    return "put the PEM of the server's authority into ca, set serverName to a name of its certificate, and give certificate and key if it asks for them";
  if (code === "DESTINATION_CONFIG") return "this port does not speak TLS: use the server's TLS port (6514), or tls: false";
  return "check host, port and firewall; a server that ends the connection at once may want a client certificate";
}
