/** Rule files that change under a running `custodes run`. */
import { createServer, type AddressInfo } from "node:net";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Health } from "../../src/pipeline/health.ts";
import type { RulesStatus } from "../../src/live-rules.ts";
import { custodes } from "../cli/command.ts";
import { endServices, RECEIVER_TOKEN, runService, until, type Service } from "./service.ts";
import { push } from "./world.ts";

const directory = mkdtempSync(join(tmpdir(), "custodes-reload-"));
const config = join(directory, "custodes.yaml");
const file = (name: string): string => join(directory, "rules", name);
let service: Service;
let url: string;

const refusal = (level: string): string => `title: Refusal
id: refusal
level: ${level}
logsource: { category: agent_api, product: agent }
detection: { selection: { refusal: true }, condition: selection }
`;
const REFUSALS = `title: A refused turn
id: refused_turn
logsource: { category: agent_api, product: agent }
detection: { selection: { refusal: true }, condition: selection }
---
title: Refusals
id: refusals
level: high
correlation: { type: event_count, rules: [refused_turn], timespan: 1d, condition: { gte: 2 } }
`;

/** A port that nobody listens on, so that `rules list` finds the service where the configuration says. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

beforeAll(async () => {
  mkdirSync(join(directory, "rules"));
  writeFileSync(file("a.yml"), refusal("medium"));
  writeFileSync(
    config,
    `data: ./data\nreceiver: { listen: "127.0.0.1:${await freePort()}", token: "\${env:TOKEN}" }\nrules: [./rules]\ncorrelation: { every: "* * * * * *" }\nsources: { agent-findings/pushed: {} }\n`,
  );
  service = runService(config, { TOKEN: RECEIVER_TOKEN });
  url = await service.url;
});
afterAll(async () => {
  await endServices(config);
  rmSync(directory, { recursive: true, force: true });
});

let turns = 0;
const refuse = async (): Promise<void> => {
  const turn = { type: "agent.turn", agent_id: "bot", session_id: `s-${turns++}`, refusal: true, ts: Math.floor(Date.now() / 1000) };
  expect(await push(url, "agent-findings/pushed", `${JSON.stringify(turn)}\n`)).toBe(202);
};
const rulesHealth = async (): Promise<Health["parts"][number] | undefined> =>
  ((await (await fetch(`${url}/healthz`)).json()) as Health).parts.find((part) => part.name === "rules");
const metric = async (text: string): Promise<number> => {
  const line = (await (await fetch(`${url}/metrics`)).text()).split("\n").find((one) => one.startsWith(`custodes_${text} `));
  return Number(line?.split(" ").at(-1) ?? 0);
};
const told = (rule: string, level: string): Promise<number> => metric(`alerts_total{rule="${rule}",level="${level}",revision="first"}`);
const says = (text: RegExp) => async (): Promise<unknown> => text.test((await rulesHealth())?.message ?? "") || rulesHealth();

test("a rule that is added alerts without a restart, on what came before it too, and health says what is loaded", async () => {
  await refuse();
  await refuse();
  await until("the first alert", async () => (await told("refusal", "medium")) === 1);
  await until("all of both turns", async () => {
    const { stored, correlated } = await service.ask<{ stored: number; correlated: number | null }>("progress");
    return (stored === 2 && correlated === 2) || [stored, correlated];
  });
  const later = 'alerts_total{rule="refusal",level="medium",revision="later"}';
  const revisions = await metric(later);
  const before = await service.ask<RulesStatus>("rules");
  expect((await rulesHealth())?.message).toBe(`version ${before.version}, 1 rule, loaded ${new Date(before.loadedTime).toISOString()}`);
  // As editors write: beside it, and renamed.
  writeFileSync(file("b.tmp"), REFUSALS);
  renameSync(file("b.tmp"), file("b.yml"));
  await until("an alert of the new rule", async () => (await told("refusals", "high")) === 1);
  const after = await service.ask<RulesStatus>("rules");
  expect(after).toMatchObject({ alerting: 2, rejected: [], kept: [], lost: [], rules: ["refusal", "refusals", "refused_turn"] });
  expect(after.version).not.toBe(before.version);
  expect((await rulesHealth())?.message).toBe(`version ${after.version}, 2 rules, loaded ${new Date(after.loadedTime).toISOString()}`);
  expect(await metric("rules_loaded")).toBe(2);
  // The unchanged rule has told nothing again.
  expect(await metric(later)).toBe(revisions);
});

test("a file that is broken keeps its rule at work and health yellow until it is mended, at once on SIGHUP", async () => {
  writeFileSync(file("a.yml"), "title: Refusal\nid: refusal\ndetection: [\n");
  await until("the broken file in health", says(/a\.yml:\d+: not valid YAML.*older version of 1 rule is kept/));
  const health = (await (await fetch(`${url}/healthz`)).json()) as Health;
  expect(health.status).toBe("yellow");
  expect(await metric("rules_rejected")).toBe(1);
  expect(service.log().some((line) => line.msg === "rule rejected" && String(line["file"]).endsWith("a.yml"))).toBe(true);
  expect((await service.ask<RulesStatus>("rules")).rules).toContain("refusal");
  const ran = await custodes(["rules", "list", "-c", config, "--running"], { env: { TOKEN: RECEIVER_TOKEN } });
  expect(ran.code).toBe(1);
  expect(ran.stderr).toMatch(/^running: version \w{12}, 2 rules, loaded \S+Z$/m);
  expect(ran.stderr).toMatch(/^the files are version \w{12}: /m);
  expect(ran.stderr).toMatch(/a\.yml:1: the service keeps the older version of refusal$/m);
  writeFileSync(file("a.yml"), refusal("critical"));
  service.signal("SIGHUP");
  await until("the mended rule", async () => (await metric("rules_rejected")) === 0);
  // Its alert is open still, and its level has risen.
  await until("the worse alert", async () => (await metric('alerts_total{rule="refusal",level="critical",revision="later"}')) === 1);
  expect((await rulesHealth())?.ok).toBe(true);
});

test("a directory that vanishes leaves its rules at work", async () => {
  renameSync(join(directory, "rules"), join(directory, "elsewhere"));
  await until("the lost directory in health", says(/rules cannot be read \(ENOENT\)/));
  expect((await service.ask<RulesStatus>("rules")).rules).toHaveLength(3);
  renameSync(join(directory, "elsewhere"), join(directory, "rules"));
  await until("good health", async () => (await rulesHealth())?.ok);
});

test("killed right after a change and started again, it has the new rules and tells nothing twice", async () => {
  const version = (await service.ask<RulesStatus>("rules")).version;
  writeFileSync(
    file("c.yml"),
    refusal("low").replaceAll("efusal", "efusal two").replace("id: refusal two", "id: second").replace("refusal two:", "refusal:"),
  );
  service.signal("SIGHUP");
  await service.kill();
  service = runService(config, { TOKEN: RECEIVER_TOKEN });
  url = await service.url;
  await until("the alert of the new rule", async () => (await told("second", "low")) === 1 || (await service.ask<RulesStatus>("rules")));
  expect((await service.ask<RulesStatus>("rules")).version).not.toBe(version);
  for (const rule of ["refusal", "refusals"]) for (const level of ["critical", "high"]) expect(await told(rule, level)).toBe(0);
  expect(await service.stop()).toEqual({ code: 0, signal: null });
});
