import { createHash, createHmac } from "node:crypto";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Config } from "../../connectors/opensearch/config.ts";
import opensearch from "../../connectors/opensearch/opensearch.ts";
import { Sha256 } from "../../connectors/opensearch/sha256.ts";
import type { Destination, Outcome } from "../../src/ports/connector.ts";
import { startLoopback } from "../../src/simulators/http-server.ts";
import { destinationContract, reactionOf, renderedAlerts } from "../contract/destination.ts";
import { testContext, testSecret } from "../fixtures/context.ts";
import { classEvents, eventDelivery } from "../fixtures/events.ts";
import { alertSubject, delivery, incidentSubject } from "../fixtures/subjects.ts";
import { startOpenSearch, type OpenSearchOptions, type OpenSearchSimulator, type SigningKeys } from "../simulators/opensearch.ts";
import { bulkMalformed, bulkReactions } from "./bulk-contract.ts";

const NAME = "opensearch/main";
const PASSWORD = "correct-horse-ü-battery";
const JSON_HEADERS = { "content-type": "application/json; charset=UTF-8" };
const { now } = { now: testContext().context.clock.now() };
const SIGNING: SigningKeys = {
  region: "eu-west-1",
  service: "es",
  accessKeyId: "AKIAEXAMPLEKEY000001",
  secretAccessKey: "secret-access-key/0001",
  sessionToken: "session-token-0001==",
  now,
};

function settings(url: string, changes: object = {}): Config {
  return opensearch.config.parse({ url, basic: { username: "custodes", password: testSecret(PASSWORD) }, ...changes });
}

function awsSettings(url: string, keys: Partial<SigningKeys> = {}, changes: object = {}): Config {
  const { region, service, accessKeyId, secretAccessKey, sessionToken } = { ...SIGNING, ...keys };
  const aws = {
    region,
    service,
    accessKeyId: testSecret(accessKeyId),
    secretAccessKey: testSecret(secretAccessKey),
    sessionToken: testSecret(sessionToken!),
  };
  return opensearch.config.parse({ url, aws, ...changes });
}

const destinationTo = (url: string, changes: object = {}): Destination => opensearch.destination!(settings(url, changes));
const kindOf = (outcome: Outcome): string => (outcome.status === "failed" ? outcome.kind : outcome.status);

destinationContract({
  name: NAME,
  secrets: [PASSWORD, Buffer.from(`custodes:${PASSWORD}`).toString("base64")],
  start: async () => {
    const simulator = await startOpenSearch({ credential: `custodes:${PASSWORD}` });
    return { ...simulator, destination: destinationTo(simulator.url, { timeoutMs: 5_000 }) };
  },
  reactions: bulkReactions(JSON_HEADERS),
  malformed: bulkMalformed(JSON_HEADERS),
  identity: (received) => (received as { event: { id: string } }).event.id,
  idempotent: true,
});

destinationContract({
  name: "opensearch/aws",
  secrets: [SIGNING.secretAccessKey, SIGNING.sessionToken!],
  start: async () => {
    const credential = { ...SIGNING, service: "aoss" };
    const simulator = await startOpenSearch({ credential, serverless: true });
    return { ...simulator, destination: opensearch.destination!(awsSettings(simulator.url, credential, { timeoutMs: 5_000 })) };
  },
  reactions: bulkReactions(JSON_HEADERS),
  malformed: bulkMalformed(JSON_HEADERS),
  identity: (received) => (received as { event: { id: string } }).event.id,
  idempotent: true,
});

describe("the OpenSearch connector", () => {
  let simulator: OpenSearchSimulator;
  const restart = async (options: Partial<OpenSearchOptions>): Promise<void> => {
    await simulator.close();
    simulator = await startOpenSearch({ credential: `custodes:${PASSWORD}`, ...options });
  };
  beforeEach(async () => {
    simulator = await startOpenSearch({ credential: `custodes:${PASSWORD}` });
  });
  afterEach(() => simulator.close());

  it("replaces an earlier revision and never overwrites a later one", async () => {
    const destination = destinationTo(simulator.url);
    for (const revision of [2, 1, 4, 3, 4]) {
      const subject = incidentSubject({ revision, title: `revision ${revision}` });
      expect((await destination.send([destination.render(delivery(subject, NAME))], testContext().context)).map(kindOf)).toEqual([
        "delivered",
      ]);
    }
    expect(simulator.documents()).toMatchObject([{ index: "custodes-incidents", version: 4, source: { message: "revision 4" } }]);
  });

  it("creates an event once, in a data stream", async () => {
    await restart({ dataStreams: ["custodes-events"] });
    const destination = destinationTo(simulator.url);
    const batch = classEvents().map(([, event]) => destination.render(eventDelivery(event, NAME)));
    simulator.fail({ connection: "cut" });
    expect((await reactionOf(destination.send(batch, testContext().context)))?.kind).toBe("retryable");
    expect((await destination.send(batch, testContext().context)).map(kindOf)).toEqual(batch.map(() => "delivered"));
    expect(simulator.documents()).toHaveLength(batch.length);
  });

  it("looks like the samples", async () => {
    const destination = destinationTo(simulator.url);
    const [, event] = classEvents().find(([name]) => name === "httpActivity")!;
    for (const [kind, one] of [
      ["alert", delivery(alertSubject(), NAME)],
      ["incident", delivery(incidentSubject(), NAME)],
      ["event", eventDelivery(event, NAME)],
    ] as const) {
      const [action, document] = destination.render(one).body.split("\n");
      const text = JSON.stringify({ action: JSON.parse(action!) as object, document: JSON.parse(document!) as object }, null, 2);
      await expect(`${text}\n`).toMatchFileSnapshot(`../../connectors/opensearch/samples/${kind}.json.golden`);
    }
  });

  it.each([
    ["es", { region: "eu-west-1" }],
    ["es", { sessionToken: undefined }],
    ["aoss", { region: "us-gov-west-1" }],
  ])("signs requests so that %s takes them: %j", async (service, changes) => {
    const keys = { ...SIGNING, service, ...changes };
    await restart({ credential: keys });
    const parsed = awsSettings(simulator.url, keys.sessionToken === undefined ? { ...keys, sessionToken: "unused" } : keys);
    const { sessionToken: _, ...without } = parsed.aws!;
    const destination = opensearch.destination!(keys.sessionToken === undefined ? { ...parsed, aws: without } : parsed);
    expect((await destination.send(renderedAlerts(destination, NAME, 3), testContext().context)).map(kindOf)).toEqual(
      Array(3).fill("delivered"),
    );
  });

  it.each([
    ["another secret", { secretAccessKey: "wrong-secret-access-key" }],
    ["another region", { region: "us-east-1" }],
    ["another service", { service: "aoss" }],
    ["another token", { sessionToken: "stale-session-token" }],
    ["a clock that is off", { now: now + 600_000 }],
  ])("stops when the signature is refused: %s", async (_, changes) => {
    await restart({ credential: { ...SIGNING, ...changes } });
    const destination = opensearch.destination!(awsSettings(simulator.url));
    const sending = destination.send(renderedAlerts(destination, NAME, 1), testContext().context);
    expect(await reactionOf(sending)).toMatchObject({ kind: "permanent", code: "HTTP_DENIED", scope: "connector" });
  });

  it("hashes as Node does, in pieces, of views, with and without a secret", async () => {
    for (const secret of [undefined, "key", new Uint8Array([0, 255, 7]).subarray(1)]) {
      const ours = new Sha256(secret);
      const theirs = secret === undefined ? createHash("sha256") : createHmac("sha256", secret);
      for (const piece of ["", "grün", new Uint8Array([1, 2, 3, 4]).subarray(1, 3), "x".repeat(100_000)]) {
        ours.update(piece);
        theirs.update(piece);
      }
      expect(Buffer.from(await ours.digest()).toString("hex")).toBe(theirs.digest("hex"));
      ours.reset();
      const empty = secret === undefined ? createHash("sha256") : createHmac("sha256", secret);
      expect(Buffer.from(await ours.digest()).toString("hex")).toBe(empty.digest("hex"));
    }
  });

  it("takes keys from AWS's chain where none are configured, and says when there are none", async () => {
    const before = { ...process.env };
    await restart({ credential: SIGNING });
    const configured = opensearch.config.parse({ url: simulator.url, aws: { region: SIGNING.region, service: "es" } });
    try {
      const { accessKeyId, secretAccessKey, sessionToken } = SIGNING;
      Object.assign(process.env, {
        AWS_ACCESS_KEY_ID: accessKeyId,
        AWS_SECRET_ACCESS_KEY: secretAccessKey,
        AWS_SESSION_TOKEN: sessionToken,
      });
      const destination = opensearch.destination!(configured);
      expect((await destination.send(renderedAlerts(destination, NAME, 1), testContext().context)).map(kindOf)).toEqual(["delivered"]);
      for (const name of Object.keys(process.env)) if (name.startsWith("AWS_")) delete process.env[name];
      const nowhere = { AWS_EC2_METADATA_DISABLED: "true", AWS_CONFIG_FILE: "/nonexistent", AWS_SHARED_CREDENTIALS_FILE: "/nonexistent" };
      Object.assign(process.env, nowhere);
      const lost = opensearch.destination!(configured);
      const reaction = await reactionOf(lost.send(renderedAlerts(lost, NAME, 1), testContext().context));
      expect(reaction).toEqual({ kind: "retryable", code: "HTTP_DENIED", scope: "connector" });
      expect((await opensearch.check(configured, testContext().context))[0]).toMatchObject({ name: "reach", ok: false });
    } finally {
      for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
      Object.assign(process.env, before);
    }
  });

  it("uses rotated credentials without being made anew", async () => {
    let password = "stale";
    const destination = destinationTo(simulator.url, { basic: { username: "custodes", password: { reveal: () => password } } });
    const batch = renderedAlerts(destination, NAME, 1);
    expect(await reactionOf(destination.send(batch, testContext().context))).toMatchObject({ code: "HTTP_DENIED" });
    password = PASSWORD;
    expect((await destination.send(batch, testContext().context)).map(kindOf)).toEqual(["delivered"]);
  });

  it("asks neither for what OpenSearch does not know, nor in Elastic's media types", async () => {
    const seen: string[] = [];
    const proxy = await startLoopback({
      handle: ({ path, query, headers }) => {
        seen.push(`${path} ${[...query.keys()].join()} ${headers["content-type"]} ${headers["accept"]}`);
        return { status: 429 };
      },
    });
    for (const config of [settings(`${proxy.url}/search/`), awsSettings(`${proxy.url}/search/`, { service: "aoss" })]) {
      const destination = opensearch.destination!(config);
      await reactionOf(destination.send(renderedAlerts(destination, NAME, 1), testContext().context));
    }
    await proxy.close();
    expect(seen.map((one) => one.split(" ").slice(0, 3).join(" "))).toEqual([
      "/search/_bulk filter_path application/x-ndjson",
      "/search/_bulk  application/x-ndjson",
    ]);
    expect(seen.join()).not.toContain("elasticsearch");
  });

  it("leaves ids to a collection that takes none", async () => {
    const credential = { ...SIGNING, service: "aoss" };
    await restart({ credential, serverless: true, noIds: true });
    const with_ = opensearch.destination!(awsSettings(simulator.url, credential));
    expect(await reactionOf(with_.send(renderedAlerts(with_, NAME, 1), testContext().context))).toMatchObject({ code: "HTTP_REJECTED" });
    const without = opensearch.destination!(awsSettings(simulator.url, credential, { documentIds: false }));
    const batch = [...renderedAlerts(without, NAME, 2), without.render(eventDelivery(classEvents()[0]![1], NAME))];
    const outcomes = await without.send(batch, testContext().context);
    expect(outcomes.map(kindOf)).toEqual(["delivered", "delivered", "delivered"]);
    expect((await without.send(batch, testContext().context)).map(kindOf)).toEqual(["delivered", "delivered", "delivered"]);
    const keys = simulator.received().map((one) => (one as { custodes: { key: string } }).custodes.key);
    expect([keys.length, new Set(keys).size]).toEqual([6, 3]);
  });

  it("has its batch halved at 10 MiB, and takes a full one", async () => {
    await restart({ bodyBytesMax: 6_000 });
    const destination = destinationTo(simulator.url);
    expect(await reactionOf(destination.send(renderedAlerts(destination, NAME, 6), testContext().context))).toMatchObject({
      code: "HTTP_TOO_LARGE",
      scope: "item",
    });
    expect(destination.limits.batchBytes).toBeLessThan(10_485_760);
    await restart({});
    const full = destinationTo(simulator.url);
    const batch = renderedAlerts(full, NAME, full.limits.batchItems);
    expect((await full.send(batch, testContext().context)).every((outcome) => outcome.status === "delivered")).toBe(true);
  });

  it.each([
    ["neither credential", { basic: undefined }],
    ["both", { aws: { region: "eu-west-1", service: "es", accessKeyId: testSecret("a"), secretAccessKey: testSecret("b") } }],
    ["a password in clear text", { basic: { username: "u", password: "p" } }],
    [
      "a region that is none",
      { basic: undefined, aws: { region: "../x", service: "es", accessKeyId: testSecret("a"), secretAccessKey: testSecret("b") } },
    ],
    ["server ids on a cluster", { documentIds: false }],
    ["a wildcard", { eventIndex: "custodes-*" }],
    ["a data stream's name for alerts", { alertIndex: "logs-x-default" }],
    ["plain http to another machine", { url: "http://opensearch.example.com" }],
    ["a retention that is none", { eventRetention: "0d" }],
    ["an unknown key", { index: "custodes" }],
  ])("refuses a configuration with %s", (_, change) => {
    const good = { url: "https://opensearch.example.com", basic: { username: "u", password: testSecret("p") } };
    expect(opensearch.config.safeParse(good).success).toBe(true);
    expect(opensearch.config.safeParse({ ...good, ...change }).success).toBe(false);
  });
});
