/** Finding files by pattern: `*` and `?` within a name, `**` for any depth of folders; nothing else is special. */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { Failure } from "../../core/errors.ts";
import type { FileInfo } from "../../ports/context.ts";
import { unreadable } from "./byte-source.ts";

/** Files that one pattern or directory may hold: a guard against one that means a whole disk. */
const FILES_MAX = 100_000;
/** Folders below a pattern that are looked into, for the same reason. */
const FOLDERS_MAX = 100_000;

/**
 * The files that match, sorted by path; all of a directory when it names one. Names that start with a dot only match
 * a pattern that does too. What vanishes meanwhile is left out.
 * @throws {Failure} retryable SOURCE_UNREADABLE
 */
export async function listFiles(pattern: string): Promise<readonly FileInfo[]> {
  const walk: Walk = { pattern, found: new Map(), folders: 0, above: new Set() };
  try {
    if (!/[*?]/.test(pattern)) await visit(walk, "", [pattern]);
    else
      await visit(
        walk,
        pattern.startsWith("/") ? "/" : ".",
        pattern.split("/").filter((part) => part !== "" && part !== "."),
      );
  } catch (error) {
    throw error instanceof Failure ? error : unreadable(pattern, error);
  }
  return [...walk.found.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

interface Walk {
  readonly pattern: string;
  readonly found: Map<string, FileInfo>;
  folders: number;
  /** Folders that were entered on the way down, by device and inode: a link may lead back up. */
  readonly above: Set<string>;
}

async function visit(walk: Walk, folder: string, parts: readonly string[]): Promise<void> {
  const [part, ...rest] = parts;
  if (part === undefined) return;
  if (part === "**") {
    await visit(walk, folder, rest.length === 0 ? ["*"] : rest);
    const here = await folderId(folder);
    walk.above.add(here);
    for (const name of await namesIn(walk, folder)) {
      const path = join(folder, name);
      if (name.startsWith(".") || !(await isFolder(path)) || walk.above.has(await folderId(path))) continue;
      await visit(walk, path, parts);
    }
    walk.above.delete(here);
    return;
  }
  const names = /[*?]/.test(part) ? (await namesIn(walk, folder)).filter(matcher(part)) : [part];
  for (const name of names) {
    const path = folder === "" ? name : join(folder, name);
    if (rest.length > 0) await visit(walk, path, rest);
    else await add(walk, path);
  }
}

async function add(walk: Walk, path: string): Promise<void> {
  const info = await fileInfo(path);
  if (info === undefined) {
    // Only a path that is given as it is may be a directory: then everything below it is meant.
    if (path === walk.pattern && (await isFolder(path))) await visit(walk, path, ["**"]);
    return;
  }
  walk.found.set(path, info);
  if (walk.found.size > FILES_MAX) throw tooMany(`${walk.pattern} means more than ${FILES_MAX} files`);
}

function matcher(part: string): (name: string) => boolean {
  const source = part
    .replace(/[\\^$.+()[\]{}|]/g, "\\$&")
    .replace(/\*+/g, "[^/]*")
    .replaceAll("?", "[^/]");
  const expression = new RegExp(`^${source}$`, "su");
  return (name) => (part.startsWith(".") || !name.startsWith(".")) && expression.test(name);
}

async function namesIn(walk: Walk, folder: string): Promise<readonly string[]> {
  walk.folders += 1;
  if (walk.folders > FOLDERS_MAX) throw tooMany(`${walk.pattern} means more than ${FOLDERS_MAX} folders`);
  return await readdir(folder).catch((error: unknown) => absent(error, folder, []));
}

/** Whether the path is a directory now. @throws {Failure} retryable SOURCE_UNREADABLE */
export async function isFolder(path: string): Promise<boolean> {
  return await stat(path).then(
    (info) => info.isDirectory(),
    (error: unknown) => absent(error, path, false),
  );
}

async function folderId(path: string): Promise<string> {
  return await stat(path === "" ? "." : path).then(
    ({ dev, ino }) => `${dev}:${ino}`,
    (error: unknown) => absent(error, path, path),
  );
}

/** What identifies the file now, or undefined when there is none. @throws {Failure} retryable SOURCE_UNREADABLE */
export async function fileInfo(path: string): Promise<FileInfo | undefined> {
  const info = await stat(path).catch((error: unknown) => absent(error, path, undefined));
  if (info === undefined || !info.isFile()) return undefined;
  return {
    path,
    fileId: `${info.dev}:${info.ino}`,
    size: info.size,
    modifiedTime: Math.floor(info.mtimeMs),
    changedTime: Math.floor(info.ctimeMs),
  };
}

/** A file can vanish between listing and looking: rotation does that. Everything else is a failure. */
function absent<T>(error: unknown, path: string, instead: T): T {
  const code = (error as { code?: unknown }).code;
  if (code === "ENOENT" || code === "ENOTDIR") return instead;
  throw unreadable(path, error);
}

function tooMany(message: string): Failure {
  return new Failure(message, { kind: "retryable", code: "SOURCE_UNREADABLE", scope: "connector" });
}
