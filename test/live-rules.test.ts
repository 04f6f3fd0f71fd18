/** Rules that follow real files: when a change is taken, what is kept, what is said about it. */
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { stampRules } from "../src/adapters/rules/stamp.ts";
import { liveRules, type LiveRules } from "../src/live-rules.ts";
import { loadPack, reloadPack } from "../src/rules.ts";
import { testLog, testMeter } from "./pipeline/world.ts";

const home = mkdtempSync(join(tmpdir(), "custodes-live-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));

const rule = (id: string, refusal = true, more = ""): string =>
  `title: Rule ${id}\nid: ${id}\nlogsource: { category: agent_api, product: agent }\ndetection: { s: { refusal: ${refusal} }, condition: s }\n${more}`;

let directory: string;
let count = 0;
beforeEach(() => {
  directory = join(home, String(count++));
  mkdirSync(directory);
});
const path = (name: string): string => join(directory, name);
const write = (name: string, text: string): void => writeFileSync(path(name), text);

interface Followed extends LiveRules {
  readonly log: ReturnType<typeof testLog>;
  readonly meter: ReturnType<typeof testMeter>;
  /** Ids of the rules at work. */
  ids(): readonly string[];
  /** Has reading fail with this message. */
  fail(message: string | undefined): void;
  /** Looks until a change has settled. */
  settle(): Promise<void>;
}

async function follow(paths: readonly string[] = [directory], destinations: readonly string[] = ["elastic/soc"]): Promise<Followed> {
  const log = testLog();
  const meter = testMeter();
  let failing: string | undefined;
  let now = Date.UTC(2026, 10, 20, 3);
  const live = liveRules({
    first: loadPack(paths),
    stamp: await stampRules(paths),
    now: () => (now += 1000),
    log,
    meter,
    look: () => stampRules(paths),
    read(before, lost) {
      if (failing !== undefined) throw new Error(failing);
      return reloadPack(paths, before, { placeholders: new Map(), destinations: new Set(destinations), lost });
    },
    between: (take) => void take(),
    deadRoutes: (pack) => (pack.rule("needed") === undefined && destinations.includes("needs") ? ["needed"] : []),
  });
  return {
    ...live,
    log,
    meter,
    fail: (message) => {
      failing = message;
    },
    ids: () => live.status().rules,
    settle: async () => {
      await live.look();
      await live.look();
    },
  };
}

describe("a change of files", () => {
  test("is taken when two looks saw the same, with what came, changed and went", async () => {
    write("a.yml", rule("a"));
    write("b.yml", rule("b"));
    const live = await follow();
    const { version } = live.status();
    await live.settle();
    expect(live.log.lines).toEqual([]);
    write("a.yml", rule("a", false));
    rmSync(path("b.yml"));
    mkdirSync(path("deep"));
    write("deep/c.yaml", rule("c"));
    await live.look();
    expect(live.ids()).toEqual(["a", "b"]);
    await live.look();
    expect(live.ids()).toEqual(["a", "c"]);
    expect(live.status().version).not.toBe(version);
    expect(live.log.lines.join()).toContain('"rules":2,"added":["c"],"changed":["a"],"removed":["b"]');
    expect(live.health()).toMatchObject({
      ok: true,
      message: `version ${live.status().version}, 2 rules, loaded 2026-11-20T03:00:02.000Z`,
    });
    expect(live.meter.value("rules_loaded")).toBe(2);
    expect(live.meter.value("rule_reloads_total", { result: "taken" })).toBe(1);
  });

  test("that goes on is left alone until it ends", async () => {
    write("a.yml", rule("a"));
    const live = await follow();
    for (let round = 0; round < 5; round++) {
      write("b.yml", rule("b").slice(0, 40 + round * 20));
      await live.look();
      expect(live.ids()).toEqual(["a"]);
    }
    write("b.yml", rule("b"));
    await live.settle();
    expect(live.ids()).toEqual(["a", "b"]);
    expect(live.log.lines.filter((line) => line.includes("rejected"))).toEqual([]);
  });

  test("is taken though another file never rests", async () => {
    write("a.yml", rule("a"));
    const live = await follow();
    write("b.yml", rule("b"));
    for (let round = 0; round < 15 && !live.ids().includes("b"); round++) {
      write("restless.yml", `# ${"x".repeat(round)}\n${rule("r")}`);
      await live.look();
    }
    expect(live.ids()).toEqual(["a", "b", "r"]);
  });

  test("is seen when an editor renames a new file over the old one, also with its time and size kept", async () => {
    write("a.yml", rule("a"));
    const time = new Date(2026, 1, 1);
    utimesSync(path("a.yml"), time, time);
    const live = await follow();
    write("a.tmp", rule("x"));
    utimesSync(path("a.tmp"), time, time);
    renameSync(path("a.tmp"), path("a.yml"));
    await live.settle();
    expect(live.ids()).toEqual(["x"]);
  });

  test("is seen behind a link that is turned to another directory", async () => {
    mkdirSync(path(".v1"));
    mkdirSync(path(".v2"));
    write(".v1/a.yml", rule("a"));
    write(".v2/a.yml", rule("b"));
    symlinkSync(".v1", path(".data"));
    symlinkSync(join(".data", "a.yml"), path("a.yml"));
    const live = await follow();
    expect(live.ids()).toEqual(["a"]);
    symlinkSync(".v2", path(".next"));
    renameSync(path(".next"), path(".data"));
    await live.settle();
    expect(live.ids()).toEqual(["b"]);
  });

  test("that says the same is no change", async () => {
    write("a.yml", rule("a"));
    const live = await follow();
    const { version } = live.status();
    write("a.yml", `# a remark\n${rule("a")}`);
    await live.settle();
    expect(live.status().version).toBe(version);
    expect(live.pack().rule("a")?.line).toBe(2);
    expect(live.log.lines.filter((line) => line.includes("rules changed"))).toEqual([]);
  });

  test("is taken at once when it is asked for", async () => {
    write("a.yml", rule("a"));
    const live = await follow();
    write("a.yml", rule("b"));
    await live.reload();
    expect(live.ids()).toEqual(["b"]);
  });
});

describe("what is wrong", () => {
  test("in a file keeps its older rules, shows with file, line and reason, and heals", async () => {
    write("a.yml", rule("a"));
    write("b.yml", rule("b"));
    const live = await follow();
    write("a.yml", "title: [\n");
    write("b.yml", rule("c"));
    await live.settle();
    expect(live.ids()).toEqual(["a", "c"]);
    expect(live.health()).toMatchObject({ name: "rules", ok: false });
    expect(live.health().message).toMatch(/a\.yml:2: not valid YAML.*; the older version of 1 rule is kept$/);
    expect(live.log.lines.join()).toMatch(/warn rule rejected .*a\.yml.*warn the older version of a rule is kept .*"rule":"a"/);
    expect([live.meter.value("rules_rejected"), live.meter.value("rules_kept")]).toEqual([1, 1]);
    expect(live.meter.value("rule_reloads_total", { result: "partial" })).toBe(1);
    await live.settle();
    expect(live.log.lines.filter((line) => line.includes("rule rejected"))).toHaveLength(1);
    write("a.yml", rule("a", false));
    await live.settle();
    expect(live.health().ok).toBe(true);
    expect([live.meter.value("rules_rejected"), live.meter.value("rules_kept")]).toEqual([0, 0]);
  });

  test("a rule for a destination that is not configured is rejected, and its older version kept", async () => {
    write("a.yml", rule("a", true, "custodes: { destinations: [elastic/soc] }\n"));
    const live = await follow();
    write("a.yml", rule("a", true, "custodes:\n  destinations:\n    - elastic/sock\n"));
    await live.settle();
    expect(live.pack().rule("a")?.destinations).toEqual(["elastic/soc"]);
    expect(live.health().message).toMatch(/a\.yml:7: there is no destination "elastic\/sock"/);
  });

  test("a directory that is gone keeps its rules, and says so until it is back", async () => {
    mkdirSync(path("own"));
    write("own/a.yml", rule("a"));
    write("b.yml", rule("b"));
    const live = await follow([path("own"), path("b.yml")]);
    rmSync(path("own"), { recursive: true });
    write("b.yml", rule("c"));
    await live.settle();
    expect(live.ids()).toEqual(["a", "c"]);
    expect(live.health().message).toContain(`${path("own")} cannot be read (ENOENT); the older version of 1 rule is kept`);
    expect(live.log.lines.join()).toContain("rules are lost; those that came from there are kept");
    mkdirSync(path("own"));
    await live.settle();
    expect(live.ids()).toEqual(["a", "c"]);
    expect(live.health().message).toContain(`${path("own")} holds no rule file`);
    write("own/d.yml", rule("d"));
    await live.settle();
    expect(live.ids()).toEqual(["c", "d"]);
    expect(live.health().ok).toBe(true);
  });

  test("the last file of a directory that is gone looks like a mount that is gone: the rules are kept", async () => {
    write("a.yml", rule("a"));
    const live = await follow();
    rmSync(path("a.yml"));
    await live.settle();
    expect(live.ids()).toEqual(["a"]);
    expect(live.health()).toMatchObject({ ok: false });
  });

  test("files that cannot be read leave all rules at work, show, and are tried again", async () => {
    write("a.yml", rule("a"));
    const live = await follow();
    write("b.yml", rule("b"));
    live.fail("EACCES");
    await live.settle();
    await live.settle();
    expect(live.ids()).toEqual(["a"]);
    expect(live.health()).toMatchObject({ ok: false, message: expect.stringContaining("rule files cannot be read: EACCES") });
    expect(live.log.lines.filter((line) => line.includes("could not be read"))).toHaveLength(1);
    live.fail(undefined);
    await live.settle();
    expect(live.ids()).toEqual(["a", "b"]);
    expect(live.health().ok).toBe(true);
  });

  test("a document as deep as documents may be is as good as any", async () => {
    write("a.yml", rule("a"));
    const live = await follow();
    write("deep.yml", rule("deep", true, `x: ${"[".repeat(64)}1${"]".repeat(64)}\n`));
    await live.settle();
    expect(live.ids()).toEqual(["a", "deep"]);
  });

  test("a route that names a rule which is gone shows", async () => {
    write("a.yml", rule("needed"));
    write("b.yml", rule("b"));
    const live = await follow([directory], ["needs"]);
    expect(live.health().ok).toBe(true);
    rmSync(path("a.yml"));
    await live.settle();
    expect(live.health().message).toContain("a route names needed, which no loaded rule is called");
  });
});

test("what a rule said about itself is known after it is gone, and follows it while it is there", async () => {
  write("a.yml", rule("a", true, "level: high\n"));
  write("b.yml", rule("b"));
  const live = await follow();
  write("a.yml", rule("a", true, "level: low\n"));
  await live.settle();
  expect(live.rule("a")?.level).toBe("low");
  rmSync(path("a.yml"));
  await live.settle();
  expect(live.pack().rule("a")).toBeUndefined();
  expect(live.rule("a")?.level).toBe("low");
});
