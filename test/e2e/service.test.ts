/** `custodes run` and the commands that ask about it, as an operator meets them. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Health } from "../../src/pipeline/health.ts";
import type { Incident } from "../../src/core/incident.ts";
import type { OutboxRow, Quarantined, SourceState } from "../../src/ports/store.ts";
import { custodes, type Ran } from "../cli/command.ts";
import { freePort, RECEIVER_TOKEN, runService, until, untilDone, type Service } from "./service.ts";
import { snapshotOf } from "./snapshot.ts";
import { makeDay, push, SECRETS, startWorld, type World } from "./world.ts";

describe("a service over a fleet's day", () => {
  let world: World;
  let service: Service;
  let url = "";
  beforeAll(async () => {
    world = await startWorld(makeDay(), { listen: `127.0.0.1:${await freePort()}` });
    // One item that a destination refuses for good.
    world.elastic.fail({ items: [{ at: 0, status: 400, type: "document_parsing_exception" }] });
    service = runService(world.config, SECRETS);
    url = await service.url;
    expect(await push(url, "agent-findings/pushed", world.pushed)).toBe(202);
    await untilDone(service, world.sources);
  });
  afterAll(async () => {
    await service.kill();
    await world.close();
  });
  const ask = (...command: readonly string[]): Promise<Ran> => custodes([...command, "-c", world.config], { env: SECRETS });

  test("says that it runs, where, and with what, and nothing per event", () => {
    const running = service.log().find((line) => line.msg === "custodes is running");
    expect(running).toMatchObject({ url, sources: 8, destinations: 4 });
    expect(service.log().length).toBeLessThan(10);
    expect(service.said()).toBe("");
  });

  test("/healthz, /readyz and /metrics answer everybody", async () => {
    const health = await fetch(`${url}/healthz`);
    const state = (await health.json()) as Health;
    expect([health.status, state.status]).toEqual([200, "green"]);
    expect(state.parts.map((part) => part.name)).toEqual(
      expect.arrayContaining([
        "store",
        "source kong/a",
        "source agent-findings/pushed",
        "destination elastic/soc",
        "destination pagerduty/oncall",
      ]),
    );
    const ready = await fetch(`${url}/readyz`);
    expect([ready.status, await ready.json()]).toMatchObject([200, { ready: true }]);
    const metrics = await (await fetch(`${url}/metrics`)).text();
    for (const line of [
      /^custodes_source_events_total\{source="kong\/a"\} 716$/m,
      /^custodes_source_quarantined_total\{source="kong\/a"\} 3$/m,
      /^custodes_deliveries_total\{destination="splunk\/soc",result="delivered"\} [1-9]\d*$/m,
      /^custodes_dead_letters_total\{.*destination="elastic\/soc".*\} 1$/m,
      /^custodes_outbox_pending\{destination="splunk\/soc"\} 0$/m,
    ])
      expect(metrics.match(line)?.[0] ?? metrics.slice(0, 2000)).toMatch(line);
  });

  test("pushes and state need the token, and unknown paths are not found", async () => {
    for (const headers of [{}, { authorization: "Bearer wrong" }, { authorization: `Basic ${RECEIVER_TOKEN}` }]) {
      expect((await fetch(`${url}/push/agent-findings/pushed`, { method: "POST", headers, body: "{}" })).status).toBe(401);
      expect((await fetch(`${url}/state/incidents`, { headers })).status).toBe(401);
    }
    expect(await push(url, "agent-findings/none", "{}")).toBe(404);
    expect(await push(url, "okta/corp", "{}")).toBe(404);
    expect((await fetch(`${url}/state/nothing`, { headers: { authorization: `Bearer ${RECEIVER_TOKEN}` } })).status).toBe(404);
  });

  test("refuses a second process on its data directory, with a sentence and 78", async () => {
    const second = await ask("run");
    expect(second.code).toBe(78);
    expect(second.stderr).toMatch(/STORE_LOCKED: .*in use by process \d+/);
    expect(second.stderr).not.toMatch(/\n\s+at /);
    expect(await service.ask("progress")).toMatchObject({ pending: 0 });
  });

  /** What the state commands say, running or stopped. */
  const commands = async (): Promise<Readonly<Record<string, unknown>>> => {
    const json = async <T>(...command: readonly string[]): Promise<T> => {
      const ran = await ask(...command, "--json");
      expect([ran.code, ran.stderr], command.join(" ")).toEqual([0, ""]);
      return JSON.parse(ran.stdout) as T;
    };
    const sources = await json<SourceState[]>("sources");
    const incidents = await json<Incident[]>("incidents");
    const [first] = incidents;
    const dead = await json<OutboxRow[]>("deadletters", "list");
    const quarantine = await json<Quarantined[]>("quarantine", "list");
    return {
      sources: sources.map(({ source, events, quarantined }) => ({ source, events, quarantined })),
      incidents,
      incident: await json("incidents", "show", first?.id ?? ""),
      dead,
      letter: await json("deadletters", "show", dead[0]?.key ?? ""),
      quarantine,
      record: await json("quarantine", "show", String(quarantine[0]?.id)),
      limited: await json("incidents", "--limit", "2"),
      ofSource: await json("quarantine", "list", "--source", "agent-findings/fleet"),
    };
  };
  let whileRunning: Readonly<Record<string, unknown>>;

  test("the state commands answer from the running service", async () => {
    whileRunning = await commands();
    expect(whileRunning["sources"]).toContainEqual({ source: "kong/a", events: 716, quarantined: 3 });
    expect(whileRunning["incidents"]).toHaveLength(6);
    expect(whileRunning["incident"]).toEqual((whileRunning["incidents"] as Incident[])[0]);
    expect(whileRunning["limited"]).toHaveLength(2);
    expect(whileRunning["dead"]).toMatchObject([{ status: "dead", destination: "elastic/soc" }]);
    expect(whileRunning["letter"]).toMatchObject({ body: expect.stringContaining("@timestamp") });
    expect(whileRunning["quarantine"]).toHaveLength(4);
    expect(whileRunning["ofSource"]).toMatchObject([{ source: "agent-findings/fleet", code: "RECORD_NO_TIME" }]);
    expect(whileRunning["record"]).toMatchObject({ raw: expect.any(String) });
    for (const row of whileRunning["quarantine"] as object[]) expect(row, "lists show no content").not.toHaveProperty("raw");
  });

  test("as tables they are for people", async () => {
    const [sources, incidents, dead, quarantine] = await Promise.all(
      [["sources"], ["incidents"], ["deadletters", "list"], ["quarantine", "list"]].map((command) => ask(...command)),
    );
    expect(sources?.stdout).toMatch(
      /^SOURCE +EVENTS +DUPLICATES +QUARANTINED +LATE +WATERMARK +LAG +SETTLE p50\/p99 +LATE p99 +GAPS +STATE$/m,
    );
    expect(sources?.stdout).toMatch(/^kong\/a +716 +1 +3 +0 +20\S+Z +\S+ \w +\S+.* +0 +works$/m);
    expect(incidents?.stdout).toMatch(/^\S{36} +critical +\d+ +\d+ +closed +\d+ +agent:agt-support /m);
    expect(dead?.stdout).toMatch(/^elastic\/soc:\S+ +dead /m);
    expect(quarantine?.stdout).toMatch(/^\d+ +kong\/a +RECORD_NOT_\w+ +\S+kong-a\.ndjson:\d+ /m);
    const [incident] = whileRunning["incidents"] as Incident[];
    const shown = await ask("incidents", "show", incident?.id ?? "");
    expect(shown.stdout).toContain(incident?.story.slice(0, 60));
    expect(shown.stdout).toMatch(/^TIMELINE \(UTC; \* is evidence of an alert\)\n(?: .*\n)* +\* \d\d:\d\d:\d\d \S+ +\S+/m);
  });

  test("what does not exist is said, and the answer is no", async () => {
    for (const command of [
      ["incidents", "show", "none"],
      ["deadletters", "show", "none"],
      ["quarantine", "show", "999999"],
      ["quarantine", "show", "none"],
    ]) {
      const ran = await ask(...command);
      expect(ran.code, command.join(" ")).toBe(1);
      expect(ran.stdout).toMatch(/there is no such/);
      expect(ran.stderr).toBe("");
    }
  });

  test("SIGTERM drains within seconds and ends with 0; the stopped store answers the same", async () => {
    const started = performance.now();
    expect(await service.stop()).toEqual({ code: 0, signal: null });
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(service.log().map((line) => line.msg)).toEqual(expect.arrayContaining(["stopping: no new work is taken", "stopped"]));
    expect(service.said()).toBe("");
    const show = async (...command: readonly string[]): Promise<unknown> => JSON.parse((await ask(...command, "--json")).stdout);
    expect(await show("incidents")).toEqual(whileRunning["incidents"]);
    expect(await show("deadletters", "list")).toEqual(whileRunning["dead"]);
    expect(await show("quarantine", "list")).toEqual(whileRunning["quarantine"]);
    expect((await ask("sources")).stdout).toMatch(/^kong\/a +716 +1 +3 +0 /m);
  }, 120_000);

  test("a dead letter is replayed while the service is stopped, and delivered when it runs again unless overtaken; nothing else is", async () => {
    const before = {
      splunk: world.splunk.accepted().length,
      pages: world.pagerduty.events().length,
      documents: world.elastic.documents().length,
    };
    const [dead] = whileRunning["dead"] as [OutboxRow];
    const versions = (): readonly number[] =>
      world.elastic
        .documents()
        .filter(({ id }) => id === dead.subjectId)
        .map(({ version }) => version);
    // Which revision the refusal hit is chance: a later one may have reached the destination since.
    const overtaken = versions().some((version) => version > dead.revision);
    const ran = await ask("deadletters", "replay", dead.key, "--json");
    expect([ran.code, JSON.parse(ran.stdout)]).toEqual(overtaken ? [1, { replayed: 0 }] : [0, { replayed: 1 }]);
    service = runService(world.config, SECRETS);
    url = await service.url;
    await untilDone(service, world.sources);
    expect(JSON.parse((await ask("deadletters", "list", "--json")).stdout)).toEqual([]);
    expect(world.splunk.accepted()).toHaveLength(before.splunk);
    expect(world.pagerduty.events()).toHaveLength(before.pages);
    const incidents = JSON.parse((await ask("incidents", "--json")).stdout) as Incident[];
    expect(incidents).toEqual(whileRunning["incidents"]);
    expect(world.elastic.documents()).toHaveLength(before.documents + (overtaken ? 0 : 1));
    expect(Math.max(...versions())).toBeGreaterThanOrEqual(dead.revision);
  });

  test("a push is durable before its reply: killed right after it, the events are there", async () => {
    const [template] = world.pushed.split("\n");
    const record = JSON.parse(template ?? "") as Record<string, unknown>;
    const uids = (await snapshotOfStopped(service, world)).length;
    service = runService(world.config, SECRETS);
    url = await service.url;
    const body = Array.from({ length: 50 }, (_, index) => JSON.stringify({ ...record, session_id: `s-durable-${index}` })).join("\n");
    const status = await push(url, "agent-findings/pushed", body);
    await service.kill();
    expect(status).toBe(202);
    const after = await snapshotOf(world.directory);
    expect(after.uids.length - uids).toBeGreaterThanOrEqual(50);
    const ran = await ask("sources", "--json");
    expect(ran.code).toBe(0);
  });
});

async function snapshotOfStopped(service: Service, world: World): Promise<readonly string[]> {
  await service.stop();
  return (await snapshotOf(world.directory)).uids;
}

describe("what is wrong before it runs", () => {
  const directory = mkdtempSync(join(tmpdir(), "custodes-service-"));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  const config = (name: string, text: string): string => {
    const path = join(directory, name);
    writeFileSync(path, text);
    return path;
  };

  test("all errors of the configuration are told at once, each with file and line, and it ends with 78", async () => {
    const path = config(
      "bad.yaml",
      'sources:\n  kong/a: { pth: /x }\n  okta/b: {}\nreceiver: { listen: "0.0.0.0:1" }\nlog: { level: loud }\n',
    );
    const ran = await custodes(["run", "-c", path]);
    expect(ran.code).toBe(78);
    for (const line of [2, 3, 4, 5]) expect(ran.stderr).toMatch(new RegExp(`bad\\.yaml:${line}: `));
    expect(ran.stderr).toMatch(/nothing was started/);
  });

  test("a port that is taken is told in a sentence with 78, and the data directory is free again", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const path = config("port.yaml", `data: ./port\nreceiver: { listen: "127.0.0.1:${port}" }\nsources: { kong/a: {} }\n`);
    const ran = await custodes(["run", "-c", path]);
    expect(ran.code).toBe(78);
    expect(ran.stderr).toMatch(new RegExp(`cannot listen on 127\\.0\\.0\\.1:${port} \\(EADDRINUSE\\)`));
    expect(ran.stderr).not.toMatch(/\n\s+at /);
    await new Promise((resolve) => server.close(resolve));
    const service = runService(path, {});
    await service.url;
    expect(await service.stop()).toEqual({ code: 0, signal: null });
  });

  test("a stop during the start ends cleanly", async () => {
    const path = config("early.yaml", 'data: ./early\nreceiver: { listen: "127.0.0.1:0" }\nsources: { kong/a: {} }\n');
    const service = runService(path, {});
    // Its lock shows that it has begun; the signal's handlers were there before.
    await until("the lock", async () => (await import("node:fs")).existsSync(join(directory, "early", "lock")));
    expect(await service.stop()).toEqual({ code: 0, signal: null });
    const again = runService(path, {});
    await again.url;
    expect(await again.stop()).toEqual({ code: 0, signal: null });
  });

  test("a store that is not there is told in a sentence, with 1", async () => {
    const path = config(
      "store.yaml",
      'store: "postgres://nobody@127.0.0.1:9/none"\nreceiver: { listen: "127.0.0.1:0" }\nsources: { kong/a: {} }\n',
    );
    for (const command of ["run", "sources"]) {
      const ran = await custodes([command, "-c", path]);
      expect(ran.code).toBe(1);
      expect(ran.stderr).toContain("STORE_UNAVAILABLE");
      expect(ran.stderr).not.toMatch(/\n\s+at /);
    }
  });
});
