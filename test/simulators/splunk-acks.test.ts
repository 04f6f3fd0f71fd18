import { afterEach, describe, expect, it } from "vitest";
import { SPLUNK_DEMO_TOKEN, startSplunkSimulator, type SplunkSimulator, type SplunkSimulatorOptions } from "../../src/simulators/splunk.ts";

let simulator: SplunkSimulator | undefined;
async function start(options: SplunkSimulatorOptions = {}): Promise<SplunkSimulator> {
  simulator = await startSplunkSimulator({ useAck: true, ...options });
  return simulator;
}
afterEach(async () => {
  await simulator?.close();
  simulator = undefined;
});

const ONE = "b6f6c1d2-6d3e-4b7a-9c55-000000000001";
const OTHER = "b6f6c1d2-6d3e-4b7a-9c55-000000000002";

interface Answered {
  readonly status: number;
  readonly cookie: string | null;
  readonly code?: number;
  readonly ackId?: number;
  readonly acks?: Readonly<Record<string, boolean>>;
}

async function call(path: string, body: string, headers: Record<string, string> = {}): Promise<Answered> {
  const response = await fetch(`${simulator!.url}/services/collector${path}`, {
    method: "POST",
    headers: { authorization: `Splunk ${SPLUNK_DEMO_TOKEN}`, ...headers },
    body,
  });
  return { ...((await response.json()) as object), status: response.status, cookie: response.headers.get("set-cookie") };
}
const send = (channel: string, text = "e", headers: Record<string, string> = {}) =>
  call("/event", JSON.stringify({ event: text }), { "x-splunk-request-channel": channel, ...headers });
const ask = (channel: string, acks: unknown, headers: Record<string, string> = {}) =>
  call(`/ack?channel=${channel}`, JSON.stringify({ acks }), headers);

describe("the simulated acknowledgement", () => {
  it("counts requests by channel from zero, not events", async () => {
    await start();
    const body = '{"event":"a"}{"event":"b"}';
    const ids = [
      (await call("/event", body, { "x-splunk-request-channel": ONE })).ackId,
      (await send(ONE)).ackId,
      (await send(OTHER)).ackId,
      (await send(ONE)).ackId,
    ];
    expect(ids).toEqual([0, 1, 0, 2]);
  });

  it("says true once, for what is indexed, and false for what is not, is unknown or was told before", async () => {
    const collector = await start({ indexing: "by-hand" });
    await send(ONE);
    await send(ONE);
    expect((await ask(ONE, [0, 1, 7])).acks).toEqual({ "0": false, "1": false, "7": false });
    collector.index();
    await send(ONE);
    expect((await ask(ONE, [0, 2])).acks).toEqual({ "0": true, "2": false });
    expect((await ask(ONE, [0, 1])).acks).toEqual({ "0": false, "1": true });
    expect((await ask(OTHER, [0])).acks).toEqual({ "0": false });
  });

  it("gives no id to a batch that it refuses, though it keeps what came before the bad event", async () => {
    const collector = await start();
    const refused = await call("/event", '{"event":"a"}{"event":""}', { "x-splunk-request-channel": ONE });
    expect([refused.status, refused.code, refused.ackId]).toEqual([400, 13, undefined]);
    expect(collector.accepted()).toHaveLength(1);
    expect((await send(ONE)).ackId).toBe(0);
  });

  it("loses what is not indexed in a crash, and counts from zero again", async () => {
    const collector = await start({ indexing: "by-hand" });
    await send(ONE, "safe");
    collector.index();
    await send(ONE, "lost");
    collector.crash();
    expect(collector.accepted().map(({ event }) => event)).toEqual(["safe"]);
    expect((await ask(ONE, [0, 1])).acks).toEqual({ "0": false, "1": false });
    expect((await send(ONE)).ackId).toBe(0);
  });

  it("is full by channel (27), warns before (25), and is free again when it was asked", async () => {
    await start({ ackLimits: { perChannel: 4 } });
    const codes = [];
    for (let request = 0; request < 5; request++) codes.push((await send(ONE)).code);
    expect(codes).toEqual([0, 0, 0, 25, 27]);
    expect((await send(ONE)).status).toBe(429);
    expect(simulator!.accepted()).toHaveLength(4);
    expect((await send(OTHER)).code).toBe(0);
    await ask(ONE, [0, 1]);
    expect((await send(ONE)).code).toBe(0);
  });

  it("has so many channels and no more, and forgets the oldest ids beyond its total", async () => {
    await start({ ackLimits: { channels: 2, total: 2 } });
    await send(ONE);
    await send(ONE);
    await send(OTHER);
    expect((await send("b6f6c1d2-6d3e-4b7a-9c55-000000000003")).code).toBe(27);
    expect((await ask(ONE, [0, 1])).acks).toEqual({ "0": false, "1": true });
  });

  it("removes a channel that was idle for ten minutes", async () => {
    let now = 0;
    await start({ now: () => now });
    await send(ONE);
    now += 600_000;
    await send(OTHER);
    now += 1;
    expect((await ask(ONE, [0])).acks).toEqual({ "0": false });
    expect((await ask(OTHER, [0])).acks).toEqual({ "0": true });
  });

  it("knows ids on the node alone that gave them, and leads back there by a cookie", async () => {
    await start({ nodes: 2 });
    const first = await send(ONE);
    const second = await send(ONE);
    expect([first.ackId, second.ackId]).toEqual([0, 0]);
    expect([first.cookie, second.cookie]).toEqual(["hecnode=n0; Path=/", "hecnode=n1; Path=/"]);
    expect((await send(ONE, "e", { cookie: "hecnode=n1" })).ackId).toBe(1);
    expect((await ask(ONE, [0, 1], { cookie: "hecnode=n0" })).acks).toEqual({ "0": true, "1": false });
    expect((await ask(ONE, [1], { cookie: "a=b; hecnode=n1" })).acks).toEqual({ "1": true });
    expect(simulator!.asked().map(({ node }) => node)).toEqual([0, 1]);
  });

  it.each([
    ["no list", { acks: 1 }],
    ["an id that is none", { acks: ["0"] }],
    ["a negative id", { acks: [-1] }],
    ["nothing", {}],
  ])("refuses a question with %s", async (_, body) => {
    await start();
    expect((await call(`/ack?channel=${ONE}`, JSON.stringify(body))).code).toBe(6);
    expect((await call(`/ack?channel=${ONE}`, "no json")).code).toBe(6);
  });

  it("checks acknowledgement before the channel, and both before the question", async () => {
    await start();
    expect((await call("/ack", '{"acks":[0]}')).code).toBe(10);
    expect((await call("/ack?channel=main", '{"acks":[0]}')).code).toBe(11);
    simulator!.change({ useAck: false });
    expect((await call("/ack", "no json")).code).toBe(14);
  });

  it("spoils questions and events apart from each other", async () => {
    const collector = await start();
    collector.failAck({ code: 9 });
    collector.fail({ code: 24 });
    const sent = await send(ONE);
    expect([sent.code, sent.ackId]).toEqual([24, 0]);
    expect((await ask(ONE, [0])).code).toBe(9);
    expect((await ask(ONE, [0])).acks).toEqual({ "0": true });
  });
});

describe("the simulated management port", () => {
  const get = async (name: string, token = "mgmt", query = "?output_mode=json") => {
    const response = await fetch(`${simulator!.url}/services/data/indexes/${name}${query}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    return [response.status, await response.text()] as const;
  };

  it("knows indexes, and who may ask", async () => {
    await start({ management: { token: "mgmt", indexes: ["main", "old"], disabled: ["old"] } });
    expect(await get("main")).toEqual([200, expect.stringContaining('"disabled":false')]);
    expect(await get("old")).toEqual([200, expect.stringContaining('"disabled":true')]);
    expect((await get("none"))[0]).toBe(404);
    expect((await get("main", "wrong"))[0]).toBe(401);
    expect((await get("main", "mgmt", ""))[1]).toMatch(/^<feed>/);
  });

  it("is not there unless it was asked for", async () => {
    await start();
    expect((await get("main"))[0]).toBe(404);
  });
});
