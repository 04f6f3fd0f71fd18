import { createReadStream, existsSync } from "node:fs";
import { filePool } from "../adapters/files/byte-source.ts";
import { isFolder, listFiles } from "../adapters/files/list-files.ts";
import { readRecords } from "../adapters/files/read-records.ts";
import { sideBySide } from "../adapters/files/archives.ts";
import { pipeSource, STDIN } from "../adapters/files/spool.ts";
import { CommandError, EXIT } from "../cli/output.ts";
import { jsonLines } from "../core/framing.ts";
import { nearest } from "../core/nearest.ts";
import type { Connector, Format } from "../ports/connector.ts";
import type { Input } from "./stream.ts";

/** Files that are open at a time, of whatever number: far below what a system allows a process, and more gains nothing. */
const FILES_OPEN_MAX = 64;
/** Memory of archives that are read side by side, in quarters of a megabyte. */
const ARCHIVES_COST_MAX = 128;
/** What is no connector, but is read like one. */
const OWN_FORMATS: readonly string[] = ["ocsf", "plain"];

/** How inputs are read. */
export interface Reading {
  /** Standard input. */
  readonly stdin: AsyncIterable<Uint8Array>;
  /** It may be needed a second time. */
  readonly keepStdin: boolean;
  /** Told of the number of bytes of every read. */
  readonly told?: (bytes: number) => void;
}

/**
 * The inputs that `[CONNECTOR=]PATH` arguments mean: a file, all of a directory but what is hidden, a pattern, or `-`
 * for standard input. In the order of their paths. @throws {CommandError} usage; {Failure} retryable SOURCE_UNREADABLE
 */
export async function parseInputs(
  given: readonly string[],
  fallback: string | undefined,
  connectors: readonly Connector[],
  reading: Reading = { stdin: process.stdin, keepStdin: true },
): Promise<Input[]> {
  const pool = filePool(FILES_OPEN_MAX);
  const unpack = sideBySide(ARCHIVES_COST_MAX);
  const inputs = new Map<string, Input>();
  for (const argument of given) {
    const { name, path } = namedPath(argument, fallback, connectors);
    const { format, categories } = formatOf(name, connectors);
    const about = { connector: name, framing: format.framing, categories };
    if (path === STDIN) {
      if ([...inputs.values()].some((input) => input.path === STDIN))
        throw new CommandError(`--in ${argument}: standard input can be given only once`, EXIT.usage);
      const source = pipeSource(reading.stdin, reading.keepStdin, reading.told);
      inputs.set(STDIN, { ...about, path, size: undefined, read: () => readRecords(source, format, unpack) });
      continue;
    }
    const files = await listFiles(path);
    const isPipe = files.length === 0 && existsSync(path) && !(await isFolder(path));
    if (isPipe) {
      // A named pipe, or what a shell makes of <(command).
      const source = pipeSource(createReadStream(path), reading.keepStdin, reading.told, path);
      inputs.set(path, { ...about, path, size: undefined, read: () => readRecords(source, format, unpack) });
      continue;
    }
    if (files.length === 0) throw new CommandError(`--in ${argument}: ${await whyNothing(path)}`, EXIT.usage);
    // The same file twice, as in a directory and by name, is one input.
    for (const file of files)
      inputs.set(`${name}=${file.path}`, {
        ...about,
        path: file.path,
        size: file.size,
        read: () => readRecords(pool.source(file.path, reading.told), format, unpack),
      });
  }
  // The order of the arguments means nothing: of two events with one uid, the one in the first path wins.
  return [...inputs.values()].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : a.connector < b.connector ? -1 : 1));
}

function namedPath(
  argument: string,
  fallback: string | undefined,
  connectors: readonly Connector[],
): { readonly name: string; readonly path: string } {
  const found = /^([a-z][a-z0-9-]*(?:\/[^/=]+)?)=(.+)$/s.exec(argument);
  const id = found?.[1] ?? "";
  // A path may hold `=` too (`logs/date=2026-01-01`): before it a name with a slash must be that of a source.
  const match = !id.includes("/") || readableOf(connectors).some((one) => one.id === id) ? found : null;
  const name = match?.[1] ?? fallback;
  const path = match?.[2] ?? argument;
  if (name === undefined)
    throw new CommandError(`--in ${argument}: name the connector, as in --in kong=${path}, or give --connector`, EXIT.usage);
  return { name, path };
}

function readableOf(connectors: readonly Connector[]): readonly Connector[] {
  return connectors.filter((one) => one.normalize !== undefined && one.format !== undefined);
}

function formatOf(name: string, connectors: readonly Connector[]): { readonly format: Format; readonly categories: Input["categories"] } {
  if (OWN_FORMATS.includes(name)) return { format: jsonLines, categories: undefined };
  const readable = readableOf(connectors);
  const connector = readable.find((one) => one.id === name);
  if (connector?.format !== undefined) {
    // One that cannot normalize without its configuration says so before anything is read.
    connector.normalize?.();
    return { format: connector.format(), categories: connector.categories };
  }
  const names = [...readable.map((one) => one.id), ...OWN_FORMATS];
  const close = nearest(name, names);
  const hint = close === undefined ? `known: ${names.join(", ")}` : `did you mean "${close}"?`;
  throw new CommandError(`there is no source connector "${name}"; ${hint}`, EXIT.usage);
}

async function whyNothing(path: string): Promise<string> {
  if (await isFolder(path)) return `${path} holds no file`;
  return /[*?]/.test(path) ? `no file matches ${path}` : `${path} does not exist`;
}
