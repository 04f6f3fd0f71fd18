import type { Stats } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { DEPTH_MAX, FILES_MAX, isRuleFile } from "./load.ts";

/** What a look at rule files saw, without reading them. */
export interface RuleStamp {
  /** Differs when a file was added, removed, replaced or written to, or a path was lost or found. */
  readonly text: string;
  /** Given paths without any rule file, with the reason. */
  readonly lost: readonly { readonly path: string; readonly reason: string }[];
}

/**
 * Looks at the files that `loadRules` would read. Asynchronous, unlike that one: a network mount that hangs must not
 * hang the service. Never throws.
 */
export async function stampRules(paths: readonly string[]): Promise<RuleStamp> {
  const lost: { path: string; reason: string }[] = [];
  const lines: string[] = [];
  for (const path of paths) {
    const found: string[] = [];
    const reason = await collect(path, 0, { lines: found, directories: new Set() });
    if (reason !== undefined) lost.push({ path, reason });
    else if (found.length === 0) lost.push({ path, reason: "holds no rule file" });
    lines.push(...found, reason ?? "");
  }
  return { text: lines.join("\n"), lost };
}

/** What was found below one given path. */
interface Found {
  readonly lines: string[];
  /** Those that were walked through: links may form circles, which the look must not follow round and round every time. */
  readonly directories: Set<string>;
}

/** Adds a line for each file; why the path cannot be read, if it cannot. */
async function collect(path: string, depth: number, found: Found): Promise<string | undefined> {
  const { lines, directories } = found;
  let stats: Stats;
  try {
    stats = await stat(path);
    if (stats.isDirectory()) {
      const identity = `${stats.dev}:${stats.ino}`;
      if (depth > DEPTH_MAX || directories.has(identity)) return undefined;
      // File systems without such numbers give 0 for all.
      if (stats.ino !== 0) directories.add(identity);
      const names = (await readdir(path)).filter((name) => !name.startsWith(".")).sort();
      for (const name of names) await collect(join(path, name), depth + 1, found);
      return undefined;
    }
  } catch (error) {
    return `cannot be read (${error instanceof Error && "code" in error ? String(error.code) : String(error)})`;
  }
  // The time of the last change of any kind, too: a copied file may keep its time and have the same size.
  if (isRuleFile(path, depth, stats) && lines.length <= FILES_MAX)
    lines.push(JSON.stringify([path, stats.dev, stats.ino, stats.size, stats.mtimeMs, stats.ctimeMs]));
  return undefined;
}
