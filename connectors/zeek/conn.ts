/** Zeek conn.log -> egress event. https://docs.zeek.org/en/master/logs/conn.html */
import { CLASS, STATUS, type Event } from "../../src/core/event.ts";
import { numeric, text } from "../../src/core/record.ts";
import { connectionUid, isOutbound, lineEvent, milliseconds, type Line } from "./line.ts";

/** States in which nobody answered, or somebody refused: S0 no reply, REJ refused, RSTOS0, RSTRH, SH, SHR half-open. */
const FAILED_STATES: ReadonlySet<string> = new Set(["S0", "REJ", "RSTOS0", "RSTRH", "SH", "SHR"]);

/** A connection; `[]` when it stays inside or comes in from outside, unless all are kept. */
export function connEvent(line: Line, all: boolean): Event[] {
  const { log } = line;
  const uid = connectionUid(log);
  const outbound = isOutbound(line);
  if (!outbound && !all) return [];
  const event = lineEvent(line, `zeek:conn:${uid}`, "egress", CLASS.networkActivity, 6, "conn");
  event.durationMs = milliseconds(log["duration"]);
  if (event.durationMs !== undefined) event.endTime = line.time + event.durationMs;
  event.protocol = text(log["proto"]);
  event.appProtocol = text(log["service"]);
  // Payload bytes by sequence numbers; the IP counters see what the analyzers missed.
  event.bytesOut = numeric(log["orig_bytes"]) ?? numeric(log["orig_ip_bytes"]);
  event.bytesIn = numeric(log["resp_bytes"]) ?? numeric(log["resp_ip_bytes"]);
  const state = text(log["conn_state"]);
  event.statusCode = state;
  if (state !== undefined) event.statusId = FAILED_STATES.has(state) ? STATUS.failure : STATUS.success;
  event.directionId = outbound ? 2 : log["local_resp"] === true && log["local_orig"] !== true ? 1 : 3;
  return [event];
}
