import { describe, expect, it } from "vitest";
import elastic from "../../connectors/elastic/elastic.ts";
import { ecsMappings, ownMappings } from "../../src/archetypes/ecs/fields.ts";
import { startElasticSimulator } from "../../src/simulators/elastic.ts";
import { testContext, testSecret } from "../fixtures/context.ts";
import { hostileAlert, hostileIncident, hugeIncident } from "../fixtures/hostile.ts";
import { expectEcs, mappedType, type Mapped, referenceEcs, scalars } from "../fixtures/ecs.ts";
import { alertSubject, delivery, incidentSubject, storyEvents } from "../fixtures/subjects.ts";

const NAME = "elastic/main";
const config = (changes: object = {}) =>
  elastic.config.parse({ url: "https://elastic.example.com:9200", apiKey: testSecret("k"), ...changes });
const destination = elastic.destination!(config());

interface Document {
  readonly [key: string]: unknown;
}

function lines(subject: Parameters<typeof delivery>[0]): readonly [action: Document, document: Document] {
  const body = destination.render(delivery(subject, NAME)).body;
  expect(body.endsWith("\n")).toBe(true);
  const parts = body.slice(0, -1).split("\n");
  expect(parts).toHaveLength(2);
  return [JSON.parse(parts[0]!) as Document, JSON.parse(parts[1]!) as Document];
}

const everySubject = () => [alertSubject(), incidentSubject(), hostileAlert(), hostileIncident(), hugeIncident()];

describe("an Elastic document", () => {
  it.each([
    ["alert", alertSubject()],
    ["incident", incidentSubject()],
  ] as const)("looks like the sample: %s", async (kind, subject) => {
    const [action, document] = lines(subject);
    await expect(`${JSON.stringify({ action, document }, null, 2)}\n`).toMatchFileSnapshot(
      `../../connectors/elastic/samples/${kind}.json.golden`,
    );
  });

  it("uses only ECS fields, with their types and array-ness, and our own object", () => {
    const ecs = referenceEcs();
    if (ecs === undefined) return;
    for (const subject of everySubject()) expectEcs(lines(subject)[1], ecs);
  });

  it("is one that Elastic Security promotes to an alert of the right severity", () => {
    for (const [level, severity] of [
      ["informational", 21],
      ["low", 21],
      ["medium", 47],
      ["high", 73],
      ["critical", 99],
    ] as const) {
      const [, document] = lines(alertSubject({ level }));
      expect(document).toMatchObject({ message: alertSubject().alert.ruleTitle, event: { kind: "alert", module: "custodes", severity } });
    }
  });

  it("falls back to the level where a rule names no risk, and never leaves 0 to 100", () => {
    for (const [risk, expected] of [
      [undefined, 73],
      [0, 0],
      [100, 100],
      [1e9, 100],
      [-5, 0],
      [Number.NaN, 0],
    ] as const) {
      const subject = alertSubject();
      const [, document] = lines({ ...subject, rule: { ...subject.rule, risk } });
      expect(document).toMatchObject({ event: { risk_score: expected } });
    }
  });

  it("lets no content choose index, id or operation", () => {
    for (const subject of everySubject()) {
      const of = subject.kind === "alert" ? subject.alert : subject.incident;
      const _index = subject.kind === "alert" ? "custodes-alerts" : "custodes-incidents";
      expect(lines(subject)[0]).toEqual({ index: { _index, _id: of.id, version: of.revision, version_type: "external" } });
    }
  });

  it.each([
    ["an id with a slash", { id: "a/b" }],
    ["an id that is too long", { id: "x".repeat(129) }],
    ["an empty id", { id: "" }],
    ["revision 0", { revision: 0 }],
    ["half a revision", { revision: 1.5 }],
    ["a time that is none", { lastTime: Number.NaN }],
    ["a bucket that is none", { bucket: Infinity }],
  ])("refuses %s", (_, change) => {
    expect(() => destination.render(delivery(alertSubject(change), NAME))).toThrowError(
      expect.objectContaining({ kind: "poison", code: "RENDER_CONTRACT" }),
    );
  });

  it("leaves out what the server would not take for an address", async () => {
    const good = ["10.0.0.1", "2001:db8::1", "::1", "::ffff:192.0.2.1", "2001:DB8:0:0:0:0:0:1"];
    const bad = [
      "10.0.0.01",
      "010.0.0.1",
      "1.2.3",
      "256.1.1.1",
      "fe80::1%eth0",
      "[::1]",
      ":1::2",
      "::1::",
      "db8",
      "x",
      "",
      " 10.0.0.1",
      "1:2:3:4:5:6:7:8:9",
    ];
    const [, document] = lines(incidentSubject({ ips: [...bad, ...good] }));
    expect(document).toMatchObject({ related: { ip: good } });
    const simulator = await startElasticSimulator();
    const send = elastic.destination!(
      elastic.config.parse({ url: simulator.url, apiKey: testSecret(Buffer.from("demo-key-id:demo-key-secret").toString("base64")) }),
    );
    for (const ip of [...bad, ...good]) {
      const evidence = storyEvents().map((event) => ({ ...event, srcIp: ip, dstIp: ip }));
      const rendered = send.render(delivery({ ...alertSubject(), evidence }, NAME));
      expect(await send.send([rendered], testContext().context), ip).toMatchObject([{ status: "delivered" }]);
    }
    await simulator.close();
  });

  it("says in single-valued fields only what all the evidence agrees on", () => {
    const [, several] = lines(alertSubject());
    expect(several).not.toHaveProperty("source");
    expect(several).toMatchObject({ related: { ip: ["198.51.100.23", "203.0.113.9"] }, cloud: { region: "eu-west-1" } });
    const [, one] = lines({ ...alertSubject(), evidence: storyEvents().slice(0, 1) });
    expect(one).toMatchObject({ source: { ip: "198.51.100.23" } });
    const [, agents] = lines(alertSubject({ agents: ["a", "b"] }));
    expect(agents).not.toHaveProperty("gen_ai");
    expect(agents).toMatchObject({ custodes: { agents: ["a", "b"] } });
  });

  it("keeps the gravest alerts and both ends of the timeline when it is shortened", () => {
    const subject = hugeIncident(3_000);
    const alerts = subject.incident.alerts.map((alert, index) => ({
      ...alert,
      level: index === 2_999 ? ("critical" as const) : ("low" as const),
    }));
    const own = lines({ ...subject, incident: { ...subject.incident, alerts } })[1]["custodes"] as {
      readonly alerts: readonly { id: string; level: string }[];
      readonly timeline: readonly { uid: string }[];
      readonly alerts_total: number;
    };
    expect(own.alerts[0]).toMatchObject({ level: "critical", id: alerts[2_999]!.id });
    expect(own.timeline[0]!.uid).toBe("kong:req-0");
    expect(own.timeline.at(-1)!.uid).toBe("kong:req-2999");
    expect(own.alerts_total).toBe(3_000);
  });
});

describe("the Elastic mappings and configuration", () => {
  it("has a mapping for every field that is sent", () => {
    const properties = { ...ecsMappings("elastic", false)["properties"]!, ...(ownMappings("elastic")["properties"] as Mapped) };
    for (const subject of everySubject()) {
      for (const [path, value] of scalars(lines(subject)[1], "")) {
        const type = mappedType(properties, path);
        expect(type, path).toBeDefined();
        if (typeof value === "number") expect(["long", "float"], path).toContain(type);
        else if (typeof value === "boolean") expect(type, path).toBe("boolean");
        else expect(["keyword", "date", "ip", "match_only_text"], path).toContain(type);
      }
    }
  });

  it("describes every key", () => {
    const { shape } = elastic.config as unknown as { shape: Record<string, { description?: string }> };
    for (const [key, schema] of Object.entries(shape)) expect(schema.description, key).toBeTruthy();
  });

  it.each([
    ["a key in clear text", { apiKey: "abc" }],
    ["credentials in the URL", { url: "https://elastic:changeme@elastic.example.com" }],
    ["plain http to another machine", { url: "http://elastic.example.com:9200" }],
    ["a data stream's name", { alertIndex: "logs-custodes.alert-default" }],
    ["a wildcard", { alertIndex: "custodes-*" }],
    ["several indices", { alertIndex: "custodes,other" }],
    ["upper case", { incidentIndex: "Custodes" }],
    ["a system index", { incidentIndex: ".kibana" }],
    ["an unknown key", { index: "custodes" }],
  ])("refuses %s", (_, change) => {
    expect(elastic.config.safeParse({ url: "https://elastic.example.com", apiKey: testSecret("k"), ...change }).success).toBe(false);
  });
});
