/** One process per data directory: two PGlites on one directory would destroy it. */
import { randomUUID } from "node:crypto";
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { Failure } from "../../core/errors.ts";

interface Holder {
  readonly pid: number;
  /** When the process started, as the system counts it: tells a reused pid from the process that held the lock. */
  readonly start: string;
  readonly host: string;
}

/** A lock can be found stale and lost to another process this often before we give up; each loss means somebody else is starting. */
const ATTEMPTS_MAX = 5;
/** The holder touches its lock this often, for processes on other hosts (containers) that cannot ask for its pid. */
const BEAT_MS = 10_000;
/** A lock of another host that was not touched for so long is stale: six beats, far more than PGlite ever blocks. */
const BEAT_MISSED_MS = 60_000;

/**
 * Locks the directory for this process and returns what unlocks it. A lock whose process is gone is taken over.
 * `lost` is told, once, when the lock is found removed or taken over: the directory is no longer this process's.
 * @throws {Failure} config STORE_LOCKED when a living process, this one included, has it
 */
export function lockDirectory(directory: string, lost: () => void = () => undefined): () => void {
  mkdirSync(directory, { recursive: true });
  const path = join(directory, "lock");
  const mine = JSON.stringify({ pid: process.pid, start: startOf(process.pid) ?? "", host: hostname() } satisfies Holder);
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    if (acquire(path, mine)) return keep(path, mine, lost);
    const found = read(path);
    if (found === undefined) continue;
    const holder = parseHolder(found);
    if (holder !== undefined && (holder.host === hostname() ? isAlive(holder) : isTouched(path))) throw locked(directory, holder);
    removeStale(path, found);
  }
  throw locked(directory, undefined);
}

/** The lock appears with its content or not at all: a crash in between leaves no empty lock. */
function acquire(path: string, content: string): boolean {
  const draft = `${path}.${randomUUID()}`;
  try {
    writeFileSync(draft, content);
    linkSync(draft, path);
    return true;
  } catch (error) {
    if (hasCode(error, "EEXIST")) return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Removes the lock that was found stale, and only that one: meanwhile another process may have put its own there. */
export function removeStale(path: string, stale: string): void {
  const aside = `${path}.${randomUUID()}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return;
    throw error;
  }
  try {
    if (read(aside) !== stale) linkSync(aside, path);
  } finally {
    rmSync(aside, { force: true });
  }
}

function keep(path: string, mine: string, lost: () => void): () => void {
  const beat = setInterval(() => {
    try {
      if (read(path) === mine) return touch(path);
    } catch {
      // A disk that fails says nothing of the lock, and whoever works in the directory hears of it there.
      return;
    }
    clearInterval(beat);
    lost();
  }, BEAT_MS);
  beat.unref();
  return () => {
    clearInterval(beat);
    if (read(path) === mine) rmSync(path, { force: true });
  };
}

function touch(path: string): void {
  const now = new Date();
  utimesSync(path, now, now);
}

function isTouched(path: string): boolean {
  const touched = statSync(path, { throwIfNoEntry: false })?.mtimeMs;
  return touched !== undefined && Date.now() - touched < BEAT_MISSED_MS;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

function parseHolder(text: string): Holder | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== "object" || value === null) return undefined;
    const { pid, start, host } = value as Record<string, unknown>;
    return typeof pid === "number" && typeof start === "string" && typeof host === "string" ? { pid, start, host } : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The process of the pid lives, and is the one that took the lock. */
function isAlive(holder: Holder): boolean {
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    // EPERM: it lives, under another user.
    if (hasCode(error, "ESRCH")) return false;
  }
  const start = startOf(holder.pid);
  return start === undefined || holder.start === "" || start === holder.start;
}

/**
 * Start of a process: on Linux the boot id and the 22nd field of /proc/<pid>/stat (clock ticks since boot, see
 * proc(5)), `ended` for a process that is dead and only not yet collected by its parent. Undefined elsewhere,
 * where a reused pid cannot be told.
 */
function startOf(pid: number): string | undefined {
  const stat = readOptional(`/proc/${pid}/stat`);
  const boot = readOptional("/proc/sys/kernel/random/boot_id");
  if (stat === undefined || boot === undefined) return undefined;
  // The second field is the name in parentheses and may itself hold blanks and parentheses.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  if (fields[0] === "Z" || fields[0] === "X") return "ended";
  const ticks = fields[19];
  return ticks === undefined ? undefined : `${boot.trim()}:${ticks}`;
}

function readOptional(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function locked(directory: string, holder: Holder | undefined): Failure {
  const who =
    holder === undefined ? "another process" : `process ${holder.pid}${holder.host === hostname() ? "" : ` on host ${holder.host}`}`;
  const fix =
    holder === undefined || holder.host === hostname()
      ? "stop it, or use another directory or a PostgreSQL server"
      : `if it runs no more, its lock ends ${BEAT_MISSED_MS / 1000} seconds after its end`;
  return new Failure(`the data directory ${directory} is in use by ${who}: ${fix}`, {
    kind: "config",
    code: "STORE_LOCKED",
    scope: "connector",
  });
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
