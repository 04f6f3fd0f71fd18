import { afterEach, beforeEach, describe, expect, it } from "vitest";
import elastic from "../../connectors/elastic/elastic.ts";
import type { Config } from "../../connectors/elastic/config.ts";
import type { Destination, Outcome, Rendered } from "../../src/ports/connector.ts";
import {
  ELASTIC_DEMO_KEY,
  startElasticSimulator,
  type ElasticSimulator,
  type ElasticSimulatorOptions,
} from "../../src/simulators/elastic.ts";
import { startLoopback } from "../../src/simulators/http-server.ts";
import { destinationContract, reactionOf, renderedAlerts } from "../contract/destination.ts";
import { everythingIn, testContext, testSecret } from "../fixtures/context.ts";
import { hugeIncident } from "../fixtures/hostile.ts";
import { classEvents, eventDelivery } from "../fixtures/events.ts";
import { alertSubject, delivery, incidentSubject } from "../fixtures/subjects.ts";
import { bulkMalformed, bulkReactions } from "./bulk-contract.ts";

const NAME = "elastic/main";
const JSON_HEADERS = { "x-elastic-product": "Elasticsearch", "content-type": "application/vnd.elasticsearch+json;compatible-with=9" };

function settings(url: string, changes: object = {}): Config {
  return elastic.config.parse({ url, apiKey: testSecret(ELASTIC_DEMO_KEY), ...changes });
}

function destinationTo(url: string, changes: object = {}): Destination {
  return elastic.destination!(settings(url, changes));
}

const alerts = (destination: Destination, count: number): Rendered[] => renderedAlerts(destination, NAME, count);

destinationContract({
  name: NAME,
  secrets: [ELASTIC_DEMO_KEY, "demo-key-secret"],
  start: async () => {
    const simulator = await startElasticSimulator();
    return { ...simulator, destination: destinationTo(simulator.url, { timeoutMs: 5_000 }) };
  },
  reactions: bulkReactions(JSON_HEADERS),
  malformed: bulkMalformed(JSON_HEADERS),
  identity: (received) => (received as { event: { id: string } }).event.id,
  idempotent: true,
});

describe("the Elastic connector", () => {
  let simulator: ElasticSimulator;
  const restart = async (options: ElasticSimulatorOptions): Promise<void> => {
    await simulator.close();
    simulator = await startElasticSimulator(options);
  };
  beforeEach(async () => {
    simulator = await startElasticSimulator();
  });
  afterEach(() => simulator.close());

  it("replaces an earlier revision and never overwrites a later one", async () => {
    const destination = destinationTo(simulator.url);
    for (const revision of [2, 1, 4, 3, 4]) {
      const subject = incidentSubject({ revision, title: `revision ${revision}` });
      const outcomes = await destination.send([destination.render(delivery(subject, NAME))], testContext().context);
      expect(outcomes.map(kindOf)).toEqual(["delivered"]);
    }
    expect(simulator.documents()).toMatchObject([{ index: "custodes-incidents", version: 4, source: { message: "revision 4" } }]);
  });

  it("keeps the order of revisions within one batch too", async () => {
    const destination = destinationTo(simulator.url);
    const batch = [3, 1, 2].map((revision) => destination.render(delivery(alertSubject({ revision }), NAME)));
    expect((await destination.send(batch, testContext().context)).map(kindOf)).toEqual(["delivered", "delivered", "delivered"]);
    expect(simulator.documents()).toMatchObject([{ version: 3, source: { custodes: { revision: 3 } } }]);
  });

  it("gives each item its own outcome when some fail", async () => {
    const destination = destinationTo(simulator.url);
    simulator.fail({
      items: [
        { at: 1, status: 429, type: "es_rejected_execution_exception" },
        { at: 2, status: 400, type: "document_parsing_exception", reason: "failed to parse field [source.ip] of type [ip]: 'cred-4471'" },
        { at: 4, status: 409, type: "version_conflict_engine_exception" },
        { at: 5, status: 503, type: "unavailable_shards_exception" },
      ],
    });
    const outcomes = await destination.send(alerts(destination, 6), testContext().context);
    expect(outcomes.map(kindOf)).toEqual(["delivered", "retryable", "poison", "delivered", "delivered", "retryable"]);
    expect(simulator.received()).toHaveLength(2);
    expect(outcomes[2]).toMatchObject({ message: "item status 400: document_parsing_exception, field source.ip" });
    expect(everythingIn(outcomes)).not.toContain("cred-4471");
  });

  it("never takes a 200 for success when the items say otherwise, whatever `errors` says", async () => {
    const destination = destinationTo(simulator.url);
    for (const errors of [true, false]) {
      simulator.fail({
        status: 200,
        headers: JSON_HEADERS,
        body: JSON.stringify({
          took: 1,
          errors,
          items: [{ index: { status: 400, error: { type: "document_parsing_exception" } } }, { index: { status: 201 } }],
        }),
      });
      expect((await destination.send(alerts(destination, 2), testContext().context)).map(kindOf)).toEqual(["poison", "delivered"]);
    }
  });

  it("stops instead of filling the dead letters when most of a batch fails for one reason", async () => {
    const destination = destinationTo(simulator.url);
    const refuse = (count: number) => Array.from({ length: count }, (_, at) => ({ at, status: 400, type: "illegal_argument_exception" }));
    simulator.fail({ items: refuse(6) }, { items: refuse(5) });
    const reaction = await reactionOf(destination.send(alerts(destination, 10), testContext().context));
    expect(reaction).toMatchObject({ kind: "permanent", code: "DESTINATION_CONFIG", scope: "connector" });
    const outcomes = await destination.send(alerts(destination, 10), testContext().context);
    expect(outcomes.map(kindOf).filter((kind) => kind === "poison")).toHaveLength(5);
  });

  it("stops at a data stream, where no revision could replace another", async () => {
    await restart({ dataStreams: ["custodes-*"] });
    const destination = destinationTo(simulator.url);
    const reaction = await reactionOf(destination.send(alerts(destination, 1), testContext().context));
    expect(reaction).toMatchObject({ kind: "permanent", code: "DESTINATION_CONFIG", scope: "connector" });
  });

  it("stops when the key may not write to the index, or the index may not be created", async () => {
    await restart({ writable: ["custodes-alerts"] });
    const destination = destinationTo(simulator.url);
    const incident = destination.render(delivery(incidentSubject(), NAME));
    expect(await reactionOf(destination.send([incident], testContext().context))).toMatchObject({
      code: "HTTP_DENIED",
      scope: "connector",
    });
    expect((await destination.send(alerts(destination, 1), testContext().context)).map(kindOf)).toEqual(["delivered"]);
    await restart({ autoCreate: false });
    const other = destinationTo(simulator.url);
    expect(await reactionOf(other.send(alerts(other, 1), testContext().context))).toMatchObject({
      code: "DESTINATION_CONFIG",
      scope: "connector",
    });
  });

  it("creates an event once, in a data stream, also after an answer that never came or broke off", async () => {
    await restart({ dataStreams: ["logs-custodes.event-default"] });
    const destination = destinationTo(simulator.url);
    const batch = classEvents().map(([, event]) => destination.render(eventDelivery(event)));
    simulator.fail({ connection: "hang", stored: true }, { connection: "cut" });
    for (const code of ["HTTP_TIMEOUT", "HTTP_MALFORMED"])
      expect(await reactionOf(destination.send(batch, testContext({ timeoutMs: 150 }).context))).toMatchObject({ kind: "retryable", code });
    const outcomes = await destination.send(batch, testContext().context);
    expect(outcomes.every((outcome) => outcome.status === "delivered" && outcome.receipt.endsWith("(already there)"))).toBe(true);
    expect(simulator.documents().map((one) => one.id)).toEqual(classEvents().map(([, event]) => event.uid));
    simulator.rollover();
    expect((await destination.send(batch.slice(0, 1), testContext().context)).map(kindOf)).toEqual(["delivered"]);
    expect(simulator.documents(), "an id is known within one backing index only").toHaveLength(batch.length + 1);
  });

  it("sends events beside alerts, each with its own outcome", async () => {
    await restart({ dataStreams: ["logs-*"], writable: ["custodes-*", "logs-*"] });
    const destination = destinationTo(simulator.url);
    const [first, second] = classEvents().map(([, event]) => destination.render(eventDelivery(event)));
    simulator.fail({ items: [{ at: 2, status: 400, type: "document_parsing_exception" }] });
    const outcomes = await destination.send([first!, ...alerts(destination, 1), second!], testContext().context);
    expect(outcomes.map(kindOf)).toEqual(["delivered", "delivered", "poison"]);
  });

  it("delivers what goes to the failure store, and says so", async () => {
    const destination = destinationTo(simulator.url);
    const { context, logged } = testContext();
    simulator.fail({ failureStore: true });
    const outcomes = await destination.send(alerts(destination, 2), context);
    expect(outcomes).toMatchObject([
      { status: "delivered", receipt: expect.stringContaining("failure store") as string },
      { status: "delivered" },
    ]);
    expect(logged).toHaveLength(1);
  });

  it("has its batch halved when the server finds it too large", async () => {
    await restart({ bodyBytesMax: 6_000 });
    const destination = destinationTo(simulator.url);
    expect(await reactionOf(destination.send(alerts(destination, 6), testContext().context))).toMatchObject({
      code: "HTTP_TOO_LARGE",
      scope: "item",
    });
    expect((await destination.send(alerts(destination, 1), testContext().context)).map(kindOf)).toEqual(["delivered"]);
  });

  it("takes a full batch", async () => {
    const destination = destinationTo(simulator.url);
    const { batchItems, batchBytes } = destination.limits;
    const batch = alerts(destination, batchItems);
    expect(batch.reduce((sum, item) => sum + item.bytes, 0)).toBeLessThan(batchBytes);
    expect((await destination.send(batch, testContext().context)).every((outcome) => outcome.status === "delivered")).toBe(true);
    const large = destination.render(delivery(hugeIncident(), NAME));
    expect((await destination.send([large], testContext().context)).map(kindOf)).toEqual(["delivered"]);
    expect(simulator.received()).toHaveLength(batchItems + 1);
  });

  it("keeps one document per id after an answer that never came", async () => {
    const destination = destinationTo(simulator.url);
    const batch = alerts(destination, 3);
    simulator.fail({ connection: "hang", stored: true });
    expect(await reactionOf(destination.send(batch, testContext({ timeoutMs: 150 }).context))).toMatchObject({ code: "HTTP_TIMEOUT" });
    expect((await destination.send(batch, testContext().context)).map(kindOf)).toEqual(["delivered", "delivered", "delivered"]);
    expect(simulator.received()).toHaveLength(3);
  });

  it("ends an answer that trickles when its own time is over", async () => {
    const destination = destinationTo(simulator.url, { timeoutMs: 120 });
    simulator.fail({ connection: "trickle", headers: JSON_HEADERS });
    expect(await reactionOf(destination.send(alerts(destination, 1), testContext({ timeoutMs: 60_000 }).context))).toMatchObject({
      code: "HTTP_TIMEOUT",
      scope: "connector",
    });
  });

  it("sends a rotated key without being made anew", async () => {
    let key = "c3RhbGU6c3RhbGU=";
    const destination = elastic.destination!(settings(simulator.url, { apiKey: { reveal: () => key } }));
    expect(await reactionOf(destination.send(alerts(destination, 1), testContext().context))).toMatchObject({ code: "HTTP_DENIED" });
    key = ELASTIC_DEMO_KEY;
    expect((await destination.send(alerts(destination, 1), testContext().context)).map(kindOf)).toEqual(["delivered"]);
  });

  it("is understood by a cluster of an older version than the vendor's client", async () => {
    await restart({ version: "8.19.2" });
    const destination = destinationTo(simulator.url);
    expect((await destination.send(alerts(destination, 1), testContext().context)).map(kindOf)).toEqual(["delivered"]);
    const [reach] = await elastic.check(settings(simulator.url), testContext().context);
    expect(reach).toMatchObject({ ok: true, message: "Elasticsearch 8.19.2 answers" });
  });

  it("works below a path, as behind a proxy, and asks for errors without our document in them", async () => {
    const paths: string[] = [];
    const proxy = await startLoopback({
      handle: ({ path, query }) => {
        paths.push(path);
        expect(query.get("include_source_on_error")).toBe("false");
        return { status: 429 };
      },
    });
    const destination = destinationTo(`${proxy.url}/search/es/`);
    expect(await reactionOf(destination.send(alerts(destination, 1), testContext().context))).toMatchObject({ code: "HTTP_THROTTLED" });
    await proxy.close();
    expect(paths).toEqual(["/search/es/_bulk"]);
  });
});

function kindOf(outcome: Outcome): string {
  return outcome.status === "failed" ? outcome.kind : outcome.status;
}
