/** `doctor`, `drill`, `destinations` and `deliveries` as people meet them: on a service with its four SIEMs, one of which fails. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startElasticSimulator, type ElasticSimulator } from "../../src/simulators/elastic.ts";
import { startPagerdutySimulator, type PagerdutySimulator } from "../../src/simulators/pagerduty.ts";
import { startSentinelSimulator, type SentinelSimulator } from "../../src/simulators/sentinel.ts";
import { SIEM_SECRETS, siemDestinations } from "../../src/simulators/siems.ts";
import { startSplunkSimulator, type SplunkSimulator } from "../../src/simulators/splunk.ts";
import { custodes } from "../cli/command.ts";
import { endServices, freePort, RECEIVER_TOKEN, runService, type Service } from "./service.ts";

const ENV = { ...SIEM_SECRETS, E2E_RECEIVER: RECEIVER_TOKEN };
const directory = mkdtempSync(join(tmpdir(), "custodes-drill-"));
const config = join(directory, "custodes.yaml");
const ask = (...command: readonly string[]) => custodes([...command, "-c", config], { env: ENV });
interface Drill {
  readonly arrivals: readonly {
    readonly destination: string;
    readonly status: string;
    readonly sentMs: number;
    readonly answeredMs: number;
  }[];
  readonly missed: readonly string[];
}

let siems: { elastic: ElasticSimulator; splunk: SplunkSimulator; sentinel: SentinelSimulator; pagerduty: PagerdutySimulator };
let service: Service;
beforeAll(async () => {
  siems = {
    elastic: await startElasticSimulator(),
    splunk: await startSplunkSimulator(),
    sentinel: await startSentinelSimulator(),
    pagerduty: await startPagerdutySimulator(),
  };
  const receiver = `receiver: { listen: "127.0.0.1:${await freePort()}", token: "\${env:E2E_RECEIVER}" }`;
  // A source that nobody writes to, and agents: a drill waits for neither.
  writeFileSync(
    join(directory, "agents.yaml"),
    "version: 1\nagents: [{ id: a-1, name: a, owner: ann@example.com, identities: { kong_custom_id: a-1 } }]\n",
  );
  const quiet = 'agents: ./agents.yaml\nsources:\n  agent-findings/quiet: { token: "${env:E2E_RECEIVER}" }';
  writeFileSync(config, `data: ./data\n${receiver}\n${quiet}\n${siemDestinations(siems, "1h")}`);
});
afterAll(async () => {
  await endServices(config);
  await Promise.all(Object.values(siems).map((one) => one.close()));
  rmSync(directory, { recursive: true, force: true });
});

test("before the service has run, doctor says so, and a drill has nobody to ask", async () => {
  const told = await ask("doctor");
  expect(told.code).toBe(1);
  expect(told.stdout).toContain("FAIL service: no service answers");
  expect(told.stdout).toContain("fix: start it with");
  const drill = await ask("drill");
  expect([drill.code, drill.stderr]).toEqual([1, expect.stringContaining("no service answers")]);
});

test("on a service that works doctor finds nothing wrong, and a drill arrives everywhere, with what it took", async () => {
  service = runService(config, ENV);
  await service.url;
  const told = await ask("doctor");
  expect(told.stdout.split("\n").filter((line) => line.startsWith("FAIL") && !line.includes("agent-findings/quiet"))).toEqual([]);
  const drill = await ask("drill", "--json");
  expect(drill.code).toBe(0);
  const { arrivals, missed } = JSON.parse(drill.stdout) as Drill;
  expect(missed).toEqual([]);
  expect([...new Set(arrivals.map(({ destination }) => destination))]).toEqual([
    "elastic/soc",
    "pagerduty/oncall",
    "sentinel/soc",
    "splunk/soc",
  ]);
  for (const one of arrivals) {
    expect(one.status).toBe("delivered");
    expect(one.sentMs).toBeGreaterThanOrEqual(0);
    expect(one.answeredMs).toBeGreaterThanOrEqual(one.sentMs);
  }
  expect(siems.pagerduty.received().map(({ payload }) => payload["summary"])).toEqual([
    expect.stringContaining("Drill: a synthetic attack"),
  ]);
  const ledger = await ask("deliveries", "--status", "delivered", "--json");
  const rows = JSON.parse(ledger.stdout) as { readonly sentHash: string | null; readonly note: string }[];
  expect(rows.length).toBeGreaterThanOrEqual(7);
  for (const row of rows) expect(row.sentHash).toMatch(/^[0-9a-f]{64}$/);
});

test("a drill closes its incident, so that nobody stays paged", async () => {
  await expect.poll(() => siems.pagerduty.received().map(({ status }) => status), { timeout: 20_000 }).toEqual(["resolved"]);
});

test("a destination that refuses is named by the drill, by doctor with its fix, and in the list", async () => {
  siems.splunk.fail(...Array.from({ length: 20 }, () => ({ code: 1 })));
  const drill = await ask("drill", "--json", "--wait", "8s");
  expect(drill.code).toBe(1);
  expect((JSON.parse(drill.stdout) as Drill).missed).toEqual(["splunk/soc"]);
  const told = await ask("doctor");
  expect(told.code).toBe(1);
  expect(told.stdout).toMatch(/FAIL splunk\/soc: state: failing: HTTP_DENIED/);
  const list = JSON.parse((await ask("destinations", "--json")).stdout) as { readonly destination: string; readonly state: string }[];
  expect(list.map(({ destination, state }) => `${destination} ${state}`)).toEqual([
    "elastic/soc works",
    "pagerduty/oncall works",
    "sentinel/soc works",
    "splunk/soc failing",
  ]);
});
