import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import {
  ANSWER_BYTES_MAX,
  answerObject,
  exchange,
  RETRY_AFTER_MAX_MS,
  retryAfterMs,
  type Answer,
} from "../../src/archetypes/http-exchange.ts";
import { Failure } from "../../src/core/errors.ts";
import { faultQueue, startLoopback, type HttpFault, type LoopbackServer } from "../../src/simulators/http-server.ts";
import { everythingIn, testContext } from "../fixtures/context.ts";

const SECRET = "canary-bearer-5c1f0a77";

describe("one HTTP exchange", () => {
  let server: LoopbackServer;
  let bodies: string[];
  let faults: ReturnType<typeof faultQueue<HttpFault>>;
  beforeEach(async () => {
    bodies = [];
    faults = faultQueue<HttpFault>();
    server = await startLoopback<HttpFault>({
      fault: () => faults.next(),
      handle: (request) => {
        bodies.push(request.body.toString("utf8"));
        return { status: 200, headers: { "x-seen": String(request.headers["x-given"]) }, body: ' {"a":1} ' };
      },
    });
  });
  afterEach(() => server.close());

  const send = (context = testContext().context, body = "x") =>
    exchange({ peer: "The peer", url: server.url, headers: { "x-given": "yes", Authorization: SECRET }, body }, context);
  const failed = async (sending: Promise<unknown>): Promise<Failure> => {
    const error: unknown = await sending.then(
      () => new Error("it succeeded"),
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(Failure);
    expect(everythingIn(error)).not.toContain(SECRET);
    return error as Failure;
  };

  it("sends exactly the bytes that it was given, and reads exactly those that came", async () => {
    const body = ' {"spaces": "kept" } \n ';
    const answer = await exchange(
      { peer: "p", url: server.url, headers: { "x-given": "yes", "Content-Type": "application/json" }, body },
      testContext().context,
    );
    expect(bodies).toEqual([body]);
    expect(answer.text).toBe(' {"a":1} ');
    expect([answer.header("x-seen"), answer.header("x-unseen")]).toEqual(["yes", undefined]);
    expect(answerObject(answer)).toEqual({ a: 1 });
  });

  it("resolves for every status", async () => {
    for (const status of [204, 302, 404, 500]) {
      faults.add([{ status }]);
      expect((await send()).status).toBe(status);
    }
  });

  it("ends at once when the service stops, not at the time-out", async () => {
    faults.add([{ connection: "hang" }]);
    const { context, abort } = testContext({ timeoutMs: 30_000 });
    const sending = failed(send(context));
    await vi.waitFor(() => expect(server.requests()).toBe(1));
    abort();
    expect(await sending).toMatchObject({ kind: "retryable", code: "HTTP_UNREACHABLE", scope: "connector" });
  });

  it("does not read answers without end", async () => {
    faults.add([{ status: 200, body: "x".repeat(ANSWER_BYTES_MAX + 1) }]);
    expect(await failed(send())).toMatchObject({ kind: "retryable", code: "HTTP_MALFORMED" });
  });

  it.each([
    ["hang", "HTTP_TIMEOUT"],
    ["reset", "HTTP_UNREACHABLE"],
    ["cut", "HTTP_MALFORMED"],
  ] as const)("takes a connection that does %s for %s", async (connection, code) => {
    faults.add([{ connection }]);
    expect(await failed(send(testContext({ timeoutMs: 100 }).context))).toMatchObject({ kind: "retryable", code, scope: "connector" });
  });

  it("takes nothing but a JSON object for one", () => {
    for (const text of ["", "null", "[]", '"a"', "7", "{", "<html>"]) expect(answerObject(answerWith({}, text))).toBeUndefined();
  });
});

describe("Retry-After", () => {
  const now = Date.UTC(2026, 7, 22, 9, 14, 3);
  it.each([
    ["17", 17_000],
    [" 17 ", 17_000],
    ["0", 0],
    ["86400", RETRY_AFTER_MAX_MS],
    ["99999999999999999999", undefined],
    ["-5", 0],
    ["Sat, 22 Aug 2026 09:14:45 GMT", 42_000],
    ["Sat, 22 Aug 2026 09:00:00 GMT", 0],
    ["Fri, 01 Jan 2100 00:00:00 GMT", RETRY_AFTER_MAX_MS],
    ["soon", undefined],
    ["", undefined],
    [undefined, undefined],
  ])("of %j is %j milliseconds", (value, expected) => {
    expect(retryAfterMs(answerWith({ "retry-after": value }), now)).toBe(expected);
  });
});

function answerWith(headers: Readonly<Record<string, string | undefined>>, text = ""): Answer {
  return { status: 200, text, header: (name) => headers[name] };
}
