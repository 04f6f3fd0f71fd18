import { describe, expect, it } from "vitest";
import slack from "../../connectors/slack/slack.ts";
import type { FindingSubject } from "../../src/ports/connector.ts";
import { connectorWide, reactionOf } from "../contract/destination.ts";
import { everythingIn, testContext, testSecret } from "../fixtures/context.ts";
import { hostileAlert, hostileIncident, hugeIncident } from "../fixtures/hostile.ts";
import { alertSubject, delivery, incidentSubject } from "../fixtures/subjects.ts";
import { messageError } from "../simulators/slack-blocks.ts";
import { CHANNEL, NAME, startHook, TOKEN, within } from "./slack-world.ts";

const wrong = connectorWide("permanent", "DESTINATION_CONFIG");

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
