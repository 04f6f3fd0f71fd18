/** Zeek dns.log -> DNS event. https://docs.zeek.org/en/master/logs/dns.html */
import { CLASS, STATUS, type Event } from "../../src/core/event.ts";
import { hostName, numeric, text, textList } from "../../src/core/record.ts";
import { connectionUid, lineEvent, milliseconds, shortText, type Line } from "./line.ts";

/** OCSF `rcode_id` knows 0 to 24; it agrees with the numbers of the protocol. */
const RCODE_MAX = 24;

/** One query with its answers. */
export function dnsEvent(line: Line): Event[] {
  const { log } = line;
  const event = lineEvent(line, uidOf(line), "dns", CLASS.dnsActivity, log["rcode"] === undefined ? 1 : 2, "dns");
  event.protocol = text(log["proto"]);
  event.appProtocol = "dns";
  event.dnsQuery = hostName(log["query"]);
  event.dnsType = text(log["qtype_name"]) ?? text(log["qtype"]);
  const rcode = numeric(log["rcode"]);
  if (rcode !== undefined) {
    event.dnsRcodeId = rcode >= 0 && rcode <= RCODE_MAX ? rcode : 99;
    event.statusId = rcode === 0 ? STATUS.success : STATUS.failure;
    event.statusCode = text(log["rcode_name"]);
  }
  if (log["rejected"] === true) event.statusId = STATUS.failure;
  event.dnsAnswers = textList(log["answers"])?.map((answer) => answer.toLowerCase());
  event.durationMs = milliseconds(log["rtt"]);
  event.directionId = 2;
  return [event];
}

/**
 * `uid` names the connection, and a resolver sends many queries over one; `trans_id` has 16 bits and repeats on it,
 * and A and AAAA questions of one moment differ in their type only. Together with the time they are one query.
 */
function uidOf(line: Line): string {
  const { log } = line;
  return `zeek:dns:${connectionUid(log)}:${shortText(log["trans_id"])}:${shortText(log["ts"])}:${shortText(log["qtype"])}`;
}
