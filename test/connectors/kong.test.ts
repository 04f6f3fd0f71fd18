import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import kong from "../../connectors/kong/kong.ts";
import { kongNormalize } from "../../connectors/kong/normalize.ts";
import { readFileRecords } from "../../src/adapters/files/read-records.ts";
import { jsonLines } from "../../src/core/framing.ts";
import { Failure } from "../../src/core/errors.ts";
import { normalizeContext, normalizerContract, testContext } from "../contract/source.ts";

normalizerContract({
  connector: kong,
  samples: "connectors/kong/samples",
  secrets: [
    "hush-token-of-the-agent",
    "hush-cookie",
    "hush-in-the-query",
    "hush-api-key",
    "hush-prompt",
    "hush-completion",
    "hush-arguments",
  ],
});

const minimal = { started_at: 1774951200009, request: { id: "r1", headers: {} }, response: { status: 200 } };
const consumer = { id: "c-1", custom_id: "ag_1" };
const one = (record: object, prefix?: string): ReturnType<ReturnType<typeof kongNormalize>>[number] | undefined =>
  kongNormalize(prefix)({ ...minimal, ...record }, normalizeContext("kong"))[0];

describe("kong normalizer", () => {
  test.each([
    [200, 1, 0],
    [399, 1, 0],
    [400, 2, 1],
    [404, 2, 1],
    [503, 2, 1],
  ])("status %i has outcome %i and error flag %i", (status, statusId, errorFlag) => {
    expect(one({ response: { status } })).toMatchObject({ responseCode: status, statusId, errorFlag });
  });
  test("a claim that is there and empty is an empty text, one that is not there says nothing", () => {
    const claims = { "x-jwt-claim-sub": "", "x-jwt-claim-purpose": null };
    expect(one({ consumer, request: { id: "r1", headers: claims } })).toMatchObject({ userUid: "", purpose: "" });
    expect(one({})).toMatchObject({ userUid: undefined, purpose: undefined, scopes: undefined });
  });
  test("claims are found under the configured prefix only", () => {
    const headers = { "x-claims-sub": "u1", "x-claims-scope": "a,b c", "x-jwt-claim-sub": "other" };
    expect(one({ consumer, request: { id: "r1", headers } }, "x-claims-")).toMatchObject({ userUid: "u1", scopes: ["a", "b", "c"] });
  });
  test("what Kong answered itself was denied, what the service refused was allowed through", () => {
    expect(one({ source: "kong", response: { status: 401 } })?.actionId).toBe(2);
    expect(one({ source: "upstream", response: { status: 403 } })?.actionId).toBe(1);
  });
});

describe("kong pushes", () => {
  const receive = (body: string): unknown[] => {
    const receiver = kong.receiver?.(kong.config.parse({}));
    const pushed = receiver?.receive({ path: "", contentType: "application/json", headers: {}, body: Buffer.from(body) });
    return [pushed?.records.length, pushed?.rejects.length, pushed?.reply.status];
  };
  test("takes one object, an array and lines, and answers bad bodies with 200, too", () => {
    expect(receive(JSON.stringify(minimal))).toEqual([1, 0, 200]);
    expect(receive(JSON.stringify([minimal, minimal]))).toEqual([2, 0, 200]);
    expect(receive(`${JSON.stringify(minimal)}\n${JSON.stringify(minimal)}\nbroken\n`)).toEqual([2, 1, 200]);
    expect(receive("broken")).toEqual([0, 1, 200]);
  });
});

describe("kong source", () => {
  test("without a path there is nothing to pull and nothing to check", async () => {
    const config = kong.config.parse({});
    expect(await kong.check(config, testContext())).toEqual([]);
    expect(await kong.source?.(config).pull(null, testContext())).toMatchObject({ records: [], more: false, completeTo: null });
  });
  test("a relative path and an odd prefix are refused", () => {
    expect(kong.config.safeParse({ path: "access.log" }).success).toBe(false);
    expect(kong.config.safeParse({ claimPrefix: "X Claim" }).success).toBe(false);
    expect(kong.config.safeParse({ pth: "/a" }).success).toBe(false);
  });
});

const workload = resolve("../shared/data");
describe.skipIf(!existsSync(workload) && process.env["CI"] !== "true")("kong logs in the reference material", () => {
  test("records of other kinds become poison failures, never another throw", async () => {
    const normalize = kongNormalize();
    const context = { ...normalizeContext("kong"), sha256: (text: string) => createHash("sha256").update(text).digest("hex") };
    let records = 0;
    for await (const batch of readFileRecords(resolve(workload, "opensearch-catalog"), jsonLines)) {
      for (const record of batch.records) {
        records += 1;
        try {
          normalize(record, context);
        } catch (error) {
          expect(error).toBeInstanceOf(Failure);
        }
      }
    }
    expect(records).toBeGreaterThan(0);
  });
});
