/**
 * What reading costs beside parsing: main-thread CPU of `readFileRecords` against bare JSON.parse of the same lines.
 *
 *     node test/bench/reading.ts FILE.ndjson [ROUNDS]
 *
 * Of a larger file only the whole lines of the first 200 MB count: the bare side holds them all in memory.
 */
import { closeSync, fstatSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readFileRecords } from "../../src/adapters/files/read-records.ts";
import { jsonLines } from "../../src/core/framing.ts";

const MOST_BYTES = 200_000_000;

const [given, rounds = "7"] = process.argv.slice(2);
if (given === undefined) throw new Error("usage: node test/bench/reading.ts FILE.ndjson [ROUNDS]");

const cpuMs = (): number => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
};

function head(file: string): Buffer {
  const fd = openSync(file, "r");
  const { size } = fstatSync(fd);
  const bytes = Buffer.alloc(Math.min(size, MOST_BYTES));
  let filled = 0;
  while (filled < bytes.length) filled += readSync(fd, bytes, filled, bytes.length - filled, filled);
  closeSync(fd);
  return size > MOST_BYTES ? bytes.subarray(0, bytes.lastIndexOf(10) + 1) : bytes;
}

const directory = mkdtempSync(join(tmpdir(), "custodes-reading-"));
process.on("exit", () => rmSync(directory, { recursive: true, force: true }));
const path = join(directory, "head.ndjson");
const opening = head(given);
writeFileSync(path, opening);

// Each line a text of its own, so that parsing pays for nothing else.
const lines = opening
  .toString("utf8")
  .split("\n")
  .filter((line) => line !== "")
  .map((line) => Buffer.from(line).toString());

function bare(): number {
  const start = cpuMs();
  for (const line of lines) {
    try {
      JSON.parse(line);
    } catch {
      // Broken lines cost both sides the same.
    }
  }
  return cpuMs() - start;
}

async function reading(file: string): Promise<number> {
  const start = cpuMs();
  let records = 0;
  for await (const batch of readFileRecords(file, jsonLines)) records += batch.records.length + batch.rejects.length;
  if (records !== lines.length) throw new Error(`${records} records of ${lines.length} lines`);
  return cpuMs() - start;
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
const samples: { readonly bare: number; readonly reading: number }[] = [];
for (let round = 0; round < Number(rounds); round++) samples.push({ bare: bare(), reading: await reading(path) });
const parse = median(samples.map((sample) => sample.bare));
const read = median(samples.map((sample) => sample.reading));
const perLine = (milliseconds: number): string => ((milliseconds * 1000) / lines.length).toFixed(2);
process.stdout.write(
  `${lines.length} lines: parse ${perLine(parse)} µs, read and parse ${perLine(read)} µs per line, overhead ${((read - parse) / parse).toFixed(2)}x\n`,
);
