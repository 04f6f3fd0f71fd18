import { deflateSync, gzipSync } from "node:zlib";
import { request as httpRequest } from "node:http";
import { expect, test } from "vitest";
import { fixedSecret } from "../../../src/config/secrets.ts";
import { Failure, poison } from "../../../src/core/errors.ts";
import { TOKEN, LIMIT, bodyOf, setUp } from "./serve.ts";

test("a push is handed over with its path, content type without parameters, and body, and the reply goes back as it is", async () => {
  const { send, seen } = await setUp({
    push: async () => ({ status: 207, contentType: "application/x-custom", body: new Uint8Array([1, 0, 255]) }),
  });
  const answer = await send({ headers: { "content-type": "Application/JSON; charset=utf-8", "x-more": "1" }, body: '{"a":1}' });
  expect(answer.status).toBe(207);
  expect(answer.headers.get("content-type")).toBe("application/x-custom");
  expect(answer.text).toBe(new TextDecoder().decode(new Uint8Array([1, 0, 255])));
  expect(seen[0]).toMatchObject({ path: "/push/fake/one", contentType: "application/json" });
  expect(seen[0]?.headers["x-more"]).toBe("1");
  expect(bodyOf(seen[0])).toBe('{"a":1}');
});

test.each(["application/x-protobuf", "text/plain", "application/x-ndjson", "application/octet-stream", "text/plain;charset=x"])(
  "a body of type %s arrives as bytes",
  async (type) => {
    const { send, seen } = await setUp();
    expect((await send({ headers: { "content-type": type }, body: new Uint8Array([0, 1, 254]) })).status).toBe(202);
    expect([...(seen[0]?.body ?? [])]).toEqual([0, 1, 254]);
  },
);

test("JSON that is broken is the connector's to refuse, not the server's", async () => {
  const { send, seen } = await setUp();
  expect((await send({ body: "{" })).status).toBe(202);
  expect(bodyOf(seen[0])).toBe("{");
});

test.each([
  ["no header", null],
  ["another token", "Bearer wrong"],
  ["a prefix of the token", "Bearer right"],
  ["the token without its scheme", TOKEN],
  ["another scheme", `Basic ${TOKEN}`],
  ["an empty token", "Bearer "],
])("%s is refused with 401, and nothing is handed over", async (_, auth) => {
  const { send, seen } = await setUp();
  const answer = await send({ auth });
  expect(answer.status).toBe(401);
  expect(answer.headers.get("www-authenticate")).toBe("Bearer");
  expect(seen).toEqual([]);
  expect(answer.text).not.toContain(TOKEN);
});

test("the scheme is read without case", async () => {
  const { send } = await setUp();
  expect((await send({ auth: `bearer ${TOKEN}` })).status).toBe(202);
  expect((await send({ auth: `BEARER  ${TOKEN}` })).status).toBe(202);
});

test("who has no token is refused before the body is read", async () => {
  const { receiver, seen } = await setUp();
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const asked = httpRequest(`${receiver.url}/push/fake/one`, {
      method: "POST",
      headers: { "content-type": "text/plain", "content-length": String(LIMIT) },
    });
    asked.on("response", (answer) => {
      resolve(answer.statusCode);
      asked.destroy();
    });
    asked.on("error", reject);
    // Only the head is sent: an answer that waits for the body would never come.
    asked.flushHeaders();
  });
  expect(status).toBe(401);
  expect(seen).toEqual([]);
});

test("a secret that is gone refuses everybody and says nothing about it to them", async () => {
  const token = {
    reveal: () => {
      throw new Failure("the secret ${env:X} is missing", { kind: "config", code: "SECRET_MISSING" });
    },
  };
  const { send, seen, log } = await setUp({ token });
  const answer = await send();
  expect(answer.status).toBe(500);
  expect(answer.text).not.toContain("env:X");
  expect(seen).toEqual([]);
  expect(log.lines.join()).toContain("the secret ${env:X} is missing");
});

test("the connector does not get the sender's credential", async () => {
  const { send, seen } = await setUp();
  await send();
  expect(Object.keys(seen[0]?.headers ?? {})).not.toContain("authorization");
  expect(Object.getPrototypeOf(seen[0]?.headers)).toBeNull();
});

test("a whole body that is poison is 400 with its code, without the body", async () => {
  const { send } = await setUp({ push: () => Promise.reject(poison("RECORD_NOT_JSON", "the body is not JSON")) });
  const answer = await send({ body: "secret-content" });
  expect(answer.status).toBe(400);
  expect(JSON.parse(answer.text)).toEqual({ error: "the body is not JSON", code: "RECORD_NOT_JSON" });
});

test.each([
  [429, "2", new Failure("too many", { kind: "retryable", code: "HTTP_THROTTLED", retryAfterMs: 1500 })],
  [503, "1", new Failure("gone", { kind: "retryable", code: "STORE_UNAVAILABLE" })],
  [503, "1", new Failure("another worker", { kind: "permanent", code: "CURSOR_MOVED" })],
  [503, "1", new TypeError("secret-content")],
])("a push that could not be stored is %i with a time to come back", async (status, after, error) => {
  const { send } = await setUp({ push: () => Promise.reject(error) });
  const answer = await send();
  expect(answer.status).toBe(status);
  expect(answer.headers.get("retry-after")).toBe(after);
  expect(answer.text).not.toContain("secret-content");
});

test("a body over the limit is 413, one of exactly the limit is taken", async () => {
  const { send, seen } = await setUp();
  expect((await send({ body: "x".repeat(LIMIT) })).status).toBe(202);
  expect((await send({ body: "x".repeat(LIMIT + 1) })).status).toBe(413);
  expect(seen).toHaveLength(1);
});

test.each([
  ["gzip", gzipSync],
  ["GZIP", gzipSync],
  ["x-gzip", gzipSync],
  ["deflate", deflateSync],
  ["identity", (text: string) => Buffer.from(text)],
])("a body in %s is unpacked", async (encoding, pack) => {
  const { send, seen } = await setUp();
  expect((await send({ headers: { "content-encoding": encoding }, body: pack("hello") })).status).toBe(202);
  expect(bodyOf(seen[0])).toBe("hello");
});

test("what unfolds to more than the limit is 413, to exactly the limit is taken, and a bomb costs no more", async () => {
  const { send, seen } = await setUp();
  const packed = (bytes: number) => send({ headers: { "content-encoding": "gzip" }, body: gzipSync(Buffer.alloc(bytes)) });
  expect((await packed(LIMIT)).status).toBe(202);
  expect((await packed(LIMIT + 1)).status).toBe(413);
  expect((await packed(9_000_000)).status).toBe(413);
  expect(seen).toHaveLength(1);
});

test.each([
  ["an unknown encoding", "br", Buffer.from("x")],
  ["a list of encodings", "gzip, gzip", gzipSync(gzipSync("x"))],
  ["bytes that are not gzip", "gzip", Buffer.from("not gzip")],
  ["gzip that ends early", "gzip", gzipSync("x".repeat(500)).subarray(0, 20)],
])("%s is 415", async (_, encoding, body) => {
  const { send, seen } = await setUp();
  expect((await send({ headers: { "content-encoding": encoding }, body })).status).toBe(415);
  expect(seen).toEqual([]);
});

test("an empty body without a content type is handed over as nothing", async () => {
  const { receiver, seen } = await setUp();
  const answer = await fetch(`${receiver.url}/push/fake/one`, { method: "POST", headers: { authorization: `Bearer ${TOKEN}` } });
  expect(answer.status).toBe(202);
  expect(seen[0]).toMatchObject({ contentType: "" });
  expect(seen[0]?.body.length).toBe(0);
});

test("without a token the state answers programs on this machine only, not pages that a browser shows there", async () => {
  const answer = async () => ({ status: 200, contentType: "text/plain", body: "state" });
  const route = { method: "POST" as const, path: "/state/x", local: true, answer };
  const { receiver } = await setUp({
    infos: [
      { ...route, token: undefined },
      { ...route, path: "/state/y", token: fixedSecret(TOKEN) },
    ],
  });
  const ask = (path: string, headers: Record<string, string>) =>
    new Promise<number | undefined>((resolve, reject) => {
      const asked = httpRequest(`${receiver.url}${path}`, { method: "POST", headers }, (got) => resolve(got.resume().statusCode));
      asked.once("error", reject).end();
    });
  expect(await ask("/state/x", {})).toBe(200);
  expect(await ask("/state/x", { host: "localhost:8480" })).toBe(200);
  expect(await ask("/state/x", { host: "evil.example" })).toBe(401);
  expect(await ask("/state/x", { origin: "http://evil.example" })).toBe(401);
  expect(await ask("/state/y", { host: "custodes.example", authorization: `Bearer ${TOKEN}` })).toBe(200);
});
