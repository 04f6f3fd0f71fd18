import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { httpClient } from "../../../src/adapters/http/client.ts";

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});
async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("every status is an answer, asked for once, with the service's user agent and its body as text", async () => {
  const agents: unknown[] = [];
  const url = await serve((request, answer) => {
    agents.push(request.headers["user-agent"]);
    answer.writeHead(Number(request.url?.slice(1)), { "content-type": "application/json" }).end('{"n": 12345678901234567890}');
  });
  for (const status of [200, 400, 401, 404, 429, 500, 503]) {
    const answer = await httpClient("custodes/1").get<unknown>(`${url}/${status}`);
    expect([answer.status, answer.data]).toEqual([status, '{"n": 12345678901234567890}']);
  }
  expect(agents).toEqual(Array(7).fill("custodes/1"));
});

test("a redirect is an answer and is not followed", async () => {
  const paths: unknown[] = [];
  const url = await serve((request, answer) => {
    paths.push(request.url);
    answer.writeHead(302, { location: "/elsewhere" }).end();
  });
  expect((await httpClient("x").get(url)).status).toBe(302);
  expect(paths).toEqual(["/"]);
});

test("a request can be cut off by its signal", async () => {
  const stop = new AbortController();
  const url = await serve(() => stop.abort());
  await expect(httpClient("x").get(url, { signal: stop.signal })).rejects.toThrow();
});

test("an answer larger than the limit is refused", async () => {
  const url = await serve((_, answer) => {
    const chunk = Buffer.alloc(1_048_576);
    let left = 65;
    const more = (): void => {
      while (left-- > 0) if (!answer.write(chunk)) return void answer.once("drain", more);
      answer.end();
    };
    answer.on("error", () => undefined);
    more();
  });
  await expect(httpClient("x").get(url)).rejects.toThrow(/maxContentLength/);
});

test("time-outs are set, so that a server that never answers holds nothing for ever", () => {
  expect(httpClient("x").defaults.timeout).toBeGreaterThan(0);
  expect(httpClient("x").defaults.timeout).toBeLessThanOrEqual(30_000);
});
