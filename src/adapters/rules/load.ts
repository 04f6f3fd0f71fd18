import { readdirSync, readFileSync, realpathSync, statSync, type Stats } from "node:fs";
import { join } from "node:path";
import { Failure } from "../../core/errors.ts";
import type { RuleDocument } from "../../core/sigma/reader.ts";
import { parseRuleFile, unreadableFile } from "./yaml.ts";

/** Directories are followed this deep: links may form a circle. */
export const DEPTH_MAX = 16;
/** A pack with more files is a wrong path, such as a whole disk. */
export const FILES_MAX = 20_000;
/** A rule file is text that a person wrote. */
const FILE_BYTES_MAX = 4 * 1024 * 1024;

const RULE_FILE = /\.ya?ml$/i;
const TEST_FILE = /\.test\.ya?ml$/i;

/**
 * The documents of rule files, by path in code-unit order. Directories are searched for `.yml` and `.yaml`; names
 * that start with a dot and `*.test.yml` are left out. A file that cannot be read or parsed is a document with an error.
 * @throws {Failure} config CONFIG_INVALID when a given path does not exist or holds more files than a pack can have
 */
export function loadRules(paths: readonly string[]): RuleDocument[] {
  const files = new Map<string, string>();
  for (const path of paths) collect(path, 0, files, new Set());
  return [...files.values()].toSorted((a, b) => (a < b ? -1 : 1)).flatMap(readDocuments);
}

/**
 * `files` is by real path, so that a file that is reached twice counts once; `directories` are those that were walked
 * through, by real path: several links in a circle would be followed for ever.
 */
function collect(path: string, depth: number, files: Map<string, string>, directories: Set<string>): void {
  let stats;
  try {
    stats = statSync(path);
  } catch (cause) {
    // Below a given path, a link to nowhere is an editor's lock or a remnant, not a rule.
    if (depth > 0) return;
    throw new Failure(`the rules ${path} cannot be read`, { kind: "config", code: "CONFIG_INVALID", cause });
  }
  if (stats.isDirectory()) {
    const real = realpathSync(path);
    if (depth > DEPTH_MAX || directories.has(real)) return;
    directories.add(real);
    for (const name of readdirSync(path)) if (!name.startsWith(".")) collect(join(path, name), depth + 1, files, directories);
    return;
  }
  if (!isRuleFile(path, depth, stats)) return;
  const real = realpathSync(path);
  if (!files.has(real)) files.set(real, path);
  if (files.size > FILES_MAX)
    throw new Failure(`there are more than ${FILES_MAX} rule files below ${path}`, { kind: "config", code: "CONFIG_INVALID" });
}

/** Whether a file is read; one that was given by its own path may have any name but that of a test. */
export function isRuleFile(path: string, depth: number, stats: Stats): boolean {
  return !TEST_FILE.test(path) && (depth === 0 || (RULE_FILE.test(path) && stats.isFile()));
}

function readDocuments(path: string): readonly RuleDocument[] {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    return [unreadableFile(path, `the file cannot be read${error instanceof Error && "code" in error ? ` (${String(error.code)})` : ""}`)];
  }
  if (bytes.length > FILE_BYTES_MAX) return [unreadableFile(path, `the file is larger than ${FILE_BYTES_MAX} bytes`)];
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return [unreadableFile(path, "the file is not UTF-8 text")];
  }
  return parseRuleFile(path, text);
}
