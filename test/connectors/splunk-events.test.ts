import { describe, expect, it } from "vitest";
import { MODELS, modelOf, type ModelName } from "../../connectors/splunk/models.ts";
import splunk from "../../connectors/splunk/splunk.ts";
import type { Event } from "../../src/core/event.ts";
import { safeText } from "../../src/core/safe-text.ts";
import { SPLUNK_DEMO_TOKEN, startSplunkSimulator } from "../../src/simulators/splunk.ts";
import { textsOf } from "../contract/destination.ts";
import { testContext, testSecret } from "../fixtures/context.ts";
import { referenceJson } from "../fixtures/reference.ts";
import { eventDelivery, FULL, ODD, sampleEvents } from "./splunk-events.ts";

const settings = { url: "https://splunk.example.com:8088", token: testSecret("t"), index: "security" };
const destination = splunk.destination!(splunk.config.parse(settings));

interface Envelope {
  readonly time: number;
  readonly index: string;
  readonly sourcetype: string;
  readonly fields: Readonly<Record<string, string>>;
  readonly event: Readonly<Record<string, unknown>> & { readonly custodes: Readonly<Record<string, unknown>> };
}
const envelope = (event: Event): Envelope => JSON.parse(destination.render(eventDelivery(event)).body) as Envelope;
const all = (): Event[] => [...Object.values(FULL), ...ODD, ...sampleEvents()];
const modelNames = Object.keys(MODELS) as ModelName[];

interface CimField {
  readonly name: string;
  readonly type: string;
  readonly expected_values?: readonly string[];
  readonly validity?: string;
}
interface CimModel {
  readonly objects: readonly {
    readonly name: string;
    readonly tags: readonly (readonly string[])[];
    readonly fields: readonly CimField[];
  }[];
}

/** Where the CIM's test definitions have a model. */
const CIM: Readonly<Record<ModelName, readonly [file: string, object: string]>> = {
  authentication: ["Authentication", "Authentication"],
  change: ["Change", "All_Changes"],
  traffic: ["Network_Traffic", "All_Traffic"],
  dns: ["Network_Resolution", "DNS"],
  web: ["Web", "Web"],
  data_access: ["Data_Access", "Data_Access"],
  process: ["Endpoint", "Processes"],
  file: ["Endpoint", "Filesystem"],
  finding: ["Alerts", "Alerts"],
};

/** Required fields that our events have nothing for: numbers that no source of ours gives. */
const NEVER: Partial<Record<ModelName, readonly string[]>> = {
  dns: ["response_time", "transaction_id"],
  process: ["parent_process_id", "process_id"],
};
/** Those that are left out where an event does not say, or says what the model does not prescribe: the model then says unknown. */
const SOMETIMES: Partial<Record<ModelName, readonly string[]>> = {
  change: ["status"],
  traffic: ["transport"],
  dns: ["record_type", "reply_code", "reply_code_id", "answer_count"],
  web: ["status", "dest_port", "bytes", "bytes_in", "bytes_out", "http_method"],
  file: ["action"],
  finding: ["severity"],
};

function cimModel(name: ModelName): CimModel["objects"][number] | undefined {
  const [file, object] = CIM[name];
  const model = referenceJson<CimModel>(`reference/cim/pytest-splunk-addon-data_models/${file}.json`);
  return model?.objects.find((one) => one.name === object);
}

describe("a supporting event in Splunk", () => {
  it.each(modelNames)("looks like the sample: %s", async (name) => {
    expect(modelOf(FULL[name])).toBe(name);
    await expect(`${JSON.stringify(envelope(FULL[name]), null, 2)}\n`).toMatchFileSnapshot(
      `../../connectors/splunk/samples/event-${name}.json.golden`,
    );
  });

  it("is only sent where the destination takes events, under its own source type, key and time", () => {
    expect(destination.accepts).toEqual(["alert", "incident", "event"]);
    for (const event of all()) {
      const { time, index, sourcetype, fields } = envelope(event);
      expect({ time, index, sourcetype }).toEqual({
        time: event.time / 1000,
        index: "security",
        sourcetype: `custodes:event:${modelOf(event)}`,
      });
      expect(fields).toEqual({
        custodes_dedup: safeText(`splunk/main:event:${event.uid}:1`, 512),
        custodes_id: safeText(event.uid, 512),
        custodes_revision: "1",
      });
    }
  });

  it("is tested with every model, from samples too", () => {
    expect(new Set(sampleEvents().map(modelOf)).size).toBeGreaterThanOrEqual(6);
    expect(new Set(all().map(modelOf))).toEqual(new Set(modelNames));
  });

  it.each(modelNames)("has the tags of its model: %s", (name) => {
    const model = cimModel(name);
    if (model !== undefined) expect(model.tags.map((tags) => [...tags].sort())).toContainEqual([...MODELS[name]].sort());
  });

  it.each(modelNames)("has only fields and values that the model knows, and those that it requires: %s", (name) => {
    const model = cimModel(name);
    if (model === undefined) return;
    const fields = new Map(model.fields.map((field) => [field.name, field]));
    const events = all().filter((event) => modelOf(event) === name);
    expect(events.length).toBeGreaterThan(1);
    for (const event of events) {
      const { custodes: _, ...cim } = envelope(event).event;
      for (const [key, value] of Object.entries(cim)) {
        const field = fields.get(key);
        expect(field, `${key} of ${event.uid}`).toBeDefined();
        expect(field?.type).not.toBe("not_allowed_in_search");
        if (field?.expected_values !== undefined) expect(field.expected_values, `${key} of ${event.uid}`).toContain(String(value));
        if (field?.validity?.includes("isnum") === true) expect(typeof value, key).toBe("number");
        expect(value, `${key} of ${event.uid}`).not.toBe("");
      }
      const missing = model.fields.filter((field) => field.type === "required" && !(field.name in cim)).map((field) => field.name);
      const excused = [...(NEVER[name] ?? []), ...(event === FULL[name] ? [] : (SOMETIMES[name] ?? []))];
      expect(
        missing.filter((field) => !excused.includes(field)),
        event.uid,
      ).toEqual([]);
    }
  });

  it("keeps what the models check between fields", () => {
    for (const event of all()) {
      const { event: cim } = envelope(event);
      const [bytes, into, out] = [cim["bytes"], cim["bytes_in"], cim["bytes_out"]] as (number | undefined)[];
      if (bytes !== undefined) expect(bytes).toBe(into! + out!);
      for (const volume of [bytes, into, out]) if (volume !== undefined) expect(volume).toBeGreaterThan(0);
      if ("http_user_agent" in cim) expect(cim["http_user_agent_length"]).toBe((cim["http_user_agent"] as string).length);
      if (cim["duration"] !== undefined) expect(cim["duration"] as number).toBeLessThan(3600);
      if (cim["uri_path"] !== undefined) expect(cim["uri_path"]).toMatch(/^\/[/.a-zA-Z0-9 _%-]*$/);
      if (cim["answer_count"] !== undefined) expect(cim["answer"]).toHaveLength(cim["answer_count"] as number);
      for (const key of ["process_name", "file_name"]) if (key in cim) expect(cim[key]).toMatch(/^[^\\/]+$/);
    }
  });

  it("keeps under custodes what the model has no value for", () => {
    const patch = ODD.find((event) => event.method === "PATCH")!;
    const { event } = envelope(patch);
    expect(event).not.toHaveProperty("http_method");
    expect(event).not.toHaveProperty("status");
    expect(event.custodes).toMatchObject({ http_method: "PATCH", http_status: 599, category: "agent_api" });
  });

  it("tells accounts from other objects, as the model does by the tag", () => {
    const objects = ODD.filter((event) => modelOf(event) === "change").map((event) => envelope(event).event["object_category"]);
    expect(objects).toContain("user");
    for (const event of [...ODD, FULL.change].filter((one) => modelOf(one) === "change")) {
      const isAccount = [3001, 3005].includes(event.classUid);
      expect(envelope(event).event["object_category"] === "user", event.uid).toBe(isAccount);
    }
  });

  it("fits its limit and hides nothing, with any text in any place", () => {
    for (const filler of ["中", "\u{1f600}", '"', "\\", "\u202e", "\u001b[31m", "\ud800", "${x} | delete "]) {
      for (const event of Object.values(FULL)) {
        const hostile = { ...event } as Record<string, unknown>;
        for (const [key, value] of Object.entries(event)) {
          if (["category"].includes(key)) continue;
          if (typeof value === "string") hostile[key] = filler.repeat(20_000);
          if (Array.isArray(value)) hostile[key] = Array.from({ length: 500 }, (_, index) => `${index}${filler.repeat(2_000)}`);
        }
        const rendered = destination.render(eventDelivery(hostile as unknown as Event, `splunk/${filler.repeat(200)}`));
        expect(rendered.bytes).toBe(Buffer.byteLength(rendered.body));
        expect(rendered.bytes).toBeLessThanOrEqual(destination.limits.itemBytes);
        for (const text of textsOf(JSON.parse(rendered.body))) {
          expect(text.isWellFormed()).toBe(true);
          expect(/[\p{Cc}\p{Cf}\p{Cs}]/u.test(text)).toBe(false);
        }
      }
    }
  });

  it.each([Number.NaN, -1, 1.5, 253_402_300_800_000])("refuses a time that is none: %d", (time) => {
    expect(() => destination.render(eventDelivery({ ...FULL.web, time }))).toThrowError(
      expect.objectContaining({ kind: "poison", code: "RENDER_CONTRACT" }),
    );
  });

  it("is taken by the collector, together with others", async () => {
    const simulator = await startSplunkSimulator({ indexes: ["security"] });
    try {
      const real = splunk.destination!(splunk.config.parse({ ...settings, url: simulator.url, token: testSecret(SPLUNK_DEMO_TOKEN) }));
      const batch = all().map((event) => real.render(eventDelivery(event)));
      const outcomes = await real.send(batch.slice(0, real.limits.batchItems), testContext().context);
      expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set(["delivered"]));
    } finally {
      await simulator.close();
    }
  });
});
