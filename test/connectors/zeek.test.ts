import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import zeek from "../../connectors/zeek/zeek.ts";
import { localFiles } from "../../src/adapters/files/local-files.ts";
import type { Event } from "../../src/core/event.ts";
import { normalizeContext, normalizerContract, sourceContract, testContext } from "../contract/source.ts";

normalizerContract({ connector: zeek, samples: "connectors/zeek/samples", secrets: ["zeek-secret-key"] });

const conn = {
  ts: 1777885200.5,
  uid: "C1",
  "id.orig_h": "10.0.0.5",
  "id.orig_p": 40000,
  "id.resp_h": "203.0.113.9",
  "id.resp_p": 443,
  conn_state: "SF",
};
const dns = { ...conn, conn_state: undefined, trans_id: 7, qtype: 1, query: "Mail.Example." };

const directory = mkdtempSync(join(tmpdir(), "custodes-zeek-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
sourceContract("zeek", async () => {
  const path = join(directory, `conn-${Math.floor(performance.now() * 1000)}.log`);
  writeFileSync(path, [1, 2, 3].map((n) => `${JSON.stringify({ ...conn, uid: `C${n}` })}\n`).join(""));
  const now = (): number => Date.now() + 3_600_000;
  return { source: zeek.source!(zeek.config.parse({ path })), context: testContext({ files: localFiles(), now }), records: 3 };
});

const normalize = zeek.normalize!();
const events = (line: Record<string, unknown>): readonly Event[] =>
  normalize(JSON.parse(JSON.stringify(line)) as unknown, normalizeContext("zeek"));

describe("zeek: which log a line belongs to", () => {
  test.each([
    [conn, "zeek:conn:C1"],
    [{ ...conn, _path: "conn" }, "zeek:conn:C1"],
    [{ ...conn, "@stream": "conn" }, "zeek:conn:C1"],
    [dns, "zeek:dns:C1:7:1777885200.5:1"],
    [{ ...conn, conn_state: undefined, established: true, resumed: false, server_name: "a.example" }, "zeek:ssl:C1"],
    [{ ...conn, conn_state: undefined, trans_depth: 3, method: "GET", request_body_len: 0 }, "zeek:http:C1:3"],
  ])("%j is %s", (line, uid) => {
    expect(events(line).map((event) => event.uid)).toEqual([uid]);
  });
  test.each([
    { ...conn, _path: "conn_long" },
    { _path: "x509", ts: 1777885200 },
    { ts: 1777885200, uid: "C1", note: "Scan::Port_Scan" },
    { ...conn, conn_state: undefined, trans_depth: 1, helo: "mail.example" },
    { ...conn, conn_state: undefined, request_type: "TGS", cipher: "aes256-cts-hmac-sha1-96" },
    { ts: 1777885200, fingerprint: "ab", "certificate.version": 3 },
  ])("%j is of no interest", (line) => {
    expect(events(line)).toEqual([]);
  });
});

describe("zeek: queries of one connection are told apart", () => {
  test("A and AAAA questions, a transaction id that comes again, and another connection", () => {
    const lines = [dns, { ...dns, qtype: 28 }, { ...dns, ts: 1777885201.5 }, { ...dns, trans_id: 8 }, { ...dns, uid: "C2" }];
    expect(new Set(lines.flatMap((line) => events(line).map((event) => event.uid))).size).toBe(lines.length);
  });
  test("the same line twice is one event", () => {
    expect(events(dns)[0]?.uid).toBe(events(dns)[0]?.uid);
  });
  test("a query is compared without case and final dot", () => {
    expect(events(dns)[0]?.dnsQuery).toBe("mail.example");
  });
});

describe("zeek: time", () => {
  test("seconds with microseconds are floored to milliseconds exactly", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1_600_000_000_000_000, max: 1_790_000_000_000_000 }), (micros) => {
        const text = `${Math.floor(micros / 1e6)}.${String(micros % 1e6).padStart(6, "0")}`;
        const [event] = events({ ...conn, ts: Number(text) });
        expect(event?.time).toBe(Math.floor(micros / 1000));
      }),
    );
  });
  test("ISO times are read as well", () => {
    expect(events({ ...conn, ts: "2026-05-04T09:00:00.999999Z" })[0]?.time).toBe(Date.parse("2026-05-04T09:00:00.999Z"));
  });
});

describe("zeek: which connections are egress", () => {
  test.each([
    ["private to public", {}, 1],
    ["private to private", { "id.resp_h": "10.0.0.6" }, 0],
    ["public to private", { "id.orig_h": "203.0.113.9", "id.resp_h": "10.0.0.5" }, 0],
    ["a public address that the sensor knows as ours", { "id.orig_h": "198.51.100.4", local_orig: true, local_resp: false }, 1],
    ["a public address that the sensor does not know", { "id.orig_h": "198.51.100.4", local_orig: false, local_resp: false }, 0],
    ["to a public address of ours", { local_orig: true, local_resp: true }, 0],
  ])("%s", (_, more, count) => {
    expect(events({ ...conn, ...more })).toHaveLength(count);
  });
  test("all are kept when that is asked for", () => {
    const all = zeek.normalize!(zeek.config.parse({ path: "/zeek", keep: "all" }));
    expect(all({ ...conn, "id.resp_h": "10.0.0.6" }, normalizeContext("zeek"))).toMatchObject([{ directionId: 3 }]);
  });
  test.each([
    ["SF", 1],
    ["S0", 2],
    ["REJ", 2],
    ["S1", 1],
  ])("state %s has status %i", (conn_state, status) => {
    expect(events({ ...conn, conn_state })[0]?.statusId).toBe(status);
  });
});
