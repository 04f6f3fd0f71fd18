import { describe, expect, test } from "vitest";
import { config } from "../../connectors/http/config.ts";
import http from "../../connectors/http/http.ts";
import { httpNormalize } from "../../connectors/http/normalize.ts";
import { valueAt } from "../../connectors/http/path.ts";
import { normalizeContext, normalizerContract, testContext, withServer } from "../contract/source.ts";
import { configOf, secretOf, vendor } from "./http-world.ts";

const mapped = {
  category: "agent_api",
  vendor: "Acme",
  product: "Agent Cloud",
  time: "created_at",
  uid: ["id"],
  fields: {
    operation: "type",
    agentNative: "actor.agent.id",
    userUid: "actor.user",
    model: "gen_ai.request.model",
    tokensIn: "usage.input",
    tokensOut: "usage.output",
    statusId: { path: "outcome", values: { OK: 1, ERROR: 2 }, otherwise: 0 },
    dstHost: "target",
    url: "url",
    scopes: "scopes",
    refusal: "refused",
    approvalUid: "approval",
  },
  constants: { service: "agent-cloud", directionId: 2, dataClasses: ["public"] },
};

normalizerContract({
  connector: http,
  config: configOf("https://api.vendor.example", { map: mapped }),
  samples: "connectors/http/samples",
  secrets: ["hush-query", "hush-note"],
  uidPrefix: "http/test:",
});

describe("http normalizer", () => {
  const read = (record: object, map: object): unknown => {
    const options = configOf("https://api.vendor.example", { map: { ...mapped, ...map } });
    return httpNormalize(options)({ created_at: 1774951200, ...record }, normalizeContext("http"))[0];
  };
  test("several parts of an id cannot run into each other", () => {
    const uid = (a: string, b: string): unknown => (read({ a, b }, { uid: ["a", "b"] }) as { uid: string }).uid;
    expect(uid("x", "y")).toBe("http/test:x/y");
    expect(uid("x/y", "z")).not.toBe(uid("x", "y/z"));
    expect(uid("x%2Fy", "z")).not.toBe(uid("x/y", "z"));
  });
  test("without a whole id the content is the id", () => {
    for (const record of [{ a: "x" }, { a: "x", b: "" }, { a: "x", b: {} }, { a: "x".repeat(300), b: "y" }])
      expect((read(record, { uid: ["a", "b"] }) as { uid: string }).uid).toMatch(/^http\/test:sha256:[0-9a-f]{32}$/);
  });
  test("each category has its usual class, and another can be set", () => {
    expect(read({}, { category: "authentication" })).toMatchObject({ category: "authentication", classUid: 3002 });
    expect(read({}, { category: "egress", classUid: 4002 })).toMatchObject({ category: "egress", classUid: 4002 });
  });
  test("without a configuration there is no mapping", () => {
    expect(() => httpNormalize(undefined)).toThrow(expect.objectContaining({ kind: "config", code: "CONFIG_INVALID" }));
  });
  test.each([
    ["", { a: 1 }, { a: 1 }],
    ["a", { a: null }, null],
    ["a.b", { a: { b: 1 }, "a.b": 2 }, 2],
    ["a.b.c", { "a.b": { c: 3 } }, 3],
    ["a.1.b", { a: [0, { b: 4 }] }, 4],
    ["a.x", { a: [0] }, undefined],
    ["a.b", { a: "text" }, undefined],
    ["constructor", {}, undefined],
    ["__proto__.x", {}, undefined],
    ["a.length", { a: [1] }, undefined],
  ])("path %j", (path, value, expected) => expect(valueAt(value, path)).toEqual(expected));
});

describe("http configuration", () => {
  const problem = (more: object): string => {
    const result = config.safeParse({ url: "https://a.example/", map: mapped, ...more });
    return result.success ? "" : result.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; ");
  };
  test("good ones", () => {
    expect(problem({})).toBe("");
    expect(problem({ url: "http://127.0.0.1:9/x", auth: { type: "bearer", token: secretOf("t") } })).toBe("");
  });
  test.each([
    [{ url: "http://a.example/" }, "url"],
    [{ url: "https://user:pw@a.example/" }, "url"],
    [{ auth: { type: "bearer", token: "in clear" } }, "auth.token"],
    [{ auth: { type: "oauth2", tokenUrl: "http://idp.example/", clientId: "c", clientSecret: secretOf("s") } }, "auth.tokenUrl"],
    [{ headers: { "x y": "1" } }, "headers"],
    [{ body: { a: 1 } }, "body needs"],
    [{ window: { fromParam: "since", overlap: "2h", max: "1h" } }, "overlap"],
    [{ map: { ...mapped, fields: { agentUid: "a" } } }, "map.fields"],
    [{ map: { ...mapped, constants: { attributionId: 1 } } }, "map.constants"],
    [{ map: { ...mapped, category: "other" } }, "map.category"],
    [{ unknown: 1 }, "unknown"],
  ])("%# is refused", (more, place) => expect(problem(more)).toContain(place));
});

describe("http check", () => {
  const checks = async (more: object): Promise<unknown> => {
    const { answer } = vendor([{ id: "1", time: 1, visible: 0 }], () => 1);
    return await withServer(answer, async (base) => await http.check(configOf(base, more), testContext()));
  };
  test("says how many records the first page has", async () => {
    expect(await checks({})).toEqual([{ name: "request", ok: true, message: "the first page has 1 records" }]);
  });
  test("asks the server also where windows are configured", async () => {
    const window = { fromParam: "since", toParam: "until", format: "epoch_ms" };
    expect(await checks({ window, records: "data.rows" })).toMatchObject([{ ok: false }]);
    expect(await checks({ window })).toMatchObject([{ ok: true }]);
  });
  test("says what to do when the list is not where it should be", async () => {
    expect(await checks({ records: "data.rows" })).toEqual([
      {
        name: "request",
        ok: false,
        message: "HTTP_MALFORMED: the answer has no list at data.rows",
        fix: expect.stringContaining("records") as string,
      },
    ]);
  });
});
