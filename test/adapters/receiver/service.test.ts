import { connect } from "node:net";
import { expect, test } from "vitest";
import { startReceiver } from "../../../src/adapters/receiver/receiver.ts";
import { fixedSecret } from "../../../src/config/secrets.ts";
import { testLog } from "../../pipeline/world.ts";
import { TOKEN, setUp } from "./serve.ts";

test("unknown paths and methods are 404, also right below a known path", async () => {
  const { send, seen } = await setUp();
  for (const path of [
    "/",
    "/push",
    "/push/fake",
    "/push/fake/one/",
    "/push/fake/one/x",
    "/push/fake/two",
    "//push/fake/one",
    "/push/fake/%6fne/..",
  ])
    expect((await send({ path })).status).toBe(404);
  expect((await send({ method: "GET" })).status).toBe(404);
  expect((await send({ method: "PUT" })).status).toBe(404);
  expect(seen).toEqual([]);
});

test("a sender that never finishes its body holds up nobody else", async () => {
  const { receiver, send, seen } = await setUp();
  const slow = connect(Number(new URL(receiver.url).port), "127.0.0.1");
  slow.on("error", () => undefined);
  await new Promise<void>((resolve) => slow.once("connect", () => resolve()));
  slow.write(
    `POST /push/fake/one HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TOKEN}\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\nabc`,
  );
  expect((await send()).status).toBe(202);
  expect(seen).toHaveLength(1);
  slow.destroy();
});

test("garbage instead of HTTP is answered with 400 and leaves the server working", async () => {
  const { receiver, send } = await setUp();
  const socket = connect(Number(new URL(receiver.url).port), "127.0.0.1");
  const answer = new Promise<string>((resolve) => {
    let text = "";
    socket.on("data", (data) => (text += String(data)));
    socket.on("close", () => resolve(text));
  });
  socket.on("error", () => undefined);
  socket.write("\u0000\u0001garbage\r\n\r\n");
  expect(await answer).toMatch(/^HTTP\/1\.1 400 /);
  expect((await send()).status).toBe(202);
});

test("closing waits for the request under way and refuses new ones", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const { promise: entered, resolve: enter } = Promise.withResolvers<void>();
  const { receiver, send } = await setUp({
    push: async () => (enter(), await promise, { status: 200, contentType: "text/plain", body: "late" }),
  });
  const answer = send();
  await entered;
  const closed = receiver.close();
  resolve();
  expect((await answer).text).toBe("late");
  await closed;
  await expect(send()).rejects.toThrow();
});

test("closing does not wait for a sender that never finishes its body", async () => {
  const { receiver } = await setUp();
  const slow = connect(Number(new URL(receiver.url).port), "127.0.0.1");
  const cut = new Promise<void>((resolve) => slow.once("close", () => resolve()));
  slow.on("error", () => undefined);
  await new Promise<void>((resolve) => slow.once("connect", () => resolve()));
  slow.write(
    `POST /push/fake/one HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TOKEN}\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\nabc`,
  );
  // One answered request behind it: by then the server has seen the slow one.
  await fetch(`${receiver.url}/nothing`);
  await receiver.close();
  await cut;
});

test("pages about the service answer with or without a token as they are told, and read the query", async () => {
  const echo = async (query: URLSearchParams) => ({
    status: 200,
    contentType: "application/json",
    body: JSON.stringify(Object.fromEntries(query)),
  });
  const { send } = await setUp({
    infos: [
      { method: "GET", path: "/healthz", token: undefined, answer: echo },
      { method: "GET", path: "/state/sources", token: fixedSecret(TOKEN), answer: echo },
      { method: "POST", path: "/state/deadletters-replay", token: fixedSecret(TOKEN), answer: echo },
      { method: "GET", path: "/broken", token: undefined, answer: () => Promise.reject(new Error("secret-content")) },
    ],
  });
  expect(await send({ method: "GET", path: "/healthz?a=1&__proto__=2", auth: null })).toMatchObject({
    status: 200,
    text: '{"a":"1","__proto__":"2"}',
  });
  expect((await send({ method: "GET", path: "/state/sources", auth: null })).status).toBe(401);
  expect((await send({ method: "GET", path: "/state/sources" })).status).toBe(200);
  expect((await send({ path: "/state/deadletters-replay?id=x", auth: null })).status).toBe(401);
  expect((await send({ path: "/state/deadletters-replay?id=x" })).text).toBe('{"id":"x"}');
  expect((await send({ method: "GET", path: "/state/deadletters-replay" })).status).toBe(404);
  const broken = await send({ method: "GET", path: "/broken" });
  expect(broken.status).toBe(500);
  expect(broken.text).not.toContain("secret-content");
});

test("an address that cannot be listened on is a problem of the configuration", async () => {
  const { receiver } = await setUp();
  const again = startReceiver({ listen: new URL(receiver.url).host, bodyBytesMax: 1, pushes: [], infos: [], log: testLog() });
  await expect(again).rejects.toMatchObject({ kind: "config", code: "CONFIG_INVALID", message: expect.stringContaining("EADDRINUSE") });
  await expect(startReceiver({ listen: "127.0.0.1:99999", bodyBytesMax: 1, pushes: [], infos: [], log: testLog() })).rejects.toMatchObject({
    kind: "config",
  });
});
