import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { Ajv } from "ajv";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  ELASTIC_DEMO_KEY,
  startElasticSimulator,
  type ElasticSimulator,
  type ElasticSimulatorOptions,
} from "../../src/simulators/elastic.ts";
import { referenceJson } from "../fixtures/reference.ts";

let simulator: ElasticSimulator;
const restart = async (options: ElasticSimulatorOptions): Promise<void> => {
  await simulator.close();
  simulator = await startElasticSimulator(options);
};
beforeEach(async () => {
  simulator = await startElasticSimulator();
});
afterEach(() => simulator.close());

const AUTH = { authorization: `ApiKey ${ELASTIC_DEMO_KEY}`, "content-type": "application/x-ndjson" };

interface BulkAnswer {
  readonly errors: boolean;
  readonly items: readonly Readonly<Record<string, { status: number; error?: { type: string; reason: string }; failure_store?: string }>>[];
}

async function post(body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = AUTH, path = "/_bulk"): Promise<Response> {
  return await fetch(`${simulator.url}${path}`, { method: "POST", headers, body });
}

async function bulk(...lines: readonly object[]): Promise<BulkAnswer> {
  const response = await post(`${lines.map((line) => JSON.stringify(line)).join("\n")}\n`);
  expect(response.status).toBe(200);
  return (await response.json()) as BulkAnswer;
}

const statuses = (answer: BulkAnswer): number[] => answer.items.map((item) => Object.values(item)[0]!.status);
const doc = (id: string, extra: object = {}) => ({ "@timestamp": "2026-08-22T09:14:03.512Z", event: { id }, ...extra });

describe("the simulated Elasticsearch", () => {
  it("answers in the shape of the vendor's specification", async () => {
    const checks: readonly (readonly [name: string, answer: unknown])[] = [
      ["es-bulk-response", await bulk({ index: { _index: "a", _id: "1" } }, doc("1"), { create: { _index: "a", _id: "1" } }, doc("1"))],
      ["es-info-response", await (await fetch(simulator.url, { headers: AUTH })).json()],
      ["es-authenticate-response", await (await fetch(`${simulator.url}/_security/_authenticate`, { headers: AUTH })).json()],
      [
        "es-has-privileges-response",
        await (
          await post(JSON.stringify({ index: [{ names: ["a"], privileges: ["index"] }] }), AUTH, "/_security/user/_has_privileges")
        ).json(),
      ],
    ];
    for (const [name, answer] of checks) {
      const schema = referenceJson<object>(`contracts/data/derived/${name}.schema.json`);
      if (schema === undefined) return;
      const validate = new Ajv({ strict: false, validateFormats: false }).compile(schema);
      expect(validate(answer), `${name}: ${JSON.stringify(validate.errors)}`).toBe(true);
    }
  });

  it("marks every answer as its own product's, errors too", async () => {
    for (const response of [
      await post(""),
      await post("x", { "content-type": "application/json" }),
      await fetch(`${simulator.url}/nothing`, { headers: AUTH }),
    ])
      expect(response.headers.get("x-elastic-product")).toBe("Elasticsearch");
  });

  it.each([
    ["no key", {}, 401],
    ["a wrong key", { authorization: "ApiKey bm90OmtleQ==" }, 401],
    ["another scheme", { authorization: `Bearer ${ELASTIC_DEMO_KEY}` }, 401],
  ])("refuses %s", async (_, headers, status) => {
    const response = await post("{}\n", { "content-type": "application/x-ndjson", ...headers });
    expect(response.status).toBe(status);
    expect(response.headers.has("www-authenticate")).toBe(true);
  });

  it.each([
    ["an empty body", "", "request body is required"],
    ["a body without a final line end", '{"index":{"_index":"a"}}\n{}', "must be terminated by a newline"],
    ["an unknown action", '{"upsert":{"_index":"a"}}\n{}\n', "but found [upsert]"],
    ["an action without an index", '{"index":{}}\n{}\n', "index is missing"],
    ["an unknown parameter", '{"index":{"_index":"a","_version":3}}\n{}\n', "unknown parameter [_version]"],
    ["a line that is no object", '["index"]\n{}\n', "Malformed action/metadata line [1]"],
  ])("refuses the whole of %s", async (_, body, reason) => {
    const response = await post(body);
    expect(response.status).toBe(400);
    expect(await response.text()).toContain(reason);
    expect(simulator.documents()).toEqual([]);
  });

  it("takes the content types of the vendor's client, and no others", async () => {
    const line = '{"index":{"_index":"a","_id":"1"}}\n{}\n';
    const vnd = "application/vnd.elasticsearch+x-ndjson; compatible-with=9";
    expect((await post(line, { ...AUTH, "content-type": vnd })).status).toBe(200);
    expect((await post(line, { ...AUTH, "content-type": "text/plain" })).status).toBe(406);
    await restart({ version: "8.19.2" });
    expect((await post(line, { ...AUTH, "content-type": vnd })).status).toBe(400);
    expect((await post(line, AUTH)).status).toBe(200);
  });

  it("counts a body before it is decompressed, and answers 413 with nothing", async () => {
    const lines = Array.from({ length: 50 }, (_, id) => `{"index":{"_index":"a","_id":"${id}"}}\n${JSON.stringify(doc("x"))}\n`).join("");
    await restart({ bodyBytesMax: 1_000 });
    const plain = await post(lines);
    expect([plain.status, await plain.text()]).toEqual([413, ""]);
    const zipped = await post(new Uint8Array(gzipSync(lines)), { ...AUTH, "content-encoding": "gzip" });
    expect(zipped.status).toBe(200);
    expect(simulator.received()).toHaveLength(50);
    expect((await post(new Uint8Array([1, 2, 3]), { ...AUTH, "content-encoding": "gzip" })).status).toBe(400);
  });

  it("creates an id once, and knows it only until the stream rolls over", async () => {
    await restart({ dataStreams: ["logs-*"] });
    const create = { create: { _index: "logs-x-default", _id: "1" } };
    expect(statuses(await bulk(create, doc("1"), create, doc("1"), create, { event: {} }))).toEqual([201, 409, 400]);
    simulator.rollover();
    expect(statuses(await bulk(create, doc("1")))).toEqual([201]);
    const index = await bulk({ index: { _index: "logs-x-default", _id: "2" } }, doc("2"));
    expect(index.items[0]!["index"]!.error!.reason).toContain("op_type of create");
  });

  it("refuses an external version that is not higher", async () => {
    const at = (version: number) => ({ index: { _index: "a", _id: "1", version, version_type: "external" } });
    expect(statuses(await bulk(at(2), doc("b"), at(1), doc("a"), at(2), doc("b"), at(3), doc("c")))).toEqual([201, 409, 409, 200]);
    expect(simulator.received()).toEqual([doc("c")]);
  });

  it("refuses values that their fields cannot hold", async () => {
    const bad: readonly object[] = [
      { related: { ip: ["10.0.0.1", "x"] } },
      { source: { ip: "010.0.0.1" } },
      { event: { severity: "high" } },
      { "@timestamp": "yesterday" },
      { long: "x".repeat(40_000) },
    ];
    for (const [at, extra] of bad.entries()) {
      const answer = await bulk({ index: { _index: "a", _id: String(at) } }, { ...doc("1"), ...extra });
      expect(answer.items[0]!["index"], JSON.stringify(extra).slice(0, 80)).toMatchObject({
        status: 400,
        error: { type: "document_parsing_exception" },
      });
    }
  });

  it("quotes the document in errors unless it is told not to", async () => {
    const line = '{"index":{"_index":"a","_id":"1"}}\n{"source":{"ip":"hush"}}\n';
    expect(await (await post(line)).text()).toContain('source: {\\"source\\"');
    expect(await (await post(line, AUTH, "/_bulk?include_source_on_error=false")).text()).not.toContain("source: {");
  });

  it("passes the vendor's own bulk examples", async () => {
    const answer = await bulk(
      { index: { _index: "test_index", _id: "test_id" } },
      { f1: "v1", f2: 42 },
      { index: { _index: "test_index", _id: "test_id2" } },
      { f1: "v2", f2: 47 },
    );
    expect([answer.errors, statuses(answer)]).toEqual([false, [201, 201]]);
    expect(simulator.documents().map((document) => document.version)).toEqual([1, 1]);
  });

  it("needs no package but Node's own", () => {
    for (const file of ["http-server", "elastic", "elastic-bulk", "splunk", "splunk-envelope"]) {
      const text = readFileSync(`src/simulators/${file}.ts`, "utf8");
      for (const [, target] of text.matchAll(/from "([^"]+)"/g)) expect(/^(node:|\.\/)/.test(target!), `${file}: ${target}`).toBe(true);
    }
  });
});
