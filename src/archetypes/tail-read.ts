/** Reads on in one file of a tail: the next lines, or the next records of a document. */
import { Failure } from "../core/errors.ts";
import {
  DOCUMENT_BYTES_MAX,
  jsonLines,
  LINE_BYTES_MAX,
  newBatch,
  RAW_MAX,
  readLine,
  readText,
  rejectLine,
  type Batch,
  type Read,
} from "../core/framing.ts";
import type { Format } from "../ports/connector.ts";
import type { FileInfo, Files, FileSlice } from "../ports/context.ts";
import { decodeUtf8, isUtf16, rawBytes } from "./lines.ts";
import type { Known } from "./tail-cursor.ts";

/** Bytes of one read: the longest line with both of its ends, and as much again. */
const READ_BYTES = 2 * LINE_BYTES_MAX + 2;
/** Leading lines that give no record are a format's header; so much of the file is looked at to find them again. */
const HEADER_BYTES_MAX = 64 * 1024;
/** Bytes of one read of a document. */
const DOCUMENT_READ_BYTES = 8 * 1024 * 1024;
const LF = 10;

/** What one page may still take. */
export interface Room {
  records: number;
  bytes: number;
}

/** What came of reading on. */
export interface Part {
  readonly batch: Batch;
  readonly known: Known;
  /** The file is read to its end as it is now (a torn last line aside). */
  readonly finished: boolean;
  /** Its last line has no end yet and waits. */
  readonly torn: boolean;
}

/** Reads on from `known` as long as there is room; `whole`: a last line without its LF is a line. */
export async function readOn(
  file: FileInfo,
  known: Known,
  options: { readonly files: Files; readonly format: Format; readonly room: Room; readonly whole: boolean; readonly archive: boolean },
): Promise<Part> {
  const batch = newBatch(file.path);
  try {
    return options.format.framing === "document"
      ? await readDocument(file, known, batch, options)
      : await readLines(file, known, batch, options);
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== "poison") throw error;
    rejectLine(batch, error.code, error.message, known.line + 1, "");
    return { batch, known: { ...known, done: true }, finished: true, torn: false };
  }
}

type Options = Parameters<typeof readOn>[2];

/** A place in a file that moves on while it is read. */
interface Place {
  offset: number;
  line: number;
  skipping: boolean;
}

async function readLines(file: FileInfo, known: Known, batch: Batch, options: Options): Promise<Part> {
  const { room } = options;
  const place: Place = { offset: known.offset, line: known.line, skipping: known.skipping };
  const read = await openFormat(file, known, options);
  for (;;) {
    const slice = await nextSlice(file, place, known.offset, options);
    const at = (finished: boolean, torn = false): Part => ({
      batch,
      known: { ...known, ...place, done: finished && options.archive },
      finished,
      torn,
    });
    if (slice === undefined) return at(false);
    if (place.offset === 0 && isUtf16(slice.bytes)) {
      rejectLine(batch, "RECORD_ENCODING", "the file is UTF-16, not UTF-8", 1, rawBytes(slice.bytes, RAW_MAX));
      return { batch, known: { ...known, done: true }, finished: true, torn: false };
    }
    const taken = takeLines(slice.bytes, place, { read, batch, room });
    const full = room.records <= 0 || room.bytes <= 0;
    if (full && taken < slice.bytes.length) return at(false);
    const left = restOfChunk(slice.bytes.subarray(taken), slice.end, place, { read, batch, whole: options.whole });
    if (slice.end) return at(true, left === "torn");
    if (full) return at(false);
  }
}

/**
 * The bytes at the place; undefined when the archive's fault comes next and something was read before it, so that the
 * next page begins with the fault.
 * @throws {Failure} poison RECORD_CORRUPT_FILE at the fault
 */
async function nextSlice(file: FileInfo, place: Place, begun: number, { files }: Options): Promise<FileSlice | undefined> {
  try {
    const slice = await files.read(file.path, place.offset, READ_BYTES);
    // Short of a line and yet not the end: the fault lies behind these bytes, and says so when it is asked for.
    if (!slice.end && slice.bytes.length < READ_BYTES && slice.bytes.indexOf(LF) === -1)
      await files.read(file.path, place.offset + slice.bytes.length, 1);
    return slice;
  } catch (error) {
    if (error instanceof Failure && error.kind === "poison" && place.offset > begun) return undefined;
    throw error;
  }
}

/** Reads the complete lines of a chunk while there is room; gives how many bytes they have. */
function takeLines(bytes: Uint8Array, place: Place, to: { readonly read: Read; readonly batch: Batch; readonly room: Room }): number {
  const { read, batch, room } = to;
  let start = 0;
  while (room.records > 0 && room.bytes > 0) {
    const newline = bytes.indexOf(LF, start);
    if (newline === -1) break;
    const before = batch.records.length;
    takeLine(bytes.subarray(start, newline), place, read, batch);
    place.offset += newline + 1 - start;
    room.bytes -= newline + 1 - start;
    room.records -= batch.records.length - before;
    start = newline + 1;
  }
  return start;
}

function takeLine(bytes: Uint8Array, place: Place, read: Read, batch: Batch): void {
  place.line += 1;
  if (place.skipping) {
    place.skipping = false;
    return;
  }
  const text = decodeUtf8(bytes, place.line === 1);
  if (text === undefined) rejectLine(batch, "RECORD_ENCODING", "the line is not valid UTF-8", place.line, rawBytes(bytes, RAW_MAX));
  else readLine(read, text, place.line, batch);
}

/** Decides about the bytes after a chunk's last LF. */
function restOfChunk(
  rest: Uint8Array,
  end: boolean,
  place: Place,
  to: { readonly read: Read; readonly batch: Batch; readonly whole: boolean },
): "read" | "torn" {
  if (rest.length === 0) return "read";
  if (place.skipping || rest.length > LINE_BYTES_MAX + 1) {
    if (!place.skipping)
      rejectLine(to.batch, "RECORD_TOO_LONG", `the line is longer than ${LINE_BYTES_MAX} bytes`, place.line + 1, rawBytes(rest, RAW_MAX));
    place.skipping = true;
    place.offset += rest.length;
    return "read";
  }
  if (!end || !to.whole) return "torn";
  takeLine(rest, place, to.read, to.batch);
  place.offset += rest.length;
  return "read";
}

/** A reader that has seen the file's header, if the format has one and reading starts behind it. */
async function openFormat(file: FileInfo, known: Known, { files, format }: Options): Promise<Read> {
  const read = format.open();
  if (known.offset === 0 || format.open === jsonLines.open) return read;
  const { bytes } = await files.read(file.path, 0, Math.min(HEADER_BYTES_MAX, known.offset));
  for (let start = 0; ;) {
    const newline = bytes.indexOf(LF, start);
    if (newline === -1) return read;
    const line = newBatch(file.path);
    readLine(read, decodeUtf8(bytes.subarray(start, newline), start === 0) ?? "", 1, line);
    if (line.records.length > 0 || line.rejects.length > 0) return read;
    start = newline + 1;
  }
}

async function readDocument(file: FileInfo, known: Known, batch: Batch, { files, format, room }: Options): Promise<Part> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for (let end = false; !end && length <= DOCUMENT_BYTES_MAX;) {
    const slice = await files.read(file.path, length, DOCUMENT_READ_BYTES);
    parts.push(slice.bytes);
    length += slice.bytes.length;
    end = slice.end || slice.bytes.length === 0;
  }
  const all = newBatch(file.path);
  if (length > DOCUMENT_BYTES_MAX) rejectLine(all, "RECORD_TOO_LONG", `the file is longer than ${DOCUMENT_BYTES_MAX} bytes`, 1, "");
  else readBytes(joined(parts, length), format, all);
  room.bytes -= length;
  // A document that gives more than a page is read again for the next one: it holds still, and memory stays bounded.
  const until = Math.min(all.records.length, known.line + room.records);
  for (let index = known.line; index < until; index++) {
    batch.records.push(all.records[index]);
    batch.lines.push(1);
  }
  room.records -= until - known.line;
  const finished = until >= all.records.length;
  if (known.line === 0) batch.rejects.push(...all.rejects);
  return { batch, known: { ...known, offset: file.size, line: until, done: finished }, finished, torn: false };
}

function readBytes(bytes: Uint8Array, format: Format, batch: Batch): void {
  const text = decodeUtf8(bytes, true);
  if (text === undefined) rejectLine(batch, "RECORD_ENCODING", "the file is not valid UTF-8", 1, rawBytes(bytes, RAW_MAX));
  else if (text.trim() !== "") readText(format.open(), text, 1, batch);
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}
