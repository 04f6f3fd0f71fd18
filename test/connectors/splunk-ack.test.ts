import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Config } from "../../connectors/splunk/config.ts";
import splunk from "../../connectors/splunk/splunk.ts";
import type { Destination, Outcome, Ticket } from "../../src/ports/connector.ts";
import type { Context } from "../../src/ports/context.ts";
import { HEC_CODES } from "../../src/simulators/splunk-codes.ts";
import { SPLUNK_DEMO_TOKEN, startSplunkSimulator, type SplunkSimulator, type SplunkSimulatorOptions } from "../../src/simulators/splunk.ts";
import { connectorWide, destinationContract, reactionOf, renderedAlerts, type Reaction } from "../contract/destination.ts";
import { everythingIn, testContext, testSecret } from "../fixtures/context.ts";
import { STORY_TIME } from "../fixtures/subjects.ts";

const NAME = "splunk/main";
const CHANNEL_MS = 10_000;

function destinationTo(url: string, changes: object = {}): Destination {
  const settings = splunk.config.parse({ url, token: testSecret(SPLUNK_DEMO_TOKEN), acknowledge: true, ...changes }) as Config;
  return splunk.destination!(settings);
}

const alerts = (destination: Destination, count: number) => renderedAlerts(destination, NAME, count);
const ticketsOf = (outcomes: readonly Outcome[]): Ticket[] =>
  outcomes.flatMap((one, index) => (one.status === "accepted" ? [{ key: `k${index}`, ticket: one.ticket, time: 0 }] : []));
const kinds = (outcomes: readonly Outcome[]): string[] => outcomes.map((one) => (one.status === "failed" ? one.kind : one.status));
const at = (now: number): Context => testContext({ now }).context;

/** The same promises as without acknowledgement, where what is accepted is asked about at once. */
destinationContract({
  name: NAME,
  secrets: [SPLUNK_DEMO_TOKEN],
  start: async () => {
    const simulator = await startSplunkSimulator({ useAck: true });
    const destination = destinationTo(simulator.url, { timeoutMs: 5_000 });
    const send: Destination["send"] = async (batch, context) => {
      const outcomes = await destination.send(batch, context);
      const tickets = ticketsOf(outcomes);
      return tickets.length === 0 ? outcomes : await destination.confirm!(tickets, context);
    };
    return { ...simulator, destination: { ...destination, send } };
  },
  reactions: [],
  malformed: [
    { status: 200, body: "" },
    { status: 200, body: "{}" },
    { status: 200, body: '{"text":"Success","code":0,"ackId":"7"}' },
    { status: 200, body: '{"text":"Success","code":0,"ackId":-1}' },
    { status: 200, body: '{"text":"Success","code":0,"ackId":1.5}' },
    { status: 200, body: '{"text":"Success","code":0,"ackId":null}' },
  ],
  identity: (received) => (received as { fields: { custodes_dedup: string } }).fields.custodes_dedup,
  idempotent: false,
});

describe("Splunk with acknowledgement", () => {
  let simulator: SplunkSimulator;
  const restart = async (options: SplunkSimulatorOptions): Promise<void> => {
    await simulator.close();
    simulator = await startSplunkSimulator({ useAck: true, ...options });
  };
  beforeEach(async () => {
    simulator = await startSplunkSimulator({ useAck: true, indexing: "by-hand" });
  });
  afterEach(() => simulator.close());

  /** Sends and gives the tickets. */
  async function taken(destination: Destination, count: number, context = testContext().context): Promise<Ticket[]> {
    const outcomes = await destination.send(alerts(destination, count), context);
    expect(kinds(outcomes)).toEqual(Array(count).fill("accepted"));
    return ticketsOf(outcomes);
  }

  it("gives the deliveries of a request one ticket, to be asked about after the configured time", async () => {
    const destination = destinationTo(simulator.url, { ackEveryMs: 3_000 });
    const outcomes = await destination.send(alerts(destination, 3), testContext().context);
    const [first] = ticketsOf(outcomes);
    expect(outcomes).toEqual(Array(3).fill({ status: "accepted", ticket: first!.ticket, askAfterMs: 3_000 }));
    expect(first!.ticket).toMatch(/^[0-9a-f-]{36} 0$/);
    expect(ticketsOf(await destination.send(alerts(destination, 1), testContext().context))[0]!.ticket).not.toBe(first!.ticket);
  });

  it("delivers what is indexed and waits for what is not, in one request for a channel", async () => {
    const destination = destinationTo(simulator.url);
    const { context } = testContext();
    const tickets = [...(await taken(destination, 2)), ...(await taken(destination, 1))];
    expect(await destination.confirm!(tickets, context)).toEqual(
      tickets.map(({ ticket }) => ({ status: "accepted", ticket, askAfterMs: 10_000 })),
    );
    simulator.index();
    const later = await taken(destination, 1);
    expect(await destination.confirm!([...tickets, ...later], context)).toEqual([
      { status: "delivered", receipt: "hec:ack:0" },
      { status: "delivered", receipt: "hec:ack:0" },
      { status: "delivered", receipt: "hec:ack:1" },
      { status: "accepted", ticket: later[0]!.ticket, askAfterMs: 10_000 },
    ]);
    expect(simulator.asked().map(({ acks }) => acks)).toEqual([
      [0, 1],
      [0, 1, 2],
    ]);
  });

  it("uses another channel every ten seconds, and asks each channel about its own ids", async () => {
    const destination = destinationTo(simulator.url);
    const tickets = [];
    for (const turn of [0, 0, 1, 5]) tickets.push(...(await taken(destination, 1, at(STORY_TIME + turn * CHANNEL_MS))));
    simulator.index();
    expect(kinds(await destination.confirm!(tickets, testContext().context))).toEqual(Array(4).fill("delivered"));
    const asked = simulator.asked();
    expect(new Set(asked.map(({ channel }) => channel)).size).toBe(3);
    expect(asked.map(({ acks }) => acks)).toEqual([[0, 1], [0], [0]]);
    for (const { channel } of asked) expect(channel).toMatch(/^b6f6c1d2-6d3e-4b7a-9c55-[0-9a-f]{12}$/);
  });

  it("does not take another's acknowledgement for its own when a node has lost its memory", async () => {
    const destination = destinationTo(simulator.url);
    const lost = await taken(destination, 1, at(STORY_TIME));
    simulator.crash();
    const safe = await taken(destination, 1, at(STORY_TIME + CHANNEL_MS));
    simulator.index();
    expect(kinds(await destination.confirm!([...lost, ...safe], testContext().context))).toEqual(["accepted", "delivered"]);
  });

  it("finds the node again that took a request, by the load balancer's cookie", async () => {
    await restart({ nodes: 3 });
    const destination = destinationTo(simulator.url, { stickyCookie: "hecnode" });
    const tickets = [];
    for (let request = 0; request < 6; request++) tickets.push(...(await taken(destination, 1)));
    expect(kinds(await destination.confirm!(tickets, testContext().context))).toEqual(Array(6).fill("delivered"));
    expect(simulator.asked().map(({ node, acks }) => [node, acks])).toEqual([
      [0, [0, 1]],
      [1, [0, 1]],
      [2, [0, 1]],
    ]);
  });

  it.each(["; ", "x y", '"', "v".repeat(301)])("keeps no cookie that could not be sent back: %j", async (value) => {
    const destination = destinationTo(simulator.url, { stickyCookie: "node" });
    simulator.fail({
      stored: true,
      headers: { "set-cookie": `node=${value}; Path=/` },
      status: 200,
      body: '{"text":"Success","code":0,"ackId":0}',
    });
    const [one] = await taken(destination, 1);
    expect(one!.ticket).toMatch(/^[0-9a-f-]{36} 0$/);
  });

  it.each([24, 25])("slows down with code %i and still waits for the acknowledgement", async (code) => {
    const destination = destinationTo(simulator.url);
    simulator.fail({ code });
    const outcomes = await destination.send(alerts(destination, 2), testContext().context);
    expect(outcomes).toMatchObject([
      { status: "accepted", busy: true },
      { status: "accepted", busy: true },
    ]);
  });

  it("is throttled by a channel that is full, and free in the next", async () => {
    await restart({ ackLimits: { perChannel: 1 } });
    const destination = destinationTo(simulator.url);
    const [first] = await destination.send(alerts(destination, 1), at(STORY_TIME));
    expect(first).toMatchObject({ status: "accepted", busy: true });
    expect(await reactionOf(destination.send(alerts(destination, 1), at(STORY_TIME)))).toMatchObject(
      connectorWide("retryable", "HTTP_THROTTLED"),
    );
    expect(kinds(await destination.send(alerts(destination, 1), at(STORY_TIME + CHANNEL_MS)))).toEqual(["accepted"]);
  });

  it("counts as delivered what a token without acknowledgement took, and says so", async () => {
    await restart({ useAck: false });
    const destination = destinationTo(simulator.url);
    const { context, logged } = testContext();
    expect(kinds(await destination.send(alerts(destination, 2), context))).toEqual(["delivered", "delivered"]);
    expect(logged.join()).toContain("no indexer acknowledgement");
  });

  it("has everything sent again when acknowledgement was disabled before it was given", async () => {
    const destination = destinationTo(simulator.url);
    const tickets = await taken(destination, 2);
    simulator.change({ useAck: false });
    expect(await reactionOf(destination.confirm!(tickets, testContext().context))).toMatchObject({ kind: "retryable" });
  });

  it.each([
    "",
    "x",
    "b6f6c1d2-6d3e-4b7a-9c55-0c7a1f2e3d48",
    "b6f6c1d2-6d3e-4b7a-9c55-0c7a1f2e3d48 9999999999999999",
    "b6f6c1d2-6d3e-4b7a-9c55-0c7a1f2e3d48 1 a;b",
  ])("has sent again what has a ticket that it cannot read: %j", async (ticket) => {
    const destination = destinationTo(simulator.url);
    const [own] = await taken(destination, 1);
    simulator.index();
    const outcomes = await destination.confirm!([{ key: "k", ticket, time: 0 }, own!], testContext().context);
    expect(kinds(outcomes)).toEqual(["retryable", "delivered"]);
  });

  const REFUSED: Readonly<Record<number, Reaction>> = {
    1: connectorWide("permanent", "HTTP_DENIED"),
    2: connectorWide("permanent", "HTTP_DENIED"),
    3: connectorWide("permanent", "HTTP_DENIED"),
    4: connectorWide("permanent", "HTTP_DENIED"),
    5: connectorWide("permanent", "HTTP_REJECTED"),
    6: connectorWide("permanent", "HTTP_REJECTED"),
    7: connectorWide("permanent", "DESTINATION_CONFIG"),
    8: connectorWide("retryable", "HTTP_UNAVAILABLE"),
    9: connectorWide("retryable", "HTTP_UNAVAILABLE"),
    10: connectorWide("permanent", "DESTINATION_CONFIG"),
    11: connectorWide("permanent", "DESTINATION_CONFIG"),
    12: connectorWide("permanent", "HTTP_REJECTED"),
    13: connectorWide("permanent", "HTTP_REJECTED"),
    15: connectorWide("permanent", "HTTP_REJECTED"),
    16: connectorWide("permanent", "DESTINATION_CONFIG"),
    18: connectorWide("retryable", "HTTP_UNAVAILABLE"),
    19: connectorWide("retryable", "HTTP_UNAVAILABLE"),
    20: connectorWide("retryable", "HTTP_UNAVAILABLE"),
    21: connectorWide("permanent", "DESTINATION_CONFIG"),
    22: connectorWide("permanent", "DESTINATION_CONFIG"),
    23: connectorWide("retryable", "HTTP_UNAVAILABLE"),
    26: connectorWide("retryable", "HTTP_THROTTLED"),
    27: connectorWide("retryable", "HTTP_THROTTLED"),
  };

  it("has a reaction to every code that a question can be answered with", () => {
    const others = [0, 14, 17, 24, 25];
    expect([...HEC_CODES.keys()].filter((code) => !(code in REFUSED) && !others.includes(code))).toEqual([]);
  });

  const spoilt = [
    ...Object.entries(REFUSED).map(([code, expected]) => [`code ${code}`, { code: Number(code) }, expected] as const),
    ...[0, 17, 24, 25].map((code) => [`code ${code}`, { code }, connectorWide("retryable", "HTTP_MALFORMED")] as const),
    ["HTML", { status: 200, body: "<html></html>" }, connectorWide("retryable", "HTTP_MALFORMED")],
    ["a list", { status: 200, body: '{"acks":[true]}' }, connectorWide("retryable", "HTTP_MALFORMED")],
    ["HTML 400", { status: 400, body: "<html></html>" }, connectorWide("permanent", "HTTP_REJECTED")],
    ["HTML 404", { status: 404, body: "<html></html>" }, connectorWide("permanent", "DESTINATION_CONFIG")],
    ["HTML 413", { status: 413, body: "<html></html>" }, connectorWide("permanent", "HTTP_TOO_LARGE")],
    ["HTML 503", { status: 503, body: "<html></html>" }, connectorWide("retryable", "HTTP_UNAVAILABLE")],
    ["a redirect", { status: 302, headers: { location: "/en-US/account/login" } }, connectorWide("permanent", "DESTINATION_CONFIG")],
    ["a reset", { connection: "reset" }, { kind: "retryable", code: "HTTP_UNREACHABLE" }],
    ["half an answer", { connection: "cut" }, { kind: "retryable", code: "HTTP_MALFORMED" }],
  ] as const;
  it.each(spoilt)("keeps its tickets when a question is answered with %s", async (_, fault, expected) => {
    const destination = destinationTo(simulator.url);
    const tickets = await taken(destination, 2);
    simulator.failAck(fault);
    expect(await reactionOf(destination.confirm!(tickets, testContext().context))).toMatchObject(expected);
    const text = everythingIn(await destination.confirm!(tickets, testContext().context));
    expect(text).not.toContain(SPLUNK_DEMO_TOKEN);
  });

  it("takes only true for true", async () => {
    const destination = destinationTo(simulator.url);
    const tickets = await taken(destination, 1);
    for (const told of [false, "true", 1, null, {}]) {
      simulator.failAck({ status: 200, body: JSON.stringify({ acks: { "0": told } }) });
      expect(kinds(await destination.confirm!(tickets, testContext().context))).toEqual(["accepted"]);
    }
    simulator.failAck({ status: 200, body: '{"acks":{}}' });
    expect(kinds(await destination.confirm!(tickets, testContext().context))).toEqual(["accepted"]);
  });

  it("keeps what one channel said though another said nothing", async () => {
    const destination = destinationTo(simulator.url);
    const tickets = [...(await taken(destination, 1, at(STORY_TIME))), ...(await taken(destination, 1, at(STORY_TIME + CHANNEL_MS)))];
    simulator.index();
    simulator.failAck({ code: 9 });
    const { context, logged } = testContext();
    expect(kinds(await destination.confirm!(tickets, context)).sort()).toEqual(["accepted", "delivered"]);
    expect(logged.join()).toContain("acknowledgements not read");
    expect(kinds(await destination.confirm!(tickets, context))).toContain("delivered");
  });

  it("asks 32 channels at once and the others next time", async () => {
    const destination = destinationTo(simulator.url);
    const tickets = [];
    for (let turn = 0; turn < 34; turn++) tickets.push(...(await taken(destination, 1, at(STORY_TIME + turn * CHANNEL_MS))));
    simulator.index();
    const first = await destination.confirm!(tickets, testContext().context);
    expect(kinds(first)).toEqual([...Array<string>(32).fill("delivered"), "accepted", "accepted"]);
    expect(kinds(await destination.confirm!(ticketsOf(first), testContext().context))).toEqual(["delivered", "delivered"]);
  });

  it("can ask about its tickets also when it no longer waits for new ones", async () => {
    const tickets = await taken(destinationTo(simulator.url), 1);
    simulator.index();
    const without = destinationTo(simulator.url, { acknowledge: false });
    expect(kinds(await without.confirm!(tickets, testContext().context))).toEqual(["delivered"]);
  });
});
