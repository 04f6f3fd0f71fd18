/** AWS VPC flow log line -> event. https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html */
import { ACTION, CLASS, STATUS } from "../../src/core/event.ts";
import { poison } from "../../src/core/errors.ts";
import { looksLikeIp, isPrivateIp } from "../../src/core/ip.ts";
import { newEvent } from "../../src/core/new-event.ts";
import { recordTime, type Json } from "../../src/core/record.ts";
import type { Normalize } from "../../src/ports/connector.ts";
import { isUsable, layoutOf, type FlowLine } from "./columns.ts";

/** Which flows become events. */
export type Keep = "outbound" | "all";

/** Aggregation windows last 1 or 10 minutes; an end far away is a mistake and must not become a time. */
const WINDOW_MAX_S = 86_400;

/** IANA protocol numbers that flows usually have; others keep their number. */
const PROTOCOLS: ReadonlyMap<string, string> = new Map([
  ["1", "icmp"],
  ["6", "tcp"],
  ["17", "udp"],
  ["47", "gre"],
  ["50", "esp"],
  ["58", "icmpv6"],
  ["132", "sctp"],
]);

/** Normalizes flow lines; with `outbound`, flows that stay inside or come in from outside give no event. */
export function vpcflowNormalize(keep: Keep = "outbound"): Normalize {
  // The layout of the names seen last: a file has one header.
  let names = "";
  let layout = layoutOf(names);
  return (record, context) => {
    const flow = flowLine(record);
    if (flow.columns !== names) {
      names = flow.columns;
      layout = layoutOf(names);
    }
    if (!isUsable(layout)) throw poison("RECORD_COLUMNS", "the format names no start or no source address");
    const columns = flow.line.split(" ");
    if (columns.length !== layout.count) {
      throw poison("RECORD_COLUMNS", `the line has ${columns.length} columns, the format has ${layout.count}`);
    }
    if (layout.version !== -1) checkVersion(columns[layout.version]);
    const start = seconds(columns, layout.start);
    if (start === undefined) throw poison("RECORD_NO_TIME", "start is not a time");
    const time = recordTime(start, context.received);
    const end = layout.end === -1 ? undefined : seconds(columns, layout.end);
    if (layout.end !== -1 && end === undefined) throw poison("RECORD_NO_TIME", "end is not a time");
    const bytes = count(columns, layout.bytes, "bytes");
    // A window in which nothing was seen, or in which AWS skipped records: no flow, but the line is in order.
    const status = at(columns, layout.status);
    if (status === "NODATA" || status === "SKIPDATA") return [];

    const srcIp = address(columns, layout.pktSrcAddress) ?? address(columns, layout.srcAddress);
    const dstIp = address(columns, layout.pktDstAddress) ?? address(columns, layout.dstAddress);
    const direction = at(columns, layout.direction);
    const outbound = isOutbound(srcIp, dstIp, direction);
    if (!outbound && keep === "outbound") return [];

    const event = newEvent(uidOf(flow.line, context.sha256), time, "egress", CLASS.networkActivity, 6);
    if (end !== undefined && end >= start && end - start <= WINDOW_MAX_S) {
      event.endTime = end * 1000;
      event.durationMs = event.endTime - time;
    }
    event.source = context.source;
    event.vendor = "AWS";
    event.product = "VPC Flow Logs";
    event.srcIp = srcIp;
    event.dstIp = dstIp;
    event.srcPort = count(columns, layout.srcPort, "srcport");
    event.dstPort = count(columns, layout.dstPort, "dstport");
    event.bytesOut = bytes;
    const protocol = at(columns, layout.protocol);
    event.protocol = protocol === undefined ? undefined : (PROTOCOLS.get(protocol) ?? protocol);
    event.directionId = outbound ? 2 : srcIp !== undefined && isPrivateIp(srcIp) ? 3 : 1;
    applyAction(event, at(columns, layout.action));
    event.statusDetail = at(columns, layout.rejectReason);
    event.cloudProvider = "AWS";
    event.cloudAccount = at(columns, layout.account);
    event.region = at(columns, layout.region);
    event.resourceUid = at(columns, layout.interfaceId);
    event.resourceType = event.resourceUid === undefined ? undefined : "AWS::EC2::NetworkInterface";
    event.host = at(columns, layout.instance);
    return [event];
  };
}

function flowLine(record: unknown): FlowLine {
  if (typeof record !== "object" || record === null) throw poison("RECORD_NOT_OBJECT", "the record is not a flow line");
  const { columns, line } = record as Json;
  if (typeof line !== "string" || typeof columns !== "string") throw poison("RECORD_NOT_OBJECT", "the record is not a flow line");
  return { columns, line };
}

/** The line is its own identity: interface, five-tuple and window together are unique. */
function uidOf(line: string, sha256: (text: string) => string): string {
  return `aws-vpcflow:sha256:${sha256(line).slice(0, 32)}`;
}

/** Versions 2 to 10 exist; two digits leave room, and anything else is another kind of line. */
function checkVersion(version: string | undefined): void {
  if (version === undefined || !/^[1-9]\d?$/.test(version)) throw poison("RECORD_FIELD_INVALID", "version is not a version of flow logs");
}

/** A column's value; `-` stands for none. */
function at(columns: readonly string[], index: number): string | undefined {
  const value = index === -1 ? undefined : columns[index];
  return value === "-" || value === "" ? undefined : value;
}

function isDigits(value: string): boolean {
  // 16 digits are beyond every counter that fits a number exactly.
  if (value.length === 0 || value.length > 15) return false;
  for (let index = 0; index < value.length; index++) {
    const code = value.charCodeAt(index);
    if (code < 48 || code > 57) return false;
  }
  return true;
}

function seconds(columns: readonly string[], index: number): number | undefined {
  const value = at(columns, index);
  return value === undefined || !isDigits(value) ? undefined : Number(value);
}

function count(columns: readonly string[], index: number, name: string): number | undefined {
  const value = at(columns, index);
  if (value === undefined) return undefined;
  if (!isDigits(value)) throw poison("RECORD_FIELD_INVALID", `${name} is not a number`);
  return Number(value);
}

function address(columns: readonly string[], index: number): string | undefined {
  const value = at(columns, index);
  if (value === undefined) return undefined;
  if (!looksLikeIp(value)) throw poison("RECORD_FIELD_INVALID", "an address column does not hold an address");
  return value;
}

/**
 * Out of the network: to a public address, from a private one or through an interface that says egress. What an
 * interface receives for a public address is on its way through a NAT gateway, which logs it once more as it leaves.
 */
function isOutbound(srcIp: string | undefined, dstIp: string | undefined, direction: string | undefined): boolean {
  if (srcIp === undefined || dstIp === undefined || isPrivateIp(dstIp)) return false;
  return direction === undefined ? isPrivateIp(srcIp) : direction === "egress";
}

function applyAction(event: { actionId: number | undefined; statusId: number }, action: string | undefined): void {
  if (action === "ACCEPT") {
    event.actionId = ACTION.allowed;
    event.statusId = STATUS.success;
  } else if (action === "REJECT") {
    event.actionId = ACTION.denied;
    event.statusId = STATUS.failure;
  }
}
