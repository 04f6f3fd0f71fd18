/** Which file is which: by inode, and by the hash of its first bytes when rotation gave them to another inode. */
import type { FileInfo, Files } from "../ports/context.ts";
import type { EpochMs } from "../core/event.ts";
import { Failure } from "../core/errors.ts";
import { safeText } from "../core/safe-text.ts";
import type { Page } from "../ports/connector.ts";
import type { Known } from "./tail-cursor.ts";

/** Bytes that identify a file: several log lines, so with times and ids that no other file has. */
const START_BYTES = 4096;
/** Characters of a path in a gap's detail, which is a sentence. */
const NAME_MAX = 200;

/** A listed file. */
export interface Listed {
  readonly file: FileInfo;
  /** Gives decompressed bytes. */
  readonly archive: boolean;
  /** It changed since the sweep before, so its inode alone proves nothing: inodes are used again. */
  readonly recent: boolean;
  readonly changed: EpochMs;
}

/**
 * Places what is known on the files as they are now: a file's own entry while its inode still holds what was read, else
 * that of a vanished or truncated file whose copy or archive it is, else a new one.
 */
export async function identify(
  listed: readonly Listed[],
  all: readonly Known[],
  document: boolean,
  files: Files,
): Promise<ReadonlyMap<string, Known>> {
  const placed = new Map<string, Known>();
  for (const one of listed) {
    const own = all.find(({ fileId }) => fileId === one.file.fileId);
    if (own !== undefined && (await isSame(one, own, document, files))) placed.set(one.file.fileId, own);
  }
  const homeless = all.filter(({ fileId }) => !placed.has(fileId));
  for (const one of listed) {
    if (placed.has(one.file.fileId)) continue;
    const twin = await findTwin(one, homeless, files);
    placed.set(one.file.fileId, twin === undefined ? fresh(one.file) : { ...twin, fileId: one.file.fileId, done: document && twin.done });
  }
  return placed;
}

function fresh(file: FileInfo): Known {
  return { fileId: file.fileId, hash: "", hashed: 0, offset: 0, line: 0, done: false, skipping: false, pending: 0 };
}

async function isSame({ file, archive, recent }: Listed, own: Known, document: boolean, files: Files): Promise<boolean> {
  if (document ? file.size !== own.offset : !archive && file.size < own.offset) return false;
  if (!recent) return true;
  return own.hashed === 0 ? own.hash === "" || own.hash === sizeMark(file) : (await hashOfStart(file, own.hashed, files)) === own.hash;
}

async function findTwin({ file, archive }: Listed, homeless: readonly Known[], files: Files): Promise<Known | undefined> {
  const hashes = new Map<number, string | undefined>();
  let found: Known | undefined;
  for (const one of homeless) {
    if (one.fileId === file.fileId || one.hashed === 0 || (!archive && file.size < one.hashed)) continue;
    if (!hashes.has(one.hashed)) hashes.set(one.hashed, await hashOfStart(file, one.hashed, files));
    // Of several the one that was read furthest speaks for all.
    if (hashes.get(one.hashed) === one.hash && (found === undefined || one.offset > found.offset)) found = one;
  }
  return found;
}

/**
 * What was seen and never read, and is nowhere any more. `now`: what is known, on the files as they are; `path`: where
 * the files of the source lie; `since`: what changed no later had been listed before.
 */
export function goneOf(
  listed: readonly Listed[],
  before: readonly Known[],
  now: ReadonlyMap<string, Known>,
  path: string,
  { document, since }: { readonly document: boolean; readonly since: EpochMs },
): NonNullable<Page["gone"]> {
  const files = new Map(listed.map((one) => [one.file.fileId, one]));
  const ids = new Set(before.map(({ fileId }) => fileId));
  const strangers = listed.filter(({ file, changed }) => !ids.has(file.fileId) && changed > since);
  return before.flatMap((one) => {
    if (one.pending === 0) return [];
    const here = files.get(one.fileId);
    // A document that is written anew is read as a whole.
    if (here !== undefined && document) return [];
    // Nobody knows the content of what was not begun: a file that is new may be its copy or archive.
    const unknown = one.hash === "";
    if (unknown && strangers.some(({ file, archive }) => archive || file.size >= one.pending)) return [];
    // Its own entry, or that of the copy or archive which goes on with it.
    const candidates = unknown ? [now.get(one.fileId)] : [now.get(one.fileId), ...now.values()];
    const heir = candidates.find((other) => other?.hash === one.hash && other.hashed === one.hashed);
    const heirFile = heir === undefined ? undefined : files.get(heir.fileId);
    // What an archive holds cannot be told from its size.
    if (heirFile?.archive === true) return [];
    const left = heir === undefined || heirFile === undefined ? 0 : Math.max(0, heirFile.file.size - one.offset);
    const bytes = one.pending - left;
    if (bytes <= 0) return [];
    const why = here === undefined && heir === undefined ? "removed" : "truncated";
    const name = safeText(here?.file.path ?? heirFile?.file.path ?? path, NAME_MAX);
    const what = why === "removed" ? "a file was removed" : "a file was cut";
    return [{ why, detail: `${what} before at least ${bytes} of its bytes were read: ${name}` } as const];
  });
}

/** Stands for the start of a file that has none, such as a broken archive. */
function sizeMark(file: FileInfo): string {
  return `=${file.size}`;
}

/** The entry after reading on, with the hash of as much of the start as is read. */
export async function rememberStart(file: FileInfo, before: Known, after: Known, files: Files): Promise<Known> {
  const wanted = Math.min(START_BYTES, after.offset);
  if (wanted === 0) return { ...after, hash: sizeMark(file) };
  if (before.hashed === START_BYTES || wanted === before.hashed) return after;
  const hash = await hashOfStart(file, wanted, files);
  return hash === undefined ? after : { ...after, hash, hashed: wanted };
}

/** 16 characters of the SHA-256 of exactly so many first bytes; undefined when the file has fewer or cannot be unpacked. */
async function hashOfStart(file: FileInfo, length: number, files: Files): Promise<string | undefined> {
  const slice = await files.read(file.path, 0, length).catch((error: unknown) => {
    if (error instanceof Failure && error.kind === "poison") return undefined;
    throw error;
  });
  if (slice === undefined || slice.bytes.length < length) return undefined;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", Uint8Array.from(slice.bytes)));
  return btoa(String.fromCharCode(...digest.subarray(0, 12)));
}
