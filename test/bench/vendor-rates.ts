/**
 * How much of real vendors' logs every connector reads, and whether what it makes of them is valid OCSF.
 *
 *     node test/bench/vendor-rates.ts [NAME]
 *
 * NAME keeps the datasets whose name contains it and lists their first rejects.
 */
import { createHash } from "node:crypto";
import { Failure } from "../../src/core/errors.ts";
import type { Event } from "../../src/core/event.ts";
import { newBatch, readLine, readText, type Batch } from "../../src/core/framing.ts";
import { eventToOcsf } from "../../src/core/ocsf.ts";
import type { NormalizeContext } from "../../src/ports/connector.ts";
import { ocsfErrors } from "../core/ocsf-validator.ts";
import { DATASETS, dataPresent, textsOf, type Dataset } from "./vendor-data.ts";

/** Later than anything in the data. */
const RECEIVED = Date.UTC(2026, 11, 31);

const contextOf = (connector: string): NormalizeContext => ({
  source: `${connector}/data`,
  received: RECEIVED,
  sha256: (text) => createHash("sha256").update(text, "utf8").digest("hex"),
});

/** What became of one dataset. */
export interface Rates {
  readonly name: string;
  readonly files: number;
  readonly records: number;
  readonly events: number;
  readonly quarantined: number;
  /** Events whose OCSF 1.8.0 object is valid. */
  readonly valid: number;
  /** `<file>: <code> <message>` of what was quarantined. */
  readonly rejects: readonly string[];
  /** First schema violation of each event that has one. */
  readonly invalid: readonly string[];
}

/** Runs one dataset through its connector. */
export function ratesOf(dataset: Dataset): Rates {
  const { connector } = dataset;
  const context = contextOf(connector.id);
  const files = textsOf(dataset);
  const events: Event[] = [];
  const rejects: string[] = [];
  let records = 0;
  for (const { file, texts } of files) {
    for (const text of texts) {
      const batch = readAll(dataset, text);
      const normalize = connector.normalize!(dataset.config === undefined ? undefined : connector.config.parse(dataset.config));
      records += batch.records.length + batch.rejects.length;
      rejects.push(...batch.rejects.map(({ code, message }) => `${file}: ${code} ${message}`));
      for (const record of batch.records) {
        try {
          events.push(...normalize(record, context));
        } catch (error) {
          if (!(error instanceof Failure) || error.kind !== "poison") throw error;
          rejects.push(`${file}: ${error.code} ${error.message}`);
        }
      }
    }
  }
  const invalid: string[] = [];
  for (const event of events) {
    const [first] = ocsfErrors(eventToOcsf(event, { version: "1.8.0" }), "1.8.0");
    if (first !== undefined) invalid.push(`${event.uid}: ${first}`);
  }
  const { name } = dataset;
  return {
    name,
    files: files.length,
    records,
    events: events.length,
    quarantined: rejects.length,
    valid: events.length - invalid.length,
    rejects,
    invalid,
  };
}

function readAll({ connector }: Dataset, text: string): Batch {
  const format = connector.format!();
  const read = format.open();
  const batch = newBatch("data");
  if (format.framing === "document") readText(read, text, 1, batch);
  else text.split("\n").forEach((line, index) => readLine(read, line, index + 1, batch));
  return batch;
}

const percent = (part: number, whole: number): string => (whole === 0 ? "-" : `${((100 * part) / whole).toFixed(1)} %`);

function print(rates: readonly Rates[]): void {
  const head = ["dataset", "files", "records", "events", "quarantined", "parsed", "OCSF 1.8.0"];
  const rows = rates.map((one) => [
    one.name,
    ...[one.files, one.records, one.events, one.quarantined].map(String),
    percent(one.records - one.quarantined, one.records),
    percent(one.valid, one.events),
  ]);
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]!.length)));
  for (const row of [head, ...rows]) {
    console.log(row.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join("  "));
  }
}

if (import.meta.main) {
  const [wanted] = process.argv.slice(2);
  if (!dataPresent()) throw new Error("../shared/data is missing");
  const rates = DATASETS.filter(({ name }) => wanted === undefined || name.includes(wanted)).map(ratesOf);
  print(rates);
  const problems = rates.flatMap((one) => [...(wanted === undefined ? [] : one.rejects.slice(0, 10)), ...one.invalid.slice(0, 5)]);
  for (const problem of problems) console.log(problem);
}
