import { execFileSync } from "node:child_process";
import { expect, it } from "vitest";
import sentinel from "../../connectors/sentinel/sentinel.ts";
import { SENTINEL_DEMO, startSentinelSimulator, type SentinelSimulatorOptions } from "../../src/simulators/sentinel.ts";
import type { Secret } from "../../src/ports/context.ts";
import { reactionOf } from "../contract/destination.ts";
import { everythingIn, testContext, testSecret } from "../fixtures/context.ts";
import { alertSubject, delivery, STORY_TIME } from "../fixtures/subjects.ts";

const NOW = STORY_TIME + 600_000;
/** The one program beside Node that this test needs; Node itself makes no certificates. */
const OPENSSL = "openssl";
const TOKEN = "eyJ-canary-federated-5b1c77";
const KEYS = pair();
const { tenantId, clientId, dcrImmutableId } = SENTINEL_DEMO;

/** A self-signed certificate with its key, as an app registration has it. */
function pair(): { readonly pem: string; readonly certificate: string; readonly key: string } {
  const args = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "-", "-subj", "/CN=custodes", "-days", "2"];
  const pem = execFileSync(OPENSSL, args, { stdio: ["ignore", "pipe", "ignore"] }).toString();
  const certificate = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/.exec(pem)![0];
  return { pem, certificate, key: pem.replace(certificate, "").split("\n")[1]! };
}

/** Sends one row with a credential; gives what happened, every text that could be shown, and the simulator's counts. */
async function sent(proofs: SentinelSimulatorOptions["proofs"], settings: Readonly<Record<string, unknown>>, sends = 1) {
  const simulator = await startSentinelSimulator({
    clientSecret: "the-real-one",
    now: () => NOW,
    ...(proofs === undefined ? {} : { proofs }),
  });
  try {
    const { url: endpoint, authority } = simulator;
    const config = sentinel.config.parse({ endpoint, authority, dcrImmutableId, ...settings });
    const destination = sentinel.destination!(config);
    const { context, logged } = testContext();
    const seen: string[] = [];
    let reaction;
    for (let index = 0; index < sends; index++) {
      const batch = [destination.render(delivery(alertSubject(), "sentinel/soc"))];
      const sending = destination.send(batch, context);
      seen.push(await sending.then(everythingIn, everythingIn));
      reaction = await reactionOf(sending);
    }
    return { reaction, rows: simulator.received().length, tokens: simulator.tokenRequests(), shown: seen.join("\n") + logged.join("\n") };
  } finally {
    await simulator.close();
  }
}

const app = { tenantId, clientId };

/** The library keeps tokens of machines for the whole process: each test has identities of its own. */
const machine = (index: number): string => `66666666-7777-4888-9999-${String(index).padStart(12, "0")}`;

it("proves itself by a certificate, by a workload's token and by the machine's identities", async () => {
  const { pem, certificate } = KEYS;
  expect(await sent({ certificate }, { ...app, certificate: testSecret(pem) })).toMatchObject({ reaction: undefined, rows: 1, tokens: 1 });
  const workload = { ...app, federatedToken: testSecret(`${TOKEN}\n`) };
  expect(await sent({ federatedToken: TOKEN }, workload)).toMatchObject({ reaction: undefined, rows: 1, tokens: 1 });
  expect(await sent({ managedIdentity: "system" }, { managedIdentity: true })).toMatchObject({ reaction: undefined, rows: 1 });
  expect(await sent({ managedIdentity: machine(1) }, { managedIdentity: true, clientId: machine(1) })).toMatchObject({
    reaction: undefined,
    rows: 1,
  });
});

it("says what is wrong with each proof and shows none of it", async () => {
  const denied = { kind: "permanent", code: "HTTP_DENIED", scope: "connector" };
  const cases = [
    [
      {},
      { ...app, federatedToken: testSecret(TOKEN) },
      denied,
      /AADSTS700213\): no federated credential of the application has this subject/,
    ],
    [
      { certificate: pair().certificate },
      { ...app, certificate: testSecret(KEYS.pem) },
      denied,
      /AADSTS700027\): the certificate is not registered/,
    ],
    [
      { managedIdentity: "system" },
      { managedIdentity: true, clientId: machine(2) },
      denied,
      /check that this machine has a managed identity/,
    ],
    [
      {},
      { ...app, certificate: testSecret("garbage") },
      { ...denied, code: "DESTINATION_CONFIG" },
      /certificate and its unencrypted private key/,
    ],
  ] as const;
  for (const [proofs, settings, expected, message] of cases) {
    const { reaction, rows, shown } = await sent(proofs, settings);
    expect(reaction).toEqual(expected);
    expect(rows).toBe(0);
    expect(shown).toMatch(message);
    expect(shown).not.toContain(TOKEN);
    expect(shown).not.toContain(KEYS.key);
  }
});

it.each([404, 410, 429, 500])(
  "takes a %i of the metadata service for an identity that is on its way or too many questions",
  async (status) => {
    const simulator = await startSentinelSimulator({ proofs: { managedIdentity: machine(status) }, now: () => NOW });
    try {
      simulator.failToken({ status });
      const { url: endpoint, authority } = simulator;
      const config = sentinel.config.parse({ endpoint, authority, dcrImmutableId, managedIdentity: true, clientId: machine(status) });
      const destination = sentinel.destination!(config);
      const batch = [destination.render(delivery(alertSubject(), "sentinel/soc"))];
      const reaction = await reactionOf(destination.send(batch, testContext().context));
      expect(reaction).toMatchObject({
        kind: "retryable",
        code: status === 429 ? "HTTP_THROTTLED" : "HTTP_UNAVAILABLE",
        scope: "connector",
      });
      expect(simulator.tokenRequests()).toBe(1);
    } finally {
      await simulator.close();
    }
  },
);

it("reads a rotated secret with the next token, not with the next start", async () => {
  let value = "the-real-one";
  let reads = 0;
  const rotating = { reveal: () => (reads++, value) } as Secret;
  const simulator = await startSentinelSimulator({ clientSecret: "the-real-one", now: () => NOW });
  try {
    const { url: endpoint, authority } = simulator;
    const config = sentinel.config.parse({ ...app, endpoint, authority, dcrImmutableId, clientSecret: rotating });
    const destination = sentinel.destination!(config);
    const send = () => destination.send([destination.render(delivery(alertSubject(), "sentinel/soc"))], testContext().context);
    await send();
    await send();
    expect(reads).toBe(1);
    simulator.revokeTokens();
    value = "not-yet-known-to-entra";
    expect(await reactionOf(send())).toMatchObject({ kind: "permanent", code: "HTTP_DENIED" });
    value = "the-real-one";
    expect(await reactionOf(send())).toBeUndefined();
    expect(simulator.received()).toHaveLength(3);
  } finally {
    await simulator.close();
  }
});

it("asks for one token when several batches are sent at once", async () => {
  const simulator = await startSentinelSimulator({ now: () => NOW });
  try {
    const { url: endpoint, authority } = simulator;
    const clientSecret = testSecret(SENTINEL_DEMO.clientSecret);
    const destination = sentinel.destination!(sentinel.config.parse({ ...app, endpoint, authority, dcrImmutableId, clientSecret }));
    const batch = [destination.render(delivery(alertSubject(), "sentinel/soc"))];
    await Promise.all([1, 2, 3].map(() => destination.send(batch, testContext().context)));
    expect([simulator.tokenRequests(), simulator.received().length]).toEqual([1, 3]);
  } finally {
    await simulator.close();
  }
});

it.each([
  ["usgov", "https://monitor.azure.us"],
  ["china", "https://monitor.azure.cn"],
])("asks in the cloud %s for its audience", async (cloud, audience) => {
  const simulator = await startSentinelSimulator({ now: () => NOW, audience });
  try {
    const { url: endpoint, authority } = simulator;
    const clientSecret = testSecret(SENTINEL_DEMO.clientSecret);
    const config = sentinel.config.parse({ ...app, endpoint, authority, dcrImmutableId, clientSecret, cloud });
    const destination = sentinel.destination!(config);
    const batch = [destination.render(delivery(alertSubject(), "sentinel/soc"))];
    expect(await reactionOf(destination.send(batch, testContext().context))).toBeUndefined();
    expect(simulator.received()).toHaveLength(1);
  } finally {
    await simulator.close();
  }
});

it("gives no secret to a host that a discovery document points to", async () => {
  const simulator = await startSentinelSimulator({ now: () => NOW });
  try {
    const elsewhere = "https://evil.example";
    const body = {
      issuer: `https://login.chinacloudapi.cn/${tenantId}/v2.0`,
      token_endpoint: `${elsewhere}/token`,
      authorization_endpoint: `${elsewhere}/a`,
      jwks_uri: `${elsewhere}/k`,
    };
    simulator.failToken({ status: 200, headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
    const { url: endpoint, authority } = simulator;
    const clientSecret = testSecret(SENTINEL_DEMO.clientSecret);
    const config = sentinel.config.parse({ ...app, endpoint, authority, dcrImmutableId, clientSecret, cloud: "china" });
    const destination = sentinel.destination!(config);
    const batch = [destination.render(delivery(alertSubject(), "sentinel/soc"))];
    expect(await reactionOf(destination.send(batch, testContext().context))).toMatchObject({ kind: "permanent", code: "HTTP_WRONG_HOST" });
    expect(simulator.tokenRequests()).toBe(1);
  } finally {
    await simulator.close();
  }
});

it("keeps machines' identities apart when several destinations ask at the same time", async () => {
  const worlds = await Promise.all(
    [11, 12, 13].map(async (index) => {
      const simulator = await startSentinelSimulator({ proofs: { managedIdentity: machine(index) }, now: () => NOW });
      const { url: endpoint, authority } = simulator;
      const config = sentinel.config.parse({ endpoint, authority, dcrImmutableId, managedIdentity: true, clientId: machine(index) });
      return { simulator, destination: sentinel.destination!(config) };
    }),
  );
  try {
    worlds[1]!.simulator.failToken({ status: 429 });
    const reactions = await Promise.all(
      worlds.map(({ destination }) =>
        reactionOf(destination.send([destination.render(delivery(alertSubject(), "sentinel/soc"))], testContext().context)),
      ),
    );
    expect(reactions.map((reaction) => reaction?.code)).toEqual([undefined, "HTTP_THROTTLED", undefined]);
    expect(worlds.map(({ simulator }) => [simulator.tokenRequests(), simulator.received().length])).toEqual([
      [1, 1],
      [1, 0],
      [1, 1],
    ]);
  } finally {
    await Promise.all(worlds.map(({ simulator }) => simulator.close()));
  }
});
