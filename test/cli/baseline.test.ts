/** Baselines on the command line, over stores that a service has left behind. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { openStore } from "../../src/adapters/postgres/open.ts";
import type { Event } from "../../src/core/event.ts";
import { attribute } from "../../src/core/identity/attribute.ts";
import type { Store } from "../../src/ports/store.ts";
import { correlating, MINUTE, packOf, registry } from "../pipeline/correlating.ts";
import { logged, START } from "../pipeline/world.ts";
import { buildCommand } from "../../src/cli/baseline-build.ts";
import { exportCommand, importCommand } from "../../src/cli/baseline-move.ts";
import { custodes, jsonLines, type Ran } from "./command.ts";

const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const RULES = `
title: Any call
id: any
logsource: {product: agent, category: agent_api}
detection: {selection: {api.operation|exists: true}, condition: selection}
---
title: An operation that the agent did not use
id: novel
level: high
correlation: {type: new_value, rules: [any], group-by: [ai_agent.uid], lookback: 20d, min_history: 2d, condition: {field: api.operation}}
---
title: Busier than usual
id: busy
level: medium
correlation: {type: baseline_ratio, rules: [any], group-by: [ai_agent.uid], timespan: 1h, baseline_days: 14, min_count: 4, condition: {gte: 3}}
`;
const pack = packOf(RULES);
const root = mkdtempSync(join(tmpdir(), "custodes-baseline-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const never = new AbortController().signal;

/** A place with a configuration and room for a store. */
function place(name: string, rules = RULES): { readonly config: string; readonly data: string; readonly file: (name: string) => string } {
  const directory = join(root, name);
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, "rules.yml"), rules);
  const config = join(directory, "custodes.yaml");
  writeFileSync(config, `data: ./data\nrules: [./rules.yml]\nsources:\n  kong/main: { path: ${directory}/kong.log }\n`);
  return { config, data: join(directory, "data"), file: (file) => join(directory, file) };
}

/** Agent a's routine: two operations, each twice an hour. */
function routine(hours: number, from = START): Event[] {
  return Array.from({ length: hours * 4 }, (_, index) => use(from + index * 15 * MINUTE, "a", index % 2 === 0 ? "read" : "list"));
}

function use(time: number, who: "a" | "b", operation: string): Event {
  const made = logged(`${who}${operation}${time}`, time, { clientUid: who, operation });
  attribute(made, registry);
  return made;
}

/** Opens a store as the service does, and closes it again. */
async function inside<T>(data: string, work: (store: Store) => Promise<T>): Promise<T> {
  const { store } = await openStore({ kind: "pglite", dataDir: data });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

/** A service reads events, and has decided up to `watermark`. Returns what it has alerted on. */
async function serve(store: Store, events: readonly Event[], watermark: number): Promise<[string, string[]][]> {
  const from = (await store.source("kong/main"))?.cursor ?? null;
  await store.transaction(async (tx) => {
    await tx.appendEvents("kong/main", events);
    const newestTime = Math.max(...events.map(({ time }) => time));
    const counts = { stored: events.length, duplicates: 0, quarantined: 0, late: 0 };
    await tx.moveCursor({ source: "kong/main", from, to: `${newestTime}`, watermark: null, newestTime, now: newestTime, ...counts });
  });
  await correlating(store, { watermark, missing: [] }, () => watermark, pack).run(never);
  return (await store.alerts()).map(({ ruleId, evidence }): [string, string[]] => [ruleId, [...evidence]]);
}

/** Each command starts a process and opens a store: minutes on a busy machine say nothing. */
const SLOW_MS = 300_000;

const good = (ran: Ran): Ran => {
  expect([ran.code, ran.code === 0 ? "" : ran.stderr]).toEqual([0, ""]);
  return ran;
};
const exported = async (config: string, out: string): Promise<string> => {
  await exportCommand({ config, out, rule: [] });
  return readFileSync(out, "utf8");
};
const baseline = (...given: string[]): Promise<Ran> => custodes(["baseline", ...given]);

describe("custodes baseline", { timeout: SLOW_MS }, () => {
  test("what a sandbox did is known in production from its first minute, and what it never did is not", async () => {
    const sandbox = place("sandbox");
    const production = place("production");
    // Ten hours only: less than min_history, and a fraction of the days that volumes are compared with.
    await inside(sandbox.data, (store) => serve(store, routine(10), START + 9 * HOUR));
    const file = sandbox.file("profile.ndjson");
    good(await baseline("export", "--profile", "-c", sandbox.config, "--out", file));
    const at = START + 60 * DAY;
    const promote = ["promote", file, "--agent", "a=b", "--at", new Date(at).toISOString(), "-c", production.config];
    const promoted = good(await baseline(...promote));
    expect(promoted.stderr).toMatch(/^\d+ rows promoted as the past before 2026-05-30T12:00:00.000Z/);
    const shown = good(await baseline("show", "--agent", "b", "-c", production.config)).stdout;
    expect(shown).toMatch(/novel .*\n.*API.OPERATION\n +b .* 2 +list, read/);

    const day = [0, 1, 2].flatMap((hour) =>
      [0, 15, 30, 45].map((minute) => use(at + hour * HOUR + minute * MINUTE, "b", hour % 2 === 0 ? "read" : "list")),
    );
    const busy = Array.from({ length: 13 }, (_, index) => use(at + 4 * HOUR + index * MINUTE, "b", "read"));
    const alerts = await inside(production.data, async (store) => {
      const quiet = await serve(store, day, at + 3 * HOUR);
      expect(quiet).toEqual([]);
      return serve(store, [use(at + 3 * HOUR, "b", "delete"), ...busy], at + 9 * HOUR);
    });
    expect(alerts.map(([rule]) => rule).sort()).toEqual(["busy", "novel"]);
    expect(alerts.find(([rule]) => rule === "novel")?.[1]).toEqual([`bdelete${at + 3 * HOUR}`]);
  });

  test("building from the log gives the rows that a service has made, again and again, and raises no alert", async () => {
    const { config, data, file } = place("built");
    const story = [...routine(24 * 4), use(START + 3 * DAY, "b", "read"), use(START + 95 * HOUR, "a", "delete")];
    await inside(data, (store) => serve(store, story, START + 4 * DAY));
    const made = await exported(config, file("made.ndjson"));
    expect(made.split("\n").length).toBeGreaterThan(90);
    const alerts = await inside(data, async (store) => {
      const heads = await store.baselineHeads();
      await store.transaction((tx) => tx.removeBaselines(heads));
      return store.alerts();
    });
    expect(good(await baseline("build", "--since", "30d", "-c", config)).stdout).toMatch(/novel +\d+ +2026-04-04T/);
    expect(await exported(config, file("built.ndjson"))).toBe(made);
    // Less than all is taken into what is there, and takes nothing from it.
    await buildCommand({ config, since: DAY, rules: [], in: [] });
    expect(await exported(config, file("again.ndjson"))).toBe(made);
    expect(await inside(data, (store) => store.alerts())).toEqual(alerts);
  });

  test("what is exported comes back by import, but for rules that count something else", async () => {
    const one = place("one");
    await inside(one.data, (store) => serve(store, routine(50), START + 50 * HOUR));
    const text = await exported(one.config, one.file("out.ndjson"));
    expect(good(await baseline("export", "-c", one.config)).stdout).toBe(text);
    expect(jsonLines(text)[0]).toEqual({
      custodes_baseline: 1,
      pack: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      from: START,
      to: START + 49 * HOUR + 45 * MINUTE,
    });
    const two = place("two");
    await importCommand(one.file("out.ndjson"), { config: two.config, rule: [] });
    const rows = (all: string): string[] => all.split("\n").filter((line) => /^\{"(first|last|window)/.test(line));
    expect(rows(await exported(two.config, two.file("out.ndjson")))).toEqual(rows(text));

    const edited = place("edited", RULES.replace("timespan: 1h", "timespan: 2h"));
    await expect(importCommand(one.file("out.ndjson"), { config: edited.config, rule: [] })).rejects.toThrow(
      /out.ndjson:2: busy counts something else here.*--rule/,
    );
    await importCommand(one.file("out.ndjson"), { config: edited.config, rule: ["novel"] });
    await expect(importCommand(one.file("out.ndjson"), { config: edited.config, rule: ["nova"] })).rejects.toThrow(/only busy, novel/);
    expect(await inside(edited.data, (store) => store.baselineHeads())).toMatchObject([{ rule: "novel", depthMs: 0 }]);
  });

  test("a window that was measured differently is refused with all of its file, unless it shall be replaced", async () => {
    const [one, two] = [place("left"), place("right")];
    await inside(one.data, (store) => serve(store, routine(50), START + 50 * HOUR));
    await inside(two.data, (store) => serve(store, [...routine(50), use(START + MINUTE, "a", "list")], START + 50 * HOUR));
    const [file, mine] = [one.file("out.ndjson"), two.file("out.ndjson")];
    await exported(one.config, file);
    await importCommand(file, { config: one.config, rule: [] });
    const before = await exported(two.config, mine);
    await expect(importCommand(file, { config: two.config, rule: [] })).rejects.toThrow(
      /busy has measured the window at 2026-03-31T12:00:00.000Z.*--replace/,
    );
    expect(await exported(two.config, mine)).toBe(before);
    await importCommand(file, { config: two.config, rule: [], replace: true });
    await importCommand(file, { config: two.config, rule: [] });
  });

  test("files are learned before a service has ever run", async () => {
    const { config, file } = place("files");
    const agents = "src/demo/samples/agents.yaml";
    writeFileSync(config, `${readFileSync(config, "utf8")}agents: ${process.cwd()}/${agents}\n`);
    const built = good(await baseline("build", "--in", "kong=src/demo/samples/kong.ndjson.gz", "-c", config));
    expect(built.stderr).toMatch(/\d+ events/);
    const first = await exported(config, file("first.ndjson"));
    await buildCommand({ config, rules: [], in: ["kong=src/demo/samples/kong.ndjson.gz"] });
    expect(await exported(config, file("second.ndjson"))).toBe(first);
    const shown = JSON.parse(good(await baseline("show", "--rule", "novel", "--json", "-c", config)).stdout) as {
      groups: { known: number }[];
    }[];
    expect(shown[0]?.groups.length).toBeGreaterThan(3);
    expect(shown[0]?.groups.every(({ known }) => known > 0)).toBe(true);
  });

  test("a running service is left alone, and the command says what to do", async () => {
    const { config, data } = place("held");
    await inside(data, async (store) => {
      await serve(store, routine(5), START + 5 * HOUR);
      const ran = await baseline("build", "-c", config);
      expect([ran.code, ran.stderr]).toEqual([1, expect.stringMatching(/in use by process \d+.*stop it, run this command again/s)]);
      await expect(exportCommand({ config, rule: [] })).rejects.toThrow(/stop it, run this command again/);
    });
  });

  test.each([
    [["promote", "x.ndjson", "--agent", "=b"], 64, /write the agent's id, or SANDBOX=PRODUCTION/],
    [["promote", "x.ndjson", "--at", "soon"], 64, /--at soon: write a time/],
    [["build", "--since", "soon"], 64, /is not a duration/],
    [["export"], 1, /there is no store/],
    [["show"], 1, /there is no store/],
    [["build"], 1, /there is no store/],
  ])("%j is refused with what is wrong", async (given, code, message) => {
    const ran = await baseline(...given, "-c", place("refused").config);
    expect([ran.code, ran.stderr]).toEqual([code, expect.stringMatching(message)]);
  });
});
