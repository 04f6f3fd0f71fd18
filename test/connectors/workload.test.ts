/**
 * A generated day of a fleet's logs, with duplicates and broken lines of known number, through the connectors:
 * every record is an event, of no interest, or quarantined, and the counts are exactly those of the generator.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import cloudtrail from "../../connectors/aws-cloudtrail/aws-cloudtrail.ts";
import vpcflow from "../../connectors/aws-vpcflow/aws-vpcflow.ts";
import istio from "../../connectors/istio/istio.ts";
import kubernetes from "../../connectors/kubernetes/kubernetes.ts";
import okta from "../../connectors/okta/okta.ts";
import zeek from "../../connectors/zeek/zeek.ts";
import { Failure } from "../../src/core/errors.ts";
import type { Event } from "../../src/core/event.ts";
import { newBatch, readLine, readText, type Batch } from "../../src/core/framing.ts";
import { canonicalJson, type Json } from "../../src/core/record.ts";
import type { Connector } from "../../src/ports/connector.ts";
import { normalizeContext } from "../contract/normalizer.ts";

const generator = resolve(import.meta.dirname, "../../../shared/bench/gen.mjs");
const present = existsSync(generator);
const SEEDS = [42, 7, 1906];

/** What the generator says of a file. */
interface FileMeta {
  readonly lines: number;
  readonly distinct: number;
  readonly duplicates: number;
  readonly malformed_total: number;
}

interface Read {
  readonly records: number;
  readonly distinct: number;
  readonly quarantined: number;
  readonly codes: ReadonlySet<string>;
  /** Every record that gave events, with the first of them. */
  readonly pairs: readonly (readonly [Json, Event])[];
}

function batches(connector: Connector, path: string): Batch[] {
  const format = connector.format!();
  if (format.framing === "document") {
    return readdirSync(path)
      .sort()
      .map((name) => {
        const batch = newBatch(name);
        readText(format.open(), gunzipSync(readFileSync(join(path, name))).toString("utf8"), 1, batch);
        return batch;
      });
  }
  const batch = newBatch(path);
  const read = format.open();
  readFileSync(path, "utf8")
    .split("\n")
    .forEach((line, index) => readLine(read, line, index + 1, batch));
  return [batch];
}

function readFile(connector: Connector, path: string): Read {
  const normalize = connector.normalize!();
  const context = normalizeContext(connector.id);
  const seen = new Set<string>();
  const codes = new Set<string>();
  const pairs: [Json, Event][] = [];
  let records = 0;
  let quarantined = 0;
  for (const batch of batches(connector, path)) {
    records += batch.records.length + batch.rejects.length;
    quarantined += batch.rejects.length;
    for (const reject of batch.rejects) codes.add(reject.code);
    for (const record of batch.records) {
      try {
        const [event] = normalize(record, context);
        if (event !== undefined) pairs.push([record as Json, event]);
        seen.add(event?.uid ?? `skipped ${canonicalJson(record)}`);
      } catch (error) {
        if (!(error instanceof Failure) || error.kind !== "poison") throw error;
        quarantined++;
        codes.add(error.code);
      }
    }
  }
  return { records, distinct: seen.size, quarantined, codes, pairs };
}

test("the generator is there", ({ skip }) => {
  if (!present && process.env["CI"] !== "true") skip("../shared is not next to the checkout");
  expect(present, "../shared/bench/gen.mjs must be next to the checkout in CI").toBe(true);
});

const FILES: readonly (readonly [string, Connector])[] = [
  ["okta.ndjson", okta as Connector],
  ["istio.ndjson", istio as Connector],
  ["zeek-conn.ndjson", zeek as Connector],
  ["zeek-dns.ndjson", zeek as Connector],
  ["vpcflow.log", vpcflow as Connector],
  ["vpcflow-v5.log", vpcflow as Connector],
  ["cloudtrail", cloudtrail as Connector],
  ["k8s-audit.ndjson", kubernetes as Connector],
];

describe.skipIf(!present).each(SEEDS)("a generated workload, seed %i", (seed) => {
  let directory = "";
  let files: Readonly<Record<string, FileMeta>> = {};
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), "custodes-workload-"));
    execFileSync(process.execPath, [generator, "--out", directory, "--n", "24000", "--agents", "150", "--seed", String(seed)]);
    files = (JSON.parse(readFileSync(join(directory, "meta.json"), "utf8")) as { files: Record<string, FileMeta> }).files;
  });
  afterAll(() => rmSync(directory, { recursive: true, force: true }));

  test.each(FILES)("%s: lines, distinct records and quarantine are those of the generator", (name, connector) => {
    const meta = files[name];
    if (meta === undefined) throw new Error(`the generator wrote no ${name}`);
    const read = readFile(connector, join(directory, name));
    expect({ records: read.records, distinct: read.distinct, quarantined: read.quarantined }).toEqual({
      records: meta.lines,
      distinct: meta.distinct,
      quarantined: meta.malformed_total,
    });
    expect(read.records - read.quarantined - read.distinct, "duplicates").toBe(meta.duplicates);
    expect(read.codes).not.toContain("RECORD_BUG");
    expect(read.pairs.length).toBeGreaterThan(0);
  });

  test("an infrastructure action is named by service or verb and by what it acts on", () => {
    for (const [record, event] of readFile(cloudtrail as Connector, join(directory, "cloudtrail")).pairs) {
      const source = String(record["eventSource"]);
      expect(event.infraAction).toBe(`aws:${source.slice(0, source.indexOf("."))}:${String(record["eventName"])}`);
      expect(event.time).toBe(Date.parse(String(record["eventTime"])));
      const arn = (record["userIdentity"] as Json)["arn"];
      if (arn !== undefined) expect(event.roleUid).toBe(arn);
      else
        expect(event).toMatchObject({
          serviceAccount: expect.stringContaining("system:serviceaccount:"),
          credentialUid: expect.any(String),
        });
    }
    for (const [record, event] of readFile(kubernetes as Connector, join(directory, "k8s-audit.ndjson")).pairs) {
      expect(event.infraAction).toBe(`k8s:${String(record["verb"])}:${String((record["objectRef"] as Json)["resource"])}`);
      const name = String((record["user"] as Json)["username"]);
      expect(event.serviceAccount).toBe(name.startsWith("system:serviceaccount:") ? name : undefined);
    }
  });

  test("every transfer names its source address, its destination and the bytes that went out", () => {
    for (const [record, event] of readFile(istio as Connector, join(directory, "istio.ndjson")).pairs) {
      const name = String(record["authority"] ?? record["requested_server_name"]);
      expect(event.dstHost).toBe(name.toLowerCase().replace(/:\d+$/, "").replace(/\.$/, ""));
      expect(event.srcIp).toBe(String(record["downstream_remote_address"]).split(":")[0]);
      expect(event.bytesOut).toBe(record["bytes_received"]);
    }
    for (const [record, event] of readFile(zeek as Connector, join(directory, "zeek-conn.ndjson")).pairs) {
      expect([event.srcIp, event.dstIp, event.bytesOut]).toEqual([record["id.orig_h"], record["id.resp_h"], record["orig_bytes"]]);
      expect(Math.abs(event.time - Number(record["ts"]) * 1000)).toBeLessThan(1);
    }
    for (const [record, event] of readFile(vpcflow as Connector, join(directory, "vpcflow-v5.log")).pairs) {
      const columns = String(record["line"]).split(" ");
      expect([event.srcIp, event.dstIp, event.bytesOut, event.time]).toEqual([
        columns[19],
        columns[20],
        Number(columns[9]),
        Number(columns[10]) * 1000,
      ]);
    }
  });

  test("every DNS answer leads from an address to the name that was asked for", () => {
    for (const [record, event] of readFile(zeek as Connector, join(directory, "zeek-dns.ndjson")).pairs) {
      expect(event.dnsQuery).toBe(String(record["query"]).toLowerCase().replace(/\.$/, ""));
      expect(event.dnsAnswers).toEqual(record["answers"]);
    }
  });

  test("every sign-in names its client or user, its address and its outcome", () => {
    for (const [record, event] of readFile(okta as Connector, join(directory, "okta.ndjson")).pairs) {
      const actor = record["actor"] as Json;
      expect(actor["type"] === "User" ? event.userUid : event.clientUid).toBe(actor["id"]);
      expect(event.srcIp).toBe((record["client"] as Json)["ipAddress"]);
      expect(event.statusId).toBe((record["outcome"] as Json)["result"] === "SUCCESS" ? 1 : 2);
      expect(event.category).toBe("authentication");
    }
  });
});
