/**
 * The fast reader of the command line: whole files, records in batches. One text per chunk, one slice per line;
 * everything that is checked per byte is checked per chunk, and only a chunk that fails goes line by line.
 */
import { isAscii, isUtf8 } from "node:buffer";
import { Failure } from "../../core/errors.ts";
import {
  DOCUMENT_BYTES_MAX,
  jsonLines,
  LINE_BYTES_MAX,
  mayForbidKeys,
  newBatch,
  parseChecked,
  readLine,
  readText,
  rejectLine,
  RAW_MAX,
  type Batch,
  type Read,
} from "../../core/framing.ts";
import type { Format } from "../../ports/connector.ts";
import { filePool, unreadable, type ByteSource } from "./byte-source.ts";
import { sourceChunks, type Unpack } from "./chunks.ts";
import { isFolder, listFiles } from "./list-files.ts";

/** Text is made from this many bytes at a time: larger texts leave the engine's fast memory and cost four times as much. */
const REGION_BYTES = 64 * 1024;
const LF = 10;
const OPENER = 123;
const EMPTY = new Uint8Array(0);

/**
 * Records of a file, or of all files of a directory or pattern by name, in order, as batches in the order of their lines.
 * gzip and zstd are unpacked. A damaged archive ends with one RECORD_CORRUPT_FILE reject after its good part.
 * @throws {Failure} retryable SOURCE_UNREADABLE
 */
export async function* readFileRecords(path: string, format: Format): AsyncGenerator<Batch> {
  const pool = filePool(1);
  for (const file of await filesBelow(path)) yield* readRecords(pool.source(file), format);
}

/** As `readFileRecords`, of one source, which is closed at the end. */
export function readRecords(source: ByteSource, format: Format, unpack?: Unpack): AsyncGenerator<Batch> {
  return format.framing === "document" ? readDocument(source, format, unpack) : readLines(source, format, unpack);
}

async function filesBelow(path: string): Promise<readonly string[]> {
  const files = await listFiles(path);
  if (files.length === 0 && !(await isFolder(path))) throw unreadable(path, { code: "ENOENT" });
  return files.map((file) => file.path);
}

/** What is known between two chunks of one file. */
interface State {
  readonly read: Read;
  /** JSON lines are parsed from slices of the chunk's text; other formats may keep parts of a line, so they get their own text. */
  readonly shared: boolean;
  /** Lines before the chunk. */
  line: number;
  first: boolean;
  utf16: boolean;
  /** The rest of a line that is longer than the limit is being passed over. */
  skipping: boolean;
}

async function* readLines(source: ByteSource, format: Format, unpack: Unpack | undefined): AsyncGenerator<Batch> {
  const path = source.name;
  const state: State = { read: format.open(), shared: format.open === jsonLines.open, line: 0, first: true, skipping: false, utf16: false };
  let carry: Uint8Array = EMPTY;
  try {
    for await (const chunk of sourceChunks(source, unpack)) {
      const batch = newBatch(path);
      carry = readChunk(carry, chunk, state, batch);
      // Records are texts by now, and what is left of the chunk is a copy.
      source.recycle?.(chunk);
      if (batch.records.length > 0 || batch.rejects.length > 0) yield batch;
      if (state.utf16) return;
    }
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== "poison") throw error;
    // The last line of a broken archive is a torn one: it is part of the fault, not a record.
    const batch = newBatch(path);
    rejectLine(batch, error.code, error.message, state.line + 1, "");
    yield batch;
    return;
  }
  if (carry.length === 0 || state.skipping) return;
  const batch = newBatch(path);
  readFirst(Buffer.from(carry), state, batch);
  yield batch;
}

/** Reads the chunk's complete lines, the first one joined with what was left of the chunk before; gives what is left. */
function readChunk(carry: Uint8Array, chunk: Uint8Array, state: State, batch: Batch): Uint8Array {
  const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  let start = 0;
  if (carry.length > 0 || state.first || state.skipping) {
    start = bytes.indexOf(LF) + 1;
    // A line that goes on: nothing but the limit bounds it.
    if (start === 0) return withinLimit(Buffer.concat([carry, bytes]), state, batch);
    readFirst(Buffer.concat([carry, bytes.subarray(0, start)]), state, batch);
    if (state.utf16) return EMPTY;
  }
  while (start < bytes.length) {
    let end = bytes.lastIndexOf(LF, start + REGION_BYTES - 1) + 1;
    if (end <= start) end = bytes.indexOf(LF, start + REGION_BYTES - 1) + 1;
    if (end <= start) break;
    readRegion(bytes.subarray(start, end), state, batch);
    start = end;
  }
  return withinLimit(bytes.subarray(start), state, batch);
}

/** What is left of a chunk, copied; when it is too long already it is a reject, once, and forgotten up to its end. */
function withinLimit(rest: Buffer, state: State, batch: Batch): Uint8Array {
  if (state.skipping) return EMPTY;
  // One byte more for the CR of a line that is exactly as long as the limit.
  if (rest.length <= LINE_BYTES_MAX + 1) return Buffer.from(rest);
  rejectLine(batch, "RECORD_TOO_LONG", `the line is longer than ${LINE_BYTES_MAX} bytes`, state.line + 1, rawText(rest));
  state.skipping = true;
  return EMPTY;
}

/** Reads the line that ends a gap: the file's first one, one that two chunks share, or the end of one that is too long. */
function readFirst(line: Buffer, state: State, batch: Batch): void {
  if (state.skipping) {
    state.skipping = false;
    state.line += 1;
    return;
  }
  if (!state.first) return readRegion(line, state, batch);
  state.first = false;
  if ((line[0] === 0xff && line[1] === 0xfe) || (line[0] === 0xfe && line[1] === 0xff)) {
    state.utf16 = true;
    rejectLine(batch, "RECORD_ENCODING", "the file is UTF-16, not UTF-8", 1, rawText(line));
    return;
  }
  const marked = line[0] === 0xef && line[1] === 0xbb && line[2] === 0xbf;
  readRegion(marked ? line.subarray(3) : line, state, batch);
}

/** Reads complete lines; the last one may lack its LF. */
function readRegion(region: Buffer, state: State, batch: Batch): void {
  const ascii = isAscii(region);
  if (state.shared && (ascii || isUtf8(region))) readJson(region.toString(ascii ? "latin1" : "utf8"), state, batch);
  else readBytes(region, ascii, state, batch);
}

function readJson(text: string, state: State, batch: Batch): void {
  const keysSuspect = mayForbidKeys(text);
  const slow: Read = (line) => [parseChecked(line, keysSuspect)];
  let start = 0;
  while (start < text.length) {
    const newline = text.indexOf("\n", start);
    const end = newline === -1 ? text.length : newline;
    const line = text.slice(start, end);
    start = end + 1;
    state.line += 1;
    // What is not plainly an object goes the careful way: blank, too long, anything odd.
    if (line.charCodeAt(0) !== OPENER || line.length > LINE_BYTES_MAX / 3) readLine(slow, line, state.line, batch);
    else readObject(slow, line, keysSuspect, state.line, batch);
  }
}

function readObject(slow: Read, text: string, keysSuspect: boolean, line: number, batch: Batch): void {
  let record: unknown;
  try {
    record = parseChecked(text, keysSuspect);
  } catch {
    // Read again to learn why; bad lines are few.
    readLine(slow, text, line, batch);
    return;
  }
  batch.records.push(record);
  batch.lines.push(line);
}

function readBytes(region: Buffer, ascii: boolean, state: State, batch: Batch): void {
  let start = 0;
  while (start < region.length) {
    const newline = region.indexOf(LF, start);
    const end = newline === -1 ? region.length : newline;
    state.line += 1;
    const line = region.subarray(start, end);
    if (ascii) readLine(state.read, region.toString("latin1", start, end), state.line, batch);
    else if (isUtf8(line)) readLine(state.read, line.toString("utf8"), state.line, batch);
    else rejectLine(batch, "RECORD_ENCODING", "the line is not valid UTF-8", state.line, rawText(line));
    start = end + 1;
  }
}

function rawText(bytes: Buffer): string {
  return bytes.toString("latin1", 0, RAW_MAX);
}

async function* readDocument(source: ByteSource, format: Format, unpack: Unpack | undefined): AsyncGenerator<Batch> {
  const batch = newBatch(source.name);
  const parts: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of sourceChunks(source, unpack)) {
      length += chunk.length;
      if (length > DOCUMENT_BYTES_MAX) break;
      // The chunk's memory is used again for the next one.
      parts.push(Buffer.from(chunk));
    }
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== "poison") throw error;
    rejectLine(batch, error.code, error.message, 1, "");
    yield batch;
    return;
  }
  const bytes = Buffer.concat(parts);
  if (length > DOCUMENT_BYTES_MAX)
    rejectLine(batch, "RECORD_TOO_LONG", `the file is longer than ${DOCUMENT_BYTES_MAX} bytes`, 1, rawText(bytes));
  else if (!isUtf8(bytes)) rejectLine(batch, "RECORD_ENCODING", "the file is not valid UTF-8", 1, rawText(bytes));
  else readText(format.open(), bytes.toString("utf8", bytes[0] === 0xef ? 3 : 0), 1, batch);
  yield batch;
}
