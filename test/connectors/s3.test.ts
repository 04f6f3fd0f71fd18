import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CODES } from "../../connectors/s3/answers.ts";
import { addressOf, type Config } from "../../connectors/s3/config.ts";
import s3 from "../../connectors/s3/s3.ts";
import { sha256 } from "../../src/adapters/system/system.ts";
import type { Destination, Outcome } from "../../src/ports/connector.ts";
import { connectorWide, destinationContract, reactionOf, renderedAlerts, type Reaction } from "../contract/destination.ts";
import { everythingIn, testContext, testSecret } from "../fixtures/context.ts";
import { hugeIncident } from "../fixtures/hostile.ts";
import { alertSubject, delivery } from "../fixtures/subjects.ts";
import { s3Error, startS3Simulator, type S3Options, type S3Simulator } from "../simulators/s3.ts";

const NAME = "s3/lake";
const KEY_ID = "AKIAPLANTEDCANARY0001";
const SECRET = "planted-canary/secret+access+key/00000000";
const TOKEN = "planted-canary-session-token==";
const now = (): number => testContext().context.clock.now();
const STORE: S3Options = { bucket: "agent-findings", region: "eu-central-1", accessKeyId: KEY_ID, secretAccessKey: SECRET, now };

function settings(endpoint: string, changes: object = {}): Config {
  const credential = { accessKeyId: testSecret(KEY_ID), secretAccessKey: testSecret(SECRET) };
  return s3.config.parse({ bucket: STORE.bucket, region: STORE.region, endpoint, ...credential, ...changes });
}
const destinationTo = (endpoint: string, changes: object = {}): Destination => s3.destination!(settings(endpoint, changes));

const denied = connectorWide("permanent", "HTTP_DENIED");
const configured = connectorWide("permanent", "DESTINATION_CONFIG");
const unavailable = connectorWide("retryable", "HTTP_UNAVAILABLE");
const throttled = connectorWide("retryable", "HTTP_THROTTLED");

/** Error codes of the documentation, with the status that they come with. */
const ERRORS: readonly (readonly [number, string, Reaction])[] = [
  [403, "AccessDenied", denied],
  [403, "AccountProblem", denied],
  [403, "AllAccessDisabled", denied],
  [403, "InvalidAccessKeyId", denied],
  [400, "InvalidToken", denied],
  [403, "SignatureDoesNotMatch", denied],
  [403, "RequestTimeTooSkewed", denied],
  [400, "ExpiredToken", connectorWide("retryable", "HTTP_DENIED")],
  [400, "AuthorizationHeaderMalformed", configured],
  [400, "IllegalLocationConstraintException", configured],
  [301, "PermanentRedirect", configured],
  [307, "TemporaryRedirect", unavailable],
  [404, "NoSuchBucket", configured],
  [400, "InvalidBucketName", configured],
  [501, "NotImplemented", configured],
  [400, "BadDigest", unavailable],
  [400, "XAmzContentSHA256Mismatch", unavailable],
  [400, "IncompleteBody", unavailable],
  [400, "RequestTimeout", connectorWide("retryable", "HTTP_TIMEOUT")],
  [409, "ConditionalRequestConflict", unavailable],
  [409, "OperationAborted", unavailable],
  [500, "InternalError", unavailable],
  [503, "ServiceUnavailable", unavailable],
  [503, "SlowDown", throttled],
  [429, "TooManyRequests", throttled],
  [400, "ThrottlingException", throttled],
  [503, "KMS.ThrottlingException", throttled],
  [400, "EntityTooLarge", { kind: "permanent", code: "HTTP_TOO_LARGE", scope: "item" }],
  // Codes that are not in the table: the status says what is known.
  [400, "InvalidArgument", configured],
  [400, "KMS.DisabledException", configured],
  [411, "MissingContentLength", configured],
  [405, "MethodNotAllowed", configured],
  [507, "XMinioStorageFull", unavailable],
];
const STATUSES: readonly (readonly [number, Reaction])[] = [
  [204, connectorWide("retryable", "HTTP_MALFORMED")],
  [301, configured],
  [307, configured],
  [400, configured],
  [401, denied],
  [403, denied],
  [404, configured],
  [405, configured],
  [408, connectorWide("retryable", "HTTP_TIMEOUT")],
  [409, unavailable],
  [413, { kind: "permanent", code: "HTTP_TOO_LARGE", scope: "item" }],
  [429, throttled],
  [500, unavailable],
  [502, unavailable],
  [503, unavailable],
  [504, unavailable],
];

destinationContract({
  name: NAME,
  secrets: [SECRET, TOKEN],
  start: async () => {
    const simulator = await startS3Simulator({ ...STORE, sessionToken: TOKEN });
    return { ...simulator, destination: destinationTo(simulator.url, { sessionToken: testSecret(TOKEN), timeoutMs: 5_000 }) };
  },
  reactions: [
    ...ERRORS.map(([status, code, expected]) => ({ title: `${status}/${code}`, fault: s3Error(status, code), expect: expected })),
    ...STATUSES.map(([status, expected]) => ({ title: `status ${status} without a code`, fault: { status }, expect: expected })),
  ],
  malformed: [{ status: 200, body: "<html>log in</html>" }, { status: 200 }, { status: 201 }, { status: 206 }],
  identity: (received) => (received as Line).unmapped.delivery_key,
  idempotent: true,
});

describe("the S3 connector", () => {
  let simulator: S3Simulator;
  const restart = async (changes: Partial<S3Options>): Promise<void> => {
    await simulator.close();
    simulator = await startS3Simulator({ ...STORE, ...changes });
  };
  const deliver = (changes: object = {}, count = 2): Promise<readonly Outcome[]> => {
    const destination = destinationTo(simulator.url, changes);
    return destination.send(renderedAlerts(destination, NAME, count), testContext().context);
  };
  beforeEach(async () => {
    simulator = await startS3Simulator(STORE);
  });
  afterEach(() => simulator.close());

  it("has a reaction for every code that it knows", () => {
    for (const code of CODES.keys()) expect(ERRORS.map(([, one]) => one)).toContain(code);
  });

  it("writes one object per batch, under a key that follows from the batch", async () => {
    const destination = destinationTo(simulator.url);
    const batch = renderedAlerts(destination, NAME, 3);
    const hash = sha256(batch.map((item) => item.key).join("\n"));
    const key = `custodes/2026/08/22/${hash}.ndjson.gz`;
    expect(await destination.send(batch, testContext().context)).toEqual(batch.map(() => ({ status: "delivered", receipt: `s3: ${key}` })));
    // A year later, by another clock: the same object.
    await restart({ now: () => now() + 31_536_000_000 });
    await destinationTo(simulator.url).send(batch, testContext({ now: now() + 31_536_000_000 }).context);
    expect(simulator.objects().map((one) => one.key)).toEqual([key]);
    expect(simulator.received()).toEqual(batch.map((item) => JSON.parse(item.body) as unknown));
    expect(simulator.objects()[0]?.headers).toMatchObject({ "content-type": "application/gzip" });
    expect(simulator.objects()[0]?.headers["content-encoding"]).toBeUndefined();
  });

  it("takes 412 for delivered: the object is there", async () => {
    await deliver();
    const before = simulator.objects()[0]?.bytes;
    expect(await deliver()).toMatchObject([
      { status: "delivered", receipt: expect.stringContaining("already") as string },
      { status: "delivered" },
    ]);
    expect(simulator.objects().map((one) => one.bytes)).toEqual([before]);
  });

  it("overwrites with the same bytes where the store knows no conditions", async () => {
    await restart({ noConditions: true });
    expect(await reactionOf(deliver())).toMatchObject({ ...configured });
    await deliver({ createOnly: false });
    const [first] = simulator.objects();
    await deliver({ createOnly: false });
    expect(simulator.objects()).toHaveLength(1);
    expect(simulator.objects()[0]?.bytes).toEqual(first?.bytes);
  });

  it("puts the day of the earliest finding into the key, and the prefix before it", async () => {
    const destination = destinationTo(simulator.url, { prefix: "" });
    const days = [Date.UTC(2026, 7, 22, 0, 0, 1), Date.UTC(2026, 7, 21, 23, 59, 59)];
    const batch = days.map((lastTime) => destination.render(delivery(alertSubject({ lastTime, firstTime: lastTime }), NAME)));
    await destination.send(batch, testContext().context);
    expect(simulator.objects()[0]?.key).toMatch(/^2026\/08\/21\/[0-9a-f]{64}\.ndjson\.gz$/);
  });

  it("asks for encryption and for the right owner", async () => {
    await restart({ owner: "123456789012" });
    const kms = { encryption: "aws:kms", kmsKeyId: "arn:aws:kms:eu-central-1:123456789012:key/1", bucketOwner: "123456789012" };
    expect(await reactionOf(deliver(kms))).toBeUndefined();
    expect(simulator.objects()[0]?.headers).toMatchObject({
      "x-amz-server-side-encryption": "aws:kms",
      "x-amz-server-side-encryption-aws-kms-key-id": kms.kmsKeyId,
    });
    expect(await reactionOf(deliver({ bucketOwner: "210987654321" }))).toMatchObject(denied);
  });

  it.each([
    ["a wrong secret", { secretAccessKey: testSecret("wrong-canary-secret") }, denied],
    ["an unknown key", { accessKeyId: testSecret("AKIAUNKNOWN") }, denied],
    ["a token that is none", { sessionToken: testSecret("x") }, denied],
    ["another region", { region: "us-west-2" }, configured],
    ["another bucket", { bucket: "agent-finding" }, configured],
  ])("stops at %s", async (_, changes, expected) => {
    expect(await reactionOf(deliver(changes))).toMatchObject(expected);
    expect(simulator.objects()).toEqual([]);
  });

  it("names the region that the bucket is in, and a clock that is wrong", async () => {
    expect(await deliver({ region: "us-west-2" }).then(everythingIn, everythingIn)).toContain("eu-central-1");
    await restart({ now: () => now() + 3_600_000 });
    expect(await deliver().then(everythingIn, everythingIn)).toContain("clock");
  });

  it("takes credentials from the chain, and stops when it has none", async () => {
    const chain = { accessKeyId: undefined, secretAccessKey: undefined };
    const saved = { ...process.env };
    try {
      Object.assign(process.env, { AWS_ACCESS_KEY_ID: KEY_ID, AWS_SECRET_ACCESS_KEY: SECRET });
      expect(await reactionOf(deliver(chain))).toBeUndefined();
      for (const name of ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"]) delete process.env[name];
      const nowhere = { AWS_EC2_METADATA_DISABLED: "true", AWS_CONFIG_FILE: "/nonexistent", AWS_SHARED_CREDENTIALS_FILE: "/nonexistent" };
      Object.assign(process.env, nowhere);
      expect(await reactionOf(deliver(chain))).toMatchObject(connectorWide("retryable", "HTTP_DENIED"));
      expect(simulator.objects()).toHaveLength(1);
    } finally {
      for (const name of Object.keys(process.env)) if (!(name in saved)) delete process.env[name];
      Object.assign(process.env, saved);
    }
  });

  it.each([
    [{}, "https://agent-findings.s3.eu-central-1.amazonaws.com/a/b"],
    [{ bucket: "agent.findings" }, "https://s3.eu-central-1.amazonaws.com/agent.findings/a/b"],
    [{ region: "cn-north-1" }, "https://agent-findings.s3.cn-north-1.amazonaws.com.cn/a/b"],
    [{ endpoint: "https://minio.example.com:9000" }, "https://minio.example.com:9000/agent-findings/a/b"],
    [{ endpoint: "https://fra1.digitaloceanspaces.com", pathStyle: false }, "https://agent-findings.fra1.digitaloceanspaces.com/a/b"],
  ])("finds the address for %j", (changes, expected) => {
    const { href } = addressOf(s3.config.parse({ bucket: "agent-findings", region: "eu-central-1", ...changes }), "a/b");
    expect(href).toBe(expected);
  });

  it.each([
    { bucket: "../other" },
    { bucket: "Upper" },
    { region: "eu/central" },
    { prefix: "/custodes/" },
    { prefix: "custodes" },
    { prefix: "a b/" },
    { endpoint: "http://minio.mesh:9000" },
    { endpoint: "https://minio.example.com/path" },
    { secretAccessKey: testSecret("x") },
    { sessionToken: testSecret("x") },
    { kmsKeyId: "x" },
    { bucketOwner: "1" },
  ])("refuses the configuration %j", (changes) => {
    expect(s3.config.safeParse({ bucket: "agent-findings", region: "eu-central-1", ...changes }).success).toBe(false);
  });

  it("takes a full batch of the largest lines", async () => {
    const destination = destinationTo(simulator.url);
    const { batchBytes, batchItems } = destination.limits;
    const item = destination.render(delivery(hugeIncident(), NAME));
    const count = Math.min(batchItems, Math.floor(batchBytes / item.bytes));
    const outcomes = await destination.send(
      Array.from({ length: count }, (_, at) => ({ ...item, key: String(at) })),
      testContext().context,
    );
    expect(outcomes.every((one) => one.status === "delivered")).toBe(true);
    expect(simulator.received()).toHaveLength(count);
  });

  it("ends an answer that trickles when its own time is over", async () => {
    simulator.fail({ connection: "trickle" });
    expect(await reactionOf(deliver({ timeoutMs: 120 }))).toMatchObject({ kind: "retryable", code: "HTTP_TIMEOUT", scope: "connector" });
  });

  describe("check", () => {
    const verdict = async (changes: object = {}): Promise<{ readonly ok: boolean; readonly message: string; readonly fix?: string }> => {
      const [one, ...more] = await s3.check(settings(simulator.url, changes), testContext({ timeoutMs: 500 }).context);
      expect(more).toEqual([]);
      return one!;
    };
    it("passes without writing, also for a credential that may only write", async () => {
      expect((await verdict()).ok).toBe(true);
      await restart({ writeOnly: true });
      expect((await verdict()).ok).toBe(true);
      expect(simulator.objects()).toEqual([]);
    });
    it.each([
      [{ secretAccessKey: testSecret("wrong") }, "secret access key"],
      [{ region: "us-west-2" }, "eu-central-1"],
      [{ bucket: "no-such-bucket" }, "no such bucket"],
    ])("says what is wrong with %j", async (changes, words) => {
      const one = await verdict(changes);
      expect([one.ok, one.message.includes(words), (one.fix ?? "") !== ""]).toEqual([false, true, true]);
    });
    it("tells a host that is not there", async () => {
      await simulator.close();
      expect(await verdict()).toMatchObject({ ok: false, fix: expect.stringContaining("firewall") as string });
    });
  });
});

interface Line {
  readonly unmapped: { readonly delivery_key: string };
}
