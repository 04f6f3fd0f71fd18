/** Destinations that fail in every way: what each failure does to its own deliveries, and what it does not do to others'. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { OutboxRow } from "../../src/ports/store.ts";
import { ELASTIC_DEMO_KEY, startElasticSimulator, type ElasticFault, type ElasticSimulator } from "../../src/simulators/elastic.ts";
import { PAGERDUTY_DEMO_KEY, startPagerdutySimulator, type PagerdutySimulator } from "../../src/simulators/pagerduty.ts";
import { SENTINEL_DEMO, startSentinelSimulator, type SentinelSimulator } from "../../src/simulators/sentinel.ts";
import { SPLUNK_DEMO_TOKEN, startSplunkSimulator, type SplunkSimulator } from "../../src/simulators/splunk.ts";
import { queryState } from "../../src/state.ts";
import { startInside, type Inside } from "./inside.ts";
import { until } from "./service.ts";
import { makeDay } from "./world.ts";

/** What the first requests of an instance meet, and how the pipeline must name it. */
const FAULTS: Readonly<Record<string, { readonly fault: ElasticFault; readonly code: string; readonly more?: string }>> = {
  "elastic/failing": { fault: { status: 500, times: 3 }, code: "HTTP_UNAVAILABLE" },
  "elastic/throttling": { fault: { status: 429, headers: { "retry-after": "120" } }, code: "HTTP_THROTTLED" },
  "elastic/malformed": { fault: { status: 200, body: "<html>" }, code: "HTTP_MALFORMED" },
  "elastic/hanging": { fault: { connection: "hang" }, code: "HTTP_TIMEOUT" },
  "elastic/cutting": { fault: { connection: "cut" }, code: "HTTP_MALFORMED" },
  "elastic/resetting": { fault: { connection: "reset", stored: true }, code: "HTTP_UNREACHABLE" },
  "elastic/denying": { fault: { status: 401 }, code: "HTTP_DENIED" },
  "elastic/hopeless": { fault: { status: 503, times: 1 }, code: "HTTP_UNAVAILABLE", more: "maxAttempts: 1" },
};

let directory = "";
let service: Inside;
let splunk: SplunkSimulator;
let sentinel: SentinelSimulator;
let pagerduty: PagerdutySimulator;
const elastic = new Map<string, ElasticSimulator>();
const names = Object.keys(FAULTS);

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "custodes-faults-"));
  const day = makeDay();
  writeFileSync(join(directory, "findings.ndjson"), `${day.agentFindings.join("\n")}\n`);
  writeFileSync(join(directory, "agents.yaml"), day.agents);
  [splunk, sentinel, pagerduty] = await Promise.all([startSplunkSimulator(), startSentinelSimulator(), startPagerdutySimulator()]);
  for (const name of [...names, "elastic/good", "elastic/large"]) elastic.set(name, await startElasticSimulator());
  for (const [name, { fault }] of Object.entries(FAULTS)) elastic.get(name)?.fail(fault);
  elastic.get("elastic/large")?.fail({ status: 413 });
  // A token that is refused once is fetched anew; one that is refused again is a permission that is missing.
  sentinel.fail({ status: 403, headers: { "x-ms-error-code": "OperationFailed" } });
  const instances = [...elastic].map(
    ([name, { url }]) => `  ${name}: { url: "${url}", apiKey: "\${env:KEY}", timeoutMs: 1000${comma(FAULTS[name]?.more)} }`,
  );
  service = await startInside(
    directory,
    `data: ./data
agents: ./agents.yaml
receiver: { listen: "127.0.0.1:0" }
correlation: { every: "* * * * * *" }
sources:
  agent-findings/fleet: { path: ${join(directory, "findings.ndjson")}, every: "* * * * * *" }
destinations:
${instances.join("\n")}
  splunk/soc: { url: "${splunk.url}", token: "\${env:SPLUNK}" }
  sentinel/soc:
    tenantId: ${SENTINEL_DEMO.tenantId}
    clientId: ${SENTINEL_DEMO.clientId}
    clientSecret: "\${env:SENTINEL}"
    endpoint: "${sentinel.url}"
    authority: "${sentinel.authority}"
    dcrImmutableId: ${SENTINEL_DEMO.dcrImmutableId}
    freshRoleGraceMs: 0
  pagerduty/oncall: { routingKey: "\${env:PAGERDUTY}", endpoint: "${pagerduty.url}", maxAge: 3d }
`,
    { KEY: ELASTIC_DEMO_KEY, SPLUNK: SPLUNK_DEMO_TOKEN, SENTINEL: SENTINEL_DEMO.clientSecret, PAGERDUTY: PAGERDUTY_DEMO_KEY },
  );
});
afterAll(async () => {
  await service.stop();
  await Promise.all([splunk, sentinel, pagerduty, ...elastic.values()].map((one) => one.close()));
  rmSync(directory, { recursive: true, force: true });
});

const comma = (more: string | undefined): string => (more === undefined ? "" : `, ${more}`);
const rows = (destination: string, status?: OutboxRow["status"]): Promise<readonly OutboxRow[]> =>
  service.store.deliveries({ destination, limit: 10_000, ...(status === undefined ? {} : { status }) });
const settled = async (destination: string): Promise<boolean> =>
  (await rows(destination)).length > 0 && (await rows(destination, "pending")).length === 0;
const documents = (name: string): string[] =>
  (elastic.get(name)?.documents() ?? []).map(({ index, id, version }) => `${index} ${id} ${version}`).sort();
const linesOf = (destination: string) => service.said.filter((line) => line.fields["destination"] === destination);
const messages = (destination: string) => linesOf(destination).map((line) => line.message);
const requests = (name: string): number => elastic.get(name)?.requests() ?? 0;
const part = async (name: string) => (await service.health()).parts.find((one) => one.name === `destination ${name}`);

describe("destinations that fail", () => {
  test("hold up nobody else: the healthy ones have everything while the others have nothing", async () => {
    for (const name of ["elastic/good", "splunk/soc", "pagerduty/oncall"]) await until(name, () => settled(name));
    for (const name of names) await until(`the failure of ${name}`, async () => (await part(name))?.ok === false || (await part(name)));
    expect(documents("elastic/good").length).toBeGreaterThan(5);
    expect(pagerduty.received().length).toBeGreaterThan(0);
    for (const name of names) expect(await rows(name, "delivered"), name).toEqual([]);
  });

  test("each is named with its reason in health, and once in the log", async () => {
    for (const [name, { code }] of Object.entries(FAULTS)) {
      expect((await part(name))?.message, name).toMatch(new RegExp(`^${code}: `));
      // The hopeless one has its dead letters besides.
      const lines = linesOf(name).filter(({ message }) => message !== "dead letter");
      expect(lines, name).toHaveLength(1);
      expect(lines[0]).toMatchObject({
        level: "warn",
        fields: { code },
        message: code === "HTTP_DENIED" ? "destination paused" : "destination held",
      });
    }
    expect((await service.health()).status, "a refused credential needs a human").toBe("red");
    expect(JSON.stringify(service.said)).not.toContain(ELASTIC_DEMO_KEY);
  });

  test("a batch that is too large is divided at once, and costs no attempt", async () => {
    await until("elastic/large", () => settled("elastic/large"));
    expect(documents("elastic/large")).toEqual(documents("elastic/good"));
    expect((await rows("elastic/large")).filter((row) => row.attempts > 1)).toEqual([]);
    expect(linesOf("elastic/large")).toEqual([]);
  });

  test("a failing one is tried again after a wait, and then has everything; who fails again waits longer", async () => {
    service.pass(60_000);
    for (const name of ["elastic/malformed", "elastic/hanging", "elastic/cutting", "elastic/resetting"]) {
      await until(name, () => settled(name));
      expect(documents(name), name).toEqual(documents("elastic/good"));
      expect(Math.max(...(await rows(name, "delivered")).map((row) => row.attempts)), name).toBe(2);
      expect(messages(name), name).toEqual(["destination held", "destination works again"]);
    }
    await until("the second attempt of elastic/failing", async () => requests("elastic/failing") === 2);
    expect(await rows("elastic/failing", "delivered")).toEqual([]);
  });

  test("one that gives up all attempts has dead letters with their bytes, which a replay delivers", async () => {
    await until("the dead letters", async () => (await rows("elastic/hopeless", "dead")).length > 0);
    // It is held for its failure; later revisions are deliveries of their own.
    service.pass(10_000);
    await until("the rest of elastic/hopeless", () => settled("elastic/hopeless"));
    const dead = await rows("elastic/hopeless", "dead");
    expect(dead.length).toBeGreaterThan(0);
    for (const row of dead) expect(row).toMatchObject({ attempts: 1, note: expect.stringMatching(/^HTTP_UNAVAILABLE: /) });
    expect(await service.store.deadLetterBody(dead[0]!.key)).toContain("@timestamp");
    // A revision that a newer one has overtaken is not sent again.
    const others = (await rows("elastic/hopeless")).filter((row) => row.status !== "dead");
    const overtaken = dead.filter((row) => others.some((other) => other.subjectId === row.subjectId && other.revision > row.revision));
    const answer = await queryState(service.store, "deadletters-replay", { destination: "elastic/hopeless" }, service.now());
    expect(answer).toEqual({ replayed: dead.length - overtaken.length });
    expect((await rows("elastic/hopeless", "skipped")).map((row) => row.key).sort()).toEqual(overtaken.map((row) => row.key).sort());
    await until("the replay", () => settled("elastic/hopeless"));
    expect(await rows("elastic/hopeless", "dead")).toEqual([]);
    expect(documents("elastic/hopeless")).toEqual(documents("elastic/good"));
  });

  test("one that asks to slow down is left alone for exactly as long as it asked, and no attempt is spent", async () => {
    service.pass(49_999);
    await until("the third attempt of elastic/failing", async () => requests("elastic/failing") === 3);
    expect(requests("elastic/throttling")).toBe(1);
    service.pass(1);
    await until("the end of the wait", () => settled("elastic/throttling"));
    expect(documents("elastic/throttling")).toEqual(documents("elastic/good"));
    expect((await rows("elastic/throttling")).map((row) => row.attempts)).toEqual((await rows("elastic/good")).map((row) => row.attempts));
  });

  test("one that refuses the credential is paused, probed after five minutes, and heals by itself", async () => {
    service.pass(179_999);
    await until("the fourth attempt of elastic/failing", () => settled("elastic/failing"));
    expect(documents("elastic/failing")).toEqual(documents("elastic/good"));
    // An outage spends one attempt, however often it is tried.
    expect(Math.max(...(await rows("elastic/failing")).map((row) => row.attempts))).toBe(2);
    expect([requests("elastic/denying"), sentinel.requests()]).toEqual([1, 1]);
    service.pass(1);
    for (const name of ["elastic/denying", "sentinel/soc"]) {
      await until(`the probe of ${name}`, () => settled(name));
      expect(messages(name), name).toEqual(["destination paused", "destination works again"]);
      expect(
        (await rows(name)).map((row) => row.attempts),
        name,
      ).toEqual((await rows("elastic/good")).map((row) => row.attempts));
    }
    expect(documents("elastic/denying")).toEqual(documents("elastic/good"));
    expect((await service.health()).status).toBe("green");
  });

  test("in the end every destination was sent the same revisions, and nothing is left", async () => {
    const revisions = async (name: string) => (await rows(name)).map((row) => `${row.subjectId} ${row.revision}`).sort();
    const expected = await revisions("elastic/good");
    for (const name of [...names, "elastic/large", "splunk/soc", "sentinel/soc"]) expect(await revisions(name), name).toEqual(expected);
    expect(new Set((await service.store.deliveries({ limit: 100_000 })).map((row) => row.status))).toEqual(
      new Set(["delivered", "skipped"]),
    );
    expect(sentinel.received()).toHaveLength(expected.length);
    expect(splunk.accepted()).toHaveLength(expected.length);
  });
});
