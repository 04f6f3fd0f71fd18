/**
 * From text to records: the limits of lines and documents, safe JSON, and the two formats that most vendors use.
 * Bytes are split elsewhere (src/adapters/files, src/archetypes/lines.ts); what a line becomes is decided here.
 */
import { CODES, Failure, poison, type FailureCode } from "./errors.ts";
import { DEPTH_MAX } from "./record.ts";

/** Longest line, bytes without its end: the largest real records (prompts, audit objects) are about a tenth of it. */
export const LINE_BYTES_MAX = 1024 * 1024;
/** Largest file or body that is read as one JSON document: it is held in memory as a whole, several times over. */
export const DOCUMENT_BYTES_MAX = 64 * 1024 * 1024;
/** Shorter text is parsed before its depth is looked at: it cannot be nested deep enough to hurt anything. */
const DEPTH_SCAN_FROM = 4096;
/** A reject keeps this much of the record, characters; the quarantine cuts further. */
export const RAW_MAX = 64 * 1024;

/** A reader of one file, as `Format.open` in src/ports gives it. @throws {Failure} poison */
export type Read = (text: string) => readonly unknown[];

/** A line that gave no record. The same shape as a Reject of the ports, and the line's number. */
export interface LineReject {
  readonly code: FailureCode;
  readonly message: string;
  readonly position: string;
  readonly raw: string;
  /** 1-based. */
  readonly line: number;
}

/** Records of one file in order; `lines[i]` is the 1-based line of `records[i]`. Filled in place by its reader. */
export interface Batch {
  readonly path: string;
  readonly records: unknown[];
  readonly lines: number[];
  readonly rejects: LineReject[];
}

/** An empty batch of a file. */
export function newBatch(path: string): Batch {
  return { path, records: [], lines: [], rejects: [] };
}

/** Adds what `read` makes of one line (without its LF; a final CR is cut, empty lines are skipped) to the batch. */
export function readLine(read: Read, text: string, line: number, batch: Batch): void {
  const end = text.length;
  const trimmed = end > 0 && text.charCodeAt(end - 1) === 13 ? text.slice(0, -1) : text;
  if (isBlank(trimmed)) return;
  if (longerThanLine(trimmed)) {
    rejectLine(batch, "RECORD_TOO_LONG", `the line is longer than ${LINE_BYTES_MAX} bytes`, line, trimmed);
    return;
  }
  readText(read, trimmed, line, batch);
}

/** As `readLine` for text that needs no trimming and has no limit of its own, such as a whole document. */
export function readText(read: Read, text: string, line: number, batch: Batch): void {
  try {
    for (const record of read(text)) {
      batch.records.push(record);
      batch.lines.push(line);
    }
  } catch (error) {
    // A format's own mistake must not end the reading of a file: the record is kept with a code of its own.
    if (error instanceof Failure) rejectLine(batch, error.code, error.message, line, text);
    else rejectLine(batch, "RECORD_BUG", CODES.RECORD_BUG, line, text);
  }
}

/** Adds a reject; `raw` is cut and copied, so that it does not keep a whole chunk in memory. */
export function rejectLine(batch: Batch, code: FailureCode, message: string, line: number, raw: string): void {
  const kept = JSON.parse(JSON.stringify(raw.slice(0, RAW_MAX))) as string;
  batch.rejects.push({ code, message, position: `${batch.path}:${line}`, raw: kept, line });
}

function isBlank(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit !== 32 && unit !== 9) return false;
  }
  return true;
}

function longerThanLine(text: string): boolean {
  // A UTF-16 unit is at most three bytes of UTF-8, so most lines need no counting.
  return text.length * 3 > LINE_BYTES_MAX && utf8Length(text) > LINE_BYTES_MAX;
}

/** Bytes of the text in UTF-8. */
export function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit > 0x7ff) bytes += unit >= 0xd800 && unit <= 0xdfff ? 1 : 2;
    else if (unit > 0x7f) bytes += 1;
  }
  return bytes;
}

/**
 * JSON from outside.
 * @throws {Failure} poison RECORD_TOO_DEEP, RECORD_NOT_JSON, RECORD_FORBIDDEN_KEY; no message quotes the text
 */
export function parseJson(text: string): unknown {
  return parseChecked(text, mayForbidKeys(text));
}

/** As `parseJson`, for callers that know for a larger piece of text whether `mayForbidKeys`. */
export function parseChecked(text: string, keysSuspect: boolean): unknown {
  if (text.length > DEPTH_SCAN_FROM && textDepth(text) > DEPTH_MAX) throw tooDeep();
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw poison("RECORD_NOT_JSON", "the text is not valid JSON");
  }
  // Only a text with that many brackets can be too deep; counting stops early for almost all.
  if (text.length <= DEPTH_SCAN_FROM && manyOpeners(text)) {
    const failure = checkDepth(value);
    if (failure !== undefined) throw failure;
  }
  if (keysSuspect) {
    const failure = checkKeys(value);
    if (failure !== undefined) throw failure;
  }
  return value;
}

/** Whether the JSON text may hold a forbidden key: literally, or written with escapes. False is certain. */
export function mayForbidKeys(text: string): boolean {
  // Six characters: the engine looks for short patterns by their first byte, four times faster than for the whole name.
  return text.includes("__prot") || text.includes("\\u00");
}

/** RECORD_FORBIDDEN_KEY when `__proto__` is a key anywhere in a value that `checkDepth` accepts. */
export function checkKeys(value: unknown): Failure | undefined {
  return hasProtoKey(value) ? poison("RECORD_FORBIDDEN_KEY", "the record has a key named __proto__") : undefined;
}

function hasProtoKey(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return value.some(hasProtoKey);
  if (Object.hasOwn(value, "__proto__")) return true;
  return Object.values(value).some(hasProtoKey);
}

/** RECORD_TOO_DEEP when the parsed value is nested deeper than DEPTH_MAX. */
export function checkDepth(value: unknown): Failure | undefined {
  return deeperThan(value, DEPTH_MAX) ? tooDeep() : undefined;
}

function deeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (levels === 0) return true;
  if (Array.isArray(value)) return value.some((item) => deeperThan(item, levels - 1));
  return Object.values(value).some((item) => deeperThan(item, levels - 1));
}

function tooDeep(): Failure {
  return poison("RECORD_TOO_DEEP", `the record is nested deeper than ${DEPTH_MAX} levels`);
}

function manyOpeners(text: string): boolean {
  // 65 levels need 65 openers and as many closers.
  if (text.length <= 2 * DEPTH_MAX) return false;
  let count = 0;
  for (const opener of ["{", "["]) {
    for (let at = text.indexOf(opener); at !== -1; at = text.indexOf(opener, at + 1)) if (++count > DEPTH_MAX) return true;
  }
  return false;
}

const QUOTE = 34;
const BACKSLASH = 92;

/** Deepest nesting of brackets outside of strings, without parsing; stops counting just above DEPTH_MAX. */
function textDepth(text: string): number {
  let depth = 0;
  let deepest = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit === QUOTE) {
      i = stringEnd(text, i + 1);
    } else if (unit === 123 || unit === 91) {
      if (++depth > deepest) {
        deepest = depth;
        if (deepest > DEPTH_MAX) return deepest;
      }
    } else if (unit === 125 || unit === 93) depth--;
  }
  return deepest;
}

/** Index of the quote that ends the string whose content starts at `from`. */
function stringEnd(text: string, from: number): number {
  for (let end = text.indexOf('"', from); end !== -1; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(end - 1 - backslashes) === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return end;
  }
  return text.length;
}

/** One JSON value per line. */
export const jsonLines = {
  framing: "lines",
  open: (): Read => (text) => [parseJson(text)],
} as const;

/**
 * One JSON document whose records `pick` finds, e.g. `(document) => document.Records`.
 * @throws {Failure} poison (from the reader) what `parseJson` and `pick` throw
 */
export function jsonDocument(pick: (document: unknown) => readonly unknown[]): {
  readonly framing: "document";
  open(): Read;
} {
  return { framing: "document", open: () => (text) => pick(parseJson(text)) };
}
