/** Column layouts of flow log lines. https://docs.aws.amazon.com/vpc/latest/userguide/flow-log-records.html */
import { poison } from "../../src/core/errors.ts";
import type { Format } from "../../src/ports/connector.ts";

/** Columns of a flow log in the default format, which files without a header have. */
export const DEFAULT_COLUMNS =
  "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status";

/** A line with more columns is not a flow log: version 10 has 45 fields. */
const COLUMNS_MAX = 64;

/** Where the columns that normalizing reads stand; -1 when the format does not have one. */
export interface Layout {
  readonly count: number;
  readonly version: number;
  readonly account: number;
  readonly interfaceId: number;
  readonly instance: number;
  readonly srcAddress: number;
  readonly dstAddress: number;
  readonly pktSrcAddress: number;
  readonly pktDstAddress: number;
  readonly srcPort: number;
  readonly dstPort: number;
  readonly protocol: number;
  readonly bytes: number;
  readonly start: number;
  readonly end: number;
  readonly action: number;
  readonly status: number;
  readonly region: number;
  readonly direction: number;
  readonly rejectReason: number;
}

/** One line with the column names of its file. */
export interface FlowLine {
  readonly columns: string;
  readonly line: string;
}

/** The layout that a header line describes; names are separated by spaces. */
export function layoutOf(header: string): Layout {
  const names = header.trim().split(/\s+/);
  const at = (name: string): number => names.indexOf(name);
  return {
    count: names.length,
    version: at("version"),
    account: at("account-id"),
    interfaceId: at("interface-id"),
    instance: at("instance-id"),
    srcAddress: at("srcaddr"),
    dstAddress: at("dstaddr"),
    pktSrcAddress: at("pkt-srcaddr"),
    pktDstAddress: at("pkt-dstaddr"),
    srcPort: at("srcport"),
    dstPort: at("dstport"),
    protocol: at("protocol"),
    bytes: at("bytes"),
    start: at("start"),
    end: at("end"),
    action: at("action"),
    status: at("log-status"),
    region: at("region"),
    direction: at("flow-direction"),
    rejectReason: at("reject-reason"),
  };
}

/** Whether a layout tells when and between whom: without that a line means nothing. */
export function isUsable(layout: Layout): boolean {
  return layout.start !== -1 && (layout.srcAddress !== -1 || layout.pktSrcAddress !== -1) && layout.count <= COLUMNS_MAX;
}

/** Column names are lower-case words with hyphens, and a record has no such word as `srcaddr` in it. */
function isHeader(line: string): boolean {
  return line.includes("srcaddr") && /^[a-z][a-z0-9-]*( [a-z][a-z0-9-]*)*$/.test(line);
}

/**
 * Lines of flow log files. S3 writes a header line into each; without one, `columns` says the format.
 * @throws {Failure} poison RECORD_COLUMNS for a header without times or addresses
 */
export function flowFormat(columns: string = DEFAULT_COLUMNS): Format {
  return {
    framing: "lines",
    open: () => {
      let current = columns;
      return (line) => {
        const trimmed = line.trim();
        if (trimmed === "") return [];
        if (!isHeader(trimmed)) return [{ columns: current, line: trimmed } satisfies FlowLine];
        if (!isUsable(layoutOf(trimmed))) throw poison("RECORD_COLUMNS", "the header names no start or no source address");
        current = trimmed;
        return [];
      };
    },
  };
}
