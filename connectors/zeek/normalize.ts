/**
 * Zeek JSON log line -> event: which log a line belongs to, and what all logs share.
 * Logs: https://docs.zeek.org/en/master/logs/index.html
 */
import type { EpochMs } from "../../src/core/event.ts";
import { recordObject, recordTime, type Json } from "../../src/core/record.ts";
import type { Normalize } from "../../src/ports/connector.ts";
import { connEvent } from "./conn.ts";
import { dnsEvent } from "./dns.ts";
import { endpoints, type Line } from "./line.ts";
import { httpEvent, sslEvent } from "./web.ts";

/** Which traffic becomes events. */
export type Keep = "outbound" | "all";

/** Normalizes lines of conn, dns, ssl and http; lines of other Zeek logs give no event. */
export function zeekNormalize(keep: Keep = "outbound"): Normalize {
  return (record, context) => {
    const log = recordObject(record);
    const time = zeekTime(log["ts"], context.received);
    const kind = logOf(log);
    // Zeek writes some 60 logs into one directory, most of them without a field that says which one it is.
    if (kind === undefined) return [];
    const line: Line = { log, time, source: context.source, ...endpoints(log) };
    switch (kind) {
      case "conn":
        return connEvent(line, keep === "all");
      case "dns":
        return dnsEvent(line);
      case "ssl":
        return sslEvent(line, keep === "all");
      case "http":
        return httpEvent(line, keep === "all");
      default:
        return kind satisfies never;
    }
  };
}

/** Microseconds are written as decimals that binary numbers miss by up to 0.0002 ms: half a microsecond is added before flooring. */
const MICROSECOND_SLACK_MS = 0.0005;

function zeekTime(value: unknown, received: EpochMs): EpochMs {
  if (typeof value === "number" && value < 1e11) return recordTime(Math.floor(value * 1000 + MICROSECOND_SLACK_MS), received);
  return recordTime(value, received);
}

type LogName = "conn" | "dns" | "ssl" | "http";

/** The log's name as the writer or the shipper adds it: `_path` (json-streaming-logs, Corelight), `@stream`. */
function pathOf(log: Json): string | undefined {
  const path = log["_path"] ?? log["@stream"];
  return typeof path === "string" ? path : undefined;
}

/** A log without `_path` shows itself by fields that only it has. */
function logOf(log: Json): LogName | undefined {
  const path = pathOf(log);
  if (path !== undefined) return path === "conn" || path === "dns" || path === "ssl" || path === "http" ? path : undefined;
  if ("conn_state" in log) return "conn";
  if ("trans_id" in log || ("query" in log && "qtype" in log)) return "dns";
  // smtp.log counts its transactions too, and kerberos.log has ciphers.
  if ("trans_depth" in log) return "request_body_len" in log ? "http" : undefined;
  return "established" in log && "resumed" in log ? "ssl" : undefined;
}
