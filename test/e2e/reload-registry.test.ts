/** An agent registry that changes under a running `custodes run`. */
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Health } from "../../src/pipeline/health.ts";
import { endServices, freePort, RECEIVER_TOKEN, runService, until, type Service } from "./service.ts";
import { push } from "./world.ts";

const directory = mkdtempSync(join(tmpdir(), "custodes-reload-registry-"));
const config = join(directory, "custodes.yaml");
const file = join(directory, "agents", "fleet.yaml");
let service: Service;
let url: string;

const RULE = `title: Refusal
id: refusal
logsource: { category: agent_api, product: agent }
detection: { selection: { refusal: true }, condition: selection }
---
title: Refusals of one agent
id: refusals
level: high
correlation: { type: event_count, rules: [refusal], group-by: [ai_agent.uid], timespan: 1d, condition: { gte: 1 } }
`;
const registry = (...agents: string[]): string =>
  `version: 1\nagents:\n${agents.map((id) => `  - id: ${id}\n    identities: { cp_security_agent_id: ${id}-monitor }\n`).join("")}`;

beforeAll(async () => {
  for (const name of ["agents", "rules"]) mkdirSync(join(directory, name));
  writeFileSync(join(directory, "rules", "a.yml"), RULE);
  writeFileSync(file, registry("first"));
  writeFileSync(
    config,
    `data: ./data\nreceiver: { listen: "127.0.0.1:${await freePort()}", token: "\${env:TOKEN}" }\nagents: ./agents\nrules: [./rules]\ncorrelation: { every: "* * * * * *" }\nsources: { agent-findings/pushed: {} }\n`,
  );
  service = runService(config, { TOKEN: RECEIVER_TOKEN });
  url = await service.url;
});
afterAll(async () => {
  await endServices(config);
  rmSync(directory, { recursive: true, force: true });
});

let turns = 0;
const refuse = async (agent: string): Promise<void> => {
  const turn = {
    type: "agent.turn",
    agent_id: `${agent}-monitor`,
    session_id: `s-${turns++}`,
    refusal: true,
    ts: Math.floor(Date.now() / 1000),
  };
  expect(await push(url, "agent-findings/pushed", `${JSON.stringify(turn)}\n`)).toBe(202);
};
const health = async (): Promise<Health> => (await (await fetch(`${url}/healthz`)).json()) as Health;
const registryHealth = async (): Promise<Health["parts"][number] | undefined> =>
  (await health()).parts.find((part) => part.name === "registry");
const metric = async (text: string): Promise<number> => {
  const line = (await (await fetch(`${url}/metrics`)).text()).split("\n").find((one) => one.startsWith(`custodes_${text} `));
  return Number(line?.split(" ").at(-1) ?? 0);
};
const alerts = (): Promise<number> => metric('alerts_total{rule="refusals",level="high",revision="first"}');
const correlated = (count: number) => async (): Promise<unknown> => {
  const progress = await service.ask<{ stored: number; correlated: number | null }>("progress");
  return (progress.stored === count && progress.correlated === count) || progress;
};

test("an agent that is added owns its events from then on, and what came before stays as it is", async () => {
  await refuse("first");
  await refuse("second");
  await until("both turns", correlated(2));
  await until("the alert of the known agent", async () => (await alerts()) === 1);
  writeFileSync(`${file}.tmp`, registry("first", "second"));
  renameSync(`${file}.tmp`, file);
  await until("the second agent", async () => (await metric("registry_agents")) === 2);
  expect(await metric('registry_reloads_total{result="taken"}')).toBe(1);
  expect(await alerts()).toBe(1);
  await refuse("second");
  await until("the alert of the new agent", async () => (await alerts()) === 2);
});

test("a registry that is wrong leaves the older one at work and health yellow until it is mended", async () => {
  writeFileSync(file, `${registry("first", "second")}    ownr: x\n`);
  await until("the problem in health", async () =>
    /fleet\.yaml:7: agents\.1\.ownr: unknown key/.test((await registryHealth())?.message ?? ""),
  );
  expect((await health()).status).toBe("yellow");
  const told = service.log().filter((line) => line.msg === "the agent registry is wrong; the older one is kept");
  expect(told).toHaveLength(1);
  expect(await metric("registry_agents")).toBe(2);
  writeFileSync(file, registry("first", "second", "third"));
  service.signal("SIGHUP");
  await until("good health", async () => (await registryHealth())?.ok === true && (await metric("registry_agents")) === 3);
  await refuse("third");
  await until("the alert of the third agent", async () => (await alerts()) === 3);
});
