import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openStore } from "../../src/adapters/postgres/open.ts";
import { event } from "../contract/subjects.ts";
import { custodes } from "./command.ts";

const directory = mkdtempSync(join(tmpdir(), "custodes-questions-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const config = join(directory, "custodes.yaml");
const PATIENCE = { timeout: 60_000 };
let head = "";

beforeAll(async () => {
  writeFileSync(config, 'data: ./data\nagents: ./agents.yaml\nreceiver: { listen: "127.0.0.1:9" }\nsources: { kong/a: {} }\n');
  writeFileSync(
    join(directory, "agents.yaml"),
    "version: 1\nagents:\n  - { id: bot, name: Invoice bot }\n  - { id: idle, name: Idle bot }\n  - { id: t1, name: Twin }\n  - { id: t2, name: Twin }\n",
  );
  const { store } = await openStore({ kind: "pglite", dataDir: join(directory, "data") });
  const set = {
    agentUid: "bot",
    agentName: "Invoice bot",
    service: "crm",
    method: "GET",
    urlPath: "/v1/c/7",
    dataClasses: ["pii"],
    bytesIn: 2000,
  };
  await store.transaction((tx) =>
    tx.appendEvents("kong/a", [
      event("e1", Date.parse("2026-01-01T10:00:00Z"), { ...set, runUid: "run-1", traceUid: "t" }),
      event("e2", Date.parse("2026-01-01T10:00:05Z"), {
        category: "egress",
        agentUid: "bot",
        traceUid: "t",
        dstHost: "paste.example\u001b[2J",
        bytesOut: 45_000_000,
      }),
      event("e3", Date.parse("2026-01-02T10:00:00Z"), {
        category: "egress",
        attributionId: 4,
        agents: ["bot", "t1"],
        attributionConfidence: 50,
        dstHost: "nat.example",
      }),
    ]),
  );
  await store.appendAudit({
    time: 1,
    actor: "anna",
    action: "incident.closed",
    subject: "i-1\u001b[2J",
    details: { reason: "false alarm" },
  });
  head = (await store.appendAudit({ time: 2, actor: "custodes", action: "service.started", subject: "", details: {} })).hash;
  await store.close();
});

describe("trace", () => {
  test("shows a run over its sources, escaped, and as JSON", PATIENCE, async () => {
    const shown = await custodes(["trace", "run-1", "-c", config]);
    expect([shown.code, shown.stderr]).toEqual([0, ""]);
    expect(shown.stdout).toContain("run-1: 2 events, 2026-01-01T10:00:00Z to 2026-01-01T10:00:05Z");
    expect(shown.stdout).toMatch(/hosts +paste\.example\\u\{1b\}\[2J/);
    expect(shown.stdout).toMatch(/followed +t\n/);
    expect(shown.stdout).not.toContain("\u001b");
    const json = JSON.parse((await custodes(["trace", "e-none", "-c", config, "--json"])).stdout || "null") as unknown;
    expect(json).toBeNull();
    const found = JSON.parse((await custodes(["trace", "t", "-c", config, "--json"])).stdout) as { steps: { uid: string }[] };
    expect(found.steps.map(({ uid }) => uid)).toEqual(["e1", "e2"]);
  });
  test("says that nobody has an id", PATIENCE, async () => {
    const ran = await custodes(["trace", "nobody", "-c", config]);
    expect([ran.code, ran.stdout]).toEqual([1, ""]);
    expect(ran.stderr).toBe('no stored event has the run, session, trace, conversation or request id "nobody"\n');
  });
});

describe("touched", () => {
  const touched = (...rest: string[]) => custodes(["touched", "-c", config, ...rest]);
  test("shows what an agent touched by its name, apart from what it may have touched", PATIENCE, async () => {
    const { code, stdout } = await touched("--agent", "Invoice bot", "--to", "2026-02-01T00:00:00Z");
    expect(code).toBe(0);
    const [own = "", possible = ""] = stdout.split("POSSIBLE: 1 events");
    expect(own).toContain("bot: 2 events, the start of the log to 2026-02-01T00:00:00Z, 45.0 MB out, 2.0 kB in");
    expect(own).toMatch(/crm GET \/v1\/c\/\{id\} +1 +0 +0 B +2\.0 kB .* pii/);
    expect(own).toMatch(/paste\.example\\u\{1b\}\[2J +1 +0 +45\.0 MB/);
    expect(own).not.toContain("nat.example");
    expect(possible).toContain("nat.example");
    expect(stdout).not.toContain("\u001b");
  });
  test("takes a time, and gives JSON", PATIENCE, async () => {
    const { code, stdout } = await touched("--agent", "bot", "--from", "2026-01-01T10:00:01Z", "--to", "2026-01-01T23:00:00Z", "--json");
    expect([code, JSON.parse(stdout)]).toMatchObject([
      0,
      { agent: "bot", total: 1, complete: true, direct: { bytesOut: 45_000_000 }, possible: { events: 0 } },
    ]);
  });
  test("tells an agent that did nothing from one that nobody knows", PATIENCE, async () => {
    expect(await touched("--agent", "idle")).toMatchObject({ code: 0, stdout: expect.stringContaining("idle: 0 events") as string });
    const unknown = await touched("--agent", "invoice bot");
    expect([unknown.code, unknown.stdout]).toEqual([1, ""]);
    expect(unknown.stderr).toBe('neither the registry nor the store knows an agent "invoice bot"; did you mean "Invoice bot"?\n');
    expect(await touched("--agent", "Twin")).toMatchObject({
      code: 1,
      stderr: 'the name "Twin" is of several agents: t1, t2; give an id\n',
    });
  });
  test("refuses times that are none", PATIENCE, async () => {
    expect((await touched("--agent", "bot", "--from", "yesterday")).code).toBe(64);
    expect((await touched("--agent", "bot", "--from", "1d", "--to", "2d")).code).toBe(64);
  });
});

describe("audit", () => {
  const audit = (...rest: string[]) => custodes(["audit", ...rest, "-c", config]);
  test("lists what was done, newest first and escaped", PATIENCE, async () => {
    const { code, stdout } = await audit("list");
    expect(code).toBe(0);
    expect(stdout.split("\n")[1]).toMatch(/^2 +1970-01-01T00:00:00\.002Z +custodes +service\.started/);
    expect(stdout.split("\n")[2]).toMatch(/^1 .* anna +incident\.closed +i-1\\u\{1b\}\[2J +\{"reason":"false alarm"\}$/);
  });
  test("verifies the chain, and that it goes back to a hash that was noted", PATIENCE, async () => {
    expect(await audit("verify", "--expect", head)).toMatchObject({
      code: 0,
      stdout: `2 rows, 1 to 2, are as they were written; head ${head}\n`,
    });
    const other = await audit("verify", "--expect", "0".repeat(63) + "1");
    expect([other.code, other.stdout]).toMatchObject([1, expect.stringContaining("row 2: no row has the hash 000")]);
    expect((await audit("verify", "--expect", "abc")).code).toBe(64);
    expect((await audit("verify", "--from", "-1")).code).toBe(64);
  });
  test("names the first row that is wrong", PATIENCE, async () => {
    const { store, pool } = await openStore({ kind: "pglite", dataDir: join(directory, "data") });
    await pool.query("alter table custodes.audit disable trigger user");
    await pool.query("update custodes.audit set actor = 'otto' where number = 1");
    await store.close();
    expect(await audit("verify")).toMatchObject({ code: 1, stdout: "row 1: its content is not what was hashed\n" });
    expect(await audit("verify", "--from", "2", "--json")).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('"problem": null') as string,
    });
  });
  test("says that rows were taken away too early, unless retention was shorter once, and that all of them are gone", PATIENCE, async () => {
    const changed = async (work: (opened: Awaited<ReturnType<typeof openStore>>) => Promise<unknown>): Promise<void> => {
      const opened = await openStore({ kind: "pglite", dataDir: join(directory, "data") });
      await work(opened);
      await opened.store.close();
    };
    await changed(async ({ store, pool }) => {
      await pool.query("alter table custodes.audit disable trigger user");
      await pool.query("delete from custodes.audit; delete from custodes.audit_head");
      const now = Date.now();
      const entry = { actor: "custodes", action: "service.started", subject: "", details: {} };
      for (const days of [9, 8, 7]) await store.appendAudit({ ...entry, time: now - days * 86_400_000 });
      const kept = 2 * 86_400_000;
      const retention = { log: null, alerts: null, incidents: null, deliveries: null, quarantine: null, audit: kept };
      const free = { logKeepFrom: null, keepFrom: null, alertsKeepFrom: null };
      await store.expire({ retention, now, ...free, signal: new AbortController().signal });
    });
    const early = await audit("verify");
    expect([early.code, early.stdout]).toEqual([
      1,
      "row 4: it says that rows up to 2 were taken away after 8 days: sooner than retention.audit allows, which is 400 days\n",
    ]);
    expect(await audit("verify", "--retention", "2d")).toMatchObject({ code: 0 });
    expect((await audit("verify", "--retention", "2")).code).toBe(64);
    await changed(({ pool }) => pool.query("delete from custodes.audit; delete from custodes.audit_head"));
    const gone = await audit("verify");
    expect([gone.code, gone.stdout]).toMatchObject([1, expect.stringMatching(/^the audit log is gone: /)]);
  });
});
