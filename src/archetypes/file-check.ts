/** What every connector that reads files says about its path, before and while it runs. */
import { Failure } from "../core/errors.ts";
import type { Check } from "../ports/connector.ts";
import type { Context } from "../ports/context.ts";

/** Whether a path is absolute, on POSIX or Windows: a relative one would depend on where the service was started. */
export function isAbsolutePath(path: string): boolean {
  return /^(\/|[A-Za-z]:[\\/]|\\\\)/.test(path);
}

/** What the configuration says when a path is not absolute. */
export const ABSOLUTE_PATH = "must be an absolute path, e.g. /var/log/...";

/** Whether the path leads to files, and the newest of them can be read. Changes nothing. */
export async function checkFiles(path: string, context: Context): Promise<readonly Check[]> {
  try {
    const files = await context.files.list(path);
    const newest = files.reduce((a, b) => (a === undefined || b.modifiedTime > a.modifiedTime ? b : a), files[0]);
    if (newest === undefined) {
      return [
        {
          name: "files",
          ok: false,
          message: `no file matches ${path}`,
          fix: "check `path`, and that something writes or syncs files there",
        },
      ];
    }
    await context.files.read(newest.path, 0, 1);
    return [{ name: "files", ok: true, message: `${files.length} files match ${path}` }];
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const fix =
      error.code === "RECORD_CORRUPT_FILE"
        ? "the newest file is no good archive; check what writes it"
        : "give the service's user the right to list the directory and read its files";
    return [{ name: "files", ok: false, message: `${error.code}: ${error.message}`, fix }];
  }
}
