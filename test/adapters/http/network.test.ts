/** Real TLS servers and a real proxy on loopback. */
import { createServer as createHttp } from "node:http";
import { createServer, type ServerOptions } from "node:https";
import type { AddressInfo } from "node:net";
import type { TLSSocket } from "node:tls";
import { rmSync, writeFileSync } from "node:fs";
import { afterEach, expect, test, vi } from "vitest";
import { httpClient, type ClientOptions } from "../../../src/adapters/http/client.ts";
import { exchange } from "../../../src/archetypes/http-exchange.ts";
import type { Network } from "../../../src/ports/network.ts";
import { testAuthority } from "../../fixtures/certificates.ts";
import { testContext, testSecret } from "../../fixtures/context.ts";
import { startConnectProxy, type ConnectProxyOptions } from "../../simulators/connect-proxy.ts";

const authority = testAuthority();
const good = authority.issue("localhost", ["DNS:localhost", "IP:127.0.0.1"]);
const closers: (() => unknown)[] = [];
afterEach(async () => {
  vi.unstubAllEnvs();
  for (const close of closers.splice(0)) await close();
});

interface Served {
  readonly port: number;
  readonly paths: string[];
  readonly clients: (string | undefined)[];
}
async function serve(options: ServerOptions | undefined, location?: string): Promise<Served> {
  const paths: string[] = [];
  const clients: (string | undefined)[] = [];
  const listener: Parameters<typeof createHttp>[1] = (request, response) => {
    paths.push(request.url ?? "");
    const peer = (request.socket as Partial<TLSSocket>).getPeerCertificate?.();
    clients.push(peer?.subject?.CN as string | undefined);
    response.writeHead(location === undefined ? 200 : 302, location === undefined ? {} : { location }).end("hello");
  };
  const server = options === undefined ? createHttp(listener) : createServer(options, listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => (server.closeAllConnections(), server.close()));
  return { port: (server.address() as AddressInfo).port, paths, clients };
}
async function proxied(options: ConnectProxyOptions = {}) {
  const proxy = await startConnectProxy(options);
  closers.push(() => proxy.close());
  return proxy;
}

/** What comes of a request through an instance with this network: the answer's status, or the failure's code and message. */
async function ask(url: string, network: Partial<Network>, options?: ClientOptions): Promise<number | string> {
  const hosts = (): Set<string> => new Set(["localhost", "127.0.0.1", "siem.corp"]);
  const http = httpClient("custodes/test", { hosts, ...network }, options);
  const { context } = testContext();
  try {
    return (await exchange({ peer: "SIEM", method: "GET", url, headers: {} }, { ...context, http })).status;
  } catch (error) {
    const { code, kind, message } = error as { code: string; kind: string; message: string };
    return `${kind} ${code}: ${message}`;
  }
}
const toLoopback: ClientOptions = { resolve: (_, done) => done(null, [{ address: "127.0.0.1", family: 4 }]) };

test("a certificate of a private authority is trusted when its authority is configured", async () => {
  const { port } = await serve({ key: good.key, cert: good.cert });
  expect(await ask(`https://localhost:${port}/`, { tls: { ca: authority.certFile } })).toBe(200);
  expect(await ask(`https://127.0.0.1:${port}/`, { tls: { ca: authority.certFile } })).toBe(200);
});

test("a certificate of an unknown authority is refused, also when the environment says otherwise", async () => {
  vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", "0");
  const { port, paths } = await serve({ key: good.key, cert: good.cert });
  expect(await ask(`https://localhost:${port}/`, {})).toMatch(/^permanent HTTP_UNTRUSTED: .*no authority that is trusted.*tls\.ca/);
  expect(await ask(`https://localhost:${port}/`, { tls: { ca: testAuthority("Other").certFile } })).toMatch(/HTTP_UNTRUSTED/);
  expect(paths).toEqual([]);
});

test("an expired certificate and one for another name are refused", async () => {
  const old = authority.issue("localhost", ["DNS:localhost"], -1);
  const other = authority.issue("other", ["DNS:other.example"]);
  const tls = { ca: authority.certFile };
  const expired = await serve({ key: old.key, cert: old.cert });
  expect(await ask(`https://localhost:${expired.port}/`, { tls })).toMatch(/^permanent HTTP_UNTRUSTED: .*has expired/);
  const wrong = await serve({ key: other.key, cert: other.cert });
  expect(await ask(`https://localhost:${wrong.port}/`, { tls })).toMatch(/^permanent HTTP_UNTRUSTED: .*another name.*tls\.serverName/);
  expect(await ask(`https://localhost:${wrong.port}/`, { tls: { ...tls, serverName: "other.example" } })).toBe(200);
  expect([...expired.paths, ...wrong.paths]).toEqual(["/"]);
});

test("a client certificate is shown, and renewed without a restart", async () => {
  const mine = authority.issue("custodes", []);
  const second = authority.issue("custodes-2", []);
  // TLS 1.2, in which the server's refusal is part of the handshake.
  const demanding = { key: good.key, cert: good.cert, ca: authority.cert, requestCert: true, maxVersion: "TLSv1.2" } as const;
  const { port, clients } = await serve(demanding);
  const tls = { ca: authority.certFile };
  expect(await ask(`https://localhost:${port}/`, { tls })).toMatch(/^permanent HTTP_UNTRUSTED: .*tls\.cert/);
  let key = mine.key;
  const given = { ...tls, cert: mine.certFile, key: { reveal: () => key } };
  const hosts = (): Set<string> => new Set(["localhost"]);
  const http = httpClient("custodes/test", { hosts, tls: given });
  await http.get(`https://localhost:${port}/`, { headers: { connection: "close" } });
  writeFileSync(mine.certFile, second.cert);
  key = second.key;
  await http.get(`https://localhost:${port}/`, { headers: { connection: "close" } });
  expect(clients).toEqual(["custodes", "custodes-2"]);
  rmSync(mine.certFile);
  expect(await ask(`https://localhost:${port}/`, { tls: given })).toMatch(/HTTP_UNTRUSTED: .*cannot be read/);
  writeFileSync(mine.certFile, "not PEM");
  expect(await ask(`https://localhost:${port}/`, { tls: given })).toMatch(/HTTP_UNTRUSTED: .*PEM/);
});

test("requests go through a configured proxy, in a tunnel, also plain ones", async () => {
  const secure = await serve({ key: good.key, cert: good.cert });
  const plain = await serve(undefined);
  const proxy = await proxied();
  const network = { proxy: { url: proxy.url }, tls: { ca: authority.certFile } };
  expect(await ask(`https://localhost:${secure.port}/a`, network)).toBe(200);
  expect(await ask(`https://127.0.0.1:${secure.port}/a`, network)).toBe(200);
  expect(await ask(`http://localhost:${plain.port}/b`, network)).toBe(200);
  expect(proxy.targets).toEqual([`localhost:${secure.port}`, `127.0.0.1:${secure.port}`, `localhost:${plain.port}`]);
  expect([secure.paths, plain.paths, proxy.direct]).toEqual([["/a", "/a"], ["/b"], []]);
  // The proxy leads elsewhere: whoever answers there must still be who was asked for.
  const astray = await proxied({ leadsTo: (await serve({ key: good.key, cert: good.cert })).port });
  expect(await ask("https://siem.corp/", { ...network, proxy: { url: astray.url } })).toMatch(/HTTP_UNTRUSTED: .*another name/);
});

test("a proxy's credential is read for each connection", async () => {
  const { port } = await serve(undefined);
  let credential = "custodes:first";
  const proxy = await proxied({ credential: () => credential });
  let password = "wrong";
  const through = { url: proxy.url, username: "custodes", password: { reveal: () => password } };
  expect(await ask(`http://localhost:${port}/`, { proxy: through })).toMatch(/^permanent HTTP_PROXY: .*credential \(407\)/);
  password = "first";
  expect(await ask(`http://localhost:${port}/`, { proxy: through })).toBe(200);
  credential = "custodes:p@ss:w%rd";
  const url = proxy.url.replace("http://", "http://custodes:p%40ss%3Aw%25rd@");
  expect(await ask(`http://localhost:${port}/`, { proxy: { url: testSecret(url) } })).toBe(200);
});

test("what a proxy refuses is never taken for the server's answer", async () => {
  const about = async (answer: string) => await ask("https://siem.corp/", { proxy: { url: (await proxied({ answer })).url } });
  expect(await about("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")).toMatch(/^permanent HTTP_PROXY: /);
  expect(await about("HTTP/1.1 502 Bad Gateway\r\n\r\n")).toMatch(/^retryable HTTP_PROXY: /);
  expect(await about("SSH-2.0-OpenSSH\r\n\r\n")).toMatch(/^retryable HTTP_PROXY: /);
  expect(await about(`HTTP/1.1 200 OK\r\nX: ${"x".repeat(20_000)}`)).toMatch(/^retryable HTTP_PROXY: /);
  expect(await about("")).toMatch(/^retryable HTTP_PROXY: /);
  const gone = await proxied();
  await gone.close();
  expect(await ask("https://siem.corp/", { proxy: { url: gone.url } })).toMatch(/^retryable HTTP_PROXY: /);
});

test("the environment's proxies are not used", async () => {
  const { port } = await serve(undefined);
  const proxy = await proxied();
  for (const name of ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"]) vi.stubEnv(name, proxy.url);
  vi.stubEnv("NO_PROXY", "");
  vi.stubEnv("no_proxy", "");
  expect(await ask(`http://localhost:${port}/`, {})).toBe(200);
  expect([proxy.targets, proxy.direct]).toEqual([[], []]);
});

test("a name that resolves to a forbidden address is not connected to, and the next look at it counts", async () => {
  const { port, paths } = await serve(undefined);
  expect(await ask(`http://siem.corp:${port}/`, {}, toLoopback)).toMatch(/^permanent HTTP_ADDRESS: /);
  expect(await ask(`http://siem.corp:${port}/`, { allowPrivate: ["127.0.0.0/8"] }, toLoopback)).toBe(200);
  // Rebinding: the first answer is good, the second one is not; what is connected to is what was checked.
  let looks = 0;
  const rebinding: ClientOptions = {
    resolve: (_, done) => done(null, [{ address: looks++ === 0 ? "127.0.0.1" : "169.254.169.254", family: 4 }]),
  };
  const http = httpClient("x", { hosts: () => new Set(), allowPrivate: true }, rebinding);
  const once = { headers: { connection: "close" } };
  expect((await http.get(`http://siem.corp:${port}/`, once)).status).toBe(200);
  await expect(http.get(`http://siem.corp:${port}/`, once)).rejects.toMatchObject({ code: "ADDRESS_REFUSED" });
  expect([looks, paths.length]).toEqual([2, 2]);
});

test("of several addresses the good ones are used", async () => {
  const { port } = await serve(undefined);
  const both: ClientOptions = {
    resolve: (_, done) =>
      done(null, [
        { address: "169.254.169.254", family: 4 },
        { address: "127.0.0.1", family: 4 },
      ]),
  };
  expect(await ask(`http://siem.corp:${port}/`, { allowPrivate: true }, both)).toBe(200);
});

test.each([
  "http://169.254.169.254/latest/meta-data/",
  "http://2852039166/",
  "http://0xa9fea9fe/",
  "http://[::ffff:169.254.169.254]/",
  "http://[fd00:ec2::254]/",
  "http://0.0.0.0/",
])("%s is refused before any connection, also through a proxy", async (url) => {
  const proxy = await proxied();
  expect(await ask(url, { allowPrivate: true })).toMatch(/^permanent HTTP_ADDRESS: /);
  expect(await ask(url, { allowPrivate: true, proxy: { url: proxy.url } })).toMatch(/^permanent HTTP_ADDRESS: /);
  expect(proxy.targets).toEqual([]);
});

test("a redirect to a metadata service is an answer that nobody follows", async () => {
  const { port, paths } = await serve(undefined, "http://169.254.169.254/latest/meta-data/");
  expect(await ask(`http://localhost:${port}/`, {})).toBe(302);
  expect(paths).toEqual(["/"]);
});

test("a managed identity's address, and nothing beside it, is let through for the instance that needs it", async () => {
  const { port, paths } = await serve(undefined);
  const proxy = await proxied();
  const [token, below] = [`http://127.0.0.1:${port}/metadata/identity/oauth2/token`, `http://127.0.0.1:${port}/latest/roles/`];
  const network: Partial<Network> = { hosts: () => new Set(), metadata: [token, below], proxy: { url: proxy.url } };
  expect(await ask(`${token}?resource=x`, network)).toBe(200);
  expect(await ask(`${below}mine`, network)).toBe(200);
  for (const other of [`${token}/x`, `http://127.0.0.1:${port}/metadata/instance`, `http://127.0.0.1:${port}/latest/user-data`])
    expect(await ask(other, network)).toMatch(/HTTP_ADDRESS/);
  expect(await ask(token, { ...network, metadata: [] })).toMatch(/HTTP_ADDRESS/);
  expect([paths, proxy.targets]).toEqual([["/metadata/identity/oauth2/token?resource=x", "/latest/roles/mine"], []]);
});

test("connections are kept for the next request", async () => {
  const ports = new Set<number | undefined>();
  const server = createHttp((request, response) => {
    ports.add(request.socket.remotePort);
    response.end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => (server.closeAllConnections(), server.close()));
  const http = httpClient("x", { hosts: () => new Set(["localhost"]) });
  for (let index = 0; index < 3; index++) await http.get(`http://localhost:${(server.address() as AddressInfo).port}/`);
  expect(ports.size).toBe(1);
});

test("answers 401 and 403 are told to whoever reads secrets", async () => {
  const server = createHttp((request, response) => void response.writeHead(Number(request.url?.slice(1))).end());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closers.push(() => (server.closeAllConnections(), server.close()));
  let told = 0;
  const http = httpClient("x", { hosts: () => new Set(["127.0.0.1"]) }, { refused: () => told++ });
  for (const status of [200, 401, 403, 404, 500]) await http.get(`http://127.0.0.1:${(server.address() as AddressInfo).port}/${status}`);
  expect(told).toBe(2);
});
