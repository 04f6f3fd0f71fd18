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
    const exported = async (name: string): Promise<string> => {
      good(await baseline("export", "-c", config, "--out", file(name)));
      return readFileSync(file(name), "utf8");
    };
    const made = await exported("made.ndjson");
    expect(made.split("\n").length).toBeGreaterThan(90);
    const alerts = await inside(data, (store) => store.alerts());
    await inside(data, async (store) => {
      const heads = await store.baselineHeads();
      await store.transaction((tx) => tx.removeBaselines(heads));
    });
    for (let round = 0; round < 2; round++) {
      expect(good(await baseline("build", "--since", "30d", "-c", config)).stdout).toMatch(/novel +\d+ +2026-04-04T/);
      expect(await exported(`built${round}.ndjson`)).toBe(made);
    }
    expect(await inside(data, (store) => store.alerts())).toEqual(alerts);
    // What goes back only a little says so, and the service asks its log for the rest.
    good(await baseline("build", "--since", "1d", "-c", config));
    expect(await exported("again.ndjson")).toBe(made);
  });
  test("what is exported comes back by import, all or nothing", async () => {
    const one = place("one");
    const two = place("two");
    await inside(one.data, (store) => serve(store, routine(50), START + 50 * HOUR));
    const file = one.file("out.ndjson");
    good(await baseline("export", "-c", one.config, "--out", file));
    const text = readFileSync(file, "utf8");
    expect(good(await baseline("export", "-c", one.config)).stdout).toBe(text);
    const [header] = jsonLines<{ custodes_baseline: number; pack: string; from: number; to: number }>(text);
    expect(header).toEqual({
      custodes_baseline: 1,
      pack: expect.stringMatching(/^[0-9a-f]{64}$/) as string,
      from: START,
      to: START + 49 * HOUR + 45 * MINUTE,
    });
    good(await baseline("import", file, "-c", two.config));
    const rows = (name: string): string[] =>
      readFileSync(name, "utf8")
        .split("\n")
        .filter((line) => /^\{"(first|last|window)/.test(line));
    good(await baseline("export", "-c", two.config, "--out", two.file("out.ndjson")));
    expect(rows(two.file("out.ndjson"))).toEqual(rows(file));

    const lines = text.trimEnd().split("\n");
    const windowAt = lines.findIndex((line) => line.startsWith('{"window"'));
    const wrong: [string, string[], RegExp][] = [
      ["cut", lines.slice(0, -1), /cut off/],
      ["more", [...lines, lines[5]!], new RegExp(`:${lines.length + 1}: there is more after the end`)],
      ["changed", lines.map((line, at) => (at === windowAt ? line.replace(/"whole":\d+/, '"whole":77') : line)), /checksum/],
      ["headless", lines.slice(1), /:1: no header/],
      ["torn", lines.map((line, at) => (at === windowAt ? line.slice(0, -5) : line)), new RegExp(`:${windowAt + 1}: `)],
      ["strange", lines.map((line, at) => (at === windowAt ? line.replace("{", '{"x":1,') : line)), /Unrecognized key/],
      ["other", lines.map((line) => line.replace('"rule":"novel"', '"rule":"nova"')), /no loaded rule that remembers has the id "nova"/],
      [
        "unaligned",
        lines.map((line, at) => (at === windowAt ? line.replace(/"window":(\d+)/, '"window":1') : line)),
        /no window of 3600000 ms starts at 1/,
      ],
      ["binary", ["\0\0\xff"], /:1: /],
    ];
    const empty = place("empty");
    for (const [name, broken, message] of wrong) {
      writeFileSync(one.file(name), `${broken.join("\n")}\n`);
      const ran = await baseline("import", one.file(name), "-c", empty.config);
      expect([name, ran.code]).toEqual([name, 1]);
      expect(ran.stderr).toMatch(message);
      expect(ran.stderr).toContain(one.file(name));
    }
    expect((await baseline("show", "-c", empty.config)).code).toBe(1);
    const edited = place("edited", RULES.replace("timespan: 1h", "timespan: 2h"));
    const refused = await baseline("import", file, "-c", edited.config);
    expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/busy counts something else here.*--rule/)]);
    good(await baseline("import", file, "--rule", "novel", "-c", edited.config));
  });

  test("a window that was measured differently is refused, unless it shall be replaced", async () => {
    const [one, two] = [place("left"), place("right")];
    await inside(one.data, (store) => serve(store, routine(50), START + 50 * HOUR));
    await inside(two.data, (store) => serve(store, [...routine(50), use(START + MINUTE, "a", "list")], START + 50 * HOUR));
    const file = one.file("out.ndjson");
    good(await baseline("export", "-c", one.config, "--out", file));
    good(await baseline("import", file, "-c", one.config));
    const refused = await baseline("import", file, "-c", two.config);
    expect([refused.code, refused.stderr]).toEqual([
      1,
      expect.stringMatching(/busy has measured the window at 2026-03-31T12:00:00.000Z.*--replace/),
    ]);
    good(await baseline("import", file, "--replace", "-c", two.config));
    good(await baseline("import", file, "-c", two.config));
  });

  test("files are learned before a service has ever run", async () => {
    const { config } = place("files");
    const agents = "src/demo/samples/agents.yaml";
    writeFileSync(config, `${readFileSync(config, "utf8")}agents: ${process.cwd()}/${agents}\n`);
    for (let round = 0; round < 2; round++) {
      const built = good(await baseline("build", "--in", "kong=src/demo/samples/kong.ndjson.gz", "-c", config));
      expect(built.stderr).toMatch(/\d+ events/);
    }
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
      for (const given of [["build"], ["export"], ["import", "x"], ["promote", "x"]]) {
        const ran = await baseline(...given, "-c", config);
        expect(ran.code).toBe(1);
        expect(ran.stderr).toMatch(given[1] === undefined ? /in use by process \d+.*stop it, run this command again/s : /x/);
      }
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
