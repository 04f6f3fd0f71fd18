/** Baselines as lines of JSON: a header, then each head with its rows, then an end that says whether all is there. */
import { createHash, type Hash } from "node:crypto";
import { z } from "zod";
import { readFileRecords } from "../adapters/files/read-records.ts";
import type { BaselineHead, BaselineRow } from "../core/correlation/baseline.ts";
import { parseUnits, unitsText } from "../core/correlation/units-text.ts";
import { jsonLines } from "../core/framing.ts";
import { CommandError, EXIT, type LineWriter } from "./output.ts";

/** Rows in memory at once while a file is read. */
const BATCH_ROWS = 5000;
/** Longer groups and values than any event field. */
const TEXT_MAX = 262_144;
const FIELDS_MAX = 32;

const time = z.int().min(-8_640_000_000_000_000).max(8_640_000_000_000_000);
const span = z.int().min(0).max(3_155_760_000_000_000);
const text = z.string().max(TEXT_MAX);
const texts = z.array(text).max(FIELDS_MAX);
const headerLine = z.strictObject({
  custodes_baseline: z.literal(1),
  pack: z.string().regex(/^[0-9a-f]{64}$/),
  from: time.nullable(),
  to: time.nullable(),
});
const headLine = z.strictObject({
  rule: text.min(1),
  key: z.uuid(),
  type: z.enum(["new_value", "baseline_ratio"]),
  group_by: texts,
  fields: texts,
  timespan_ms: span,
  until: time,
  depth_ms: span,
  keep_ms: span,
});
const firstLine = z.strictObject({ first: time, group: texts });
const valueLine = z.strictObject({ last: time, group: texts, value: text });
const windowLine = z.strictObject({
  window: time,
  group: texts,
  whole: z.int(),
  units: text
    .refine((one) => one !== "" && parseUnits(one) !== undefined, "must be hexadecimal digits, `p` and a number of bits")
    .optional(),
});
const endLine = z.strictObject({ end: z.int().min(0), sha256: z.string().regex(/^[0-9a-f]{64}$/) });

/** What the file says of itself. */
export type FileHeader = z.infer<typeof headerLine>;

/** A head and some of its rows, with the line of the first. */
export interface FilePart {
  readonly head: BaselineHead;
  readonly rows: readonly BaselineRow[];
  readonly line: number;
}

/** Writes a file; the same rows in the same order give the same bytes. */
export function baselineWriter(output: LineWriter): {
  header(header: FileHeader): Promise<void>;
  head(head: BaselineHead): Promise<void>;
  row(row: BaselineRow): Promise<void>;
  end(): Promise<void>;
} {
  const hash = createHash("sha256");
  let rows = 0;
  const write = async (line: object): Promise<void> => {
    const json = JSON.stringify(line);
    hash.update(`${json}\n`);
    await output.write(json);
  };
  return {
    header: ({ pack, from, to }) => write({ custodes_baseline: 1, pack, from, to }),
    head: ({ rule, key, type, groupBy, fields, timespanMs, until, depthMs, keepMs }) =>
      write({ rule, key, type, group_by: groupBy, fields, timespan_ms: timespanMs, until, depth_ms: depthMs, keep_ms: keepMs }),
    row(row) {
      rows++;
      return write(lineOf(row));
    },
    async end() {
      await output.write(JSON.stringify({ end: rows, sha256: hash.digest("hex") }));
      await output.end();
    },
  };
}

function lineOf(row: BaselineRow): object {
  switch (row.kind) {
    case "first":
      return { first: row.time, group: row.group };
    case "value":
      return { last: row.time, group: row.group, value: row.value };
    case "window":
      return { window: row.time, group: row.group, whole: row.whole, ...(row.units === 0n ? {} : { units: unitsText(row.units) }) };
  }
}

/**
 * Reads a file, part by part, and checks all of it, its end too: whoever stores parts must undo that when this throws.
 * @throws {CommandError} with file and line
 */
export async function* readBaselines(path: string): AsyncGenerator<FilePart> {
  const hash = createHash("sha256");
  let head: BaselineHead | undefined;
  let rows: BaselineRow[] = [];
  let count = 0;
  let from = 0;
  let state: "header" | "rows" | "end" = "header";
  for await (const batch of readFileRecords(path, jsonLines)) {
    const [reject] = batch.rejects;
    if (reject !== undefined) fail(path, reject.line, reject.message);
    for (const [index, record] of batch.records.entries()) {
      const line = batch.lines[index] ?? 0;
      if (state === "end") fail(path, line, "there is more after the end");
      if (state === "header") {
        parse(headerLine, record, path, line, "no header of a baseline file of version 1");
        state = "rows";
      } else if (isObject(record) && "end" in record) {
        if (head !== undefined) yield { head, rows, line: from };
        checkEnd(parse(endLine, record, path, line, "the end is damaged"), count, hash, path, line);
        state = "end";
        continue;
      } else if (isObject(record) && "rule" in record) {
        if (head !== undefined) yield { head, rows, line: from };
        head = headOf(parse(headLine, record, path, line, "a head is damaged"));
        [rows, from] = [[], line];
      } else {
        if (head === undefined) fail(path, line, "a row stands before the rule that it belongs to");
        rows.push(rowOf(record, head, path, line));
        count++;
        if (rows.length >= BATCH_ROWS) {
          yield { head, rows, line: from };
          [rows, from] = [[], line];
        }
      }
      hash.update(`${JSON.stringify(record)}\n`);
    }
  }
  if (state !== "end") fail(path, count + 1, "the file is cut off: its last line must be the end that `baseline export` writes");
}

function checkEnd(end: z.infer<typeof endLine>, count: number, hash: Hash, path: string, line: number): void {
  if (end.end !== count) fail(path, line, `the end counts ${end.end} rows, and there are ${count}`);
  if (end.sha256 !== hash.digest("hex")) fail(path, line, "the file was changed: its lines do not add up to the checksum in its end");
}

function headOf(line: z.infer<typeof headLine>): BaselineHead {
  const { rule, key, type, group_by: groupBy, fields, timespan_ms: timespanMs, until, depth_ms: depthMs, keep_ms: keepMs } = line;
  return { rule, key, type, groupBy, fields, timespanMs, until, depthMs, keepMs };
}

function rowOf(record: unknown, head: BaselineHead, path: string, line: number): BaselineRow {
  const row = rowLine(record, head, path, line);
  if (row.group.length !== head.groupBy.length)
    fail(path, line, `the group has ${row.group.length} values, and ${head.rule} groups by ${head.groupBy.length}`);
  return row;
}

function rowLine(record: unknown, head: BaselineHead, path: string, line: number): BaselineRow {
  const what = "no row";
  if (isObject(record) && "first" in record) {
    const { first, group } = parse(firstLine, record, path, line, what);
    return { kind: "first", group, time: first };
  }
  if (head.type === "new_value") {
    const { last, group, value } = parse(valueLine, record, path, line, `${what} of a new_value rule`);
    return { kind: "value", group, value, time: last };
  }
  const { window, group, whole, units } = parse(windowLine, record, path, line, `${what} of a baseline_ratio rule`);
  if (head.timespanMs === 0 || window % head.timespanMs !== 0) fail(path, line, `no window of ${head.timespanMs} ms starts at ${window}`);
  return { kind: "window", group, time: window, whole, units: parseUnits(units ?? "") ?? 0n };
}

function parse<T>(schema: z.ZodType<T>, record: unknown, path: string, line: number, what: string): T {
  const parsed = schema.safeParse(record);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const place = issue === undefined || issue.path.length === 0 ? "" : ` at ${issue.path.join(".")}`;
  return fail(path, line, `${what}${place}: ${issue?.message ?? "not understood"}`);
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function fail(path: string, line: number, message: string): never {
  throw new CommandError(`${path}:${line}: ${message}; nothing was stored`, EXIT.no);
}
