import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import { custodes, jsonLines, type AlertLine, type Given, type Ran } from "./command.ts";

const directory = mkdtempSync(join(tmpdir(), "custodes-inputs-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const START = Date.parse("2026-05-01T10:00:00Z");

function put(name: string, content: string | Uint8Array): string {
  const path = join(directory, name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
  return path;
}
const rules = put(
  "rules.yml",
  `title: Failed sign-in
name: failed
logsource: { category: authentication }
detection: { selection: { outcome: failure }, condition: selection }
---
title: Many failed sign-ins
name: many
correlation: { type: event_count, rules: [failed], group-by: [user], timespan: 5m, condition: { gte: 3 } }
---
title: Few failed sign-ins
name: few
correlation: { type: event_count, rules: [failed], group-by: [user], timespan: 1h, condition: { lt: 30 } }
`,
);

interface Record_ {
  readonly uid: string;
  readonly timestamp: string;
}
const records: readonly Record_[] = Array.from({ length: 4000 }, (_, index) => ({
  uid: `e${index}`,
  timestamp: new Date(START + index * 20_000).toISOString(),
  outcome: index % 7 === 0 ? "success" : "failure",
  user: `user${(index * 7919) % 13}`,
}));
const text = (list: readonly Record_[]): string => list.map((one) => `${JSON.stringify(one)}\n`).join("");
const whole = put("whole.ndjson", text(records));
/** In an order that needs a second pass: the second half of the day comes first. */
const unsorted = [...records.slice(2000), ...records.slice(0, 2000)];

const run = (inputs: readonly string[], given: Given = {}): Promise<Ran> =>
  custodes(["backtest", "--rules", rules, "--connector", "plain", "--in", ...inputs], given);
const expected = await run([whole]);
const summaryOf = (ran: Ran): Record<string, unknown> | undefined => jsonLines(ran.stderr).at(-1);

test("the one file that all others are compared with raises many alerts", () => {
  expect(jsonLines(expected.stdout).length).toBeGreaterThan(200);
});

describe("many files", () => {
  const pack = (content: string, way: number): Uint8Array =>
    [() => Buffer.from(content), () => gzipSync(content), () => zstdCompressSync(content)][way % 3]!();
  const split = (name: string, files: number): string => {
    for (let at = 0; at < files; at++) {
      const part = records.slice((records.length * at) / files, (records.length * (at + 1)) / files);
      // The names say nothing of the content, nor of the order.
      put(`${name}/${(at * 7919) % 17}/part${at}.log`, pack(text(part), at));
    }
    put(`${name}/.hidden`, "no log");
    put(`${name}/.git/objects/aa`, "no log either");
    symlinkSync("..", join(directory, name, "0", "up"));
    return join(directory, name);
  };

  test("a directory of more than a thousand files, packed and plain, deep and hidden, gives the same alerts with few open files", async () => {
    const ran = await run([split("days", 1300)], { openFilesMax: 128 });
    expect(ran.code).toBe(0);
    expect(ran.stdout).toBe(expected.stdout);
    expect(summaryOf(ran)).toMatchObject({ events: 4000, duplicates: 0, quarantined: 0, late_events: 0, passes: 1 });
  });

  test("so does a log of which every file spans the whole day, and so do files that are unordered in themselves", async () => {
    const folder = join(directory, "side");
    // Each is several chunks long, so that all of them are in the middle at once.
    const long = unsorted.map((one) => ({ ...one, pad: "x".repeat(8000) }));
    for (let at = 0; at < 150; at++) put(`side/${at}.log`, pack(text(long.filter((_, index) => index % 150 === at)), 1 + (at % 2)));
    const ran = await run([folder], { openFilesMax: 128 });
    expect(ran.stdout).toBe(expected.stdout);
    expect(summaryOf(ran)).toMatchObject({ events: 4000, duplicates: 0, passes: 2 });
  });

  test("a pattern names files; a file that is named twice is one", async () => {
    split("few", 6);
    const ran = await run([join(directory, "few/**/*.log"), join(directory, "few")]);
    expect(ran.stdout).toBe(expected.stdout);
    expect(summaryOf(ran)).toMatchObject({ events: 4000, duplicates: 0 });
  });

  test.each([
    ["a directory without files", () => mkdirSync(join(directory, "empty"), { recursive: true }), "empty", /holds no file/],
    ["a pattern that matches nothing", () => undefined, "none/*.log", /no file matches/],
    ["a path that does not exist", () => undefined, "none.log", /does not exist/],
  ])("%s is wrong usage", async (_, make, path, message) => {
    make();
    const ran = await run([whole, join(directory, path)]);
    expect(ran.code).toBe(64);
    expect(ran.stderr).toMatch(message);
    expect(ran.stderr).toContain(path);
  });
});

describe("standard input", () => {
  const scratch = join(directory, "scratch");
  mkdirSync(scratch);
  const env = { TMPDIR: scratch };
  const plain = text(unsorted);

  test.each([
    ["plain", Buffer.from(plain)],
    ["gzip of several members", Buffer.concat([gzipSync(plain.slice(0, 5000)), gzipSync(plain.slice(5000))])],
    ["zstd of several frames", Buffer.concat([zstdCompressSync(plain.slice(0, 5000)), zstdCompressSync(plain.slice(5000))])],
  ])("%s is read twice where a file would be, and leaves nothing behind", async (_, stdin) => {
    const ran = await run(["-"], { stdin, env });
    expect(ran.stdout).toBe(expected.stdout);
    expect(summaryOf(ran)).toMatchObject({ events: 4000, passes: 2 });
    expect(readdirSync(scratch)).toEqual([]);
  });

  test("it may be one input among others, with a connector of its own", async () => {
    const ran = await run(["plain=-", put("half.ndjson", text(records.slice(0, 2000)))], { stdin: text(records.slice(2000)) });
    expect(ran.stdout).toBe(expected.stdout);
    const kong = { stdin: "{}\n" };
    const other = await custodes(["backtest", "--in", "kong=-"], kong);
    expect(jsonLines(other.stderr)[0]).toMatchObject({ file: "-", line: 1 });
  });

  test("what cannot be kept for a second pass ends the backtest with the fix", async () => {
    const ran = await run(["-"], { stdin: plain, env: { TMPDIR: join(directory, "not-there") } });
    expect(ran.code).toBe(1);
    expect(ran.stderr).toMatch(/standard input may be needed twice.*ENOENT.*set TMPDIR/);
  });

  test("it cannot be given twice", async () => {
    const ran = await run(["plain=-", "ocsf=-"], { stdin: "" });
    expect(ran.code).toBe(64);
    expect(ran.stderr).toMatch(/only once/);
  });

  test("normalize reads it too, and says how a packed one ended", async () => {
    const record = readFileSync("connectors/okta/samples/attack.ndjson", "utf8");
    const packed = gzipSync(record);
    const good = await custodes(["normalize", "--connector", "okta", "--in", "-"], { stdin: packed });
    const file = await custodes(["normalize", "--connector", "okta", "--in", "connectors/okta/samples/attack.ndjson"]);
    expect(good.stdout).toBe(file.stdout);
    expect(good.code).toBe(0);
    const cut = await custodes(["normalize", "--connector", "okta", "--in", "-"], { stdin: packed.subarray(0, packed.length - 9) });
    expect(cut.code).toBe(1);
    expect(cut.stderr).toMatch(/RECORD_CORRUPT_FILE: standard input: the archive is cut off/);
    expect(jsonLines(cut.stderr).at(-1)).toHaveProperty("events");
  });
});

describe("files that cannot be read to their end", () => {
  const packed = gzipSync(text(records));

  test("what an archive holds before its damage counts, the file is named with the fix, and the exit code is 1", async () => {
    const cut = put("cut.log", packed.subarray(0, Math.floor(packed.length / 2)));
    const ran = await run([cut]);
    expect(ran.code).toBe(1);
    const summary = summaryOf(ran);
    const events = Number(summary?.["events"]);
    expect(events).toBeGreaterThan(1500);
    expect(summary).toMatchObject({ quarantined: 1, unread_files: 1 });
    expect(ran.stderr).toMatch(
      new RegExp(`RECORD_CORRUPT_FILE: ${cut}: .*cut off.*${events} records before that were used; copy it again`),
    );
    const only = await run([put("part.ndjson", text(records.slice(0, events)))]);
    expect(ran.stdout).toBe(only.stdout);
  });

  test("the other files are read, whatever is wrong with one", async () => {
    const unreadable = "/proc/self/mem";
    const packing = put("days.log", Buffer.from("fd377a585a000004e6d6b446", "hex"));
    const ran = await run([unreadable, whole, packing]);
    expect(ran.code).toBe(1);
    expect(ran.stdout).toBe(expected.stdout);
    expect(ran.stderr).toMatch(/SOURCE_UNREADABLE: \/proc\/self\/mem cannot be read \(EIO\)/);
    expect(ran.stderr).toMatch(/packed with xz, which is not read; unpack it first/);
    expect(summaryOf(ran)).toMatchObject({ unread_files: 2 });
  });

  test("a second pass counts them once", async () => {
    const cut = put("cut2.log", gzipSync(text(unsorted)).subarray(0, Math.floor(packed.length * 0.8)));
    const ran = await run([cut]);
    expect(summaryOf(ran)).toMatchObject({ passes: 2, unread_files: 1, quarantined: 1 });
    expect(ran.stderr.match(/RECORD_CORRUPT_FILE: /g)).toHaveLength(1);
  });
});

test("alerts of a pack over what a shell's <(command) gives are the same", async () => {
  const pipe = join(directory, "pipe");
  execFileSync("sh", ["-c", 'mkfifo "$1"', "sh", pipe]);
  const writer = spawn("sh", ["-c", `cat "${whole}" > "${pipe}"`]);
  const ran = await run([pipe]);
  writer.kill();
  expect(jsonLines<AlertLine>(ran.stdout).length).toBeGreaterThan(200);
  expect(ran.stdout).toBe(expected.stdout);
});

describe("progress", () => {
  test("is not shown where standard error is no terminal, unless it is asked for; standard output never has it", async () => {
    expect(expected.stderr).not.toContain("events/s");
    expect(expected.stderr).not.toContain("/s  ");
    const shown = await run([whole, "--progress"]);
    expect(shown.stderr).toMatch(/^\d+ kB of \d+ kB {2}\d+ % {2}[\d,]+ events {2}[\d,]+\/s/m);
    expect(shown.stdout).toBe(expected.stdout);
    const hidden = await run([whole, "--no-progress"]);
    expect(hidden.stderr).not.toContain("/s  ");
  });
});
