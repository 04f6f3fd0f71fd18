import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import istio from "../../connectors/istio/istio.ts";
import { localFiles } from "../../src/adapters/files/local-files.ts";
import type { Event } from "../../src/core/event.ts";
import { normalizeContext, normalizerContract, sourceContract, testContext } from "../contract/source.ts";

normalizerContract({ connector: istio, samples: "connectors/istio/samples", secrets: ["istio-secret-token"] });

const tls = {
  start_time: "2026-05-04T09:00:00.250Z",
  method: null,
  authority: null,
  request_id: null,
  response_code: 0,
  response_flags: "-",
  bytes_received: 10,
  bytes_sent: 20,
  upstream_host: "203.0.113.80:443",
  upstream_cluster: "outbound|8443|v2|cluster.example",
  downstream_remote_address: "10.0.0.5:40000",
  requested_server_name: "sni.example",
};
const http = {
  ...tls,
  method: "POST",
  authority: "host.example:443",
  request_id: "r1",
  response_code: 200,
  requested_server_name: "outbound_.443_._.host.example",
};

const directory = mkdtempSync(join(tmpdir(), "custodes-istio-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
sourceContract("istio", async () => {
  const path = join(directory, `access-${Math.floor(performance.now() * 1000)}.log`);
  writeFileSync(path, [1, 2].map((n) => `${JSON.stringify({ ...tls, bytes_sent: n })}\n`).join(""));
  const now = (): number => Date.now() + 3_600_000;
  return { source: istio.source!({ path }), context: testContext({ files: localFiles(), now }), records: 2 };
});

const normalize = istio.normalize!();
const one = (line: Record<string, unknown>): Event => {
  const [event] = normalize(line, normalizeContext("istio"));
  if (event === undefined) throw new Error("no event");
  return event;
};

describe("istio: whom the workload talked to", () => {
  test.each([
    ["the authority of a request", http, "host.example"],
    ["the name of a TLS handshake", tls, "sni.example"],
    ["the mesh's own form of a name", { ...tls, requested_server_name: "outbound_.443_.v1_._.inner.example" }, "inner.example"],
    ["the host of the cluster", { ...tls, requested_server_name: null }, "cluster.example"],
    ["nobody that is known", { ...tls, requested_server_name: null, upstream_cluster: "PassthroughCluster" }, undefined],
    ["another spelling", { ...tls, requested_server_name: "SNI.Example." }, "sni.example"],
  ])("%s", (_, line, host) => {
    expect(one(line).dstHost).toBe(host);
  });
  test("the gateway receives what goes out", () => {
    expect(one(tls)).toMatchObject({ bytesOut: 10, bytesIn: 20, srcIp: "10.0.0.5", srcPort: 40000, dstIp: "203.0.113.80", dstPort: 443 });
  });
  test("without an upstream address the cluster says the port", () => {
    expect(one({ ...tls, upstream_host: null })).toMatchObject({ dstIp: undefined, dstPort: 8443 });
  });
  test.each([
    ["10.0.0.5:1", "10.0.0.5", 1],
    ["[2001:db8::1]:2", "2001:db8::1", 2],
    ["2001:db8::1", "2001:db8::1", undefined],
    ["10.0.0.5", "10.0.0.5", undefined],
    ["envoy://internal_client_address/", undefined, undefined],
    ["@/run/pipe.sock", undefined, undefined],
    [7, undefined, undefined],
  ])("the address %j is %s, port %s", (address, srcIp, srcPort) => {
    expect(one({ ...tls, downstream_remote_address: address })).toMatchObject({ srcIp, srcPort });
  });
  test("passed-through TLS is network activity, a request is HTTP activity", () => {
    expect(one(tls)).toMatchObject({ classUid: 4001, method: undefined, responseCode: undefined, statusId: 1 });
    expect(one(http)).toMatchObject({ classUid: 4002, activityId: 6, method: "POST", responseCode: 200, errorFlag: 0 });
  });
  test("a certificate's SPIFFE id is taken where the log has one", () => {
    expect(one({ ...tls, downstream_peer_uri_san: "https://x,spiffe://td/ns/a/sa/b" }).spiffeId).toBe("spiffe://td/ns/a/sa/b");
    expect(one({ ...tls, downstream_peer_uri_san: "-" }).spiffeId).toBeUndefined();
  });
});

describe("istio: other writers", () => {
  test("a container runtime's prefix is cut, and a line that it split is refused", () => {
    const read = istio.format!().open();
    const line = JSON.stringify(tls);
    expect(read(`2026-05-04T09:00:00.000000100+01:00 stdout F ${line}`)).toEqual([tls]);
    expect(read(`2026-05-04T08:00:00.1Z stderr F ${line}`)).toEqual([tls]);
    expect(() => read(`2026-05-04T08:00:00.1Z stdout P ${line.slice(0, 20)}`)).toThrow("not valid JSON");
  });
  test("Envoy Gateway names fields by their headers", () => {
    const line = {
      start_time: "2026-05-04T09:00:00.250Z",
      method: "GET",
      ":authority": "app.example",
      "x-envoy-origin-path": "/a?token=x",
      "user-agent": "curl/8",
      "x-request-id": "r9",
      response_code: 200,
      downstream_remote_address: "10.0.0.5:1",
    };
    expect(one(line)).toMatchObject({ dstHost: "app.example", url: "/a?token=REDACTED", userAgent: "curl/8", requestUid: "r9" });
  });
});

describe("istio: uids", () => {
  test("a workload cannot hide its requests behind one request id of its own", () => {
    expect(one(http).uid).not.toBe(one({ ...http, start_time: "2026-05-04T09:00:00.251Z" }).uid);
    expect(one(http).uid).toBe(one({ ...http, bytes_sent: 21 }).uid);
  });
  test("without a request id the content is the identity, whatever the order of its keys", () => {
    const reversed = Object.fromEntries(Object.entries(tls).reverse());
    expect(one(reversed).uid).toBe(one(tls).uid);
    expect(one({ ...tls, bytes_sent: 21 }).uid).not.toBe(one(tls).uid);
  });
});

describe("istio: outcome", () => {
  test.each([
    [{ response_flags: "UF", response_code: 503 }, 2, 1],
    [{ response_flags: "RL", response_code: 429 }, 2, 2],
    [{ response_code: 403, response_code_details: "rbac_access_denied_matched_policy[none]" }, 2, 2],
    [{ response_code: 404 }, 2, 1],
    [{}, 1, 1],
  ])("%j has status %i, action %i", (more, statusId, actionId) => {
    expect(one({ ...http, ...more })).toMatchObject({ statusId, actionId });
  });
});
