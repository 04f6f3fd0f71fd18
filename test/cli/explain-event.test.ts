import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openStore } from "../../src/adapters/postgres/open.ts";
import type { Event } from "../../src/core/event.ts";
import { attribute } from "../../src/core/identity/attribute.ts";
import { directory as registryOf } from "../../src/core/identity/directory.ts";
import { linkText, type KeyText } from "../../src/core/identity/links.ts";
import { resolver } from "../../src/core/identity/resolver.ts";
import { parseRegistry } from "../../src/config/registry.ts";
import { WATERMARK_JOB } from "../../src/pipeline/correlate.ts";
import { event, NOON } from "../core/identity/agents.ts";
import { custodes } from "./command.ts";

const directory = mkdtempSync(join(tmpdir(), "custodes-explain-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const config = join(directory, "custodes.yaml");
const AGENTS = `version: 1
agents:
  - id: agt-a
    name: a-bot
    identities: {oauth_client_ids: [ca], k8s_service_account: sa-a, credentials: [{id: old-key, to: 2026-03-31T11:00:00Z}]}
    pods: [{ip: 10.0.0.1, from: 2026-03-31T10:00:00Z, to: 2026-03-31T14:00:00Z}]
  - {id: agt-b, name: "b\\u202e\\u001b[31mbot", identities: {oauth_client_ids: [cb]}}
`;
const MINUTE = 60_000;
const link = (from: KeyText, to: KeyText): string => linkText({ from, to });

beforeAll(async () => {
  writeFileSync(config, 'data: ./data\nagents: ./agents.yaml\nreceiver: { listen: "127.0.0.1:9" }\nsources: { kong/a: {} }\n');
  writeFileSync(join(directory, "agents.yaml"), AGENTS);
  const registry = registryOf(parseRegistry("agents.yaml", AGENTS).agents);
  const made = (uid: string, one: Event): Event => {
    one.uid = uid;
    attribute(one, registry);
    return one;
  };
  const events = [
    made("direct", event("agent_api", NOON, { clientUid: "ca", srcIp: "10.0.0.9", operation: "customers.list", onBehalfOf: "eva" })),
    made("addressed", event("dns", NOON, { srcIp: "10.0.0.1" })),
    made("told-1", event("infra_change", NOON - MINUTE, { links: [link("ip:10.0.0.2", "pod:p1"), link("pod:p1", "sa:sa-a")] })),
    made("told-2", event("infra_change", NOON - MINUTE, { links: [link("ip:10.0.0.3", "pod:p2"), link("pod:p2", "sa:nobodys")] })),
    made("spawned", event("agent_api", NOON, { agentNative: "sub", links: [link("agent:sub", "client:ca")] })),
    made("other", event("agent_api", NOON, { clientUid: "cb", srcIp: "10.0.0.9" })),
    made("late", event("egress", NOON, { srcIp: "10.0.0.2", dstHost: "paste.example\u001b[2J" })),
    made("shared", event("egress", NOON, { srcIp: "10.0.0.9", dstHost: "x.example" })),
    made("dead-end", event("egress", NOON, { srcIp: "10.0.0.3", dstHost: "x.example" })),
    made("rotated", event("agent_api", NOON, { credentialUid: "old-key" })),
    made("person", event("authentication", NOON, { userTypeId: 1, sessionUid: "s" })),
    made("delegated", event("agent_api", NOON, { clientUid: "ca", onBehalfOf: "sub-7", userUid: "ali\u001bce" })),
    made("signs-in", event("authentication", NOON, { userTypeId: 1, srcIp: "10.0.0.20" })),
    made("calls", event("agent_api", NOON, { clientUid: "ca", srcIp: "10.0.0.20" })),
    made("office", event("egress", NOON, { srcIp: "10.0.0.20", dstHost: "x.example" })),
    made(
      "in-east",
      event("infra_change", NOON - MINUTE, { cluster: "east", links: [link("ip:10.0.0.30", "pod:p3"), link("pod:p3", "sa:sa-a")] }),
    ),
    made("east", event("egress", NOON, { cluster: "east", srcIp: "10.0.0.30", dstHost: "x.example" })),
    made("west", event("egress", NOON, { cluster: "west", srcIp: "10.0.0.30", dstHost: "x.example" })),
    made("waiting", event("egress", NOON + 60 * MINUTE, { srcIp: "10.0.0.7", dstHost: "x.example" })),
  ];
  const { store } = await openStore({ kind: "pglite", dataDir: join(directory, "data") });
  const names = resolver(registry);
  await store.transaction(async (tx) => {
    await tx.appendEvents("kong/a", events);
    names.push(events.map((one) => ({ ...one })));
    names.advance(NOON + 30 * MINUTE);
    await tx.saveFacts(names.changedFacts());
    await tx.saveAttributions(names.decided());
    await tx.moveOffset(WATERMARK_JOB, null, NOON + 30 * MINUTE);
  });
  await store.close();
});

async function explained(uid: string): Promise<string> {
  const { code, stdout, stderr } = await custodes(["explain", uid, "-c", config]);
  expect([code, stderr]).toEqual([0, ""]);
  return stdout;
}

test("an event that names its agent is explained by the key that it names it with", async () => {
  expect(await explained("direct")).toBe(`direct  2026-03-31T12:00:00.000Z  agent_api  10.0.0.9  -> customers.list
  belongs to agt-a (a-bot), by its own identity, confidence 95
  on behalf of eva
  keys: client:ca
  path to agt-a (a-bot), confidence 95
    client:ca -> agent agt-a  registry
`);
  expect(await explained("addressed")).toContain(`  belongs to agt-a (a-bot), by its address, which the registry knows, confidence 85
  keys: ip:10.0.0.1
  path to agt-a (a-bot), confidence 85
    ip:10.0.0.1 -> agent agt-a  registry from 2026-03-31T10:00:00.000Z until 2026-03-31T14:00:00.000Z
`);
});

test("an event that was decided late is explained by the bindings from its key to the agent, each with who told it", async () => {
  expect(await explained("late")).toContain(`-> paste.example\\u{1b}[2J
  belongs to agt-a (a-bot), over bindings that the log showed, confidence 75
  keys: ip:10.0.0.2
  path to agt-a (a-bot), confidence 75
    ip:10.0.0.2 -> pod:p1  issued from 2026-03-31T11:59:00.000Z, told by told-1
    pod:p1 -> sa:sa-a  issued from 2026-03-31T11:59:00.000Z, told by told-1
    sa:sa-a -> agent agt-a  registry
`);
  expect(await explained("spawned")).toContain("    agent:sub -> client:ca  delegated from 2026-03-31T12:00:00.000Z, told by spawned\n");
});

test("a shared event is explained for each of its candidates, and nothing moves the terminal's cursor", async () => {
  const text = await explained("shared");
  expect(text).toContain(
    "  may belong to any of 2: agt-a (a-bot), agt-b (b\\u{202e}\\u{1b}[31mbot); over bindings that the log showed, shared, confidence 20\n",
  );
  expect(text).toContain("  path to agt-a (a-bot), confidence 60\n");
  expect(text).toContain("    ip:10.0.0.9 -> agent agt-a  seen together from 2026-03-31T12:00:00.000Z, told by direct\n");
  expect(text).toContain("    ip:10.0.0.9 -> agent agt-b  seen together from 2026-03-31T12:00:00.000Z, told by other\n");
});

test("one that may as well be of people is explained as that", async () => {
  expect(await explained("office"))
    .toContain(`  may belong to agt-a (a-bot), or to people at its address; over bindings that the log showed, shared, confidence 20
  keys: ip:10.0.0.20
  path to agt-a (a-bot), confidence 60
`);
});

test("a chain is shown with whom it was begun for", async () => {
  expect(await explained("delegated")).toContain("  on behalf of sub-7, for the user ali\\u{1b}ce\n");
});

test("keys name their cluster, and those of another lead nowhere", async () => {
  expect(await explained("east")).toContain(
    "    ip:10.0.0.30@east -> pod:p3@east  issued from 2026-03-31T11:59:00.000Z, told by in-east\n",
  );
  const west = await explained("west");
  expect(west).toContain("  belongs to no agent that is known\n  keys: ip:10.0.0.30@west\n");
  expect(west).not.toContain("pod:p3");
});

test("an unknown one is explained by what its keys lead to, and to whom they belonged at other times", async () => {
  expect(await explained("rotated")).toContain(`  belongs to no agent that is known
  keys: cred:old-key
  no binding reaches cred:old-key at 2026-03-31T12:00:00.000Z
    it was bound to agent agt-a, registry until 2026-03-31T11:00:00.000Z
`);
  expect(await explained("dead-end")).toContain(
    "  ip:10.0.0.3 leads to sa:nobodys at 2026-03-31T12:00:00.000Z, and nobody is registered for that\n",
  );
  expect(await explained("person")).toContain("  keys: none by which bindings could find an agent\n");
  expect(await explained("waiting")).toContain("  not decided yet: it waits until every source has told what happened up to its time\n");
});

test("for machines it is JSON, and an event that is not there is no", async () => {
  const { stdout } = await custodes(["explain", "late", "-c", config, "--json"]);
  expect(JSON.parse(stdout)).toMatchObject({
    event: { uid: "late" },
    explanation: {
      how: "bindings",
      attributionId: 3,
      confidence: 75,
      candidates: [{ agentUid: "agt-a", path: [{ origin: "told-1" }, {}, {}] }],
    },
  });
  expect(await custodes(["explain", "nothing", "-c", config])).toEqual({ code: 1, stdout: "there is no such event\n", stderr: "" });
});
