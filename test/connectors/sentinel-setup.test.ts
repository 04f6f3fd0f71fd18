import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { Ajv } from "ajv";
import { describe, expect, it } from "vitest";
import { render } from "../../connectors/sentinel/render.ts";
import sentinel from "../../connectors/sentinel/sentinel.ts";
import type { ColumnType } from "../../src/simulators/sentinel-table.ts";
import { SENTINEL_WORKSPACE } from "../../src/simulators/sentinel-incidents.ts";
import { SENTINEL_DEMO, startSentinelSimulator } from "../../src/simulators/sentinel.ts";
import { reactionOf } from "../contract/destination.ts";
import { testContext, testSecret } from "../fixtures/context.ts";
import { alertSubject, delivery, incidentSubject, STORY_TIME } from "../fixtures/subjects.ts";
import { eventDelivery, FULL, NAME } from "./sentinel-event-cases.ts";

type Json = Readonly<Record<string, unknown>>;
interface Dcr {
  readonly streamDeclarations: Readonly<
    Record<string, { readonly columns: readonly { readonly name: string; readonly type: ColumnType }[] }>
  >;
  readonly dataFlows: readonly { readonly streams: readonly string[]; readonly transformKql: string; readonly outputStream: string }[];
}

const contracts = resolve(import.meta.dirname, "../../../shared/contracts/data/derived");
const contractsPresent = existsSync(contracts);
if (!contractsPresent && process.env["CI"] === "true") throw new Error("../shared/contracts/data is missing");

const { tenantId, clientId, dcrImmutableId } = SENTINEL_DEMO;
function configured(settings: Json = {}) {
  const endpoint = "https://acme-ab12.westeurope-1.ingest.monitor.azure.com";
  return sentinel.config.parse({ tenantId, clientId, dcrImmutableId, endpoint, clientSecret: testSecret("canary-secret-1"), ...settings });
}
const api = () => configured({ incidents: "api", workspace: SENTINEL_WORKSPACE });

function template(config?: ReturnType<typeof configured>) {
  const file = sentinel.setup!(config).files.find((one) => one.path === "azuredeploy.json")!;
  const parsed = JSON.parse(file.text) as { readonly resources: readonly Json[]; readonly parameters: Json };
  const of = (type: string) => parsed.resources.filter((one) => one["type"] === type);
  return { parsed, of, dcr: of("Microsoft.Insights/dataCollectionRules")[0]!["properties"] as unknown as Dcr };
}

describe("sentinel's setup", () => {
  it("is the same each time, and shows no secret", () => {
    for (const config of [undefined, configured(), api()]) {
      expect(sentinel.setup!(config).files).toEqual(sentinel.setup!(config).files);
      expect(JSON.stringify(sentinel.setup!(config))).not.toContain("canary-secret-1");
      expect(sentinel.setup!(config).privileges.service[0]).toContain("Monitoring Metrics Publisher");
    }
  });

  it("looks like this", async () => {
    const { files } = sentinel.setup!(undefined);
    expect(files.map((file) => file.path)).toEqual(["azuredeploy.json", "azuredeploy.parameters.json", "deploy.md"]);
    await expect(files[0]!.text).toMatchFileSnapshot("../../connectors/sentinel/assets/azuredeploy.json");
  });

  it("uses only parameters that it declares, and closes every expression", () => {
    const { parsed } = template(api());
    const texts = JSON.stringify(parsed.resources).matchAll(/parameters\('(\w+)'\)/g);
    expect([...new Set([...texts].map((match) => match[1]!))].sort()).toEqual(Object.keys(parsed.parameters).sort());
    const expressions = [...JSON.stringify(parsed).matchAll(/"\[((?:[^"\\]|\\.)*)\]"/g)]
      .map((match) => match[1]!)
      .filter((one) => /^[a-z]+\(/.test(one));
    expect(expressions.length).toBeGreaterThan(10);
    for (const one of expressions) expect(one.split("(").length, one).toBe(one.split(")").length);
  });

  it("declares what Azure takes: names, types, at most ten flows, a flow for each stream", () => {
    const { dcr } = template();
    const streams = Object.entries(dcr.streamDeclarations);
    expect(dcr.dataFlows.length).toBeLessThanOrEqual(10);
    expect(dcr.dataFlows.flatMap((flow) => flow.streams).sort()).toEqual(streams.map(([name]) => name).sort());
    for (const [name, { columns }] of streams) {
      expect(name).toMatch(/^Custom-[A-Za-z0-9_]+$/);
      expect(new Set(columns.map((column) => column.name)).size).toBe(columns.length);
      expect(columns).toContainEqual({ name: "TimeGenerated", type: "datetime" });
      for (const column of columns) {
        // Limits and reserved names ("Azure Monitor service limits").
        expect(column.name).toMatch(/^[A-Za-z][A-Za-z0-9_]{0,44}$/);
        expect(["_ResourceId", "id", "_SubscriptionId", "TenantId", "Type", "UniqueId", "Title"]).not.toContain(column.name);
        expect(["string", "int", "long", "real", "boolean", "datetime", "dynamic"]).toContain(column.type);
      }
    }
    for (const { streams: from, transformKql, outputStream } of dcr.dataFlows) {
      expect(outputStream).toBe(`Microsoft-${from[0]!.slice("Custom-".length)}`);
      const away = /^source(?: \| project-away (.+))?$/.exec(transformKql)!;
      const declared = dcr.streamDeclarations[from[0]!]!.columns.map((column) => column.name);
      for (const column of away[1]?.split(", ") ?? []) expect(declared).toContain(column);
    }
  });

  it("deploys a rule that takes everything that is sent", async () => {
    const { dcr } = template();
    const streams = new Map(
      Object.entries(dcr.streamDeclarations).map(([name, { columns }]) => [name, new Map(columns.map((one) => [one.name, one.type]))]),
    );
    const columns = streams.get(SENTINEL_DEMO.stream)!;
    const simulator = await startSentinelSimulator({ now: () => STORY_TIME + 600_000, streams, columns });
    try {
      const { url: endpoint, authority } = simulator;
      const destination = sentinel.destination!(configured({ endpoint, authority, clientSecret: testSecret(SENTINEL_DEMO.clientSecret) }));
      for (const one of [
        delivery(alertSubject(), NAME),
        delivery(incidentSubject(), NAME),
        ...Object.values(FULL).map((event) => eventDelivery(event)),
      ])
        expect(await reactionOf(destination.send([destination.render(one)], testContext().context))).toBeUndefined();
      expect(simulator.received()).toHaveLength(2 + Object.keys(FULL).length);
      expect(simulator.losses()).toEqual([]);
    } finally {
      await simulator.close();
    }
  });

  it.skipIf(!contractsPresent)("has an analytics rule that fits Microsoft's swagger", () => {
    const { kind, properties } = template().of("Microsoft.SecurityInsights/alertRules")[0]!;
    const ajv = new Ajv({ strict: false, validateFormats: false });
    const validate = ajv.compile(
      JSON.parse(readFileSync(resolve(contracts, "sentinel-scheduled-alert-rule.schema.json"), "utf8")) as object,
    );
    expect(validate({ kind, properties }), JSON.stringify(validate.errors)).toBe(true);
    expect(validate({ kind, properties: { ...(properties as Json), severity: "Critical" } })).toBe(false);
    const { query: _, ...without } = properties as Json;
    expect(validate({ kind, properties: without })).toBe(false);
  });

  it("groups alerts by our incident's id, within Sentinel's limits, from columns that exist", () => {
    const rule = template().of("Microsoft.SecurityInsights/alertRules")[0]!["properties"] as {
      readonly query: string;
      readonly entityMappings: readonly { readonly fieldMappings: readonly { readonly columnName: string }[] }[];
      readonly customDetails: Readonly<Record<string, string>>;
      readonly alertDetailsOverride: {
        readonly alertDynamicProperties: readonly { readonly value: string }[];
        readonly alertSeverityColumnName: string;
      };
      readonly incidentConfiguration: { readonly createIncident: boolean; readonly groupingConfiguration: Json };
    };
    expect(rule.incidentConfiguration).toMatchObject({
      createIncident: true,
      groupingConfiguration: { matchingMethod: "Selected", groupByCustomDetails: ["IncidentId"] },
    });
    expect(rule.entityMappings.length).toBeLessThanOrEqual(10);
    expect(Object.keys(rule.customDetails).length).toBeLessThanOrEqual(20);
    expect(rule.query.length).toBeLessThanOrEqual(10_000);
    const row = JSON.parse(render(delivery(incidentSubject(), NAME), { reportUrl: "https://soc.example.com/{id}" }).body) as Json;
    const extended = [...rule.query.matchAll(/^ {4}(\w+) = |extend (\w+) = /gm)].map((match) => match[1] ?? match[2]!);
    const named = [
      ...rule.entityMappings.flatMap((one) => one.fieldMappings.map((field) => field.columnName)),
      ...Object.values(rule.customDetails),
      ...rule.alertDetailsOverride.alertDynamicProperties.map((one) => one.value),
      rule.alertDetailsOverride.alertSeverityColumnName,
    ];
    const declared = template().dcr.streamDeclarations[SENTINEL_DEMO.stream]!.columns.map((column) => column.name);
    for (const column of named) expect([...extended, ...declared]).toContain(column);
    // What the query takes out of AdditionalFields is there under this name.
    const fields = row["AdditionalFields"] as Json;
    for (const [, name] of rule.query.matchAll(/AdditionalFields\.(\w+)/g)) expect(Object.keys(fields), name).toContain(name);
  });

  it("makes no incidents by rule where the API makes them, and asks for the role that this needs", () => {
    expect(template(api()).of("Microsoft.SecurityInsights/alertRules")).toEqual([]);
    expect(template(api()).of("Microsoft.Authorization/roleAssignments")).toHaveLength(2);
    expect(template(configured()).of("Microsoft.Authorization/roleAssignments")).toHaveLength(1);
    expect(sentinel.setup!(api()).privileges.service).toHaveLength(2);
  });

  it("has a workbook whose queries name tables and fields that are filled", () => {
    const [workbook] = template().of("Microsoft.Insights/workbooks");
    const { serializedData } = workbook!["properties"] as { readonly serializedData: string };
    const { items, version } = JSON.parse(serializedData) as {
      readonly version: string;
      readonly items: readonly { readonly type: number; readonly content: { readonly query?: string } }[];
    };
    expect(version).toBe("Notebook/1.0");
    const queries = items.filter((item) => item.type === 3).map((item) => item.content.query!);
    expect(queries.length).toBeGreaterThanOrEqual(6);
    const row = JSON.parse(render(delivery(incidentSubject(), NAME), {}).body) as { readonly AdditionalFields: Json };
    for (const query of queries) {
      expect(query).toMatch(/ASim(?:Alert|Agent)EventLogs\n\| where TimeGenerated \{Range\}/);
      for (const [, name] of query.matchAll(/AdditionalFields\.(\w+)/g)) expect(Object.keys(row.AdditionalFields), name).toContain(name);
    }
  });

  it("uses the stream of the configuration", () => {
    const { dcr } = template(configured({ stream: "Custom-Agents" }));
    expect(dcr.dataFlows[0]).toMatchObject({ streams: ["Custom-Agents"], outputStream: "Microsoft-ASimAlertEventLogs" });
  });
});
