import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SPLUNK_DEMO_TOKEN, startSplunkSimulator, type SplunkSimulator, type SplunkSimulatorOptions } from "../../src/simulators/splunk.ts";

let simulator: SplunkSimulator;
const restart = async (options: SplunkSimulatorOptions): Promise<void> => {
  await simulator.close();
  simulator = await startSplunkSimulator(options);
};
beforeEach(async () => {
  simulator = await startSplunkSimulator();
});
afterEach(() => simulator.close());

const AUTH = { authorization: `Splunk ${SPLUNK_DEMO_TOKEN}` };
const CHANNEL = { "x-splunk-request-channel": "b6f6c1d2-6d3e-4b7a-9c55-0c7a1f2e3d48" };

interface HecAnswer {
  readonly code: number;
  readonly "invalid-event-number"?: number;
  readonly ackId?: number;
}

async function post(
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = AUTH,
  path = "/services/collector/event",
): Promise<Response> {
  return await fetch(`${simulator.url}${path}`, { method: "POST", headers, body });
}

async function answer(
  body: string,
  headers: Record<string, string> = AUTH,
): Promise<readonly [status: number, code: number, at: number | undefined]> {
  const response = await post(body, headers);
  const json = (await response.json()) as HecAnswer;
  return [response.status, json.code, json["invalid-event-number"]];
}

describe("the simulated HTTP Event Collector", () => {
  it.each([
    ["no credential", {}, 401, 2],
    ["a scheme that it does not know", { authorization: `Bearer ${SPLUNK_DEMO_TOKEN}` }, 401, 3],
    ["a wrong token", { authorization: "Splunk 00000000-0000-4000-8000-000000000000" }, 403, 4],
    ["the token as a password", { authorization: `Basic ${Buffer.from(`x:${SPLUNK_DEMO_TOKEN}`).toString("base64")}` }, 200, 0],
  ])("answers %s", async (_, headers, status, code) => {
    expect((await answer('{"event":"x"}', headers)).slice(0, 2)).toEqual([status, code]);
  });

  it("knows a disabled token and refuses one in the query", async () => {
    const query = await post('{"event":"x"}', {}, `/services/collector/event?token=${SPLUNK_DEMO_TOKEN}`);
    expect(((await query.json()) as HecAnswer).code).toBe(16);
    const wrong = await post('{"event":"x"}', {}, "/services/collector/event?token=00000000-0000-4000-8000-000000000000");
    expect([wrong.status, ((await wrong.json()) as HecAnswer).code]).toEqual([403, 4]);
    await restart({ tokenDisabled: true });
    expect(await answer('{"event":"x"}')).toEqual([403, 1, undefined]);
  });

  it.each([
    ["nothing", "", 5, undefined],
    ["blanks", " \n ", 5, undefined],
    ["no JSON", '{"event":"a"}oops', 6, 1],
    ["an unfinished object", '{"event":"a"}{"event":', 6, 1],
    ["no event", '{"event":"a"}{"time":1}', 12, 1],
    ["a blank event", '{"event":"a"}{"event":"b"}{"event":""}', 13, 2],
    ["a null event", '{"event":null}', 13, 0],
    ["an empty event", '{"event":{}}', 13, 0],
    ["a time that is no number", '{"time":"now","event":"a"}', 15, 0],
    ["a time in scientific notation", '{"time":1.7e9,"event":"a"}', 15, 0],
    ["nested indexed fields", '{"event":"a","fields":{"a":{"b":1}}}', 15, 0],
    ["a list of indexed fields", '{"event":"a","fields":["a"]}', 6, 0],
    ["metadata that is no text", '{"event":"a","host":7}', 6, 0],
  ])("refuses %s, after it stored what came before", async (_, body, code, at) => {
    expect(await answer(body)).toEqual([400, code, at]);
    expect(simulator.accepted()).toHaveLength(at ?? 0);
  });

  it("takes concatenated objects with and without line ends, braces in texts, and gzip", async () => {
    expect(await answer('{"event":"}{"}{"event":{"a":"\\"}"}}\n\n{"time":"1787389243.512","event":1}')).toEqual([200, 0, undefined]);
    expect((await post(new Uint8Array(gzipSync('{"event":"z"}')), { ...AUTH, "content-encoding": "gzip" })).status).toBe(200);
    expect(simulator.accepted()).toHaveLength(4);
  });

  it("counts one too far for a forbidden index", async () => {
    await restart({ indexes: ["main"] });
    expect(await answer('{"event":"a","index":"main"}{"event":"b","index":"other"}')).toEqual([400, 7, 2]);
  });

  it("answers HTML, and 404 bodies to wrong methods, where the vendor does", async () => {
    await restart({ bodyBytesMax: 10 });
    const large = await post('{"event":"too large"}');
    const encoding = await post("x", { ...AUTH, "content-encoding": "br" });
    const gzip = await post("x", { ...AUTH, "content-encoding": "gzip" });
    expect([large.status, encoding.status, gzip.status]).toEqual([413, 415, 400]);
    for (const response of [large, encoding, gzip]) expect(await response.text()).toMatch(/^<!doctype html>/);
    const get = await fetch(`${simulator.url}/services/collector/event`, { headers: AUTH });
    expect([get.status, ((await get.json()) as HecAnswer).code]).toEqual([405, 404]);
    expect((await post("x", AUTH, "/services/other")).status).toBe(404);
  });

  it("gives an acknowledgement once, per channel", async () => {
    expect((await (await post('{"acks":[0]}', AUTH, "/services/collector/ack")).json()) as HecAnswer).toMatchObject({ code: 14 });
    await restart({ useAck: true });
    expect(await answer('{"event":"a"}')).toEqual([400, 10, undefined]);
    expect(await answer('{"event":"a"}', { ...AUTH, "x-splunk-request-channel": "main" })).toEqual([400, 11, undefined]);
    const { ackId } = (await (await post('{"event":"a"}', { ...AUTH, ...CHANNEL })).json()) as HecAnswer;
    const ask = async () =>
      (await (await post(JSON.stringify({ acks: [ackId] }), { ...AUTH, ...CHANNEL }, "/services/collector/ack")).json()) as unknown;
    expect([await ask(), await ask()]).toEqual([{ acks: { [String(ackId)]: true } }, { acks: { [String(ackId)]: false } }]);
  });

  it("shows the highest revision of each id", async () => {
    const event = (id: string, revision: number) =>
      JSON.stringify({ event: "e", fields: { custodes_id: id, custodes_revision: String(revision) } });
    await post([event("a", 2), event("b", 1), event("a", 10), event("a", 9)].join(""));
    expect(simulator.received()).toMatchObject([{ fields: { custodes_revision: "10" } }, { fields: { custodes_id: "b" } }]);
  });
});
