import { afterEach, beforeEach, describe, expect, it } from "vitest";
import alertmanager from "../../connectors/alertmanager/alertmanager.ts";
import type { Config } from "../../connectors/alertmanager/config.ts";
import type { Destination, FindingSubject, Outcome, Rendered } from "../../src/ports/connector.ts";
import { connectorWide, destinationContract, reactionOf, renderedAlerts, type Reaction } from "../contract/destination.ts";
import { testContext, testSecret } from "../fixtures/context.ts";
import { hostileAlert, hostileIncident, hugeIncident } from "../fixtures/hostile.ts";
import { alertSubject, delivery, incidentSubject, STORY_TIME } from "../fixtures/subjects.ts";
import { startAlertmanagerSimulator, type AlertmanagerSimulator, type KeptAlert } from "../simulators/alertmanager.ts";

const NAME = "alertmanager/main";
const AUTHORIZATION = "Basic cGxhbnRlZDpjYW5hcnktYWxlcnRtYW5hZ2Vy";
const DAY = 86_400_000;

function settings(urls: string | readonly string[], changes: object = {}): Config {
  return alertmanager.config.parse({ urls: [urls].flat(), authorization: testSecret(AUTHORIZATION), ...changes });
}
const destinationTo = (urls: string | readonly string[], changes: object = {}): Destination =>
  alertmanager.destination!(settings(urls, changes));

const refused: Reaction = { kind: "permanent", code: "HTTP_REJECTED", scope: "item" };
const configured = connectorWide("permanent", "DESTINATION_CONFIG");
const STATUSES: Readonly<Record<number, Reaction>> = {
  302: configured,
  400: refused,
  401: connectorWide("permanent", "HTTP_DENIED"),
  403: connectorWide("permanent", "HTTP_DENIED"),
  404: configured,
  405: configured,
  408: connectorWide("retryable", "HTTP_TIMEOUT"),
  413: { kind: "permanent", code: "HTTP_TOO_LARGE", scope: "item" },
  415: configured,
  422: refused,
  429: connectorWide("retryable", "HTTP_THROTTLED"),
  500: connectorWide("retryable", "HTTP_UNAVAILABLE"),
  502: connectorWide("retryable", "HTTP_UNAVAILABLE"),
  503: connectorWide("retryable", "HTTP_UNAVAILABLE"),
};

destinationContract({
  name: NAME,
  secrets: [AUTHORIZATION],
  start: async () => {
    const simulator = await startAlertmanagerSimulator({ authorization: AUTHORIZATION });
    return { ...simulator, destination: destinationTo(simulator.url, { timeoutMs: 5_000 }) };
  },
  reactions: Object.entries(STATUSES).map(([status, expected]) => ({
    title: `status ${status}`,
    fault: { status: Number(status) },
    expect: expected,
  })),
  malformed: [{ status: 200, body: "<html>log in</html>" }, { status: 200, body: "{}" }, { status: 202 }, { status: 204 }],
  identity: (received) => JSON.stringify((received as KeptAlert).labels),
  idempotent: true,
});

describe("the Alertmanager connector", () => {
  let simulator: AlertmanagerSimulator;
  beforeEach(async () => {
    simulator = await startAlertmanagerSimulator({ authorization: AUTHORIZATION });
  });
  afterEach(() => simulator.close());
  const deliver = async (subjects: readonly FindingSubject[], changes: object = {}, now?: number): Promise<readonly Outcome[]> => {
    const destination = destinationTo(simulator.url, changes);
    const batch = subjects.map((one) => destination.render(delivery(one, NAME)));
    return await destination.send(batch, testContext(now === undefined ? {} : { now }).context);
  };

  it("keeps an incident one alert over its life, and resolves it when it closes", async () => {
    const created = STORY_TIME + 130_000;
    const life: readonly Parameters<typeof incidentSubject>[0][] = [
      { revision: 1, level: "medium", title: "first", risk: 10, agentName: undefined },
      { revision: 2, level: "critical", title: "second", tags: [] },
    ];
    for (const changes of life) await deliver([incidentSubject(changes)]);
    expect(simulator.received()).toMatchObject([{ annotations: { summary: "second", level: "critical", revision: "2" } }]);
    expect(simulator.firing(created + 6 * DAY)).toHaveLength(1);
    const closure = { how: "person", by: "ann", time: STORY_TIME + 129_000 } as const;
    await deliver([incidentSubject({ revision: 3, status: 5, closure })]);
    expect(simulator.received()).toMatchObject([{ annotations: { closed: "person" }, endsAt: new Date(closure.time).toISOString() }]);
    expect(simulator.firing(created)).toEqual([]);
  });

  it("lets alerts fire for their time, under their rule's level", async () => {
    await deliver([alertSubject()], { alertFor: "10m" });
    const [one] = simulator.received();
    expect(one?.labels).toEqual({
      alertname: "CustodesAlert",
      alert_id: alertSubject().alert.id,
      rule_id: alertSubject().rule.id,
      severity: "high",
    });
    expect(Date.parse(one?.endsAt ?? "")).toBe(STORY_TIME + 130_000 + 600_000);
  });

  it.each([
    ["after now", STORY_TIME + 999_999_999, STORY_TIME + 130_000],
    ["before it began", STORY_TIME - 999_999, STORY_TIME],
  ])("is resolved also when its closing lies %s", async (_, time, expected) => {
    await deliver([incidentSubject({ status: 5, closure: { how: "quiet", time } })]);
    expect(Date.parse(simulator.received()[0]?.endsAt ?? "")).toBe(expected);
  });

  it("takes hostile texts for texts", async () => {
    expect(await reactionOf(deliver([hostileAlert(), hostileIncident(), hugeIncident()]))).toBeUndefined();
    // Hostile and huge incident have one id, but not one entity.
    expect(simulator.received()).toHaveLength(3);
    for (const { labels } of simulator.received()) for (const text of Object.values(labels)) expect(text.length).toBeLessThanOrEqual(256);
  });

  it("has a batch halved of which some were refused; those that were good are not there twice", async () => {
    const destination = destinationTo(simulator.url);
    const bad: Rendered = {
      key: "bad",
      body: '{"labels":{},"annotations":{},"startsAt":"2026-01-01T00:00:00Z","endsAt":"2026-01-02T00:00:00Z"}',
      bytes: 90,
    };
    const batch = [...renderedAlerts(destination, NAME, 3), bad];
    expect(await reactionOf(destination.send(batch, testContext().context))).toMatchObject(refused);
    expect(simulator.received()).toHaveLength(3);
    expect(await reactionOf(destination.send(batch.slice(0, 2), testContext().context))).toBeUndefined();
    expect(simulator.received()).toHaveLength(3);
  });

  it("tells every member of a cluster, and is content with one", async () => {
    const other = await startAlertmanagerSimulator({ authorization: AUTHORIZATION });
    try {
      const both = destinationTo([simulator.url, other.url]);
      const { context, logged } = testContext();
      const batch = renderedAlerts(both, NAME, 2);
      expect(await both.send(batch, context)).toMatchObject([{ receipt: "alertmanager: 2 of 2" }, { status: "delivered" }]);
      expect(other.received()).toEqual(simulator.received());
      other.fail({ status: 503 });
      expect(await both.send(batch, context)).toMatchObject([{ receipt: "alertmanager: 1 of 2" }, { status: "delivered" }]);
      expect(logged).toHaveLength(1);
      simulator.fail({ status: 401 });
      other.fail({ status: 503 });
      expect(await reactionOf(both.send(batch, context))).toMatchObject({ kind: "retryable", code: "HTTP_UNAVAILABLE" });
      simulator.fail({ status: 400 });
      expect(await reactionOf(both.send(batch, context))).toMatchObject(refused);
    } finally {
      await other.close();
    }
  });

  it("adds the configured labels, and none that would change an identity", async () => {
    await deliver([incidentSubject()], { labels: { team: "security" } });
    expect(simulator.received()[0]?.labels).toEqual({
      team: "security",
      alertname: "CustodesIncident",
      incident_id: incidentSubject().incident.id,
      entity: "agent:agent-invoice-bot",
    });
    for (const labels of [{ alertname: "x" }, { severity: "x" }, { "a-b": "x" }, { team: "" }])
      expect(alertmanager.config.safeParse({ urls: ["https://am.example.com"], labels }).success).toBe(false);
    expect(alertmanager.config.safeParse({ urls: ["http://am.mesh:9093"] }).success).toBe(false);
    expect(alertmanager.config.safeParse({ urls: [] }).success).toBe(false);
  });

  it.each([
    ["alert", alertSubject()],
    ["incident", incidentSubject()],
    ["incident-closed", incidentSubject({ revision: 4, status: 5, closure: { how: "quiet", time: STORY_TIME + 128_000 } })],
  ])("looks like the sample: %s", async (name, subject) => {
    const body = JSON.parse(destinationTo("https://am.example.com").render(delivery(subject, NAME)).body) as object;
    await expect(`${JSON.stringify(body, null, 2)}\n`).toMatchFileSnapshot(`../../connectors/alertmanager/samples/${name}.json.golden`);
  });

  it("checks every member without posting, and tells what is wrong with which", async () => {
    const verdicts = async (urls: readonly string[], changes: object = {}) =>
      (await alertmanager.check(settings(urls, changes), testContext({ timeoutMs: 500 }).context)).map((one) => [one.ok, one.fix ?? ""]);
    expect(await verdicts([simulator.url])).toEqual([[true, ""]]);
    expect(await verdicts([simulator.url], { authorization: testSecret("x") })).toEqual([
      [false, expect.stringContaining("authorization")],
    ]);
    expect(await verdicts([`${simulator.url}/am`])).toEqual([[false, expect.stringContaining("9093")]]);
    const gone = await startAlertmanagerSimulator();
    await gone.close();
    expect(await verdicts([simulator.url, gone.url])).toEqual([
      [true, ""],
      [false, expect.stringContaining("firewall")],
    ]);
    expect(simulator.received()).toEqual([]);
  });
});
