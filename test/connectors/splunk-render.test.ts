import { describe, expect, it } from "vitest";
import splunk from "../../connectors/splunk/splunk.ts";
import { textsOf } from "../contract/destination.ts";
import { testSecret } from "../fixtures/context.ts";
import { hostileAlert, hostileIncident, hugeIncident } from "../fixtures/hostile.ts";
import { referenceJson } from "../fixtures/reference.ts";
import { alertSubject, delivery, incidentSubject } from "../fixtures/subjects.ts";

const NAME = "splunk/main";

describe("a Splunk event", () => {
  const destinationWith = (changes: object) =>
    splunk.destination!(splunk.config.parse({ url: "https://splunk.example.com:8088", token: testSecret("t"), ...changes }));
  const destination = destinationWith({ index: "security" });
  const envelope = (subject: Parameters<typeof delivery>[0]) => JSON.parse(destination.render(delivery(subject, NAME)).body) as Envelope;

  it.each([
    ["alert", alertSubject()],
    ["incident", incidentSubject()],
  ] as const)("looks like the sample: %s", async (kind, subject) => {
    await expect(`${JSON.stringify(envelope(subject), null, 2)}\n`).toMatchFileSnapshot(
      `../../connectors/splunk/samples/${kind}.json.golden`,
    );
  });

  it("writes its time as plain seconds with milliseconds", () => {
    const times: readonly (readonly [number, string])[] = [
      [1_787_389_243_512, "1787389243.512"],
      [1_787_389_243_000, "1787389243.000"],
      [1, "0.001"],
      [0, "0.000"],
      [253_402_300_799_999, "253402300799.999"],
    ];
    for (const [lastTime, text] of times) {
      expect(destination.render(delivery(alertSubject({ lastTime }), NAME)).body.startsWith(`{"time":${text},`)).toBe(true);
    }
  });

  it.each([Number.NaN, -1, 1.5, Infinity, 253_402_300_800_000])("refuses a time that is none: %d", (lastTime) => {
    expect(() => destination.render(delivery(alertSubject({ lastTime }), NAME))).toThrowError(
      expect.objectContaining({ kind: "poison", code: "RENDER_CONTRACT" }),
    );
  });

  it("uses only fields of the CIM model Alerts, with all that it requires, and our own object", () => {
    const model = referenceJson<{
      objects: readonly { fields: readonly { name: string; type: string; expected_values?: readonly string[] }[] }[];
    }>("reference/cim/pytest-splunk-addon-data_models/Alerts.json");
    if (model === undefined) return;
    const fields = new Map(model.objects.flatMap((object) => object.fields.map((field) => [field.name, field])));
    for (const subject of [alertSubject(), incidentSubject(), hostileAlert(), hostileIncident(), hugeIncident(), bare()]) {
      const event = envelope(subject).event;
      for (const [name, value] of Object.entries(event)) {
        if (name === "custodes") continue;
        expect(fields.has(name), name).toBe(true);
        const allowed = fields.get(name)?.expected_values;
        if (allowed !== undefined) expect(allowed).toContain(value);
      }
      for (const field of fields.values()) if (field.type === "required") expect(event[field.name], field.name).toBeTruthy();
    }
  });

  it("lets no content choose index, source, source type or host", () => {
    for (const subject of [hostileAlert(), hostileIncident()]) {
      const { index, source, sourcetype, host } = envelope(subject);
      expect({ index, source, sourcetype, host }).toEqual({
        index: "security",
        source: "custodes",
        sourcetype: `custodes:${subject.kind}`,
        host: "custodes",
      });
    }
    const body = JSON.parse(destinationWith({}).render(delivery(alertSubject(), NAME)).body) as Envelope;
    expect("index" in body).toBe(false);
  });

  it("keeps indexed fields flat", () => {
    for (const subject of [alertSubject(), hostileIncident()])
      for (const value of Object.values(envelope(subject).fields)) expect(typeof value).toBe("string");
  });

  it("fits its limit with any text, in any script, in any number", () => {
    for (const filler of ["\u4e2d", "\u{1f600}", '"', "\\", "\u202e", "\u00e9", "\ud800"]) {
      const text = filler.repeat(20_000);
      const many = Array.from({ length: 500 }, (_, index) => `${index}${text.slice(0, 2_000)}`);
      const subject = incidentSubject({
        title: text,
        story: text,
        entity: text,
        agentUid: text,
        agentName: text,
        agentOwner: text,
        id: text,
        hosts: many,
        ips: many,
        users: many,
        credentials: many,
        runbooks: many,
        actions: many,
        tags: many,
        coverage: { state: "partial", missing: many, watermark: 0 },
        maps: many.map((id) => ({ framework: text, version: text, id })),
      });
      const rendered = destination.render(delivery(subject, `splunk/${text}`));
      expect(rendered.bytes).toBeLessThanOrEqual(destination.limits.itemBytes);
      expect(textsOf(JSON.parse(rendered.body)).every((one) => one.isWellFormed())).toBe(true);
    }
  });

  it("says when and how far it was shortened, and still counts everything", () => {
    const own = envelope(hugeIncident(5_000)).event["custodes"] as Record<string, unknown>;
    expect(own).toMatchObject({ alerts_total: 5_000, timeline_total: 5_000 });
    expect(own["shortened"]).toBeGreaterThan(0);
    expect(envelope(incidentSubject()).event["custodes"]).not.toHaveProperty("shortened");
  });
});

describe("the Splunk configuration", () => {
  const valid = { url: "https://splunk.example.com:8088", token: testSecret("t") };

  it("describes every key", () => {
    const { shape } = splunk.config as unknown as { shape: Record<string, { description?: string }> };
    for (const [key, schema] of Object.entries(shape)) expect(schema.description, key).toBeTruthy();
  });

  it.each([
    ["a secret in clear text", { token: "5a9e3b1c" }],
    ["credentials in the URL", { url: "https://u:p@splunk.example.com:8088" }],
    ["a query in the URL", { url: "https://splunk.example.com:8088?token=x" }],
    ["plain http to another machine", { url: "http://splunk.example.com:8088" }],
    ["plain http to another machine's management port", { management: { url: "http://splunk:8089", token: testSecret("t") } }],
    ["a management port without a token", { management: { url: "https://splunk:8089" } }],
    ["a cookie whose name is none", { stickyCookie: "a=b" }],
    ["asking for acknowledgements all the time", { ackEveryMs: 10 }],
    ["a channel that is no GUID", { channel: "main" }],
    ["an index with a wildcard", { index: "sec*" }],
    ["an unknown key", { indx: "main" }],
  ])("refuses %s", (_, change) => {
    expect(splunk.config.safeParse({ ...valid, ...change }).success).toBe(false);
  });

  it("permits plain http to this machine, or where it is allowed", () => {
    expect(splunk.config.safeParse({ ...valid, url: "http://127.0.0.1:8088" }).success).toBe(true);
    expect(splunk.config.safeParse({ ...valid, url: "http://splunk:8088", allowHttp: true }).success).toBe(true);
  });
});

interface Envelope {
  readonly index?: string;
  readonly source: string;
  readonly sourcetype: string;
  readonly host: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly event: Readonly<Record<string, unknown>>;
}

/** An alert about which nothing is known but that it happened. */
function bare(): ReturnType<typeof alertSubject> {
  const subject = alertSubject({ group: {}, agents: [], evidence: [] });
  return {
    ...subject,
    rule: { ...subject.rule, tags: [], maps: [], risk: undefined, runbook: undefined, references: [], response: undefined },
    evidence: [],
  };
}
