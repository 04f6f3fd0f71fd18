import { describe, expect, it } from "vitest";
import { ERRORS } from "../../connectors/slack/answers.ts";
import slack from "../../connectors/slack/slack.ts";
import type { Incident } from "../../src/core/incident.ts";
import type { HttpFault } from "../../src/simulators/http-server.ts";
import type { FindingSubject } from "../../src/ports/connector.ts";
import { connectorWide, destinationContract, reactionOf, type DestinationContract, type Reaction } from "../contract/destination.ts";
import { everythingIn, testContext, testSecret } from "../fixtures/context.ts";
import { hostileAlert, hostileIncident, hugeIncident } from "../fixtures/hostile.ts";
import { alertSubject, delivery, incidentSubject } from "../fixtures/subjects.ts";
import { messageError } from "../simulators/slack-blocks.ts";
import { startSlackSimulator, type SlackMessage, type SlackSimulatorOptions } from "../simulators/slack.ts";

const NAME = "slack/soc";
const TOKEN = "xoxb-canary-7f3a91c2d4";
const HOOK = "T0CANARY/B0CANARY/canary9c41e7";
const CHANNEL = "C0123456789";

async function start(options: SlackSimulatorOptions = {}, settings: Readonly<Record<string, unknown>> = {}) {
  const simulator = await startSlackSimulator({ token: TOKEN, webhook: HOOK, ...options });
  const keys = {
    token: testSecret(TOKEN),
    channel: CHANNEL,
    endpoint: simulator.url,
    incidentUrl: "https://soc.example.com/{id}",
    ...settings,
  };
  const config = slack.config.parse(keys);
  return { ...simulator, config, destination: slack.destination!(config) };
}
const startHook = async (options: SlackSimulatorOptions = {}) => {
  const simulator = await startSlackSimulator({ token: TOKEN, webhook: HOOK, ...options });
  const config = slack.config.parse({ webhookUrl: testSecret(`${simulator.url}/services/${HOOK}`), endpoint: simulator.url });
  return { ...simulator, config, destination: slack.destination!(config) };
};
type World = Awaited<ReturnType<typeof start>>;
async function within(options: SlackSimulatorOptions, settings: Readonly<Record<string, unknown>>, run: (world: World) => Promise<void>) {
  const world = await start(options, settings);
  try {
    await run(world);
  } finally {
    await world.close();
  }
}

const denied = connectorWide("permanent", "HTTP_DENIED");
const wrong = connectorWide("permanent", "DESTINATION_CONFIG");
const down = connectorWide("retryable", "HTTP_UNAVAILABLE");
const slow = connectorWide("retryable", "HTTP_THROTTLED");
const item = (code: Reaction["code"]): Reaction => ({ kind: "permanent", code, scope: "item" });
const said = (error: string): HttpFault => ({
  status: 200,
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ ok: false, error }),
});
const BY_VERDICT = {
  denied,
  config: wrong,
  refused: item("HTTP_REJECTED"),
  large: item("HTTP_TOO_LARGE"),
  throttled: { ...slow, retryAfterMs: 30_000 },
  unavailable: down,
} as const;

const statuses: DestinationContract["reactions"] = [
  { title: "429 with Retry-After", fault: { status: 429, headers: { "retry-after": "7" } }, expect: { ...slow, retryAfterMs: 7_000 } },
  { title: "429 without any header", fault: { status: 429 }, expect: { ...slow, retryAfterMs: 30_000 } },
  ...[408, 500, 502, 503].map((status) => ({ title: String(status), fault: { status }, expect: down })),
  { title: "400", fault: { status: 400 }, expect: item("HTTP_REJECTED") },
  { title: "401", fault: { status: 401 }, expect: denied },
  { title: "403", fault: { status: 403 }, expect: denied },
  { title: "404", fault: { status: 404 }, expect: wrong },
  { title: "413", fault: { status: 413 }, expect: item("HTTP_TOO_LARGE") },
  { title: "302", fault: { status: 302, headers: { location: "https://example.com/" } }, expect: wrong },
];

destinationContract({
  name: NAME,
  secrets: [TOKEN],
  start,
  reactions: [
    ...statuses,
    ...[...ERRORS].flatMap(([error, verdict]) =>
      verdict === "gone" ? [] : [{ title: `200 ${error}`, fault: said(error), expect: BY_VERDICT[verdict] }],
    ),
    { title: "200 with an error that nobody knows", fault: said("brand_new_error"), expect: wrong },
    { title: "200 with an error that has a name of ours", fault: said("constructor"), expect: wrong },
  ],
  malformed: [
    { status: 200, body: "" },
    { status: 200, body: "<html>proxy</html>" },
    { status: 200, body: '{"ok":true}' },
    { status: 200, body: '{"ok":true,"channel":"C0123456789","ts":"now"}' },
    { status: 200, body: '{"ok":false}' },
    { status: 200, body: "ok" },
    { status: 202, body: '{"ok":true,"channel":"C0123456789","ts":"1.1"}' },
  ],
  identity: (message) => String(((message as SlackMessage).metadata?.["event_payload"] as { key?: unknown } | undefined)?.key),
  idempotent: false,
});

destinationContract({
  name: "slack/hook",
  secrets: [HOOK],
  start: startHook,
  reactions: [
    ...statuses,
    ...["invalid_payload", "no_text", "too_many_attachments"].map((body) => ({
      title: `400 ${body}`,
      fault: { status: 400, body },
      expect: item("HTTP_REJECTED"),
    })),
    ...["action_prohibited", "invalid_token"].map((body) => ({ title: `403 ${body}`, fault: { status: 403, body }, expect: denied })),
    ...["channel_not_found", "no_service", "no_team"].map((body) => ({
      title: `404 ${body}`,
      fault: { status: 404, body },
      expect: wrong,
    })),
    { title: "410 channel_is_archived", fault: { status: 410, body: "channel_is_archived" }, expect: wrong },
  ],
  malformed: [
    { status: 200, body: "" },
    { status: 200, body: "<html>proxy</html>" },
    { status: 201, body: "ok" },
  ],
  // Nothing in a webhook's message names the delivery but its last line.
  identity: (message) => JSON.stringify((message as SlackMessage).blocks.at(-1)),
  idempotent: false,
});

const life = (world: World) => {
  let memory: string | undefined;
  return async (changes: Partial<Incident>) => {
    const given = delivery(incidentSubject(changes), NAME);
    const rendered = world.destination.render(memory === undefined ? given : { ...given, memory });
    const [outcome] = await world.destination.send([rendered], testContext().context);
    if (outcome?.status !== "delivered") throw new Error("not delivered");
    memory = outcome.memory ?? memory;
    return outcome.receipt;
  };
};
const headers = (world: World) => world.received().map(({ blocks }) => (blocks[0]!["text"] as { text: string }).text.slice(0, 25));

describe("slack over an incident's life", () => {
  it("posts one message and edits it", async () => {
    await within({}, {}, async (world) => {
      const send = life(world);
      expect(await send({ revision: 1, level: "high" })).toMatch(/^C0123456789 \d+\.\d+$/);
      await send({ revision: 2 });
      await send({ revision: 3, status: 5 });
      expect(world.received().map(({ edits, unfurl }) => [edits, unfurl])).toEqual([[2, false]]);
      expect(headers(world)).toEqual(["[closed, was critical] inv"].map((text) => text.slice(0, 25)));
      expect(world.received()[0]!.metadata).toMatchObject({ event_type: "custodes_incident", event_payload: { revision: 3 } });
    });
  });

  it("answers in the thread of the first message where that is wanted", async () => {
    await within({}, { updates: "thread" }, async (world) => {
      const send = life(world);
      for (const revision of [1, 2, 3]) await send({ revision });
      const [first, ...answers] = world.received();
      expect(first!.threadTs).toBeUndefined();
      expect(answers.map(({ threadTs, unfurl }) => [threadTs, unfurl])).toEqual([
        [first!.ts, false],
        [first!.ts, false],
      ]);
    });
  });

  it.each(["message_not_found", "cant_update_message", "edit_window_closed"])("posts anew where the message answers %s", async (error) => {
    await within({}, {}, async (world) => {
      const send = life(world);
      await send({ revision: 1 });
      if (error === "message_not_found") world.wipe();
      else world.fail(said(error));
      await send({ revision: 2 });
      await send({ revision: 3 });
      expect(world.received().at(-1)).toMatchObject({ edits: 1, unfurl: false, threadTs: undefined });
    });
  });

  it("asks for no more when even a new message is answered like an old one", async () => {
    await within({}, {}, async (world) => {
      world.fail(said("message_not_found"), said("message_not_found"));
      const rendered = world.destination.render(delivery(incidentSubject(), NAME));
      expect(await reactionOf(world.destination.send([rendered], testContext().context))).toEqual(wrong);
      expect(world.requests()).toBe(2);
    });
  });

  it("takes no foreign memory for a place", () => {
    const config = slack.config.parse({ token: testSecret(TOKEN), channel: CHANNEL });
    for (const memory of ["", "x", `${CHANNEL}:1.1","x":"`, `c${CHANNEL}:1.1`])
      expect(slack.destination!(config).render({ ...delivery(incidentSubject(), NAME), memory }).meta).toEqual({
        method: "chat.postMessage",
      });
  });

  it("is told to wait when it posts faster than the channel allows", async () => {
    await within({ perMinute: 1, now: () => 1_000_000 }, {}, async (world) => {
      await life(world)({});
      const rendered = world.destination.render(delivery(alertSubject(), NAME));
      expect(await reactionOf(world.destination.send([rendered], testContext().context))).toEqual({ ...slow, retryAfterMs: 30_000 });
      expect(world.destination.limits.perMinute).toBeLessThanOrEqual(60);
    });
  });
});

describe("slack's messages", () => {
  const subjects: readonly (readonly [string, FindingSubject])[] = [
    ["an alert", alertSubject()],
    ["an incident", incidentSubject()],
    ["a hostile alert", hostileAlert()],
    ["a hostile incident", hostileIncident()],
    ["a huge incident", hugeIncident()],
    [
      "an incident with nothing in it",
      incidentSubject({ title: "", story: "", users: [], hosts: [], runbooks: [], agentUid: undefined, agentName: undefined }),
    ],
    [
      "an incident of long texts",
      incidentSubject({
        title: "t".repeat(5000),
        story: "s".repeat(9000),
        why: "w".repeat(9000),
        runbooks: Array.from({ length: 20 }, (_, index) => `https://x.example/${index}${"r".repeat(480)}`),
      }),
    ],
  ];
  it.each(subjects)("keep to every limit: %s", (_, subject) => {
    for (const settings of [{ token: testSecret(TOKEN), channel: CHANNEL }, { webhookUrl: testSecret("x") }]) {
      const config = slack.config.parse({ ...settings, incidentUrl: `https://soc.example.com/${"p".repeat(400)}/{id}` });
      const message = JSON.parse(slack.destination!(config).render(delivery(subject, NAME)).body) as Readonly<Record<string, unknown>>;
      expect(messageError(message)).toBeUndefined();
      expect(String(message["text"]).length).toBeLessThanOrEqual(4000);
    }
  });

  it("hold no markup that an event could have chosen", () => {
    const evil = "<!channel> <https://evil.example|Reset password> *x* @here & <@U1>";
    const subject = incidentSubject({ title: evil, story: evil, users: [evil], agentName: evil, why: evil, hosts: [evil] });
    const config = slack.config.parse({ token: testSecret(TOKEN), channel: CHANNEL });
    const { text, blocks } = JSON.parse(slack.destination!(config).render(delivery(subject, NAME)).body) as {
      text: string;
      blocks: unknown;
    };
    expect(text).toContain("&lt;!channel&gt; &lt;https://evil.example|Reset password&gt;");
    expect(text).not.toMatch(/[<>]/);
    expect(JSON.stringify(blocks)).not.toContain('"mrkdwn"');
    expect(JSON.stringify(blocks)).not.toContain('"emoji":true');
  });

  it("link only to web addresses of rules and the configuration", () => {
    const runbooks = ["javascript:alert(1)", "https://u:p@x.example/", "https://runbooks.example.com/a"];
    const config = slack.config.parse({ token: testSecret(TOKEN), channel: CHANNEL, incidentUrl: "https://soc.example.com/{id}" });
    const body = slack.destination!(config).render(delivery(incidentSubject({ runbooks, id: "a/b?c" }), NAME)).body;
    const urls = [...body.matchAll(/"url":"([^"]+)"/g)].map((match) => match[1]);
    expect(urls).toEqual(["https://soc.example.com/a%2Fb%3Fc", "https://runbooks.example.com/a"]);
  });

  it.each([
    ["alert", alertSubject(), undefined],
    ["incident", incidentSubject(), undefined],
    ["incident-closed", incidentSubject({ status: 5, revision: 4 }), `${CHANNEL}:1700000001.000100`],
  ] as const)("look like this: %s", async (name, subject, memory) => {
    const config = slack.config.parse({ token: testSecret(TOKEN), channel: CHANNEL, incidentUrl: "https://soc.example.com/{id}" });
    const given = delivery(subject, NAME);
    const { body } = slack.destination!(config).render(memory === undefined ? given : { ...given, memory });
    await expect(`${JSON.stringify(JSON.parse(body), undefined, 2)}\n`).toMatchFileSnapshot(
      `../../connectors/slack/samples/${name}.json.golden`,
    );
  });
});

describe("slack's configuration and check", () => {
  it.each([
    [{}],
    [{ token: testSecret("x") }],
    [{ token: testSecret("x"), channel: "#soc" }],
    [{ token: testSecret("x"), webhookUrl: testSecret("x"), channel: CHANNEL }],
    [{ webhookUrl: testSecret("x"), channel: CHANNEL }],
    [{ token: testSecret("x"), channel: CHANNEL, endpoint: "http://example.com:80" }],
  ])("refuses %j", (keys) => {
    expect(slack.config.safeParse(keys).success).toBe(false);
  });

  it.each([
    ["all is well", {}, {}, "token true, channel true", undefined],
    ["a wrong token", {}, { token: testSecret("nope") }, "token false", /Bot User/],
    ["no scope", { scopes: ["channels:read"] }, {}, "token false, channel true", /chat:write/],
    ["channels that may not be asked about", { scopes: ["chat:write"] }, {}, "token true, channel true", undefined],
    ["no such channel", {}, { channel: "C999" }, "token true, channel false", /invite/],
    ["an archived channel", { channels: { [CHANNEL]: { name: "soc", archived: true } } }, {}, "token true, channel false", /unarchive/],
    ["a channel without the bot", { channels: { [CHANNEL]: { name: "soc", member: false } } }, {}, "token true, channel false", /invite/],
  ])("finds %s", async (_, options, settings, expected, fix) => {
    await within(options, settings, async (world) => {
      const checks = await slack.check(world.config, testContext().context);
      expect(checks.map(({ name, ok }) => `${name} ${ok}`).join(", ")).toBe(expected);
      if (fix !== undefined) expect(checks.find(({ ok }) => !ok)?.fix).toMatch(fix);
      expect(everythingIn(checks)).not.toContain(TOKEN);
      expect(world.received()).toEqual([]);
    });
  });

  it("finds out whether a webhook is there without a message", async () => {
    const world = await startHook();
    try {
      expect(await slack.check(world.config, testContext().context)).toMatchObject([{ ok: true }]);
      const gone = slack.config.parse({ webhookUrl: testSecret(`${world.url}/services/T/B/gone`), endpoint: world.url });
      expect(await slack.check(gone, testContext().context)).toMatchObject([
        { ok: false, fix: expect.stringMatching(/new incoming webhook/) as string },
      ]);
      const foreign = slack.config.parse({ webhookUrl: testSecret("https://evil.example/services/x") });
      const checks = await slack.check(foreign, testContext().context);
      expect(checks).toMatchObject([{ ok: false }]);
      expect(everythingIn(checks)).not.toContain("evil.example");
      expect(world.received()).toEqual([]);
    } finally {
      await world.close();
    }
  });

  it("sends a webhook's message nowhere but to Slack", async () => {
    const config = slack.config.parse({ webhookUrl: testSecret("https://evil.example/services/T/B/x") });
    const destination = slack.destination!(config);
    const batch = [destination.render(delivery(incidentSubject(), NAME))];
    expect(await reactionOf(destination.send(batch, testContext().context))).toEqual(wrong);
  });
});
