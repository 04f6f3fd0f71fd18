import { pino, destination, type DestinationStream } from "pino";
import type { Log } from "../../ports/context.ts";

/** Keys whose values never reach a log line, wherever they stand, should a connector hand them over. */
const REDACTED = ["token", "apiKey", "api_key", "secret", "password", "authorization", "routingKey", "clientSecret"];

/** Structured log lines (JSON) on standard error, or on a given stream. Synchronous, so that none is lost in a crash. */
export function log(level: "debug" | "info" | "warn" | "error", stream?: DestinationStream): Log {
  return pino(
    {
      level,
      base: { service: "custodes" },
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: REDACTED.flatMap((key) => [key, `*.${key}`]), censor: "[secret]" },
    },
    stream ?? destination({ dest: 2, sync: true }),
  );
}

/** A log that says nothing, for commands whose output is their result. */
export const silentLog: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };

function nothing(): void {
  // On purpose: the command's own output says what happened.
}
