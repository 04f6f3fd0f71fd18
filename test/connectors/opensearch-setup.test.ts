import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Config } from "../../connectors/opensearch/config.ts";
import opensearch from "../../connectors/opensearch/opensearch.ts";
import { Failure } from "../../src/core/errors.ts";
import type { SimulatedAnswer, SimulatedRequest } from "../../src/simulators/http-server.ts";
import { testContext, testSecret } from "../fixtures/context.ts";
import { classEvents, eventDelivery } from "../fixtures/events.ts";
import { alertSubject, delivery, incidentSubject } from "../fixtures/subjects.ts";
import { setupServer, type SetupServer } from "../simulators/elastic-setup.ts";
import { startOpenSearch, type OpenSearchSimulator } from "../simulators/opensearch.ts";

const INSTALLER = "admin:installer-password";
const authorization = `Basic ${Buffer.from(INSTALLER).toString("base64")}`;
const PASSWORD = "service-password";
const NAMES = ["custodes-alerts", "custodes-incidents", "custodes-events"];

/** Index State Management: a policy is replaced only by who names the version that is there. */
function ism(): (request: SimulatedRequest, body: Readonly<Record<string, unknown>>) => SimulatedAnswer | undefined {
  const policies = new Map<string, { _seq_no: number; policy: object }>();
  return ({ method, path, query }, body) => {
    if (!path.startsWith("/_plugins/_ism/policies/")) return undefined;
    const id = path.split("/").at(-1)!;
    const present = policies.get(id);
    if (method === "GET")
      return present === undefined
        ? { status: 404, body: { error: { reason: "Policy not found" }, status: 404 } }
        : { status: 200, body: { _id: id, _version: 1, _primary_term: 1, ...present } };
    if (present !== undefined && query.get("if_seq_no") !== String(present._seq_no))
      return { status: 409, body: { error: { reason: "version conflict" }, status: 409 } };
    const policy = { policy_id: id, schema_version: 21, last_updated_time: 1, ...(body["policy"] as object) };
    policies.set(id, { _seq_no: (present?._seq_no ?? 6) + 1, policy });
    return { status: present === undefined ? 201 : 200, body: { _id: id, policy } };
  };
}

describe("the setup and check of OpenSearch", () => {
  let simulator: OpenSearchSimulator;
  let server: SetupServer;
  const cluster = ["manage_ingest_pipelines", "manage_index_templates"];
  beforeEach(async () => {
    server = setupServer({ authorization, cluster, indices: NAMES, also: ism() });
    const { dataStreams } = server;
    simulator = await startOpenSearch({
      credential: `custodes:${PASSWORD}`,
      dataStreams,
      before: (request) => server.handle(request),
      mapping: (name) => {
        const found = server.indices.get(name) ?? server.streams.get(name);
        if (found === undefined) return { status: 404, body: { error: { type: "index_not_found_exception" }, status: 404 } };
        return { status: 200, body: { [server.streams.has(name) ? `.ds-${name}-000001` : name]: { mappings: found.mappings } } };
      },
    });
  });
  afterEach(() => simulator.close());

  const settings = (changes: object = {}): Config =>
    opensearch.config.parse({ url: simulator.url, basic: { username: "custodes", password: testSecret(PASSWORD) }, ...changes });
  const serverless = (changes: object = {}): Config => {
    const aws = { region: "eu-west-1", service: "aoss", accessKeyId: testSecret("a"), secretAccessKey: testSecret("b") };
    return opensearch.config.parse({ url: simulator.url, aws, ...changes });
  };
  const apply = async (config: Config, credential = INSTALLER): Promise<Record<string, string>> => {
    const done: Record<string, string> = {};
    for (const step of opensearch.setup!(config).steps) done[step.name] = await step.apply(testContext().context, testSecret(credential));
    return done;
  };
  const verdicts = async (config: Config): Promise<Record<string, boolean>> =>
    Object.fromEntries((await opensearch.check(config, testContext({ timeoutMs: 500 }).context)).map((one) => [one.name, one.ok]));

  it("creates everything once, changes nothing after that, and then what has become different", async () => {
    const first = await apply(settings());
    expect(new Set(Object.values(first))).toEqual(new Set(["created"]));
    expect(Object.keys(first)).toContain("ISM policy custodes-events");
    const writes = server.writes().length;
    expect(new Set(Object.values(await apply(settings())))).toEqual(new Set(["unchanged"]));
    expect(server.writes()).toHaveLength(writes);
    const changed = await apply(settings({ eventRetention: "7d" }));
    expect(Object.entries(changed).filter(([, done]) => done !== "unchanged")).toEqual([["ISM policy custodes-events", "changed"]]);
    expect(new Set(Object.values(await apply(settings({ eventRetention: "7d" }))))).toEqual(new Set(["unchanged"]));
  });

  it("takes our documents after it, with no type that OpenSearch does not know", async () => {
    await apply(settings());
    const destination = opensearch.destination!(settings());
    const batch = [delivery(alertSubject()), delivery(incidentSubject()), ...classEvents().map(([, event]) => eventDelivery(event))];
    const outcomes = await destination.send(
      batch.map((one) => destination.render(one)),
      testContext().context,
    );
    expect(outcomes.every((one) => one.status === "delivered")).toBe(true);
    expect([...server.streams.keys()]).toEqual(["custodes-events"]);
    const types = new Set([...JSON.stringify([...server.objects.values()]).matchAll(/"type":"([a-z_]+)"/g)].map(([, type]) => type));
    expect([...types].toSorted((a, b) => a!.localeCompare(b!))).toEqual([
      "boolean",
      "date",
      "float",
      "integer",
      "ip",
      "keyword",
      "long",
      "object",
      "text",
    ]);
  });

  it("makes plain indices with their mappings on Serverless, and nothing else", async () => {
    server = setupServer({ authorization: "", cluster: [], indices: NAMES });
    const aws = setupServer({ authorization, cluster: [], indices: NAMES });
    const done = new Map<string, string>();
    const { context } = testContext();
    // Signed requests have no fixed header: the routes answer whoever asks.
    server = { ...aws, handle: (request) => aws.handle({ ...request, headers: { ...request.headers, authorization } }) };
    for (const step of opensearch.setup!(serverless()).steps) done.set(step.name, await step.apply(context, testSecret("id:secret:token")));
    expect([...done]).toEqual(NAMES.map((name) => [`index ${name}`, "created"]));
    expect(aws.objects.size).toBe(0);
    expect(aws.indices.get("custodes-events")!.mappings["properties"]).toHaveProperty("custodes");
  });

  it("refuses an installer's credential that is not a pair, and tells one that is wrong", async () => {
    for (const credential of ["no-pair", "admin:wrong-password"]) {
      const error: unknown = await apply(settings(), credential).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(Failure);
      expect(error).toMatchObject({ kind: "permanent", code: "HTTP_DENIED" });
      expect((error as Failure).message).not.toContain(credential);
    }
  });

  it("has the files of the defaults as assets", async () => {
    const { files, steps } = opensearch.setup!(undefined);
    expect(steps).toEqual([]);
    for (const { path, text } of files) await expect(text).toMatchFileSnapshot(`../../connectors/opensearch/assets/${path}`);
    const names = opensearch.setup!(serverless()).files.map((file) => file.path);
    expect(names).toEqual(["role-service.json"]);
  });

  it("checks before and after the setup", async () => {
    const before = await opensearch.check(settings(), testContext().context);
    expect(before.map((one) => [one.name, one.ok])).toEqual([
      ["reach", true],
      ["credential", true],
      ["index custodes-alerts", false],
    ]);
    for (const one of before) expect(one.ok || (one.fix ?? "").includes("custodes setup")).toBe(true);
    await apply(settings());
    const after = ["reach", "credential", ...NAMES.map((name) => `index ${name}`)];
    expect(await verdicts(settings())).toEqual(Object.fromEntries(after.map((name) => [name, true])));
    expect(simulator.documents()).toEqual([]);
  });

  it("tells a bad password from a bad host and from another product, each with a fix", async () => {
    const bad = await opensearch.check(settings({ basic: { username: "custodes", password: testSecret("wrong") } }), testContext().context);
    expect(bad).toMatchObject([{ name: "reach", ok: false, message: "HTTP 401: the credential was refused" }]);
    const { url } = simulator;
    await simulator.close();
    const gone = await opensearch.check(settings({ url }), testContext().context);
    expect(gone).toMatchObject([{ name: "reach", ok: false }]);
    simulator = await startOpenSearch({
      credential: `custodes:${PASSWORD}`,
      before: () => ({ status: 200, body: { version: { number: "9.4.0" } } }),
    });
    const other = await opensearch.check(settings({ url: simulator.url }), testContext().context);
    expect(other).toMatchObject([{ name: "reach", ok: false, message: "HTTP 200: this is not OpenSearch" }]);
    for (const one of [...bad, ...gone, ...other]) expect(one.fix).toBeTruthy();
  });

  it("finds a data stream in the way, and fields without their types", async () => {
    await apply(settings());
    server.indices.delete("custodes-incidents");
    server.streams.set("custodes-incidents", { mappings: {}, lifecycle: undefined, failureStore: false, indexSettings: {} });
    server.indices.get("custodes-alerts")!.mappings = {};
    expect(await verdicts(settings())).toMatchObject({ "index custodes-alerts": false });
    await apply(settings({ incidentIndex: "custodes-alerts" }));
    expect(await verdicts(settings())).toMatchObject({ "index custodes-alerts": true, "index custodes-incidents": false });
  });
});
