/** Files that hold what logs hold in the worst case: each bad record is quarantined with its place, everything else goes on. */
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { kongRecord } from "../../src/demo/records.ts";
import { FLEET, ROUTES } from "../../src/demo/fleet.ts";
import { dice } from "../../src/demo/random.ts";
import { startInside, type Inside } from "./inside.ts";
import { until } from "./service.ts";

const directory = mkdtempSync(join(tmpdir(), "custodes-garbage-"));
const logs = join(directory, "logs");
const chance = dice(77);
const HOUR = 3_600_000;
const day = Math.floor(Date.now() / HOUR) * HOUR - 5 * HOUR;
let records = 0;
/** A good record with a request id of its own. */
const good = (): string => kongRecord(chance, FLEET[0]!, day + records++ * 1000, ROUTES.tickets);
const withTime = (time: unknown): string => JSON.stringify({ ...(JSON.parse(good()) as object), started_at: time });

const bytes = (...values: readonly number[]): Buffer => Buffer.from(values);
const LF = bytes(10);
const text = (value: string): Buffer => Buffer.from(value, "utf8");

/** The lines of a file with what each must become; undefined: an event. */
const LINES: readonly (readonly [Buffer, string | undefined])[] = [
  [text(good()), undefined],
  [Buffer.concat([text('{"a":"'), bytes(0xff, 0xfe, 0x00, 0x80, 0xc3, 0x28), text('"}')]), "RECORD_ENCODING"],
  [text(good()), undefined],
  [text(`{"a":"${"x".repeat(10 * 1024 * 1024)}"}`), "RECORD_TOO_LONG"],
  [text(good()), undefined],
  [Buffer.from('{"name":"caf\xe9"}', "latin1"), "RECORD_ENCODING"],
  [text(withTime(undefined)), "RECORD_NO_TIME"],
  [text(withTime("yesterday")), "RECORD_NO_TIME"],
  [text(withTime(Date.now() + 40 * 24 * HOUR)), "RECORD_TIME_FUTURE"],
  [text(`${"[".repeat(5000)}${"]".repeat(5000)}`), "RECORD_TOO_DEEP"],
  [text(`{"a":${'{"a":'.repeat(400)}1${"}".repeat(400)}}`), "RECORD_TOO_DEEP"],
  [text(good().replace("{", '{"__proto__":{"admin":true},')), "RECORD_FORBIDDEN_KEY"],
  [text("[]"), "RECORD_NOT_OBJECT"],
  [text("null"), "RECORD_NOT_OBJECT"],
  [text("{}"), "RECORD_FIELD_MISSING"],
  [text(good().slice(0, 300)), "RECORD_NOT_JSON"],
  [text(`${good()} trailing`), "RECORD_NOT_JSON"],
  [text("\u{1f4a9}\u202e\u0007 no record"), "RECORD_NOT_JSON"],
  // Unusual, and good: a CR before the LF, a byte order mark, hidden characters, a NUL and half a surrogate pair in values.
  [text(`${good()}\r`), undefined],
  [text(good().replace("agent-sdk", "agent\\u0000-\\ud800\u202e\u200bsdk")), undefined],
  [text(good()), undefined],
];

/** Bytes of a whole file of records, some of them bad. */
const file = (lines: readonly (readonly [Buffer, string | undefined])[]): Buffer => Buffer.concat(lines.flatMap(([line]) => [line, LF]));

/** What must be in quarantine: `<file>:<line> <code>`. */
const expected: string[] = [];
let goodOnes = 0;
function expects(name: string, lines: readonly (readonly [Buffer, string | undefined])[]): void {
  lines.forEach(([, code], index) => (code === undefined ? goodOnes++ : expected.push(`${name}:${index + 1} ${code}`)));
}

let service: Inside;
beforeAll(async () => {
  mkdirSync(join(logs, "deep"), { recursive: true });
  writeFileSync(join(logs, "lines.ndjson"), file(LINES));
  expects("lines.ndjson", LINES);
  writeFileSync(join(logs, "utf16.ndjson"), Buffer.from(`\ufeff${good()}\n`, "utf16le"));
  expected.push("utf16.ndjson:1 RECORD_ENCODING");
  writeFileSync(join(logs, "empty.ndjson"), "");
  // An archive that breaks off: the lines before the fault count. Its text does not compress, so that some of it is whole.
  const many = Array.from({ length: 400 }, good);
  const archive = gzipSync(`${many.join("\n")}\n`);
  writeFileSync(join(logs, "cut.ndjson.gz"), archive.subarray(0, Math.floor(archive.length / 2)));
  writeFileSync(join(logs, "none.ndjson.gz"), "this is no archive\n");
  // What it is is told by its content: a text that is no JSON.
  expected.push("none.ndjson.gz:1 RECORD_NOT_JSON");
  writeFileSync(
    join(logs, "whole.ndjson.gz"),
    gzipSync(
      file([
        [text(good()), undefined],
        [text("{"), "RECORD_NOT_JSON"],
        [text(good()), undefined],
      ]),
    ),
  );
  expected.push("whole.ndjson.gz:2 RECORD_NOT_JSON");
  goodOnes += 2;
  writeFileSync(join(logs, "deep", "bom.ndjson"), `\ufeff${good()}\n\n\n${good()}\n`);
  goodOnes += 2;
  // A last line without its end may still be written to.
  writeFileSync(join(logs, "torn.ndjson"), `${good()}\n${good().slice(0, 200)}`);
  goodOnes += 1;
  copyFileSync(join(logs, "empty.ndjson"), join(logs, "empty-too.ndjson"));
  service = await startInside(
    directory,
    `data: ./data
receiver: { listen: "127.0.0.1:0" }
sources: { kong/dirty: { path: ${logs}, every: "* * * * * *" } }
`,
  );
});
afterAll(async () => {
  await service.stop();
  rmSync(directory, { recursive: true, force: true });
});

const quarantine = async (): Promise<string[]> =>
  (await service.store.quarantine({ limit: 1000 })).map((row) => `${row.position.replace(/^.*\//, "")} ${row.code}`).sort();

test("every bad record is quarantined once with source, place and code, and every good one is an event", async () => {
  // Archives are read once they have been left alone for ten seconds.
  service.pass(15_000);
  await until("the end of reading", async () => {
    const [state] = await service.store.sources();
    return state?.watermark !== null && state?.watermark !== undefined && (await quarantine()).length > expected.length;
  });
  const found = await quarantine();
  const cut = found.filter((row) => row.startsWith("cut.ndjson.gz:"));
  expect(cut).toEqual([expect.stringMatching(/^cut\.ndjson\.gz:\d+ RECORD_CORRUPT_FILE$/)]);
  expect(found.filter((row) => !cut.includes(row))).toEqual([...expected].sort());
  const rows = await service.store.quarantine({ limit: 1000 });
  expect(new Set(rows.map((row) => row.source))).toEqual(new Set(["kong/dirty"]));
  for (const row of rows) {
    expect(row.message.length).toBeLessThan(300);
    expect(row.raw.length).toBeLessThanOrEqual(65_536);
  }
  // The archive's fault is in some line: all before it were whole.
  const whole = Number(/:(\d+) /.exec(cut[0] ?? "")?.[1]) - 1;
  expect(whole).toBeGreaterThan(20);
  const [state] = await service.store.sources();
  expect(state).toMatchObject({
    source: "kong/dirty",
    events: goodOnes + whole,
    quarantined: expected.length + 1,
    duplicates: 0,
    lastError: null,
  });
  expect((await service.store.readLog(0, 10_000)).length).toBe(goodOnes + whole);
});

test("hidden characters and impossible ones do not reach the log, and no key reaches a prototype", async () => {
  const events = (await service.store.readLog(0, 10_000)).map((row) => row.event);
  const odd = events.filter((event) => event.userAgent?.includes("sdk/") === true && !event.userAgent.startsWith("agent-sdk"));
  expect(odd).toHaveLength(1);
  expect(JSON.stringify(events).isWellFormed()).toBe(true);
  expect(({} as { admin?: boolean }).admin).toBeUndefined();
});

test("nothing of the records is in the log, and the service is healthy", async () => {
  expect(JSON.stringify(service.said)).not.toMatch(/agent-sdk|caf|trailing/);
  expect(service.said.filter((line) => line.level === "error")).toEqual([]);
  expect((await service.health()).status).toBe("green");
});

test("a torn last line is taken when it is complete, and a new file is read while the old ones are not read again", async () => {
  const before = (await service.store.sources())[0]!;
  writeFileSync(join(logs, "new.ndjson"), `${good()}\nnonsense\n`);
  service.pass(700_000);
  await until("the new records", async () => ((await service.store.sources())[0]?.events ?? 0) > before.events);
  await until("the torn line", async () => (await quarantine()).some((row) => row.startsWith("torn.ndjson:2 ")));
  const after = (await service.store.sources())[0]!;
  expect(after.events - before.events).toBe(1);
  expect(after.quarantined - before.quarantined).toBe(2);
  expect(after.duplicates).toBe(0);
});
