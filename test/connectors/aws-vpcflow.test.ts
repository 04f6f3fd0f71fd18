import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import vpcflow from "../../connectors/aws-vpcflow/aws-vpcflow.ts";
import { DEFAULT_COLUMNS } from "../../connectors/aws-vpcflow/columns.ts";
import { localFiles } from "../../src/adapters/files/local-files.ts";
import { Failure } from "../../src/core/errors.ts";
import type { Event } from "../../src/core/event.ts";
import { drain, normalizeContext, normalizerContract, sourceContract, testContext } from "../contract/source.ts";

normalizerContract({ connector: vpcflow, samples: "connectors/aws-vpcflow/samples" });

const flow = (index: number, src = "10.0.0.5", dst = "203.0.113.9"): string =>
  `2 222233334444 eni-1 ${src} ${dst} ${40_000 + index} 443 6 4 ${1000 + index} 1777885200 1777885259 ACCEPT OK`;
const options = (path: string, more: Record<string, unknown> = {}) => vpcflow.config.parse({ path, ...more });

const directory = mkdtempSync(join(tmpdir(), "custodes-flow-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const later = (): number => Date.now() + 3_600_000;

sourceContract("aws-vpcflow", async () => {
  const path = join(directory, `contract-${Math.floor(performance.now() * 1000)}.log`);
  writeFileSync(path, `${[DEFAULT_COLUMNS, flow(1), flow(2), flow(3)].join("\n")}\n`);
  return { source: vpcflow.source!(options(path)), context: testContext({ files: localFiles(), now: later }), records: 3 };
});

function eventsOf(lines: readonly string[], config?: ReturnType<typeof options>): readonly Event[] {
  const read = vpcflow.format!(config).open();
  const normalize = vpcflow.normalize!(config);
  return lines.flatMap((line) => [...read(line)]).flatMap((record) => [...normalize(record, normalizeContext("aws-vpcflow"))]);
}
function codeOf(lines: readonly string[]): string {
  try {
    eventsOf(lines);
  } catch (error) {
    if (error instanceof Failure) return error.code;
    throw error;
  }
  return "none";
}

describe("aws-vpcflow: columns", () => {
  test("a header says where the columns are", () => {
    const [event] = eventsOf(["end start bytes dstaddr srcaddr", "1777885259 1777885200 77 203.0.113.9 10.0.0.5"]);
    expect(event).toMatchObject({ srcIp: "10.0.0.5", dstIp: "203.0.113.9", bytesOut: 77, time: 1_777_885_200_000 });
  });
  test("a second header in the same stream changes the layout from there on", () => {
    const events = eventsOf([DEFAULT_COLUMNS, flow(1), "start srcaddr dstaddr", "1777885201 10.0.0.6 203.0.113.10"]);
    expect(events.map((event) => event.srcIp)).toEqual(["10.0.0.5", "10.0.0.6"]);
  });
  test("without a header, the configured columns count", () => {
    const config = options("/logs", { columns: "start srcaddr dstaddr bytes" });
    expect(eventsOf(["1777885200 10.0.0.5 203.0.113.9 12"], config)).toMatchObject([{ bytesOut: 12 }]);
  });
  test("columns without a start or a source are refused", () => {
    expect(vpcflow.config.safeParse({ path: "/logs", columns: "srcaddr dstaddr" }).success).toBe(false);
    expect(codeOf(["srcaddr dstaddr bytes"])).toBe("RECORD_COLUMNS");
  });
  test.each([
    [flow(1).replace(" OK", ""), "RECORD_COLUMNS"],
    [`${flow(1)} more`, "RECORD_COLUMNS"],
    [flow(1).replace("1777885200", "-"), "RECORD_NO_TIME"],
    [flow(1).replace("1777885259", "soon"), "RECORD_NO_TIME"],
    [flow(1).replace("1001", "12x4"), "RECORD_FIELD_INVALID"],
    [flow(1).replace("1001", "-5"), "RECORD_FIELD_INVALID"],
    [flow(1).replace("10.0.0.5", "host"), "RECORD_FIELD_INVALID"],
    [flow(1).replace(/^2/, "x"), "RECORD_FIELD_INVALID"],
  ])("%j is %s", (line, code) => {
    expect(codeOf([line])).toBe(code);
  });
  test("a file that is read on in the middle keeps its header", async () => {
    const path = join(directory, "header.log");
    writeFileSync(path, "start end srcaddr dstaddr bytes\n1777885200 1777885259 10.0.0.5 203.0.113.9 1\n");
    const source = vpcflow.source!(options(path));
    const context = testContext({ files: localFiles(), now: later });
    const first = await drain(source, context);
    appendFileSync(path, "1777885260 1777885319 10.0.0.5 203.0.113.9 2\n");
    const second = await drain(source, context, first.at(-1)?.next);
    const normalize = vpcflow.normalize!();
    const events = second.flatMap((page) => page.records).flatMap(({ record }) => [...normalize(record, normalizeContext("aws-vpcflow"))]);
    expect(events).toMatchObject([{ bytesOut: 2 }]);
  });
});

describe("aws-vpcflow: which flows are egress", () => {
  const V3 = "start srcaddr dstaddr pkt-srcaddr pkt-dstaddr flow-direction";
  test.each([
    ["from inside to outside", "10.0.0.5 203.0.113.9 10.0.0.5 203.0.113.9 -", 1],
    ["the answer", "203.0.113.9 10.0.0.5 203.0.113.9 10.0.0.5 -", 0],
    ["inside", "10.0.0.5 10.0.0.6 10.0.0.5 10.0.0.6 -", 0],
    ["leaving the NAT gateway", "10.9.0.1 203.0.113.9 10.0.0.5 203.0.113.9 egress", 1],
    ["entering the NAT gateway", "10.0.0.5 10.9.0.1 10.0.0.5 203.0.113.9 ingress", 0],
    ["from a public address of ours", "198.51.100.1 203.0.113.9 198.51.100.1 203.0.113.9 egress", 1],
    ["between strangers", "198.51.100.1 203.0.113.9 198.51.100.1 203.0.113.9 -", 0],
    ["to a private IPv6 address", "fd00::1 fd00::2 fd00::1 fd00::2 -", 0],
  ])("%s", (_, columns, count) => {
    expect(eventsOf([V3, `1777885200 ${columns}`])).toHaveLength(count);
    expect(eventsOf([V3, `1777885200 ${columns}`], options("/logs", { keep: "all" }))).toHaveLength(1);
  });
  test("behind NAT the workload is the source, not the gateway", () => {
    const [event] = eventsOf([V3, "1777885200 10.9.0.1 203.0.113.9 10.0.0.5 203.0.113.9 egress"]);
    expect(event).toMatchObject({ srcIp: "10.0.0.5", directionId: 2 });
  });
  test.each(["NODATA", "SKIPDATA"])("%s is in order and of no interest", (status) => {
    expect(eventsOf([`2 222233334444 eni-1 - - - - - - - 1777885200 1777885259 - ${status}`])).toEqual([]);
  });
  test("a rejected flow is denied, and the line itself is the uid", () => {
    const line = flow(1).replace("ACCEPT", "REJECT");
    const [event] = eventsOf([line]);
    expect(event).toMatchObject({ actionId: 2, statusId: 2 });
    expect(event?.uid).toBe(`aws-vpcflow:sha256:${normalizeContext("x").sha256(line).slice(0, 32)}`);
  });
});
