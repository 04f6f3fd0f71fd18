/** `custodes incidents` and the pager's answers, as people meet them: on a service that runs, and on one that has stopped. */
import { createHmac } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Incident } from "../../src/core/incident.ts";
import { PAGERDUTY_DEMO_KEY, startPagerdutySimulator, type PagerdutySimulator } from "../../src/simulators/pagerduty.ts";
import type { OutboxRow } from "../../src/ports/store.ts";
import { custodes, type Ran } from "../cli/command.ts";
import { endServices, freePort, RECEIVER_TOKEN, runService, until, type Service } from "./service.ts";

const SAMPLES = resolve(import.meta.dirname, "../../src/demo/samples");
const ENV = { E2E_RECEIVER: RECEIVER_TOKEN, E2E_PAGERDUTY: PAGERDUTY_DEMO_KEY, E2E_WEBHOOK: "shared" };
const ANN = { type: "user_reference", summary: "Ann" };
const OURSELVES = { type: "integration_reference", summary: "Custodes Events API v2" };
const directory = mkdtempSync(join(tmpdir(), "custodes-incidents-"));
const config = join(directory, "custodes.yaml");
const ask = (...command: readonly string[]): Promise<Ran> => custodes(["incidents", ...command, "-c", config], { env: ENV });

describe("incidents", () => {
  let pagerduty: PagerdutySimulator;
  let service: Service;
  const incident = async (id: string): Promise<Incident> => service.ask<Incident>("incident", { id });
  const page = (id: string) => pagerduty.received().find((one) => one.dedupKey === id)?.status;
  /** What PagerDuty posts. */
  const webhook = async (type: string, key: string, secret = "shared", agent: object | null = ANN): Promise<number> => {
    const event = { event_type: type, occurred_at: new Date().toISOString(), agent, data: { incident_key: key } };
    const body = JSON.stringify({ event });
    const signature = `v1=${createHmac("sha256", secret).update(body).digest("hex")}`;
    const headers = { "content-type": "application/json", "x-pagerduty-signature": signature };
    return (await fetch(`${await service.url}/push/pagerduty/oncall/webhook`, { method: "POST", headers, body })).status;
  };

  beforeAll(async () => {
    pagerduty = await startPagerdutySimulator();
    const sources = { kong: "kong.ndjson.gz", istio: "istio.ndjson", "agent-findings": "agent-findings.ndjson" };
    writeFileSync(
      config,
      `data: ./data
agents: ${join(SAMPLES, "agents.yaml")}
receiver: { listen: "127.0.0.1:${await freePort()}", token: "\${env:E2E_RECEIVER}" }
retention: { alerts: forever, incidents: forever }
correlation: { every: "* * * * * *", quiet: 9999d, recordUrls: { kong/s: "https://kong.example/log/{id}" } }
sources:
${Object.entries(sources)
  .map(([connector, file]) => `  ${connector}/s: { path: ${join(SAMPLES, file)}, every: "* * * * * *" }`)
  .join("\n")}
destinations:
  pagerduty/oncall:
    routingKey: "\${env:E2E_PAGERDUTY}"
    webhookSecret: "\${env:E2E_WEBHOOK}"
    endpoint: "${pagerduty.url}"
    maxAge: 9999d
`,
    );
    service = runService(config, ENV);
    await until("four incidents have paged", () => Promise.resolve(pagerduty.received().length >= 4 || pagerduty.received().length));
  });
  afterAll(async () => {
    await endServices(config);
    await pagerduty.close();
    rmSync(directory, { recursive: true, force: true });
  });

  test("show says what, who, how sure, how far, what to do, in this order, and --json says all", async () => {
    const ofSupport = async (): Promise<Incident | undefined> =>
      (await service.ask<Incident[]>("incidents", {})).find((one) => one.agentUid === "agt-support");
    await until("the upload is told", async () => (await ofSupport())?.why?.includes("paste-7f3") === true);
    const worst = await ofSupport();
    const shown = await ask("show", worst!.id);
    expect(shown.code).toBe(0);
    const heads = shown.stdout.split("\n").filter((line) => /^[A-Z][A-Z ]+( \(.*)?$/.test(line));
    expect(heads.map((line) => line.replace(/ \(.*/, ""))).toEqual(["WHO", "HOW SURE", "BLAST RADIUS", "DO THIS NOW", "TIMELINE", "PROOF"]);
    expect(shown.stdout).toMatch(
      /^CRITICAL {2}.*support-bot\n {2}read [\d.]+ MB of customer data .* through kong\/s .*\n? *.*sent [\d.]+ MB to paste-7f3\.drop\.example/,
    );
    expect(shown.stdout).toContain("CANNOT BE UNDONE");
    expect(shown.stdout).toMatch(/^ {2}\* \S+ +\S+ +sent [\d.]+ MB to paste-7f3/m);
    expect(shown.stdout).toContain("can still reach");
    expect(shown.stdout).toContain("1.  ");
    expect(Math.max(...shown.stdout.split("\n").map((line) => line.length))).toBeLessThanOrEqual(120);
    const whole = JSON.parse((await ask("show", worst!.id, "--json")).stdout) as Incident;
    expect(whole).toMatchObject({
      id: worst!.id,
      profile: { team: "Customer Care" },
      response: 3,
      blast: { basis: "events of the agent" },
    });
    expect(whole.proof!.length).toBeGreaterThan(5);
    expect((await ask("show", "nobody's")).code).toBe(1);
  });

  test("a person closes one at a running service: it is kept who and why, and the page ends", async () => {
    const { dedupKey: id } = pagerduty.received()[0]!;
    const closed = await ask("close", id, "--reason", "tested\u001b[31m", "--by", "ann");
    expect([closed.code, closed.stdout]).toEqual([0, expect.stringContaining(`${id} is closed`) as string]);
    await until("the page is resolved", () => Promise.resolve(page(id) === "resolved" || page(id)));
    expect(await incident(id)).toMatchObject({ status: 5, closure: { how: "person", by: "ann", reason: "tested\\u{1b}[31m" } });
    const again = await ask("close", id);
    expect([again.code, again.stdout]).toEqual([0, expect.stringContaining("was closed by a person (ann)") as string]);
    expect((await ask("show", id)).stdout).toContain("closed by a person (ann) at ");
    expect((await ask("close", "nobody's")).code).toBe(1);
    expect((await ask("--open")).stdout).not.toContain(id);
  });

  test("closing needs POST and the token", async () => {
    const { dedupKey: id } = pagerduty.received()[1]!;
    const target = `${await service.url}/state/incidents-close?id=${id}`;
    expect((await fetch(target, { headers: { authorization: `Bearer ${RECEIVER_TOKEN}` } })).status).toBe(404);
    expect((await fetch(target, { method: "POST" })).status).toBe(401);
    expect((await incident(id)).status).toBe(1);
  });

  test("the pager's answers take an incident up and close it; forged ones do nothing, and what is not ours is taken", async () => {
    const { dedupKey: id } = pagerduty.received()[1]!;
    expect(await webhook("incident.resolved", id, "forged")).toBe(401);
    expect((await incident(id)).status).toBe(1);
    for (const nobody of [OURSELVES, null]) expect(await webhook("incident.resolved", id, "shared", nobody)).toBe(202);
    expect((await incident(id)).status).toBe(1);
    expect(await webhook("incident.acknowledged", id)).toBe(202);
    expect((await incident(id)).status).toBe(2);
    expect(await webhook("incident.resolved", "somebody else's")).toBe(202);
    expect(await webhook("incident.resolved", id)).toBe(202);
    expect(await webhook("incident.resolved", id)).toBe(202);
    expect(await incident(id)).toMatchObject({ status: 5, closure: { how: "pager", by: "Ann", reason: "resolved in PagerDuty" } });
    await until("the page is resolved", () => Promise.resolve(page(id) === "resolved" || page(id)));
  });

  test("one is closed while nothing runs, and its page ends when the service is back", async () => {
    const { dedupKey: id } = pagerduty.received()[2]!;
    await service.stop();
    expect((await ask("close", id, "--reason", "at night")).code).toBe(0);
    expect(page(id)).toBe("triggered");
    const rows = JSON.parse((await ask("show", id, "--json")).stdout) as Incident;
    expect(rows).toMatchObject({ status: 5, closure: { how: "person", reason: "at night" } });
    service = runService(config, ENV);
    await until("the page is resolved", () => Promise.resolve(page(id) === "resolved" || page(id)));
    const delivered = await service.ask<OutboxRow[]>("deliveries", { status: "dead" });
    expect(delivered).toEqual([]);
  });
});
