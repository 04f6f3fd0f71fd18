import { describe, expect, it } from "vitest";
import servicenow from "../../connectors/servicenow/servicenow.ts";
import type { Incident } from "../../src/core/incident.ts";
import type { FindingSubject } from "../../src/ports/connector.ts";
import { connectorWide, destinationContract, reactionOf, type DestinationContract, type Reaction } from "../contract/destination.ts";
import { testContext, testSecret } from "../fixtures/context.ts";
import { hostileAlert, hostileIncident, hugeIncident } from "../fixtures/hostile.ts";
import { alertDeliveries, alertSubject, delivery, incidentSubject } from "../fixtures/subjects.ts";
import { eventError } from "../simulators/servicenow.ts";
import { NAME, NOW, PASSWORD, start, TOKEN, within, type World } from "./servicenow-world.ts";

const denied = connectorWide("permanent", "HTTP_DENIED");
const wrong = connectorWide("permanent", "DESTINATION_CONFIG");
const down = connectorWide("retryable", "HTTP_UNAVAILABLE");
const slow = connectorWide("retryable", "HTTP_THROTTLED");
const item = (code: Reaction["code"]): Reaction => ({ kind: "permanent", code, scope: "item" });
const failure = (status: number) => ({
  status,
  headers: { "content-type": "application/json" },
  body: '{"error":{"message":"no","detail":""},"status":"failure"}',
});
const reset = String(Math.floor(NOW / 1000) + 90);
const reactions: DestinationContract["reactions"] = [
  { title: "400", fault: failure(400), expect: item("HTTP_REJECTED") },
  { title: "401", fault: failure(401), expect: denied },
  { title: "403", fault: failure(403), expect: denied },
  { title: "404", fault: failure(404), expect: wrong },
  { title: "405", fault: failure(405), expect: wrong },
  { title: "413", fault: failure(413), expect: item("HTTP_TOO_LARGE") },
  { title: "429 with Retry-After", fault: { status: 429, headers: { "retry-after": "9" } }, expect: { ...slow, retryAfterMs: 9_000 } },
  {
    title: "429 with a reset",
    fault: { status: 429, headers: { "x-ratelimit-reset": reset } },
    expect: { ...slow, retryAfterMs: Number(reset) * 1000 - NOW },
  },
  {
    title: "429 with a nonsense reset",
    fault: { status: 429, headers: { "x-ratelimit-reset": "soon" } },
    expect: { ...slow, retryAfterMs: 60_000 },
  },
  { title: "429 without any header", fault: { status: 429 }, expect: { ...slow, retryAfterMs: 60_000 } },
  ...[408, 500, 502, 503].map((status) => ({ title: String(status), fault: { status }, expect: down })),
  { title: "503 with Retry-After", fault: { status: 503, headers: { "retry-after": "5" } }, expect: { ...down, retryAfterMs: 5_000 } },
  { title: "302", fault: { status: 302, headers: { location: "https://example.com/" } }, expect: wrong },
];
const json = { "content-type": "application/json" };
const malformed: DestinationContract["malformed"] = [
  { status: 200, headers: { "content-type": "text/html" }, body: "<html>Instance Hibernating page</html>" },
  { status: 200, headers: { "content-type": "text/html" }, body: '{"result":{"x":"1 events were inserted"}}' },
  { status: 200, headers: json, body: "" },
  { status: 200, headers: json, body: '{"result":"x"}' },
  { status: 202, headers: json, body: '{"result":{}}' },
];

destinationContract({
  name: NAME,
  secrets: [PASSWORD, btoa(`custodes:${String.fromCharCode(...new TextEncoder().encode(PASSWORD))}`)],
  start,
  reactions,
  malformed: [...malformed, { status: 200, headers: json, body: '{"result":{"Default Bulk Endpoint":"0 events were inserted"}}' }],
  identity: (alert) => String((alert as { message_key?: unknown }).message_key),
  idempotent: true,
});

destinationContract({
  name: "servicenow/records",
  secrets: [TOKEN],
  start: () => start({}, { api: "incidents", username: undefined, password: undefined, token: testSecret(TOKEN) }),
  reactions,
  malformed,
  identity: (record) => String((record as { correlation_id?: unknown }).correlation_id),
  idempotent: true,
});

const life = (world: World) => {
  let memory: string | undefined;
  return async (changes: Partial<Incident>) => {
    const given = delivery(incidentSubject(changes), NAME);
    const rendered = world.destination.render(memory === undefined ? given : { ...given, memory });
    const [outcome] = await world.destination.send([rendered], testContext().context);
    if (outcome?.status === "delivered") memory = outcome.memory ?? memory;
    return outcome;
  };
};
const sent = (world: World, changes: Partial<Incident> = {}) =>
  reactionOf(world.destination.send([world.destination.render(delivery(incidentSubject(changes), NAME))], testContext().context));

describe("servicenow's events", () => {
  it("are one alert over an incident's life, and clear it", async () => {
    await within({}, {}, async (world) => {
      const send = life(world);
      expect(await send({ revision: 1, level: "high" })).toMatchObject({
        receipt: `event, message key custodes:incident:${incidentSubject().incident.id}`,
      });
      expect(world.received()).toMatchObject([{ severity: "2", resolution_state: "New", events: 1 }]);
      await send({ revision: 2, level: "critical" });
      await send({ revision: 3, status: 5 });
      expect(world.received()).toMatchObject([{ severity: "0", resolution_state: "Closing", events: 3 }]);
    });
  });

  it("go out many at once; one that is refused has the batch halved by whoever sends it", async () => {
    await within({}, {}, async (world) => {
      const batch = alertDeliveries(50, NAME).map((one) => world.destination.render(one));
      expect((await world.destination.send(batch, testContext().context)).every(({ status }) => status === "delivered")).toBe(true);
      expect(world.requests()).toBe(1);
      expect(world.received()).toHaveLength(50);
      const bad = { ...batch[0]!, body: batch[0]!.body.replace('"severity":"2"', '"severity":"9"') };
      expect(await reactionOf(world.destination.send([batch[1]!, bad], testContext().context))).toEqual(item("HTTP_REJECTED"));
    });
  });

  it.each([
    ["informational", "5"],
    ["low", "4"],
    ["medium", "3"],
    ["high", "2"],
    ["critical", "1"],
  ] as const)("have for level %s the severity %s", (level, severity) => {
    const config = servicenow.config.parse({ url: "https://acme.service-now.com", token: testSecret("x") });
    const { body } = servicenow.destination!(config).render(delivery(alertSubject({ level }), NAME));
    expect(JSON.parse(body)).toMatchObject({ severity });
  });

  const subjects: readonly (readonly [string, FindingSubject])[] = [
    ["an alert", alertSubject()],
    ["an incident", incidentSubject()],
    ["a hostile alert", hostileAlert()],
    ["a hostile incident", hostileIncident()],
    ["a huge incident", hugeIncident()],
    [
      "an incident with nothing in it",
      incidentSubject({ title: "", story: "", users: [], hosts: [], agentUid: undefined, agentName: undefined }),
    ],
  ];
  it.each(subjects)("keep to the fields and their lengths: %s", (_, subject) => {
    const config = servicenow.config.parse({ url: "https://acme.service-now.com", token: testSecret("x") });
    let rendered: string;
    try {
      rendered = servicenow.destination!(config).render(delivery(subject, NAME)).body;
    } catch (error) {
      // An id that no query could hold.
      expect(error).toMatchObject({ code: "RENDER_CONTRACT" });
      return;
    }
    expect(eventError(JSON.parse(rendered))).toBeUndefined();
  });

  it("need the role for it", async () => {
    await within({ mayPushEvents: false }, {}, async (world) => expect(await sent(world)).toEqual(denied));
  });

  it("are refused when the id would begin another condition of a query", () => {
    const config = servicenow.config.parse({ url: "https://acme.service-now.com", token: testSecret("x") });
    for (const id of ["", "a^ORstate=1", "a b", "x".repeat(81)])
      expect(() => servicenow.destination!(config).render(delivery(incidentSubject({ id }), NAME))).toThrow(
        expect.objectContaining({ code: "RENDER_CONTRACT" }) as Error,
      );
  });
});

describe("servicenow's records", () => {
  const api = { api: "incidents" } as const;

  it("are made once, get a note for each revision, and keep what people have changed", async () => {
    await within({}, { ...api, category: "security" }, async (world) => {
      const send = life(world);
      expect(await send({ revision: 1, level: "high" })).toMatchObject({
        receipt: expect.stringMatching(/^INC0000001 [0-9a-f]{32}$/) as string,
      });
      expect(world.received()).toMatchObject([{ impact: "1", urgency: "2", category: "security", correlation_display: "custodes" }]);
      (world.received()[0] as Record<string, string>)["impact"] = "3";
      (world.received()[0] as Record<string, string>)["short_description"] = "mine";
      await send({ revision: 2, level: "high" });
      expect(world.received()).toMatchObject([{ impact: "3", short_description: "mine" }]);
      await send({ revision: 3, level: "critical" });
      expect(world.received()).toMatchObject([{ impact: "1", urgency: "1", short_description: "mine" }]);
      await send({ revision: 4, status: 5 });
      expect(world.notes().map((note) => /revision (\d), level (\w+)(: closed)?/.exec(note)?.slice(1, 4).join(" "))).toEqual([
        "1 high ",
        "2 high ",
        "3 critical ",
        "4 critical : closed",
      ]);
      expect(world.received()[0]).not.toHaveProperty("state");
      expect(world.requests(), "looked for once, before it was made").toBe(5);
    });
  });

  it("are resolved where the configuration says how", async () => {
    await within({}, { ...api, closeState: "6", closeCode: "Solution provided" }, async (world) => {
      const send = life(world);
      await send({ revision: 1 });
      await send({ revision: 2, status: 5, closure: { how: "person", by: "ann", reason: "test", time: NOW } });
      expect(world.received()).toMatchObject([{ state: "6", close_code: "Solution provided", close_notes: "closed, person, ann, test" }]);
    });
  });

  it("are found again when the answer was lost", async () => {
    await within({}, api, async (world) => {
      world.fail({}, { connection: "reset", stored: true });
      expect(await sent(world)).toMatchObject({ kind: "retryable" });
      expect(await sent(world)).toBeUndefined();
      expect(world.received()).toHaveLength(1);
    });
  });

  it("that somebody deleted become a dead letter, and pause nothing", async () => {
    await within({}, api, async (world) => {
      const send = life(world);
      await send({ revision: 1 });
      world.wipe();
      expect(await send({ revision: 2 })).toMatchObject({ status: "failed", kind: "permanent", code: "HTTP_REJECTED" });
    });
  });

  it.each([
    ["written", { readonlyFields: ["correlation_id"] }],
    ["read", { hiddenFields: ["correlation_id"] }],
  ])("are not multiplied when correlation_id may not be %s", async (_, options) => {
    await within(options, api, async (world) => {
      expect(await sent(world)).toEqual(wrong);
      expect(await sent(world, { id: "other" })).toEqual(wrong);
    });
  });

  it.each([
    ["POST", { status: 201, headers: json, body: '{"result":{"correlation_id":"CORRELATION","number":"INC1"}}' }],
    ["POST", { status: 200, headers: { "content-type": "text/html" }, body: "<html>" }],
  ])("are not taken for made without a sys_id: %s %j", async (_, fault) => {
    await within({}, api, async (world) => {
      const correlation = `custodes:incident:${incidentSubject().incident.id}`;
      world.fail({}, { ...fault, body: fault.body.replace("CORRELATION", correlation) });
      expect(await sent(world)).toMatchObject({ kind: "retryable", code: "HTTP_MALFORMED" });
    });
  });

  it.each([401, 403, 429, 500])("answer %i while they are made or changed", async (status) => {
    await within({}, api, async (world) => {
      world.fail({}, { status });
      expect((await sent(world))?.kind).toBe(status < 429 ? "permanent" : "retryable");
      const send = life(world);
      await send({ revision: 1 });
      world.fail({ status });
      await expect(send({ revision: 2 })).rejects.toMatchObject({ scope: "connector" });
    });
  });
});

it("takes only so much an hour", async () => {
  await within({ perHour: 1, now: () => NOW }, {}, async (world) => {
    expect(await sent(world)).toBeUndefined();
    expect(await sent(world)).toEqual({ ...slow, retryAfterMs: (Math.ceil(NOW / 1000) + 600) * 1000 - NOW });
  });
});
