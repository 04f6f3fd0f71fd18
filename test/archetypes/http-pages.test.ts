import { describe, expect, test } from "vitest";
import { Failure } from "../../src/core/errors.ts";
import {
  insecureUrl,
  linkOf,
  pageRecords,
  parseRetryAfter,
  pinnedUrl,
  requestJson,
  RETRY_AFTER_MAX_MS,
} from "../../src/archetypes/http-pages.ts";
import type { Source } from "../../src/ports/connector.ts";
import { httpStatusContract, testContext, withServer } from "../contract/source.ts";

const once = (base: string): Source => ({
  async pull(_, context) {
    const { body, text } = await requestJson(
      { url: `${base}/logs?key=hush-hush`, headers: { authorization: "Bearer hush-hush" } },
      context,
    );
    return { ...pageRecords([body], text, base), next: "1", more: false, completeTo: null };
  },
});

httpStatusContract("one request", once, "hush-hush");

describe("requestJson", () => {
  test("sends what it is told and gives the body, its text and lower-cased headers", async () => {
    await withServer(
      (request, response) => {
        response.setHeader("X-Rate-Limit-Remaining", "3");
        response.setHeader("Link", ['<https://a.example/2>; rel="next"', "<https://a.example/1>; rel=self"]);
        response.end(JSON.stringify({ method: request.method, url: request.url, accept: request.headers.accept }));
      },
      async (base) => {
        const answer = await requestJson({ url: `${base}/x?a=1` }, testContext());
        expect(answer.body).toEqual({ method: "GET", url: "/x?a=1", accept: "application/json" });
        expect(JSON.parse(answer.text)).toEqual(answer.body);
        expect(answer.headers["x-rate-limit-remaining"]).toBe("3");
        expect(linkOf(answer.headers["link"], "next")).toBe("https://a.example/2");
      },
    );
  });
  test("a server that is not there is retryable", async () => {
    const base = await withServer(
      () => {},
      async (url) => url,
    );
    await expect(requestJson({ url: base }, testContext())).rejects.toMatchObject({ kind: "retryable", code: "HTTP_UNREACHABLE" });
  });
  test("an abort is retryable and not a bug", async () => {
    const context = { ...testContext(), signal: AbortSignal.abort() };
    await expect(requestJson({ url: "http://127.0.0.1:9/" }, context)).rejects.toMatchObject({ kind: "retryable" });
  });
  test("an answer that takes too long is HTTP_TIMEOUT", async () => {
    await withServer(
      () => {},
      async (base) => {
        const context = testContext();
        context.http.defaults.timeout = 50;
        await expect(requestJson({ url: base }, context)).rejects.toMatchObject({ kind: "retryable", code: "HTTP_TIMEOUT" });
      },
    );
  });
});

describe("parseRetryAfter", () => {
  const now = Date.UTC(2026, 2, 31, 12, 0, 0);
  test.each([
    ["0", 0],
    ["120", 120_000],
    [" 1.5 ", 1500],
    ["Tue, 31 Mar 2026 12:00:30 GMT", 30_000],
    ["Tue, 31 Mar 2026 11:00:00 GMT", 0],
    ["99999999", RETRY_AFTER_MAX_MS],
    ["Wed, 31 Mar 2027 12:00:00 GMT", RETRY_AFTER_MAX_MS],
  ])("%j is %i ms", (value, expected) => expect(parseRetryAfter(value, now)).toBe(expected));
  test.each(["", "soon", "-5", "1e9", "Foo"])("%j says nothing", (value) => expect(parseRetryAfter(value, now)).toBeUndefined());
});

describe("pinnedUrl", () => {
  const base = "https://api.vendor.example/v1/logs";
  test.each([
    ["https://api.vendor.example/v1/logs?after=1", "https://api.vendor.example/v1/logs?after=1"],
    ["?after=2", "https://api.vendor.example/v1/logs?after=2"],
    ["/v2/logs", "https://api.vendor.example/v2/logs"],
    ["https://API.vendor.example:443/x", "https://api.vendor.example/x"],
  ])("%s stays", (link, expected) => expect(pinnedUrl(link, base)).toBe(expected));
  test.each([
    "https://evil.example/v1/logs",
    "http://api.vendor.example/v1/logs",
    "https://api.vendor.example:8443/",
    "//evil.example/x",
    "https://api.vendor.example@evil.example/",
    "https://user:pw@api.vendor.example/",
    "https://api.vendor.example.evil.example/",
    "\\\\evil.example\\x",
  ])("%s is another host", (link) => {
    expect(() => pinnedUrl(link, base)).toThrow(
      expect.objectContaining({ kind: "permanent", scope: "connector", code: "HTTP_WRONG_HOST" }),
    );
  });
  test.each(["https://", `?after=${"x".repeat(3000)}`])("a link that is no usable URL is HTTP_MALFORMED", (link) => {
    expect(() => pinnedUrl(link, base)).toThrow(expect.objectContaining({ code: "HTTP_MALFORMED" }));
  });
});

describe("linkOf", () => {
  test.each([
    ['<https://a/1>; rel="self", <https://a/2?x=1,2>; rel="next"', "https://a/2?x=1,2"],
    ["<https://a/2>;rel=next", "https://a/2"],
    ['<https://a/2>; title="x"; rel="prev next"', "https://a/2"],
    ['<https://a/2>; REL="Next"', "https://a/2"],
    ['<https://a/1>; rel="self"', undefined],
    ["<https://a/1", undefined],
    ["", undefined],
    [undefined, undefined],
    ["<".repeat(100_000), undefined],
  ])("%#", (header, expected) => expect(linkOf(header, "next")).toBe(expected));
});

describe("insecureUrl", () => {
  test.each(["https://a.example/x", "http://127.0.0.1:8080/", "http://localhost/x", "http://[::1]:9/"])("%s is fine", (url) =>
    expect(insecureUrl(url)).toBeUndefined(),
  );
  test.each([
    "http://a.example/",
    "ftp://a.example/",
    "a.example/x",
    "https://u:p@a.example/",
    "http://127.0.0.1.evil.example/",
    "http://localhost.evil.example/",
  ])("%s is not", (url) => expect(insecureUrl(url)).toBeTypeOf("string"));
});

describe("pageRecords", () => {
  const read = (text: string): ReturnType<typeof pageRecords> => pageRecords(JSON.parse(text) as unknown[], text, "/logs?page=2");
  test("items become records with places", () => {
    expect(read('[{"a":1},2]')).toEqual({
      records: [
        { record: { a: 1 }, position: "/logs?page=2:1" },
        { record: 2, position: "/logs?page=2:2" },
      ],
      rejects: [],
    });
  });
  test("one bad item is one reject, however its key is written", () => {
    const { records, rejects } = read('[{"a":{"__proto__":1}},{"a":"__proto__"},{"a":[{"\\u005f_proto__":1}]},{"b":2}]');
    expect(records.map(({ position }) => position)).toEqual(["/logs?page=2:2", "/logs?page=2:4"]);
    expect(rejects.map(({ code, position }) => [code, position])).toEqual([
      ["RECORD_FORBIDDEN_KEY", "/logs?page=2:1"],
      ["RECORD_FORBIDDEN_KEY", "/logs?page=2:3"],
    ]);
  });
  test("an item nested too deep is a reject, at any depth", () => {
    for (const depth of [65, 100_000]) {
      const { records, rejects } = read(`[${"[".repeat(depth)}${"]".repeat(depth)},${"[".repeat(64)}${"]".repeat(64)}]`);
      expect(rejects.map(({ code }) => code)).toEqual(["RECORD_TOO_DEEP"]);
      expect(records).toHaveLength(1);
    }
  });
  test("a Failure is what is thrown", () => expect(() => pinnedUrl("https://b/", "https://a/")).toThrow(Failure));
});
