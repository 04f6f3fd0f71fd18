import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Config } from "../../connectors/elastic/config.ts";
import elastic from "../../connectors/elastic/elastic.ts";
import { Failure } from "../../src/core/errors.ts";
import type { SetupStep } from "../../src/ports/connector.ts";
import { ELASTIC_DEMO_KEY, startElasticSimulator, type ElasticSimulator } from "../../src/simulators/elastic.ts";
import { everythingIn, testContext, testSecret } from "../fixtures/context.ts";
import { classEvents, eventDelivery } from "../fixtures/events.ts";
import { mappedType, type Mapped } from "../fixtures/ecs.ts";
import { vendorSchema } from "../fixtures/elastic-api.ts";
import { alertSubject, delivery, incidentSubject } from "../fixtures/subjects.ts";
import { setupServer, type SetupServer, type SetupServerOptions } from "../simulators/elastic-setup.ts";
import { startKibana, type KibanaSimulator } from "../simulators/kibana.ts";

const INSTALLER = Buffer.from("installer-id:installer-secret").toString("base64");
const authorization = `ApiKey ${INSTALLER}`;

/** The least privileges that the setup itself names. */
const least = (settings: Config): Pick<SetupServerOptions, "cluster" | "indices"> => {
  const file = elastic.setup!(settings).files.find((one) => one.path === "api-key-installer.json")!;
  const { role_descriptors } = JSON.parse(file.text) as {
    role_descriptors: Record<string, { cluster: string[]; indices: { names: string[]; privileges: string[] }[] }>;
  };
  const role = role_descriptors["custodes-setup"]!;
  expect(role.indices.every((one) => one.privileges.join() === "manage")).toBe(true);
  return { cluster: role.cluster, indices: role.indices.flatMap((one) => one.names) };
};

describe("the setup of Elastic", () => {
  let simulator: ElasticSimulator;
  let kibana: KibanaSimulator;
  let server: SetupServer;
  beforeEach(async () => {
    simulator = await startElasticSimulator({ before: (request) => server.handle(request), dataStreams: [] });
    kibana = await startKibana({ authorization, space: "soc" });
    server = setupServer({ authorization, ...least(settings()) });
  });
  afterEach(async () => {
    await simulator.close();
    await kibana.close();
  });

  const settings = (changes: object = {}): Config =>
    elastic.config.parse({
      url: simulator?.url ?? "https://elastic.example.com",
      apiKey: testSecret(ELASTIC_DEMO_KEY),
      kibanaUrl: kibana?.url ?? "https://kibana.example.com",
      ...changes,
    });
  const steps = (changes: object = {}): readonly SetupStep[] => elastic.setup!(settings(changes)).steps;
  const apply = async (list: readonly SetupStep[], key = INSTALLER): Promise<Record<string, string>> => {
    const done: Record<string, string> = {};
    for (const step of list) done[step.name] = await step.apply(testContext().context, testSecret(key));
    return done;
  };
  const failure = async (step: SetupStep, key = INSTALLER): Promise<Failure> => {
    const error: unknown = await step.apply(testContext().context, testSecret(key)).then(
      (done) => done,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(Failure);
    expect(everythingIn(error)).not.toContain("installer-secret");
    expect(everythingIn(error)).not.toContain(INSTALLER);
    return error as Failure;
  };

  it.each([{}, { lifecycle: "ilm" }, { kibanaSpace: "soc", alertAlias: "logs-custodes.alert" }, { alertIndex: "a", incidentIndex: "a" }])(
    "creates everything once, and changes nothing after that: %j",
    async (changes) => {
      server = setupServer({ authorization, validate: vendorSchema(), ...least(settings(changes)) });
      const first = await apply(steps(changes));
      // The alias comes with the index, by its template.
      expect(Object.entries(first).filter(([name, done]) => done !== "created" && !name.startsWith("alias"))).toEqual([]);
      const [writes, imports] = [server.writes().length, kibana.imports()];
      const second = await apply(steps(changes));
      expect(second).toEqual(Object.fromEntries(Object.keys(first).map((name) => [name, "unchanged"])));
      expect([server.writes().length, kibana.imports()]).toEqual([writes, imports]);
      expect([...kibana.spaces]).toEqual([settings(changes).kibanaSpace]);
    },
    // The first one waits for the vendor's schemas to be compiled.
    120_000,
  );

  it("makes plain indices of alerts and incidents, and a data stream of events that are kept for their time", async () => {
    await apply(steps({ eventRetention: "30d", alertAlias: "logs-custodes.alert" }));
    expect([...server.indices.keys()]).toEqual(["custodes-alerts", "custodes-incidents"]);
    expect([...server.indices.get("custodes-alerts")!.aliases]).toEqual(["logs-custodes.alert"]);
    expect(server.streams.get("logs-custodes.event-default")).toMatchObject({
      lifecycle: { enabled: true, data_retention: "30d" },
      failureStore: true,
      indexSettings: { final_pipeline: "custodes-ingested" },
    });
    const stream = server.streams.get("logs-custodes.event-default")!.mappings as { properties: { data_stream: object } };
    expect(stream.properties.data_stream).toMatchObject({ properties: { dataset: { type: "constant_keyword" } } });
    expect(server.indices.get("custodes-alerts")!.mappings["properties"]).not.toHaveProperty("data_stream");
  });

  it("uses an ILM policy where that is wanted, and says so where there is none", async () => {
    const changes = { lifecycle: "ilm", eventRetention: "14d" };
    const options = { authorization, ...least(settings(changes)) };
    server = setupServer(options);
    await apply(steps(changes));
    expect(server.objects.get("/_ilm/policy/custodes-events")).toMatchObject({ policy: { phases: { delete: { min_age: "14d" } } } });
    const { lifecycle, indexSettings } = server.streams.get("logs-custodes.event-default")!;
    expect([lifecycle, indexSettings]).toEqual([
      undefined,
      { final_pipeline: "custodes-ingested", lifecycle: { name: "custodes-events" } },
    ]);
    server = setupServer({ ...options, serverless: true });
    const step = steps(changes).find((one) => one.name.startsWith("ILM"))!;
    expect(await failure(step)).toMatchObject({
      kind: "permanent",
      code: "DESTINATION_CONFIG",
      message: expect.stringContaining("410") as string,
    });
  });

  it("changes what an older setup or somebody's hand has left otherwise", async () => {
    await apply(steps());
    server.objects.set("/_ingest/pipeline/custodes-ingested", { description: "mine", processors: [] });
    const component = structuredClone(server.objects.get("/_component_template/custodes-own")) as {
      template: { mappings: { properties: object } };
    };
    delete (component.template.mappings.properties as { custodes?: unknown }).custodes;
    server.objects.set("/_component_template/custodes-own", component);
    const { properties } = structuredClone(server.indices.get("custodes-alerts")!.mappings) as { properties: Record<string, unknown> };
    delete properties["gen_ai"];
    server.indices.get("custodes-alerts")!.mappings = { properties };
    server.streams.get("logs-custodes.event-default")!.failureStore = false;
    const changed = await apply(steps({ eventRetention: "7d" }));
    const differ = Object.entries(changed).filter(([, done]) => done !== "unchanged");
    expect(Object.fromEntries(differ)).toEqual({
      "ingest pipeline custodes-ingested": "changed",
      "component template custodes-own": "changed",
      "index template logs-custodes.event-default": "changed",
      "index custodes-alerts": "changed",
      "data stream logs-custodes.event-default": "changed",
    });
    expect(server.indices.get("custodes-alerts")!.mappings["properties"]).toHaveProperty("gen_ai");
    expect(server.streams.get("logs-custodes.event-default")).toMatchObject({ failureStore: true, lifecycle: { data_retention: "7d" } });
    expect(new Set(Object.values(await apply(steps({ eventRetention: "7d" }))))).toEqual(new Set(["unchanged"]));
  });

  it("gives an index that is there already its alias", async () => {
    await apply(steps());
    const done = await apply(steps({ alertAlias: "logs-custodes.alert" }));
    expect(done).toMatchObject({ "index template custodes-alerts": "changed", "alias logs-custodes.alert": "created" });
  });

  it("says which type of an old index is in the way", async () => {
    server.indices.set("custodes-alerts", { mappings: { properties: { message: { type: "keyword" } } }, aliases: new Set() });
    const list = steps();
    const index = list.find((one) => one.name === "index custodes-alerts")!;
    await apply(list.filter((one) => !one.name.startsWith("index custodes-alerts")));
    expect((await failure(index)).message).toContain("mapper [message] cannot be changed from type [keyword] to [match_only_text]");
  });

  it("needs no more than the privileges that it names, and each of them", async () => {
    const { cluster, indices } = least(settings());
    for (const lacking of [...cluster, ...indices]) {
      const without = (list: readonly string[]): string[] => list.filter((one) => one !== lacking);
      server = setupServer({ authorization, cluster: without(cluster), indices: without(indices) });
      const results = await Promise.allSettled(steps().map((step) => step.apply(testContext().context, testSecret(INSTALLER))));
      const reasons = results.flatMap((one) => (one.status === "rejected" ? [one.reason as Failure] : []));
      expect(
        reasons.some((one) => one.code === "HTTP_DENIED"),
        lacking,
      ).toBe(true);
    }
  });

  it.each([
    [400, "DESTINATION_CONFIG", "permanent"],
    [401, "HTTP_DENIED", "permanent"],
    [403, "HTTP_DENIED", "permanent"],
    [404, "DESTINATION_CONFIG", "permanent"],
    [409, "HTTP_UNAVAILABLE", "retryable"],
    [413, "DESTINATION_CONFIG", "permanent"],
    [429, "HTTP_THROTTLED", "retryable"],
    [502, "HTTP_UNAVAILABLE", "retryable"],
    [503, "HTTP_UNAVAILABLE", "retryable"],
  ] as const)("tells what Kibana's %i means, without the key that it may echo", async (status, code, kind) => {
    const body = JSON.stringify({ message: `no: ${INSTALLER} and more` });
    kibana.fail({ status: 404 }, { status, body });
    expect(await failure(steps().at(-1)!)).toMatchObject({ code, kind, message: expect.stringContaining("[secret]") as string });
  });

  it.each(["", "OK", "<html>", "[]", "{"])("takes a success that is not JSON for a failure: %j", async (body) => {
    kibana.fail({ status: 404 }, { status: 200, body });
    expect(await failure(steps().at(-1)!)).toMatchObject({ kind: "retryable", code: "HTTP_MALFORMED" });
  });

  it.each(["reset", "cut"] as const)("takes a connection that is %s for an unknown result, and can be repeated", async (connection) => {
    const step = steps().at(-1)!;
    kibana.fail({ status: 404 }, { connection, stored: true });
    expect((await failure(step)).kind).toBe("retryable");
    expect(await step.apply(testContext().context, testSecret(INSTALLER))).toBe("unchanged");
    expect(kibana.imports()).toBe(1);
  });

  it("does not take a 200 of an import for success", async () => {
    const refused = { success: false, errors: [{ rule_id: "x", error: { status_code: 400, message: "\u202eno" } }] };
    kibana.fail({ status: 404 }, { status: 200, body: JSON.stringify(refused) });
    expect((await failure(steps().at(-1)!)).message).toContain("\\u{202e}no");
    for (const body of [{ success: false }, {}, { success: "true", errors: "x" }]) {
      kibana.fail({ status: 400 }, { status: 200, body: JSON.stringify(body) });
      const step = steps().find((one) => one.name.startsWith("Kibana"))!;
      expect(await failure(step)).toMatchObject({ kind: "permanent", code: "DESTINATION_CONFIG" });
    }
  });

  it("leaves a rule enabled that a team has enabled, also when it changes", async () => {
    await apply(steps());
    const [id, present] = [...kibana.rules][0]!;
    expect(present["enabled"]).toBe(false);
    kibana.rules.set(id, { ...present, enabled: true, max_signals: 5 });
    expect(Object.values(await apply(steps())).filter((done) => done !== "unchanged")).toEqual(["changed"]);
    expect(kibana.rules.get(id)).toMatchObject({ enabled: true, max_signals: 1000 });
  });

  it("promotes what we send: the rule's query, overrides and mappings fit the documents", async () => {
    await apply(steps());
    const [incidents, alerts] = [...kibana.rules.values()];
    for (const [rule, subject] of [
      [incidents!, incidentSubject()],
      [alerts!, alertSubject()],
    ] as const) {
      const destination = elastic.destination!(settings());
      const document = JSON.parse(destination.render(delivery(subject)).body.split("\n")[1]!) as Record<string, Record<string, unknown>>;
      const { event } = document as { event: Record<string, unknown> };
      expect(rule["query"]).toBe(`event.kind : "${String(event["kind"])}" and event.dataset : "${String(event["dataset"])}"`);
      expect(rule["index"]).toEqual([destination.render(delivery(subject)).meta!["index"]]);
      const mapping = rule["severity_mapping"] as readonly { value: string }[];
      expect(mapping.map((one) => one.value)).toContain(String(event["severity"]));
      expect(document[String(rule["rule_name_override"])]).toBeTypeOf("string");
      expect(event["risk_score"]).toBeTypeOf("number");
      expect(rule["alert_suppression"]).toMatchObject({ group_by: ["event.id"] });
      expect(event["id"]).toBeTypeOf("string");
    }
    expect(JSON.stringify(server.objects.get("/_ingest/pipeline/custodes-ingested"))).toContain(String(incidents!["timestamp_override"]));
  });

  it("shows only fields that are mapped", () => {
    const ndjson = elastic.setup!(undefined).files.find((one) => one.path === "kibana-saved-objects.ndjson")!.text;
    const objects = ndjson
      .trim()
      .split("\n")
      .map(
        (line) =>
          JSON.parse(line) as { type: string; id: string; attributes: { panelsJSON?: string }; references: { id: string; name: string }[] },
      );
    const dashboard = objects.find((one) => one.type === "dashboard")!;
    const panels = JSON.parse(dashboard.attributes.panelsJSON!) as { panelIndex: string }[];
    expect(panels.length).toBeGreaterThan(8);
    const views = new Set(objects.filter((one) => one.type === "index-pattern").map((one) => one.id));
    expect(dashboard.references.every((one) => views.has(one.id))).toBe(true);
    expect(dashboard.references.map((one) => one.name.split(":")[0])).toEqual(panels.map((one) => one.panelIndex));
    const mapped = elastic.setup!(undefined).files.filter((one) => one.path.startsWith("component-template"));
    const mappings = mapped.map(({ text }) => (JSON.parse(text) as { template: { mappings: { properties: Mapped } } }).template.mappings);
    const fields = [...dashboard.attributes.panelsJSON!.matchAll(/"sourceField":"(?!@|___)([^"]+)"/g)].map(([, field]) => field!);
    expect(fields.length).toBeGreaterThan(8);
    for (const field of fields) expect(mappings.map(({ properties }) => mappedType(properties, field))).toContain("keyword");
  });

  it("has the files of the defaults as assets, and no steps without an address", async () => {
    const { files, steps: none, privileges } = elastic.setup!(undefined);
    expect(none).toEqual([]);
    expect(elastic.setup!(undefined).files).toEqual(files);
    for (const { path, text } of files) {
      expect(path).toMatch(/^[a-z-]+\.(json|ndjson)$/);
      await expect(text).toMatchFileSnapshot(`../../connectors/elastic/assets/${path}`);
    }
    expect(privileges.service.length).toBeGreaterThan(0);
    expect(privileges.installer.length).toBeGreaterThan(0);
  });

  it("takes our documents after it: alerts and incidents by revision, events once", async () => {
    await simulator.close();
    server = setupServer({ authorization, ...least(settings()) });
    const { dataStreams } = server;
    simulator = await startElasticSimulator({
      before: (request) => server.handle(request),
      dataStreams,
      template: (name) => server.template(name),
    });
    await apply(steps());
    const destination = elastic.destination!(settings());
    const events = classEvents().map(([, event]) => destination.render(eventDelivery(event)));
    const batch = [destination.render(delivery(alertSubject())), destination.render(delivery(incidentSubject())), ...events];
    for (const word of ["@1", "(already there)"]) {
      const outcomes = await destination.send(batch, testContext().context);
      expect(outcomes.every((one) => one.status === "delivered")).toBe(true);
      expect(JSON.stringify(outcomes.at(-1))).toContain(word);
    }
    expect(simulator.documents()).toHaveLength(batch.length);
    const checks = await elastic.check(settings(), testContext().context);
    expect(checks.filter((one) => !one.ok)).toEqual([]);
  });
});
