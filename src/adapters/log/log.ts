import { pino, destination, type DestinationStream } from "pino";
import type { Log } from "../../ports/context.ts";
import { loggable } from "./fields.ts";

/** Structured log lines (JSON) on standard error, or on a given stream. Synchronous, so that none is lost in a crash. */
export function log(level: "debug" | "info" | "warn" | "error", stream?: DestinationStream): Log {
  return pino(
    {
      level,
      base: { service: "custodes" },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { log: loggable },
    },
    stream ?? destination({ dest: 2, sync: true }),
  );
}

/** A log that says nothing, for commands whose output is their result. */
export const silentLog: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing };

function nothing(): void {
  // On purpose: the command's own output says what happened.
}
