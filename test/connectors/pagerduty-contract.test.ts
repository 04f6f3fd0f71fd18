import { describe, expect, it } from "vitest";
import pagerduty from "../../connectors/pagerduty/pagerduty.ts";
import type { Incident } from "../../src/core/incident.ts";
import type { HttpFault } from "../../src/simulators/http-server.ts";
import { startPagerdutySimulator, type PagerdutyAlert, type PagerdutySimulatorOptions } from "../../src/simulators/pagerduty.ts";
import { destinationContract, reactionOf, type DestinationContract, type Reaction } from "../contract/destination.ts";
import { everythingIn, testContext, testSecret } from "../fixtures/context.ts";
import { delivery, incidentSubject } from "../fixtures/subjects.ts";

const CANARY = "canaryroutingkey9f2d41c7a8b3e650";
const OLD_CANARY = "canaryoldroutingkey7d1c35f0b24a9";
const NAME = "pagerduty/soc";

async function start(options: PagerdutySimulatorOptions = {}, settings: Readonly<Record<string, unknown>> = {}) {
  const simulator = await startPagerdutySimulator({ routingKeys: [CANARY, OLD_CANARY], ...options });
  const config = pagerduty.config.parse({ routingKey: testSecret(CANARY), endpoint: simulator.url, ...settings });
  return { ...simulator, config, destination: pagerduty.destination!(config) };
}
type World = Awaited<ReturnType<typeof start>>;

/** Runs with a world that is closed whatever happens. */
async function within(
  options: PagerdutySimulatorOptions,
  settings: Readonly<Record<string, unknown>>,
  run: (world: World) => Promise<void>,
) {
  const world = await start(options, settings);
  try {
    await run(world);
  } finally {
    await world.close();
  }
}

const refusal = (status: number, errors: readonly string[]): HttpFault => ({
  status,
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ status: "invalid event", message: "Event object is invalid", errors }),
});

const item: Reaction = { kind: "poison", code: "HTTP_REJECTED", scope: "item" };
const wrong: Reaction = { kind: "permanent", code: "DESTINATION_CONFIG", scope: "connector" };
const denied: Reaction = { kind: "permanent", code: "HTTP_DENIED", scope: "connector" };
const down: Reaction = { kind: "retryable", code: "HTTP_UNAVAILABLE", scope: "connector" };
const slow: Reaction = { kind: "retryable", code: "HTTP_THROTTLED", scope: "connector" };

const reactions: DestinationContract["reactions"] = [
  { title: "400 for the event", fault: refusal(400, ["'summary' is too long (maiximum is 1024 characters)"]), expect: item },
  {
    title: "400 for broken JSON",
    fault: {
      status: 400,
      body: '{"status":"Unrecognized object","message":"Event object format is unrecognized","errors":["JSON parse error"]}',
    },
    expect: item,
  },
  { title: "400 without a body", fault: { status: 400 }, expect: item },
  { title: "400 with a body that is no JSON", fault: { status: 400, body: "<html>routing_key</html>" }, expect: item },
  { title: "400 for an unknown routing key", fault: refusal(400, ["Invalid routing key"]), expect: wrong },
  {
    title: "400 for a short routing key",
    fault: refusal(400, ["Length of 'routing_key' is incorrect (should be 32 characters)"]),
    expect: wrong,
  },
  { title: "401", fault: { status: 401 }, expect: denied },
  { title: "403", fault: { status: 403 }, expect: denied },
  { title: "404", fault: { status: 404 }, expect: wrong },
  { title: "408", fault: { status: 408 }, expect: down },
  { title: "413", fault: { status: 413 }, expect: { kind: "permanent", code: "HTTP_TOO_LARGE", scope: "item" } },
  { title: "429 with Retry-After", fault: { status: 429, headers: { "retry-after": "23" } }, expect: { ...slow, retryAfterMs: 23_000 } },
  {
    title: "429 with ratelimit-reset",
    fault: { status: 429, headers: { "ratelimit-reset": "11" } },
    expect: { ...slow, retryAfterMs: 11_000 },
  },
  { title: "429 without any header", fault: { status: 429, body: "Request Limit Exceeded" }, expect: { ...slow, retryAfterMs: 30_000 } },
  ...[500, 502, 503, 504].map((status) => ({ title: String(status), fault: { status }, expect: down })),
  { title: "503 with Retry-After", fault: { status: 503, headers: { "retry-after": "5" } }, expect: { ...down, retryAfterMs: 5_000 } },
  { title: "302", fault: { status: 302, headers: { location: "https://example.com/" } }, expect: wrong },
];

destinationContract({
  name: NAME,
  secrets: [CANARY],
  start,
  reactions,
  malformed: [
    { status: 202, body: "" },
    { status: 202, body: "<html>proxy</html>" },
    { status: 202, body: '{"message":"Event processed"}' },
    { status: 202, body: '{"status":"Event could not be processed"}' },
    { status: 202, body: '{"status":"success","dedup_key":"of-somebody-else"}' },
    // Events API v1 and proxies answer 200.
    { status: 200, body: '{"status":"success"}' },
  ],
  identity: (alert) => (alert as PagerdutyAlert).dedupKey,
  idempotent: true,
});

describe("pagerduty over an incident's life", () => {
  const send = async (world: World, changes: Partial<Incident>) => {
    const rendered = world.destination.render(delivery(incidentSubject(changes), NAME));
    expect(rendered.skip).toBeUndefined();
    const outcomes = await world.destination.send([rendered], testContext().context);
    expect(outcomes[0]?.status).toBe("delivered");
  };
  const states = (world: World) => world.received().map((alert) => `${alert.status} ${alert.triggers}`);

  it("opens one alert, adds to it, acknowledges and resolves it", async () => {
    await within({}, {}, async (world) => {
      await send(world, { revision: 1, level: "high" });
      expect(states(world)).toEqual(["triggered 1"]);
      await send(world, { revision: 2, level: "critical" });
      expect(states(world)).toEqual(["triggered 2"]);
      expect(world.received()[0]!.payload["severity"]).toBe("critical");
      await send(world, { revision: 3, status: 2 });
      expect(states(world)).toEqual(["acknowledged 2"]);
      await send(world, { revision: 4, status: 5, final: true });
      expect(states(world)).toEqual(["resolved 2"]);
      expect(world.dropped()).toBe(0);
    });
  });

  it("keeps incidents apart", async () => {
    await within({}, {}, async (world) => {
      await send(world, {});
      await send(world, { id: "11111111-21ce-5f8d-bb1e-5b1d4a6f0c90" });
      await send(world, { status: 4 });
      expect(states(world)).toEqual(["resolved 1", "triggered 1"]);
    });
  });

  const rotatedOn = (url: string, settings: object = {}) =>
    pagerduty.destination!(
      pagerduty.config.parse({ routingKey: testSecret(CANARY), previousRoutingKey: testSecret(OLD_CANARY), endpoint: url, ...settings }),
    );
  /** As the pipeline does: what a delivered revision left is there for the next. */
  const life = (world: World, destination = world.destination) => {
    let memory: string | undefined;
    return {
      over: (other: typeof destination) => void (destination = other),
      send: async (changes: Partial<Incident>) => {
        const given = delivery(incidentSubject(changes), NAME);
        const rendered = destination.render(memory === undefined || memory === "" ? given : { ...given, memory });
        const [outcome] = await destination.send([rendered], testContext().context);
        if (outcome?.status !== "delivered") throw new Error("not delivered");
        memory = outcome.memory ?? memory;
        return outcome;
      },
    };
  };
  const keysUsed = (world: World) => world.events().map((event) => (event["routing_key"] === CANARY ? "new" : "old"));

  it("stays with the routing key that opened the alert until it ends, and opens the next with the present one", async () => {
    await within({}, { routingKey: testSecret(OLD_CANARY) }, async (world) => {
      const one = life(world);
      const first = await one.send({ revision: 1 });
      expect(first.receipt).toMatch(/^202, dedup_key .+, key [0-9a-f]{8}$/);
      one.over(rotatedOn(world.url));
      await one.send({ revision: 2 });
      await one.send({ revision: 3, status: 2 });
      await one.send({ revision: 4, status: 5 });
      expect(keysUsed(world)).toEqual(["old", "old", "old", "old"]);
      expect(states(world)).toEqual(["resolved 2"]);
      await one.send({ revision: 5, status: 1 });
      await one.send({ revision: 6, status: 5 });
      expect(keysUsed(world).slice(4)).toEqual(["new", "new"]);
      expect(states(world)).toEqual(["resolved 2", "resolved 1"]);
      expect(world.dropped()).toBe(0);
    });
  });

  it("ends with both keys where nobody remembers which one it was", async () => {
    await within({}, { routingKey: testSecret(OLD_CANARY) }, async (world) => {
      await send(world, {});
      const after = { ...world, destination: rotatedOn(world.url) };
      await send(after, { id: "11111111-21ce-5f8d-bb1e-5b1d4a6f0c90" });
      await send(after, { status: 5 });
      expect(states(world)).toEqual(["resolved 1", "triggered 1"]);
      expect(keysUsed(world)).toEqual(["old", "new", "old", "new"]);
    });
  });

  it("goes on without a previous key whose integration is deleted", async () => {
    await within({}, { routingKey: testSecret(OLD_CANARY) }, async (world) => {
      const one = life(world);
      await one.send({ revision: 1 });
      await within({ routingKeys: [CANARY] }, {}, async (later) => {
        one.over(rotatedOn(later.url));
        await one.send({ revision: 2 });
        await one.send({ revision: 3, status: 5 });
        expect(states(later)).toEqual(["resolved 1"]);
      });
    });
  });

  it("does not go on without the previous key for a failure that passes", async () => {
    await within({}, {}, async (world) => {
      const destination = rotatedOn(world.url);
      world.fail({ status: 503 });
      const rendered = destination.render(delivery(incidentSubject({ status: 5 }), NAME));
      expect(await reactionOf(destination.send([rendered], testContext().context))).toEqual(down);
      expect(world.requests()).toBe(1);
    });
  });

  it("is told to wait when it sends faster than the key allows", async () => {
    await within({ eventsPerMinute: 2, retryAfter: true, now: () => 1_000_000 }, {}, async (world) => {
      await send(world, { revision: 1 });
      await send(world, { revision: 2 });
      const rendered = world.destination.render(delivery(incidentSubject(), NAME));
      const reaction = await reactionOf(world.destination.send([rendered], testContext().context));
      expect(reaction).toEqual({ ...slow, retryAfterMs: 60_000 });
      expect(world.events()).toHaveLength(2);
    });
  });

  it.each([
    ["too short", "abc"],
    ["not only letters and digits", '0123456789abcdef0123456789abcde"'],
    ["empty", ""],
  ])("pauses for a routing key that is %s, and sends nothing", async (_, key) => {
    await within({}, { routingKey: testSecret(key) }, async (world) => {
      const rendered = world.destination.render(delivery(incidentSubject(), NAME));
      const result = await world.destination.send([rendered], testContext().context).then(everythingIn, everythingIn);
      expect(await reactionOf(world.destination.send([rendered], testContext().context))).toEqual(wrong);
      if (key !== "") expect(result).not.toContain(key);
      expect(world.requests()).toBe(0);
    });
  });

  it("checks each key without opening anything, and says how to mend a wrong one", async () => {
    await within({}, { previousRoutingKey: testSecret("f".repeat(32)) }, async (world) => {
      const checks = await pagerduty.check(world.config, testContext().context);
      expect(checks.map((one) => `${one.name} ${one.ok}`)).toEqual(["routing key true", "previous routing key false"]);
      expect(checks[1]?.fix).toMatch(/integration key/);
      expect(world.received()).toEqual([]);
      expect(world.dropped()).toBe(1);
    });
    const nowhere = pagerduty.config.parse({ routingKey: testSecret(CANARY), endpoint: "http://127.0.0.1:1" });
    const [unreachable] = await pagerduty.check(nowhere, testContext().context);
    expect(unreachable).toMatchObject({ ok: false, fix: expect.stringMatching(/firewall/) as string });
  });

  const TOKEN = "canaryapitoken5b1e77";
  const services = {
    PGOOD: { status: "critical", integrationKeys: ["f".repeat(32), CANARY] },
    POFF: { status: "disabled", integrationKeys: [CANARY] },
    PREST: { status: "maintenance", integrationKeys: [CANARY] },
    POTHER: { status: "active", integrationKeys: ["f".repeat(32)] },
  } as const;
  it.each([
    ["an enabled service", { serviceId: "PGOOD" }, true, /enabled \(critical\)/, undefined],
    ["a key without a service", {}, true, /valid/, undefined],
    ["a disabled service", { serviceId: "POFF" }, false, /swallows/, /enable the service/],
    ["a service in maintenance", { serviceId: "PREST" }, false, /swallows/, /maintenance/],
    ["another service's routing key", { serviceId: "POTHER" }, false, /none of the service's/, /copy/],
    ["no such service", { serviceId: "PNONE" }, false, /no such/, /serviceId/],
    ["a wrong token", { apiToken: testSecret("wrong") }, false, /401/, /read-only/],
    ["no token", { apiToken: undefined, serviceId: "PGOOD" }, false, /without apiToken/, /apiToken/],
  ])("asks the REST API about %s", async (_, settings, ok, message, fix) => {
    await within({ apiTokens: [TOKEN], services }, { apiToken: testSecret(TOKEN), ...settings }, async (world) => {
      const { context, logged } = testContext();
      const checks = await pagerduty.check(world.config, context);
      expect(checks).toHaveLength(2);
      expect(checks[1]).toMatchObject({ ok, message: expect.stringMatching(message) as string });
      if (fix !== undefined) expect(checks[1]!.fix).toMatch(fix);
      expect(everythingIn(checks) + logged.join("")).not.toMatch(new RegExp(`${TOKEN}|${CANARY}`));
      expect(world.received()).toEqual([]);
    });
  });

  it.each([
    [{ status: 429 }, /limit/],
    [{ status: 500 }, /500/],
    [{ status: 200, body: "<html>" }, /200/],
    [{ status: 200, body: '{"service":{}}' }, /no service/],
    [{ connection: "reset" as const }, /connection/],
  ])("says what is wrong when the REST API answers %j", async (fault, message) => {
    await within({}, { apiToken: testSecret(TOKEN), serviceId: "PGOOD" }, async (world) => {
      world.fail({ status: 202, body: '{"status":"success"}', headers: { "content-type": "application/json" } }, fault);
      const [, service] = await pagerduty.check(world.config, testContext().context);
      expect(service).toMatchObject({ ok: false, message: expect.stringMatching(message) as string, fix: expect.any(String) as string });
    });
  });
});
