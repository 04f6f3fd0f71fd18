import { createServer, type AddressInfo } from "node:net";
import { Admin, Consumer, ResponseError, stringDeserializers } from "@platformatic/kafka";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { Config } from "../../connectors/kafka/config.ts";
import { clientFailure, PROTOCOL_CODES } from "../../connectors/kafka/errors.ts";
import kafka from "../../connectors/kafka/kafka.ts";
import type { Destination, Outcome, Rendered } from "../../src/ports/connector.ts";
import { connectorWide, reactionOf, renderedAlerts } from "../contract/destination.ts";
import { everythingIn, testContext, testSecret } from "../fixtures/context.ts";
import { hugeIncident } from "../fixtures/hostile.ts";
import { alertSubject, delivery, eventDelivery, incidentSubject } from "../fixtures/subjects.ts";
import { KAFKA_PASSWORD, startKafka, type KafkaServer } from "../servers/kafka.ts";

const NAME = "kafka/bus";
/** Looks at a new topic until it can be written to; half a minute on a machine that does little else. */
const LOOKS_MAX = 600;

function settings(broker: string, changes: object = {}): Config {
  return kafka.config.parse({ brokers: [broker], topic: "findings", tls: false, timeoutMs: 10_000, ...changes });
}
const destinationTo = (broker: string, changes: object = {}): Destination => kafka.destination!(settings(broker, changes));

const started = await startKafka();
if ("reason" in started) console.warn(`skipped: ${started.reason}`);

describe.runIf(!("reason" in started))("the Kafka connector, with a real broker", () => {
  const server = started as KafkaServer;
  let admin: Admin;
  let topic = "";
  let count = 0;
  beforeAll(() => {
    admin = new Admin({ clientId: "test", bootstrapBrokers: [server.plain] });
  });
  afterAll(async () => {
    await admin.close();
    await server.stop();
  });
  const create = async (configs: Readonly<Record<string, string>> = {}, partitions = 3): Promise<void> => {
    topic = `findings-${++count}`;
    const list = Object.entries(configs).map(([name, value]) => ({ name, value }));
    await admin.createTopics({ topics: [topic], partitions, replicas: 1, configs: list });
    // The broker answers before its partitions have their leader.
    for (let leaders = 0, look = 0; leaders < partitions && look < LOOKS_MAX; look++) {
      const known = await admin.metadata({ topics: [topic], forceUpdate: true }).catch(() => undefined);
      leaders = known?.topics.get(topic)?.partitions.filter((one) => one.leader > 0).length ?? 0;
      if (leaders < partitions) await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  beforeEach(() => create());
  const deliver = (changes: object = {}, batch?: readonly Rendered[]): Promise<readonly Outcome[]> => {
    const destination = destinationTo(server.plain, { topic, ...changes });
    return destination.send(batch ?? renderedAlerts(destination, NAME, 3), testContext().context);
  };

  /** Everything in the topic. */
  const received = async (total: number): Promise<readonly Received[]> => {
    const consumer = new Consumer({
      clientId: "reader",
      groupId: `reader-${topic}-${++count}`,
      bootstrapBrokers: [server.plain],
      deserializers: stringDeserializers,
    });
    const stream = await consumer.consume({ topics: [topic], mode: "earliest", autocommit: false, maxWaitTime: 100 });
    const list: Received[] = [];
    for await (const { key, value, headers, partition, offset } of stream) {
      list.push({ key: String(key), value: String(value), headers: Object.fromEntries(headers), partition, offset });
      if (list.length >= total) break;
    }
    await stream.close();
    await Promise.resolve(consumer.close(true));
    return list;
  };

  it("writes each record once, with its key, headers and OCSF value, and says where", async () => {
    const destination = destinationTo(server.plain, { topic });
    const batch = [
      ...[alertSubject(), incidentSubject()].map((subject) => destination.render(delivery(subject, NAME))),
      destination.render(eventDelivery(1, NAME)),
    ];
    const outcomes = await destination.send(batch, testContext().context);
    const list = await received(3);
    expect(outcomes.map((one) => (one.status === "delivered" ? one.receipt : one))).toEqual(
      batch.map((item) => list.find((one) => one.headers["ce_id"] === item.key)).map((one) => `${topic}/${one?.partition}@${one?.offset}`),
    );
    const incident = list.find((one) => one.headers["ce_type"] === "custodes.incident.updated");
    expect(incident).toMatchObject({
      key: incidentSubject().incident.id,
      headers: {
        ce_specversion: "1.0",
        ce_id: batch[1]!.key,
        ce_source: "custodes",
        ce_subject: incidentSubject().incident.id,
        "content-type": "application/json",
      },
    });
    expect(list.map((one) => one.value).sort()).toEqual(batch.map((item) => item.body).sort());
  });

  it.each(["none", "gzip", "zstd"])(
    "keeps the revisions of a subject in order, in one partition, with compression %s",
    async (compression) => {
      const destination = destinationTo(server.plain, { topic, compression });
      const revisions = [1, 2, 3].map((revision) => destination.render(delivery(incidentSubject({ revision }), NAME)));
      for (const one of revisions) await deliver({ compression }, [one, ...renderedAlerts(destination, NAME, 5)]);
      const list = (await received(18)).filter((one) => one.key === incidentSubject().incident.id);
      expect(list.map((one) => one.headers["ce_id"])).toEqual(revisions.map((one) => one.key));
      expect(new Set(list.map((one) => one.partition)).size).toBe(1);
    },
  );

  it("keeps batches that are sent at once apart, none lost", async () => {
    const destination = destinationTo(server.plain, { topic });
    const batch = renderedAlerts(destination, NAME, 80);
    await Promise.all([0, 20, 40, 60].map((at) => deliver({}, batch.slice(at, at + 20))));
    expect(new Set((await received(80)).map((one) => one.headers["ce_id"]))).toEqual(new Set(batch.map((item) => item.key)));
  });

  it("takes a full batch of the largest records within the broker's default limit", async () => {
    const destination = destinationTo(server.plain, { topic, compression: "none" });
    const item = destination.render(delivery(hugeIncident(), NAME));
    const fitting = Math.floor(destination.limits.batchBytes / item.bytes);
    expect(await reactionOf(deliver({ compression: "none" }, Array<Rendered>(fitting).fill(item)))).toBeUndefined();
    const small = { key: "k", body: "x".repeat(1_400), bytes: 1_400, meta: { recordKey: "one", type: "t", subject: "s" } };
    const many = Array<Rendered>(destination.limits.batchItems).fill(small);
    expect(await reactionOf(deliver({ compression: "none" }, many))).toBeUndefined();
  });

  it("has a batch that is too large for the topic halved down to the record, which is refused for good", async () => {
    await create({ "max.message.bytes": "20000" }, 1);
    const destination = destinationTo(server.plain, { topic, compression: "none" });
    const large = { ...destination.render(delivery(hugeIncident(), NAME)), key: "large" };
    const batch = [...renderedAlerts(destination, NAME, 2), large];
    expect(await reactionOf(deliver({ compression: "none" }, batch))).toEqual({ kind: "permanent", code: "HTTP_TOO_LARGE", scope: "item" });
    const alone = await deliver({ compression: "none" }, [large]);
    expect(alone).toMatchObject([{ status: "failed", kind: "permanent", code: "HTTP_TOO_LARGE" }]);
    expect(await reactionOf(deliver({ compression: "none" }, batch.slice(0, 2)))).toBeUndefined();
  });

  it("says per record which partition took it and which did not", async () => {
    await create({ "max.message.bytes": "20000" }, 50);
    const destination = destinationTo(server.plain, { topic, compression: "none" });
    const large = destination.render(delivery(hugeIncident(), NAME));
    const [one] = renderedAlerts(destination, NAME, 1);
    const other = { ...one!, meta: { ...one!.meta, recordKey: "another-partition" } };
    const outcomes = await deliver({ compression: "none" }, [other, large]);
    expect(outcomes.map((item) => (item.status === "failed" ? item.code : item.status))).toEqual(["delivered", "HTTP_TOO_LARGE"]);
  });

  it("stops at a topic that is not there, and does not make it", async () => {
    for (let attempt = 0; attempt < 2; attempt++)
      expect(await reactionOf(deliver({ topic: "no-such-topic" }))).toMatchObject(connectorWide("permanent", "DESTINATION_CONFIG"));
    expect(await admin.listTopics()).not.toContain("no-such-topic");
  });

  describe("logging in", () => {
    const scram = { mechanism: "SCRAM-SHA-512", username: "scram", password: testSecret(KAFKA_PASSWORD) };
    const login = (sasl: object, changes: object = {}): Promise<readonly Outcome[]> => {
      const destination = destinationTo(server.sasl, { topic, sasl, ...changes });
      return destination.send(renderedAlerts(destination, NAME, 1), testContext().context);
    };
    it("works with SCRAM", async () => expect(await reactionOf(login(scram))).toBeUndefined());
    it("works with PLAIN, and stops where the user may not write", async () => {
      const plain = { mechanism: "PLAIN", username: "plain", password: testSecret(KAFKA_PASSWORD) };
      const reaction = await reactionOf(login(plain));
      expect(reaction).toMatchObject({ kind: "permanent", scope: "connector" });
      expect(["HTTP_DENIED", "DESTINATION_CONFIG"]).toContain(reaction?.code);
    });
    it.each([
      ["a wrong password", { ...scram, password: testSecret("wrong-canary-password") }, "HTTP_DENIED"],
      ["an unknown user", { ...scram, username: "nobody" }, "HTTP_DENIED"],
      ["a mechanism that the broker does not have", { ...scram, mechanism: "SCRAM-SHA-256" }, undefined],
    ] as const)("stops at %s, and shows no password", async (_, sasl, code) => {
      const seen = await login(sasl).then(everythingIn, everythingIn);
      expect(seen).not.toContain("canary");
      const reaction = await reactionOf(login(sasl));
      expect(reaction).toMatchObject({ kind: "permanent", scope: "connector" });
      if (code !== undefined) expect(reaction?.code).toBe(code);
    });
  });

  it("checks login and topic without writing", async () => {
    const ok = async (changes: object): Promise<boolean | undefined> =>
      (await kafka.check(settings(server.plain, { topic, ...changes }), testContext().context))[0]?.ok;
    expect([await ok({}), await ok({ topic: "no-such-topic" })]).toEqual([true, false]);
    await create({}, 1);
    await kafka.check(settings(server.plain, { topic }), testContext().context);
    await deliver({}, renderedAlerts(destinationTo(server.plain), NAME, 1));
    expect((await received(1))[0]?.offset).toBe(0n);
  });

  it("sends nothing for an empty batch", async () => expect(await deliver({}, [])).toEqual([]));
});

describe("the Kafka connector, without a broker", () => {
  const deliver = async (broker: string, changes: object = {}, context = testContext().context): Promise<readonly Outcome[]> => {
    const destination = destinationTo(broker, changes);
    return await destination.send(renderedAlerts(destination, NAME, 1), context);
  };
  /** A port on which `serve` answers, or nobody. */
  const listen = async (onConnection: (end: () => void) => void): Promise<{ readonly address: string; close(): void }> => {
    const sockets = new Set<{ destroy(): void }>();
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on("error", () => undefined).resume();
      onConnection(() => void socket.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const close = (): void => {
      for (const socket of sockets) socket.destroy();
      server.close();
    };
    return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, close };
  };

  it("tries again later when nobody is there, or connections break", async () => {
    const broken = await listen((end) => end());
    expect(await reactionOf(deliver(broken.address))).toMatchObject(connectorWide("retryable", "HTTP_UNREACHABLE"));
    broken.close();
    expect(await reactionOf(deliver(broken.address))).toMatchObject(connectorWide("retryable", "HTTP_UNREACHABLE"));
    const [check] = await kafka.check(settings(broken.address), testContext().context);
    expect([check?.ok, check?.fix?.includes("firewall")]).toEqual([false, true]);
  });

  it("gives up a broker that does not answer, and at shutdown", async () => {
    const silent = await listen(() => undefined);
    expect(await reactionOf(deliver(silent.address, { timeoutMs: 200 }))).toMatchObject(connectorWide("retryable", "HTTP_TIMEOUT"));
    const { context, abort } = testContext();
    const sending = reactionOf(deliver(silent.address, { timeoutMs: 30_000 }, context));
    setTimeout(abort, 50);
    expect(await sending).toMatchObject({ kind: "retryable", code: "HTTP_UNREACHABLE" });
    silent.close();
  });

  it("takes every code of the protocol for what it means", () => {
    for (const [id, [kind, code]] of PROTOCOL_CODES) {
      const error = clientFailure(Object.assign(new Error("x"), { apiId: id, code: "PLT_KFK_PROTOCOL" }));
      expect([error.code, error.scope]).toEqual([code, kind === "item" ? "item" : "connector"]);
    }
    for (const other of [
      "NOT_LEADER_OR_FOLLOWER",
      "NOT_ENOUGH_REPLICAS",
      "NOT_ENOUGH_REPLICAS_AFTER_APPEND",
      "KAFKA_STORAGE_ERROR",
      "OUT_OF_ORDER_SEQUENCE_NUMBER",
    ])
      expect(clientFailure(Object.assign(new Error("x"), { apiId: other }))).toMatchObject(connectorWide("retryable", "HTTP_UNAVAILABLE"));
    // The gravest decides: one partition that was slow must not hide that nobody may write.
    const both = new ResponseError(0, 11, { "/a": [7, null], "/b": [29, null] }, {});
    expect(clientFailure(both)).toMatchObject({ code: "HTTP_DENIED" });
  });

  it.each([
    { brokers: [] },
    { brokers: ["https://kafka.example.com:9092"] },
    { brokers: ["kafka.example.com"] },
    { topic: "a/b" },
    { topic: "${level}" },
    { topic: ".hidden" },
    { tls: false, ca: testSecret("x") },
    { certificate: testSecret("x") },
    { tls: false, sasl: { mechanism: "PLAIN", username: "u", password: testSecret("p") } },
  ])("refuses the configuration %j", (changes) => {
    expect(kafka.config.safeParse({ brokers: ["kafka.example.com:9092"], topic: "findings", ...changes }).success).toBe(false);
  });
});

interface Received {
  readonly key: string;
  readonly value: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly partition: number;
  readonly offset: bigint;
}
