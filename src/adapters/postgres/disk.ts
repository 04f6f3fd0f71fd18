/** What can be wrong with the disk under the embedded store, in sentences that say how to mend it. */
import { statfsSync, statSync } from "node:fs";
import { Failure } from "../../core/errors.ts";

/**
 * With less free space the embedded store is not opened again: recovery and its checkpoint need up to two segments
 * of the write-ahead log (16 MiB each), and one that fills the disk again at once would only cost time.
 */
const FREE_BYTES_MIN = 32 * 1_048_576;

/** Errors of the disk itself, by their name in node, PostgreSQL's included (53100: disk_full). */
const DISK_ERRORS: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT", "EFBIG", "EIO", "EROFS", "53100"]);

/** True for errors after which nothing can be written. */
export function isDiskError(code: string): boolean {
  return DISK_ERRORS.has(code);
}

/** A Failure STORE_UNAVAILABLE for an error of the data directory's disk. */
export function diskFailure(dataDir: string, code: string): Failure {
  return unavailable(`${trouble(dataDir, code)} (${code}): ${fix(code)}; a running service then goes on by itself`);
}

/** The Failure for a data directory that vanished under a running store. Only a restart opens it again. */
export function removedFailure(dataDir: string): Failure {
  return unavailable(
    `the data directory ${dataDir} was removed or replaced while it was in use, and nothing is stored any more: ` +
      "stop the service, put the directory back from a backup, start the service",
  );
}

/** The Failure for a database that broke off for a reason of its own. */
export function brokenFailure(dataDir: string | undefined, code: string): Failure {
  return unavailable(`the embedded database${dataDir === undefined ? "" : ` in ${dataDir}`} broke off (${code}); it is opened again`);
}

/** The Failure that keeps a store from being opened while its disk is too full; undefined when there is space. */
export function noSpace(dataDir: string): Failure | undefined {
  const { bavail, bsize } = statfsSync(dataDir);
  return bavail * bsize < FREE_BYTES_MIN ? diskFailure(dataDir, "ENOSPC") : undefined;
}

/** What identifies a directory for as long as it exists; undefined when there is none. */
export function identityOf(path: string): string | undefined {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? undefined : `${stat.dev}:${stat.ino}`;
}

/** A Failure for a data directory that cannot be made or locked. */
export function unusable(dataDir: string, error: unknown): unknown {
  if (!(error instanceof Error) || !("code" in error) || typeof error.code !== "string" || !("syscall" in error)) return error;
  if (isDiskError(error.code) && error.code !== "EROFS") return diskFailure(dataDir, error.code);
  return new Failure(
    `the data directory ${dataDir} cannot be written (${error.code}): make it writable for this user, or set another one`,
    {
      kind: "config",
      code: "CONFIG_INVALID",
      scope: "connector",
    },
  );
}

function trouble(dataDir: string, code: string): string {
  if (code === "EIO") return `the disk of the data directory ${dataDir} failed`;
  if (code === "EROFS") return `the data directory ${dataDir} became read-only`;
  return `no space is left for the data directory ${dataDir}`;
}

function fix(code: string): string {
  if (code === "EIO" || code === "EROFS") return "look into the machine's kernel log and mend the disk or its mount";
  return `free at least ${FREE_BYTES_MIN / 1_048_576} MiB, or enlarge the disk or quota`;
}

function unavailable(message: string): Failure {
  return new Failure(`the store is unavailable: ${message}`, { kind: "retryable", code: "STORE_UNAVAILABLE", scope: "connector" });
}
