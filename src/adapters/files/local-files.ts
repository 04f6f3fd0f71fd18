/** Local files behind the port of src/ports/context.ts. */
import { open } from "node:fs/promises";
import { Failure } from "../../core/errors.ts";
import type { Files, FileSlice } from "../../ports/context.ts";
import { unreadable } from "./byte-source.ts";
import { fileChunks } from "./chunks.ts";
import { isArchiveName } from "./compression.ts";
import { fileInfo, listFiles } from "./list-files.ts";

/** Archives that stay open between reads; each holds one file handle and about a megabyte. */
const ARCHIVES_OPEN_MAX = 4;
/** Bytes at the start of an archive that are read without giving up a place further on. */
const LOOK_BYTES = 64 * 1024;
const EMPTY = new Uint8Array(0);

/** Files of this machine. Archives (`.gz`, `.zst`) are read through decompression; reading on is cheap, going back is not. */
export function localFiles(): Files {
  const archives = new Map<string, Archive>();
  return {
    list: listFiles,
    read: async (path, offset, bytesMax) =>
      isArchiveName(path) ? await readArchive(archives, path, offset, bytesMax) : await readPlain(path, offset, bytesMax),
  };
}

async function readPlain(path: string, offset: number, bytesMax: number): Promise<FileSlice> {
  const file = await open(path, "r").catch((error: unknown) => {
    throw unreadable(path, error);
  });
  try {
    const { size } = await file.stat();
    const buffer = Buffer.allocUnsafe(Math.max(0, Math.min(bytesMax, size - offset)));
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length, offset + length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return { bytes: buffer.subarray(0, length), end: offset + length >= size };
  } catch (error) {
    throw unreadable(path, error);
  } finally {
    await file.close();
  }
}

/** An archive that is being read from its start to its end. */
interface Archive {
  readonly fileId: string;
  readonly chunks: AsyncIterator<Uint8Array>;
  /** Decompressed bytes taken so far; `rest` comes next. */
  offset: number;
  rest: Uint8Array;
  /** What was given last: readers come back for the line that a slice cut in two. */
  last: Uint8Array;
  done: boolean;
  /** Why the archive ends early; thrown by the read that has nothing else to give. */
  fault: Failure | undefined;
}

async function readArchive(archives: Map<string, Archive>, path: string, offset: number, bytesMax: number): Promise<FileSlice> {
  const info = await fileInfo(path);
  if (info === undefined) throw unreadable(path, { code: "ENOENT" });
  const fileId = `${info.fileId}:${info.size}:${info.changedTime}`;
  const kept = archives.get(path);
  const usable = kept !== undefined && kept.fileId === fileId && kept.offset - kept.last.length <= offset;
  // A look at the start must not cost the place of a reader that is far ahead.
  const look = !usable && kept?.fileId === fileId && offset + bytesMax <= LOOK_BYTES;
  const archive = usable ? kept : openArchive(path, fileId);
  if (!usable && !look) await kept?.chunks.return?.();
  if (!look) archives.delete(path);
  const slice = await sliceOf(archive, offset, bytesMax);
  if (look) await archive.chunks.return?.();
  else if (!slice.end) await keep(archives, path, archive);
  return slice;
}

function openArchive(path: string, fileId: string): Archive {
  const chunks = fileChunks(path)[Symbol.asyncIterator]();
  return { fileId, chunks, offset: 0, rest: EMPTY, last: EMPTY, done: false, fault: undefined };
}

async function sliceOf(archive: Archive, offset: number, bytesMax: number): Promise<FileSlice> {
  if (offset > archive.offset) {
    archive.last = EMPTY;
    await skipTo(archive, offset);
  }
  // `last` ends where the archive stands.
  const before = archive.last.subarray(archive.last.length - (archive.offset - Math.min(offset, archive.offset)));
  if (before.length < bytesMax) {
    const more = await take(archive, bytesMax - before.length);
    archive.last = before.length === 0 ? more : Buffer.concat([before, more]);
    if (archive.fault !== undefined && archive.last.length === 0) throw archive.fault;
    return { bytes: archive.last, end: ended(archive) };
  }
  return { bytes: before.subarray(0, bytesMax), end: before.length === bytesMax && ended(archive) };
}

function ended(archive: Archive): boolean {
  return archive.done && archive.fault === undefined && archive.rest.length === 0;
}

async function keep(archives: Map<string, Archive>, path: string, archive: Archive): Promise<void> {
  archives.set(path, archive);
  const [oldest] = archives;
  if (archives.size <= ARCHIVES_OPEN_MAX || oldest === undefined) return;
  archives.delete(oldest[0]);
  await oldest[1].chunks.return?.();
}

async function fill(archive: Archive): Promise<void> {
  if (archive.done || archive.rest.length > 0) return;
  try {
    const next = await archive.chunks.next();
    if (next.done === true) archive.done = true;
    else archive.rest = Buffer.from(next.value);
  } catch (error) {
    if (!(error instanceof Failure) || error.kind !== "poison") throw error;
    archive.done = true;
    archive.fault = error;
  }
}

async function skipTo(archive: Archive, offset: number): Promise<void> {
  while (archive.offset < offset) {
    await fill(archive);
    if (archive.done) return;
    const skipped = Math.min(archive.rest.length, offset - archive.offset);
    archive.rest = archive.rest.subarray(skipped);
    archive.offset += skipped;
  }
}

async function take(archive: Archive, bytesMax: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  while (length < bytesMax) {
    await fill(archive);
    if (archive.done) break;
    const part = archive.rest.subarray(0, bytesMax - length);
    archive.rest = archive.rest.subarray(part.length);
    archive.offset += part.length;
    length += part.length;
    parts.push(part);
  }
  // Knowing whether there is more needs a look ahead.
  await fill(archive);
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts);
}
