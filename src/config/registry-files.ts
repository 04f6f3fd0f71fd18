import { globSync, readFileSync, readdirSync, statSync } from "node:fs";
import { glob, readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { AgentProfile } from "../core/identity/profile.ts";
import { parseRegistry, REGISTRY_BYTES_MAX } from "./registry.ts";
import type { Problem } from "./yaml.ts";

/** Files of one registry: one for each agent of a large fleet would still be read within seconds; more is another directory. */
const FILES_MAX = 10_000;

/** What all files of a registry say together, or what is wrong with them. */
export interface Registry {
  /** None when there is a problem. */
  readonly agents: readonly AgentProfile[];
  readonly problems: readonly Problem[];
  /** How many files it was read from. */
  readonly files: number;
}

/**
 * Reads a registry: each path is a file, a directory (its `.yaml` and `.yml` files) or a pattern. An agent stands in one
 * of the files only.
 */
export function readRegistry(paths: readonly string[]): Registry {
  const problems: Problem[] = [];
  const agents: AgentProfile[] = [];
  const places = new Map<string, string>();
  const files = [...new Set(paths.flatMap((path) => filesOf(path, problems)))];
  if (files.length > FILES_MAX) problems.push(problem(paths.join(", "), `has more than ${FILES_MAX} files`));
  let bytes = 0;
  for (const file of files.slice(0, FILES_MAX)) {
    const text = textOf(file, problems);
    if (text === undefined) continue;
    bytes += text.length;
    if (bytes > REGISTRY_BYTES_MAX) {
      problems.push(problem(file, `and the files before it are larger than ${REGISTRY_BYTES_MAX} bytes`));
      break;
    }
    const parsed = parseRegistry(file, text);
    problems.push(...parsed.problems);
    parsed.agents.forEach((agent, index) => {
      const line = parsed.lines[index] ?? 0;
      const first = places.get(agent.id);
      if (first !== undefined)
        problems.push({ file, line, key: "id", message: `the agent id "${agent.id}" stands in ${first} already; give each agent its own` });
      places.set(agent.id, `${file}:${line}`);
      agents.push(agent);
    });
  }
  return { agents: problems.length > 0 ? [] : agents, problems, files: files.length };
}

function filesOf(path: string, problems: Problem[]): string[] {
  try {
    if (isPattern(path)) {
      const found = globSync(path).sort();
      if (found.length === 0) problems.push(problem(path, "is a pattern that no file matches"));
      return found;
    }
    if (!statSync(path).isDirectory()) return [path];
    const found = readdirSync(path).filter(isRegistryFile).sort();
    if (found.length === 0) problems.push(problem(path, "is a directory without *.yaml and *.yml files"));
    return found.map((name) => join(path, name));
  } catch (error) {
    problems.push(problem(path, unreadable(error)));
    return [];
  }
}

function textOf(file: string, problems: Problem[]): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    problems.push(problem(file, unreadable(error)));
    return undefined;
  }
}

function unreadable(error: unknown): string {
  const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
  return code === "ENOENT" ? "does not exist" : `cannot be read (${code})`;
}

/** Of a file or path as a whole. */
function problem(file: string, message: string): Problem {
  return { file, line: 0, key: "", message: `the agent registry ${file} ${message}` };
}

function isPattern(path: string): boolean {
  return /[*?]/.test(path);
}

function isRegistryFile(name: string): boolean {
  return /\.ya?ml$/.test(name) && !name.startsWith(".");
}

/**
 * What a look at the files of a registry sees, without reading them: the text differs when one was added, removed, replaced
 * or written to. Asynchronous, because a network mount that hangs must not hang the service. Never throws.
 */
export async function stampRegistry(paths: readonly string[]): Promise<string> {
  const lines: string[] = [];
  for (const path of paths) {
    for (const file of await namesOf(path)) {
      // The time of the last change of any kind, too: a copied file may keep its time and have the same size.
      const seen = await stat(file).then(
        ({ dev, ino, size, mtimeMs, ctimeMs }) => [file, dev, ino, size, mtimeMs, ctimeMs],
        (error: unknown) => [file, unreadable(error)],
      );
      lines.push(JSON.stringify(seen));
      if (lines.length > FILES_MAX) return lines.join("\n");
    }
  }
  return lines.join("\n");
}

async function namesOf(path: string): Promise<readonly string[]> {
  try {
    if (isPattern(path)) {
      const found: string[] = [];
      for await (const one of glob(path)) found.push(one);
      return found.sort();
    }
    if (!(await stat(path)).isDirectory()) return [path];
    return (await readdir(path)).filter(isRegistryFile).map((name) => join(path, name));
  } catch {
    // That it cannot be read is what the look at the path itself says.
    return [path];
  }
}
