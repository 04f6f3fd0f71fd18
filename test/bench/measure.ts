/** What the benches measure with: CPU time of this process, and the baseline that ratios are told against. */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { parseFile, parseLines } from "../workload/parse.ts";
import { workloadFiles } from "../workload/run.ts";

/** What some work took, in milliseconds. */
export interface Measured<T> {
  readonly value: T;
  /** User and system time of all threads. */
  readonly cpuMs: number;
  readonly wallMs: number;
}

/** Runs and measures some work. */
export async function cpu<T>(work: () => T | Promise<T>): Promise<Measured<T>> {
  const before = process.cpuUsage();
  const started = performance.now();
  const value = await work();
  const used = process.cpuUsage(before);
  return { value, cpuMs: (used.user + used.system) / 1000, wallMs: performance.now() - started };
}

/** JSON.parse per line over every file of a workload; lines that are no JSON cost what refusing them costs. */
export function parseOnly(directory: string): { lines: number; bytes: number } {
  const total = { lines: 0, bytes: 0 };
  for (const path of workloadFiles(directory)) {
    if (path.endsWith(".gz")) parseLines(gunzipSync(readFileSync(path)), total);
    else parseFile(path, total);
  }
  return total;
}
