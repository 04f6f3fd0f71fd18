import { describe, expect, it } from "vitest";
import sentinel from "../../connectors/sentinel/sentinel.ts";
import type { HttpFault } from "../../src/simulators/http-server.ts";
import { SENTINEL_DEMO, startSentinelSimulator, type SentinelSimulatorOptions } from "../../src/simulators/sentinel.ts";
import { destinationContract, reactionOf, type DestinationContract, type Reaction } from "../contract/destination.ts";
import { everythingIn, testContext, testSecret } from "../fixtures/context.ts";
import { alertDeliveries, alertSubject, delivery, STORY_TIME } from "../fixtures/subjects.ts";

const CANARY = "canary-client-secret-9f2d41c7";
const NAME = "sentinel/soc";
const NOW = STORY_TIME + 600_000;

async function start(options: SentinelSimulatorOptions = {}, settings: Readonly<Record<string, unknown>> = {}) {
  const simulator = await startSentinelSimulator({ clientSecret: CANARY, now: () => NOW, ...options });
  const config = sentinel.config.parse({
    tenantId: SENTINEL_DEMO.tenantId,
    clientId: SENTINEL_DEMO.clientId,
    clientSecret: testSecret(CANARY),
    endpoint: simulator.url,
    authority: simulator.authority,
    dcrImmutableId: SENTINEL_DEMO.dcrImmutableId,
    ...settings,
  });
  return { ...simulator, config, destination: sentinel.destination!(config) };
}

const refusal = (status: number, code: string, headers: Readonly<Record<string, string>> = {}): HttpFault => ({
  status,
  headers: { "content-type": "application/json", "x-ms-error-code": code, ...headers },
  body: JSON.stringify({ error: { code, message: "no" } }),
});

const item: Reaction = { kind: "poison", code: "HTTP_REJECTED", scope: "item" };
const wrong: Reaction = { kind: "permanent", code: "DESTINATION_CONFIG", scope: "connector" };
const down: Reaction = { kind: "retryable", code: "HTTP_UNAVAILABLE", scope: "connector" };
const slow: Reaction = { kind: "retryable", code: "HTTP_THROTTLED", scope: "connector" };

const reactions: DestinationContract["reactions"] = [
  { title: "400 for a row", fault: refusal(400, "InvalidRequestContent"), expect: item },
  { title: "400 for rows that span too much time", fault: refusal(400, "RecordsTimeRangeIsMoreThan30Minutes"), expect: item },
  { title: "400 without a body", fault: { status: 400 }, expect: item },
  { title: "400 InvalidStream", fault: refusal(400, "InvalidStream"), expect: wrong },
  {
    title: "400 whose code stands only in the header",
    fault: { status: 400, headers: { "x-ms-error-code": "InvalidStream" } },
    expect: wrong,
  },
  {
    title: "403 while a role may be on its way",
    fault: refusal(403, "OperationFailed"),
    expect: { kind: "retryable", code: "HTTP_DENIED", scope: "connector", retryAfterMs: 300_000 },
  },
  { title: "404 for the rule or stream", fault: refusal(404, "NotFound"), expect: wrong },
  { title: "405", fault: { status: 405 }, expect: wrong },
  { title: "408", fault: { status: 408 }, expect: down },
  { title: "413", fault: refusal(413, "ContentLengthLimitExceeded"), expect: { kind: "permanent", code: "HTTP_TOO_LARGE", scope: "item" } },
  { title: "a body that the service gave up reading", fault: refusal(400, "ReadyBody_ClientConnectionAbort"), expect: down },
  { title: "429 with Retry-After", fault: { status: 429, headers: { "retry-after": "23" } }, expect: { ...slow, retryAfterMs: 23_000 } },
  { title: "429 without Retry-After", fault: { status: 429 }, expect: slow },
  ...[500, 502, 503, 504].map((status) => ({ title: String(status), fault: { status }, expect: down })),
  {
    title: "503 with Retry-After",
    fault: { status: 503, headers: { "retry-after": "5" } },
    expect: { ...down, retryAfterMs: 5_000 },
  },
  { title: "302", fault: { status: 302, headers: { location: "https://example.com/" } }, expect: wrong },
];

destinationContract({
  name: NAME,
  secrets: [CANARY],
  start,
  reactions,
  // The vendor's own client takes nothing but 204 for success.
  malformed: [
    { status: 200, body: "" },
    { status: 200, body: "<html>proxy</html>" },
    { status: 202, body: "{}" },
  ],
  identity: (row) => String(((row as Record<string, unknown>)["AdditionalFields"] as Record<string, unknown>)["DedupKey"]),
  idempotent: false,
});

describe("sentinel's access", () => {
  const batchOf = (world: Awaited<ReturnType<typeof start>>, createdTime = STORY_TIME + 130_000) => [
    world.destination.render({ ...delivery(alertSubject(), NAME), createdTime }),
  ];
  /** Runs with a world that is closed whatever happens. */
  async function within(
    options: SentinelSimulatorOptions,
    settings: Readonly<Record<string, unknown>>,
    run: (world: Awaited<ReturnType<typeof start>>) => Promise<void>,
  ): Promise<void> {
    const world = await start(options, settings);
    try {
      await run(world);
    } finally {
      await world.close();
    }
  }

  it("asks for one token for many sends, and for the next one early", async () => {
    let now = NOW;
    await within({ now: () => now, tokenLifeSeconds: 3600 }, {}, async (world) => {
      const { context } = testContext();
      const moving = { ...context, clock: { now: () => now } };
      const send = () => world.destination.send(batchOf(world), moving);
      await send();
      await send();
      expect(world.tokenRequests()).toBe(1);
      now += 3600_000 - 300_001;
      await send();
      expect(world.tokenRequests()).toBe(1);
      now += 1;
      await send();
      expect(world.tokenRequests()).toBe(2);
      expect(world.received()).toHaveLength(4);
    });
  });

  it("replaces a token that was revoked, once, and delivers", async () => {
    await within({}, {}, async (world) => {
      const { context } = testContext();
      await world.destination.send(batchOf(world), context);
      world.revokeTokens();
      const outcomes = await world.destination.send(batchOf(world), context);
      expect(outcomes[0]?.status).toBe("delivered");
      expect(world.tokenRequests()).toBe(2);
      expect(world.requests()).toBe(3);
    });
  });

  it("pauses when a fresh token is refused too", async () => {
    await within({}, {}, async (world) => {
      world.fail({ status: 401, times: 2 });
      const reaction = await reactionOf(world.destination.send(batchOf(world), testContext().context));
      expect(reaction).toEqual({ kind: "permanent", code: "HTTP_DENIED", scope: "connector" });
      expect([world.requests(), world.tokenRequests()]).toEqual([2, 2]);
    });
  });

  it("is refused with a token for another cloud", async () => {
    await within({ audience: "https://monitor.azure.us" }, {}, async (world) => {
      expect(await reactionOf(world.destination.send(batchOf(world), testContext().context))).toMatchObject({ code: "HTTP_DENIED" });
    });
    await within({ audience: "https://monitor.azure.us" }, { cloud: "usgov" }, async (world) => {
      expect(await reactionOf(world.destination.send(batchOf(world), testContext().context))).toBeUndefined();
    });
  });

  it("waits for a fresh role as long as configured, then asks for a human", async () => {
    await within({ roleFrom: Infinity }, { freshRoleGraceMs: 600_000 }, async (world) => {
      const react = (createdTime: number) => reactionOf(world.destination.send(batchOf(world, createdTime), testContext().context));
      expect(await react(NOW - 1_000)).toEqual({ kind: "retryable", code: "HTTP_DENIED", scope: "connector", retryAfterMs: 300_000 });
      expect(await react(NOW - 599_000)).toEqual({ kind: "retryable", code: "HTTP_DENIED", scope: "connector", retryAfterMs: 1_000 });
      expect(await react(NOW - 600_000)).toEqual({ kind: "permanent", code: "HTTP_DENIED", scope: "connector" });
    });
    await within({ roleFrom: Infinity }, { freshRoleGraceMs: 0 }, async (world) => {
      expect(await reactionOf(world.destination.send(batchOf(world, NOW), testContext().context))).toMatchObject({ kind: "permanent" });
    });
  });

  const tokenFaults: readonly (readonly [string, HttpFault, Reaction])[] = [
    ["a wrong secret", entra(401, "invalid_client", "AADSTS7000215"), { kind: "permanent", code: "HTTP_DENIED", scope: "connector" }],
    ["an expired secret", entra(401, "invalid_client", "AADSTS7000222"), { kind: "permanent", code: "HTTP_DENIED", scope: "connector" }],
    ["an unknown application", entra(400, "unauthorized_client", "AADSTS700016"), { kind: "permanent", code: "HTTP_DENIED" }],
    ["an unknown tenant", entra(400, "invalid_request", "AADSTS90002"), { kind: "permanent", code: "HTTP_DENIED" }],
    ["400 without a body", { status: 400 }, { kind: "permanent", code: "HTTP_DENIED" }],
    ["a passing error", entra(400, "temporarily_unavailable", "AADSTS90033"), down],
    ["429", { status: 429, headers: { "retry-after": "9" } }, { ...slow, retryAfterMs: 9_000 }],
    ["500", { status: 500 }, down],
    ["503 with Retry-After", { status: 503, headers: { "retry-after": "4" } }, { ...down, retryAfterMs: 4_000 }],
    ["302", { status: 302, headers: { location: "https://example.com" } }, wrong],
    ["200 without JSON", { status: 200, body: "<html>" }, { kind: "retryable", code: "HTTP_MALFORMED" }],
    ["200 without a token", { status: 200, body: '{"expires_in":3599}' }, { kind: "retryable", code: "HTTP_MALFORMED" }],
    ["200 without an end", { status: 200, body: '{"access_token":"abc"}' }, { kind: "retryable", code: "HTTP_MALFORMED" }],
    [
      "a token that would break a header",
      { status: 200, body: '{"access_token":"a\\r\\nX-Evil: 1","expires_in":3599}' },
      { kind: "retryable", code: "HTTP_MALFORMED" },
    ],
    ["a cut connection", { connection: "cut" }, { kind: "retryable", code: "HTTP_MALFORMED" }],
    ["a reset connection", { connection: "reset" }, { kind: "retryable", code: "HTTP_UNREACHABLE" }],
    ["no answer", { connection: "hang" }, { kind: "retryable", code: "HTTP_TIMEOUT" }],
  ];
  it.each(tokenFaults)("reacts to %s from the token endpoint, sends nothing and shows no secret", async (_, fault, expected) => {
    await within({}, {}, async (world) => {
      world.failToken(fault);
      const { context, logged } = testContext({ timeoutMs: 150 });
      const sending = world.destination.send(batchOf(world), context);
      const seen = await sending.then(everythingIn, everythingIn);
      expect(await reactionOf(sending)).toMatchObject(expected);
      expect([world.requests(), world.tokenRequests()]).toEqual([0, 1]);
      expect(seen + logged.join("\n")).not.toContain(CANARY);
    });
  });

  it("says what to do about a known error number and nothing of the rest of the description", async () => {
    await within({ clientSecret: "another-secret" }, {}, async (world) => {
      await expect(world.destination.send(batchOf(world), testContext().context)).rejects.toThrow(
        /AADSTS7000215\): the client secret is wrong/,
      );
      await expect(world.destination.send(batchOf(world), testContext().context)).rejects.not.toThrow(/Trace ID/);
    });
  });

  it.each(["TimeoutExpired", "ReadyBody_ClientConnectionAbort"])("has a batch split that the service gave up reading: %s", async (code) => {
    await within({}, {}, async (world) => {
      world.fail(refusal(400, code));
      const sending = world.destination.send([...batchOf(world), ...batchOf(world)], testContext().context);
      expect(await reactionOf(sending)).toMatchObject({ kind: "permanent", code: "HTTP_TOO_LARGE", scope: "item" });
    });
  });

  it("compresses what it sends", async () => {
    await within({}, {}, async (world) => {
      const batch = alertDeliveries(100, NAME).map((each) => world.destination.render(each));
      const { context } = testContext();
      const sizes: number[] = [];
      context.http.interceptors.request.use((request) => {
        if (request.data instanceof ArrayBuffer) sizes.push(request.data.byteLength);
        return request;
      });
      await world.destination.send(batch, context);
      expect(world.received()).toHaveLength(100);
      expect(sizes).toHaveLength(1);
      expect(sizes[0]).toBeLessThan(batch.reduce((sum, one) => sum + one.bytes, 0) / 5);
    });
  });

  it("fills a call to its limit and no further", async () => {
    await within({}, {}, async (world) => {
      const { batchBytes, batchItems } = world.destination.limits;
      const batch = [];
      let bytes = 0;
      for (const one of alertDeliveries(batchItems, NAME).map((each) => world.destination.render(each))) {
        if (bytes + one.bytes > batchBytes) break;
        batch.push(one);
        bytes += one.bytes;
      }
      expect(batch.length).toBeGreaterThan(100);
      expect((await world.destination.send(batch, testContext().context)).length).toBe(batch.length);
      expect(world.received()).toHaveLength(batch.length);
      // One more row than the limits allow is what the service refuses: the limits are not needlessly tight.
      const over = [...batch, ...batch.slice(0, Math.ceil((1_000_000 - bytes) / batch[0]!.bytes))];
      expect(await reactionOf(world.destination.send(over, testContext().context))).toMatchObject({
        code: "HTTP_TOO_LARGE",
        scope: "item",
      });
    });
  });
});

function entra(status: number, error: string, code: string): HttpFault {
  return {
    status,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ error, error_description: `${code}: ${CANARY}` }),
  };
}
