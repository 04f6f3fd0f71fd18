import { STDIN } from "../adapters/files/spool.ts";
import type { Fault } from "../backtest/run.ts";

/** What is wrong with an input that could not be read to its end, what was done with it, and what to do. */
export function faultText({ path, code, message, records }: Fault): string {
  const name = path === STDIN ? "standard input" : path;
  const used = `${records} ${records === 1 ? "record" : "records"} before that ${records === 1 ? "was" : "were"} used`;
  if (code !== "RECORD_CORRUPT_FILE")
    return `${code}: ${message}; ${used}; what is missing can hide alerts, and make those about absence wrong`;
  const fix = message.includes("unpack it first")
    ? ""
    : `; copy it again from where it comes from ("gzip -t" or "zstd -t" says whether a copy is whole)`;
  return `${code}: ${name}: ${message}; ${used}${fix}`;
}
