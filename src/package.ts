import { existsSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";

/** The package's root, whether this runs from `src/` or from `dist/src/`. */
export const PACKAGE_ROOT: string = findRoot(import.meta.dirname);

/** Version of the package; part of the user agent and of everything that names its producer. */
export const VERSION: string = (JSON.parse(readFileSync(resolve(PACKAGE_ROOT, "package.json"), "utf8")) as { version: string }).version;

function findRoot(from: string): string {
  for (let directory = from; ; directory = dirname(directory)) {
    if (existsSync(resolve(directory, "package.json"))) return directory;
    if (dirname(directory) === directory) throw new Error(`no package.json above ${from}`);
  }
}
