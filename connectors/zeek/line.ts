/** What the lines of all Zeek logs share: the connection's id and endpoints. https://docs.zeek.org/en/master/logs/conn.html */
import { poison } from "../../src/core/errors.ts";
import type { Category, EpochMs, Event } from "../../src/core/event.ts";
import { looksLikeIp, isPrivateIp } from "../../src/core/ip.ts";
import { newEvent } from "../../src/core/new-event.ts";
import { asObject, numeric, recordId, text, type Json } from "../../src/core/record.ts";

/** The two ends of a connection. */
export interface Endpoints {
  readonly srcIp: string | undefined;
  readonly srcPort: number | undefined;
  readonly dstIp: string | undefined;
  readonly dstPort: number | undefined;
}

/** One line with what every log has. */
export interface Line extends Endpoints {
  readonly log: Json;
  readonly time: EpochMs;
  readonly source: string;
}

/**
 * Zeek writes `id.orig_h`; stores that allow no dots write `id_orig_h` or an object `id`.
 * @throws {Failure} poison RECORD_FIELD_INVALID
 */
export function endpoints(log: Json): Endpoints {
  const nested = asObject(log["id"]);
  const get = (name: string): unknown => log[`id.${name}`] ?? log[`id_${name}`] ?? nested?.[name];
  return { srcIp: address(get("orig_h")), srcPort: numeric(get("orig_p")), dstIp: address(get("resp_h")), dstPort: numeric(get("resp_p")) };
}

function address(value: unknown): string | undefined {
  const ip = text(value);
  if (ip !== undefined && !looksLikeIp(ip)) throw poison("RECORD_FIELD_INVALID", "an endpoint is not an address");
  return ip;
}

/** The connection's id. @throws {Failure} poison RECORD_FIELD_MISSING, RECORD_FIELD_INVALID */
export function connectionUid(log: Json): string {
  return recordId(log["uid"], "uid");
}

/** Longer than any connection lives; a larger number is a mistake and must not become a time. */
const DURATION_MAX_S = 365 * 86_400;

/** Seconds of a record as whole milliseconds; undefined for what cannot be a duration. */
export function milliseconds(value: unknown): number | undefined {
  const seconds = numeric(value);
  return seconds === undefined || seconds < 0 || seconds > DURATION_MAX_S ? undefined : Math.round(seconds * 1000);
}

/** A number that is part of a uid, as text of at most 40 characters. */
export function shortText(value: unknown): string {
  return text(value)?.slice(0, 40) ?? "-";
}

/** An event with the fields of every log. */
export function lineEvent(line: Line, uid: string, category: Category, classUid: number, activityId: number, name: string): Event {
  const event = newEvent(uid, line.time, category, classUid, activityId);
  event.source = line.source;
  event.vendor = "Zeek";
  event.product = "Zeek";
  event.eventCode = name;
  event.originalUid = text(line.log["uid"]);
  event.srcIp = line.srcIp;
  event.srcPort = line.srcPort;
  event.dstIp = line.dstIp;
  event.dstPort = line.dstPort;
  event.host = text(line.log["_system_name"]) ?? text(line.log["@system"]);
  return event;
}

/**
 * Whether a connection leaves the network. `local_orig` and `local_resp` follow the sensor's own list of networks
 * (Site::local_nets), which knows public addresses that are ours; without them private addresses are ours.
 */
export function isOutbound(line: Line): boolean {
  const { local_orig: localOrig, local_resp: localResp } = line.log;
  const fromUs = typeof localOrig === "boolean" ? localOrig : line.srcIp !== undefined && isPrivateIp(line.srcIp);
  const toUs = typeof localResp === "boolean" ? localResp : line.dstIp === undefined || isPrivateIp(line.dstIp);
  return fromUs && !toUs;
}
