import { createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import { afterEach, describe, expect, test } from "vitest";
import { connectBy } from "../../../src/adapters/http/connect.ts";
import type { Endpoint } from "../../../src/ports/context.ts";
import { testCertificates } from "../../fixtures/certificates.ts";
import { everythingIn } from "../../fixtures/context.ts";

const connect = connectBy(undefined);

const open: { readonly server: Server; readonly sockets: Set<Socket> }[] = [];
afterEach(() => {
  for (const { server, sockets } of open.splice(0)) {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
});

/** Starts listening; gives the port. */
async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
  });
  open.push({ server, sockets });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

/** Collects what a socket gets until its end. */
function collect(into: string[]): (socket: Socket) => void {
  return (socket) => {
    let text = "";
    socket.setEncoding("utf8").on("data", (more: string) => (text += more));
    socket.on("end", () => into.push(text));
    socket.on("error", () => undefined);
  };
}

function endpoint(port: number, changes: Partial<Endpoint> = {}): Endpoint {
  return { host: "127.0.0.1", port, timeoutMs: 5_000, signal: new AbortController().signal, ...changes };
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("a TCP connection", () => {
  test("carries bytes in order and ends when the other side has read all of them", async () => {
    const received: string[] = [];
    const port = await listen(createServer(collect(received)));
    const connection = await connect(endpoint(port));
    await connection.write(bytes("a".repeat(300_000)));
    await connection.write(bytes("é"));
    expect(await connection.end(5_000)).toBe("closed");
    expect(received).toEqual([`${"a".repeat(300_000)}é`]);
  });

  test("says so when the other side never ends", async () => {
    const port = await listen(createServer({ allowHalfOpen: true }, (socket) => socket.resume()));
    const connection = await connect(endpoint(port));
    await connection.write(bytes("x"));
    expect(await connection.end(50)).toBe("open");
  });

  test("that is reset while it ends is a failure: nobody may have read it", async () => {
    const port = await listen(createServer({ allowHalfOpen: true }, (socket) => socket.on("end", () => socket.resetAndDestroy()).resume()));
    const connection = await connect(endpoint(port));
    await connection.write(bytes("x"));
    await expect(connection.end(5_000)).rejects.toMatchObject({ kind: "retryable", code: "HTTP_UNREACHABLE", scope: "connector" });
  });

  test("that the other side ended before us is a failure", async () => {
    const port = await listen(createServer((socket) => socket.end()));
    const connection = await connect(endpoint(port));
    await new Promise((resolve) => setTimeout(resolve, 50));
    await expect(connection.write(bytes("x"))).rejects.toMatchObject({ kind: "retryable", code: "HTTP_UNREACHABLE" });
    await expect(connection.end(1_000)).rejects.toMatchObject({ kind: "retryable", code: "HTTP_UNREACHABLE" });
  });

  test("that is ended at once by somebody who reads nothing is a failure, however fast we were", async () => {
    const port = await listen(createServer({ allowHalfOpen: true }, (socket) => socket.end()));
    const connection = await connect(endpoint(port));
    const write = connection.write(bytes("x"));
    await expect(write.then(() => connection.end(1_000))).rejects.toMatchObject({ kind: "retryable", code: "HTTP_UNREACHABLE" });
  });

  test("gives up a write that nobody reads", async () => {
    const port = await listen(createServer((socket) => socket.pause()));
    const connection = await connect(endpoint(port, { timeoutMs: 200 }));
    const flood = async (): Promise<void> => {
      for (let sent = 0; sent < 100; sent++) await connection.write(new Uint8Array(4_000_000));
    };
    await expect(flood()).rejects.toMatchObject({ kind: "retryable", code: "HTTP_TIMEOUT" });
  });

  test("to nobody is retryable", async () => {
    const port = await listen(createServer());
    open[0]!.server.close();
    await expect(connect(endpoint(port))).rejects.toMatchObject({ kind: "retryable", code: "HTTP_UNREACHABLE", scope: "connector" });
  });

  test("ends at shutdown, before and while it stands", async () => {
    const port = await listen(createServer((socket) => socket.pause()));
    const stop = new AbortController();
    const connection = await connect(endpoint(port, { signal: stop.signal }));
    const writing = connection.write(new Uint8Array(50_000_000));
    stop.abort();
    await expect(writing).rejects.toMatchObject({ kind: "retryable", code: "HTTP_UNREACHABLE" });
    await expect(connect(endpoint(port, { signal: stop.signal }))).rejects.toMatchObject({ kind: "retryable", code: "HTTP_UNREACHABLE" });
  });
});

const certificates = testCertificates();

describe.runIf(certificates !== undefined)("a TLS connection", () => {
  const { ca, certificate, key } = certificates ?? { ca: "", certificate: "", key: "" };
  const serve = (received: string[], more: object = {}): Promise<number> =>
    listen(createTlsServer({ cert: certificate, key, ...more }, collect(received)));

  test("carries bytes to a server of an authority that is named", async () => {
    const received: string[] = [];
    const port = await serve(received);
    const connection = await connect(endpoint(port, { tls: { ca } }));
    await connection.write(bytes("secret"));
    expect(await connection.end(5_000)).toBe("closed");
    expect(received).toEqual(["secret"]);
  });

  test.each([
    ["of an unknown authority", {}, "127.0.0.1"],
    ["for another name", { ca, serverName: "collector.example.com" }, "127.0.0.1"],
  ])("refuses a certificate %s before anything is sent", async (_, tls, host) => {
    const received: string[] = [];
    const port = await serve(received);
    await expect(connect(endpoint(port, { host, tls }))).rejects.toMatchObject({
      kind: "permanent",
      code: "HTTP_DENIED",
      scope: "connector",
    });
    expect(received.join("")).toBe("");
  });

  test("shows its own certificate where one is asked for, and fails without", async () => {
    const received: string[] = [];
    const port = await serve(received, { ca, requestCert: true, rejectUnauthorized: true });
    const connection = await connect(endpoint(port, { tls: { ca, certificate, key } }));
    await connection.write(bytes("x"));
    expect(await connection.end(5_000)).toBe("closed");
    expect(received).toEqual(["x"]);
    // TLS 1.3: the refusal comes after our side of the handshake is done.
    const refused = async (): Promise<unknown> => {
      const second = await connect(endpoint(port, { tls: { ca } }));
      await second.write(bytes("x"));
      return await second.end(5_000);
    };
    await expect(refused()).rejects.toMatchObject({ scope: "connector" });
    expect(received).toEqual(["x"]);
  });

  test("to a server without TLS is a matter of configuration, and one that says nothing times out", async () => {
    const plain = await listen(createServer((socket) => socket.once("data", () => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"))));
    await expect(connect(endpoint(plain, { tls: { ca } }))).rejects.toMatchObject({ kind: "permanent", code: "DESTINATION_CONFIG" });
    const silent = await listen(createServer((socket) => socket.resume()));
    await expect(connect(endpoint(silent, { tls: { ca }, timeoutMs: 100 }))).rejects.toMatchObject({ code: "HTTP_TIMEOUT" });
  });

  test("never quotes a key that cannot be read", async () => {
    const port = await serve([]);
    const broken = "-----BEGIN PRIVATE KEY-----\nplanted-canary-7f3a\n-----END PRIVATE KEY-----\n";
    const seen = await connect(endpoint(port, { tls: { ca, certificate, key: broken } })).then(everythingIn, everythingIn);
    expect(seen).toContain("HTTP_DENIED");
    expect(seen).not.toContain("canary");
  });
});

test("an address that the policy refuses is not connected to, whatever name leads there", async () => {
  const policed = connectBy({ hosts: () => new Set(["169.254.169.254"]) });
  const signal = new AbortController().signal;
  await expect(policed({ host: "169.254.169.254", port: 80, timeoutMs: 1000, signal })).rejects.toMatchObject({ code: "HTTP_ADDRESS" });
  const named = connectBy({ hosts: () => new Set(), allowPrivate: false });
  await expect(named({ host: "localhost", port: 9, timeoutMs: 1000, signal })).rejects.toMatchObject({ code: "HTTP_ADDRESS" });
});
