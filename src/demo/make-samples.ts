/**
 * Writes the sample logs: one day of a small fleet in its vendors' formats, with attacks, near misses and much
 * normal traffic. The same seed gives the same bytes; a test compares them with what is bundled.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { FLEET, registryYaml, ROUTES, type SampleAgent, type SampleRoute } from "./fleet.ts";
import { dice, type Dice } from "./random.ts";
import { istioRecord, kongRecord, kubernetesRecord, oktaRecord, turnRecord, type CallOptions } from "./records.ts";

const SEED = 20_260_915;
/** Start of the bundled samples' day, epoch milliseconds. */
export const SAMPLES_DAY = Date.UTC(2026, 8, 15);
const MINUTE = 60_000;
const HOUR = 3_600_000;
const THIEF = "203.0.113.77";

/** The sample files by name: lines in the order in which they would have arrived. */
export type Samples = Readonly<Record<"kong" | "okta" | "istio" | "kubernetes" | "agentFindings", readonly string[]>>;

interface Desk {
  readonly dice: Dice;
  /** Start of the day. */
  readonly day: number;
  readonly kong: [number, string][];
  readonly okta: [number, string][];
  readonly istio: [number, string][];
  readonly kubernetes: [number, string][];
  readonly agentFindings: [number, string][];
}

/** Makes the 24 hours from `day` (epoch milliseconds); everything but the times is the same for every day. */
export function makeSamples(day: number = SAMPLES_DAY): Samples {
  const desk: Desk = { dice: dice(SEED), day, kong: [], okta: [], istio: [], kubernetes: [], agentFindings: [] };
  for (const agent of FLEET) normalDay(desk, agent);
  people(desk);
  hijackedSupport(desk);
  stolenRefundCredential(desk);
  loopingLead(desk);
  zombieMigration(desk);
  carelessPeople(desk);
  wanderingSearch(desk);
  legitimate(desk);
  return {
    kong: [...lines(desk.kong), ...broken(desk)],
    okta: lines(desk.okta),
    istio: lines(desk.istio),
    kubernetes: lines(desk.kubernetes),
    agentFindings: [...lines(desk.agentFindings), '{"type": "agent.turn", "agent_id": "support-bot-v2", "ts": "yesterday"}'],
  };
}

function lines(records: [number, string][]): string[] {
  return [...records].sort((a, b) => a[0] - b[0]).map(([, line]) => line);
}

function call(desk: Desk, agent: SampleAgent, time: number, route: SampleRoute, options?: CallOptions): void {
  desk.kong.push([time, kongRecord(desk.dice, agent, time, route, options)]);
}

function agentCalled(name: string): SampleAgent {
  const agent = FLEET.find((one) => one.name === name);
  if (agent === undefined) throw new Error(`no agent is called ${name}`);
  return agent;
}

/** Work in bursts: an hourly token, calls, turns, and transfers to hosts that the agent may talk to. */
function normalDay(desk: Desk, agent: SampleAgent): void {
  const { dice: chance } = desk;
  for (let hour = 0; hour < 24; hour++) {
    if (agent.retiredHour !== undefined && hour >= agent.retiredHour) continue;
    const busy = hour >= 7 && hour < 19 ? chance.between(2, 3) : chance.between(0, 1);
    if (busy > 0) {
      const at = desk.day + hour * HOUR + chance.between(0, 30_000);
      desk.okta.push([at, oktaRecord(chance, agent, at)]);
    }
    for (let burst = 0; burst < busy; burst++) {
      const start = desk.day + hour * HOUR + chance.between(1, 54) * MINUTE;
      const calls = chance.between(3, 9);
      for (let count = 0; count < calls; count++) call(desk, agent, start + count * chance.between(1500, 5000), chance.pick(agent.routes));
      desk.agentFindings.push([
        start + 20_000,
        turnRecord(chance, agent, start + 20_000, { approval: agent.role === "devops" ? `apr-${chance.hex(6)}` : null }),
      ]);
      if (chance.between(1, 10) <= 7)
        desk.istio.push([start + 9000, istioRecord(chance, agent, start + 9000, chance.pick(agent.hosts), chance.between(800, 400_000))]);
      if (agent.verbs.length > 0)
        desk.kubernetes.push([start + 12_000, kubernetesRecord(chance, agent, start + 12_000, "patch", "deployments")]);
      else if (chance.between(1, 4) === 1)
        desk.kubernetes.push([start + 12_000, kubernetesRecord(chance, agent, start + 12_000, "get", "configmaps")]);
    }
  }
}

/** People use the same systems, and mistype. */
function people(desk: Desk): void {
  const { dice: chance } = desk;
  for (let count = 0; count < 160; count++) {
    const at = desk.day + chance.between(7 * 60, 19 * 60) * MINUTE + chance.between(0, 59_000);
    const who = `user${chance.between(1, 30)}@corp.example`;
    const agent = agentCalled("support-bot");
    call(desk, agent, at, chance.pick(agent.routes), { person: who, ip: `198.51.100.${chance.between(10, 90)}`, userAgent: "Mozilla/5.0" });
    if (count % 4 === 0) desk.okta.push([at, oktaRecord(chance, who, at, { ip: "198.51.100.31", fail: count % 12 === 0 })]);
  }
  for (let count = 0; count < 20; count++) {
    const at = desk.day + chance.between(8 * 60, 18 * 60) * MINUTE;
    desk.kubernetes.push([
      at,
      kubernetesRecord(chance, "oidc:terraform-ci", at, "create", count % 5 === 0 ? "clusterrolebindings" : "deployments"),
    ]);
  }
}

/** 10:05: an injected ticket makes the support agent read customers in bulk, send them away and widen its own rights. */
function hijackedSupport(desk: Desk): void {
  const agent = agentCalled("support-bot");
  const at = desk.day + 10 * HOUR + 5 * MINUTE;
  const session = "s-5a17bad0c0de";
  const turn = (after: number, options: Parameters<typeof turnRecord>[3]) =>
    desk.agentFindings.push([at + after, turnRecord(desk.dice, agent, at + after, { session, user: "u-10444", ...options })]);
  turn(0, { findings: [{ threat: "prompt_injection", signal: "ignore previous instructions", severity: "high" }] });
  turn(45_000, {
    tools: ["read_ticket", "shell"],
    findings: [{ threat: "tool_abuse", signal: "shell", severity: "critical" }],
    approval: null,
  });
  turn(70_000, { findings: [{ threat: "data_exfiltration", signal: "aws_access_key", severity: "critical" }] });
  for (let page = 0; page < 12; page++)
    call(desk, agent, at + 90_000 + page * 20_000, ROUTES.customers, { id: page, size: 2_100_000, status: 200 });
  desk.istio.push([at + 6 * MINUTE, istioRecord(desk.dice, agent, at + 6 * MINUTE, "paste-7f3.drop.example", 41_300_000)]);
  desk.kubernetes.push([
    at + 9 * MINUTE,
    kubernetesRecord(desk.dice, agent, at + 9 * MINUTE, "create", "clusterrolebindings", { name: "debug-admin", grant: "cluster-admin" }),
  ]);
}

/** 14:20: somebody guesses the refund agent's secret, then uses its credential beside it and tries the admin endpoints. */
function stolenRefundCredential(desk: Desk): void {
  const agent = agentCalled("refund-bot");
  const at = desk.day + 14 * HOUR + 20 * MINUTE;
  for (let count = 0; count < 7; count++)
    desk.okta.push([at + count * 41_000, oktaRecord(desk.dice, agent, at + count * 41_000, { ip: THIEF, fail: true })]);
  desk.okta.push([at + 7 * MINUTE, oktaRecord(desk.dice, agent, at + 7 * MINUTE, { ip: THIEF })]);
  const use = at + 9 * MINUTE;
  for (let count = 0; count < 6; count++) {
    call(desk, agent, use + count * 8000, ROUTES.orders);
    call(desk, agent, use + count * 8000 + 3000, ROUTES.orders, { ip: THIEF, userAgent: "python-requests/2.32", status: 200 });
  }
  call(desk, agent, use + 70_000, ROUTES.adminUsers, { ip: THIEF, userAgent: "python-requests/2.32", status: 403 });
}

/** 03:10: the sales agent calls one route with the same parameters for half a minute. */
function loopingLead(desk: Desk): void {
  const agent = agentCalled("lead-bot");
  for (let count = 0; count < 140; count++)
    call(desk, agent, desk.day + 3 * HOUR + 10 * MINUTE + count * 200, ROUTES.leads, { id: 4711, status: 200 });
}

/** 11:30: the migration agent was retired at nine. */
function zombieMigration(desk: Desk): void {
  const agent = agentCalled("migration-bot");
  for (let count = 0; count < 5; count++)
    call(desk, agent, desk.day + 11 * HOUR + 30 * MINUTE + count * 30_000, ROUTES.customer, { ip: agent.ip, status: 200 });
}

/** 16:00: the people agent exports the payroll and sends money without approval. */
function carelessPeople(desk: Desk): void {
  const agent = agentCalled("people-bot");
  const at = desk.day + 16 * HOUR;
  for (let page = 0; page < 9; page++) call(desk, agent, at + page * 40_000, ROUTES.payroll, { id: page, size: 3_400_000, status: 200 });
  desk.agentFindings.push([
    at + 7 * MINUTE,
    turnRecord(desk.dice, agent, at + 7 * MINUTE, {
      tools: ["fill_form", "wire_transfer"],
      findings: [{ threat: "tool_abuse", signal: "wire_transfer", severity: "critical" }],
      approval: null,
    }),
  ]);
}

/** 18:00: the search agent calls a region of its own choosing, has an outage, and forgets to say for whom it works. */
function wanderingSearch(desk: Desk): void {
  const agent = agentCalled("search-bot");
  const at = desk.day + 18 * HOUR;
  for (let count = 0; count < 3; count++) call(desk, agent, at + count * 50_000, ROUTES.search, { status: 200 });
  call(desk, agent, at + 5 * MINUTE, ROUTES.search, { region: "ap-southeast-1", status: 200 });
  for (let count = 0; count < 40; count++)
    call(desk, agent, at + 60 * MINUTE + count * 5000, ROUTES.search, { status: count % 3 === 0 ? 503 : 200 });
  desk.agentFindings.push([at + 20_000, turnRecord(desk.dice, agent, at + 20_000, { purpose: "", user: null })]);
}

/** What looks like an attack and is none. */
function legitimate(desk: Desk): void {
  const { dice: chance } = desk;
  const report = agentCalled("report-bot");
  for (let page = 0; page < 20; page++)
    call(desk, report, desk.day + 6 * HOUR + page * 20_000, ROUTES.ledger, { id: page, size: 3_000_000, status: 200 });
  desk.istio.push([
    desk.day + 6 * HOUR + 8 * MINUTE,
    istioRecord(chance, report, desk.day + 6 * HOUR + 8 * MINUTE, "api.files.example", 60_000_000),
  ]);
  const search = agentCalled("search-bot");
  for (let count = 0; count < 300; count++) call(desk, search, desk.day + 12 * HOUR + count * 90, ROUTES.search, { status: 200 });
  const lead = agentCalled("lead-bot");
  for (let count = 0; count < 40; count++) call(desk, lead, desk.day + 13 * HOUR + count * 2250, ROUTES.leads, { id: 815, status: 200 });
  const support = agentCalled("support-bot");
  desk.agentFindings.push([
    desk.day + 15 * HOUR,
    turnRecord(chance, support, desk.day + 15 * HOUR, {
      findings: [{ threat: "prompt_injection", signal: "you are now", severity: "high" }],
    }),
  ]);
}

/** Lines that cannot be read, as real files have them, and one record that was delivered twice. */
function broken(desk: Desk): string[] {
  const twice = desk.kong[3]?.[1] ?? "";
  return [twice.slice(0, 200), "<134>1 2026-09-15T23:59:00Z gw-01 proxy - - - upstream timed out", twice, "null"];
}

/** Writes all files, for the 24 hours from `day`. */
export function writeSamples(directory: string, day: number = SAMPLES_DAY): void {
  const samples = makeSamples(day);
  const text = (rows: readonly string[]) => `${rows.join("\n")}\n`;
  mkdirSync(directory, { recursive: true });
  writeFileSync(resolve(directory, "kong.ndjson.gz"), gzipSync(text(samples.kong), { level: 9 }));
  writeFileSync(resolve(directory, "okta.ndjson"), text(samples.okta));
  writeFileSync(resolve(directory, "istio.ndjson"), text(samples.istio));
  writeFileSync(resolve(directory, "kubernetes.ndjson"), text(samples.kubernetes));
  writeFileSync(resolve(directory, "agent-findings.ndjson"), text(samples.agentFindings));
  writeFileSync(resolve(directory, "agents.yaml"), registryYaml(day));
}

if (process.argv[1] === import.meta.filename) writeSamples(resolve(import.meta.dirname, "samples"));
