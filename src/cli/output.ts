import { createWriteStream } from "node:fs";
import { once } from "node:events";
import { formatProblem, type Problem } from "../config/yaml.ts";

/** Exit codes of the command line; a contract. */
export const EXIT = { good: 0, no: 1, usage: 64, config: 78 } as const;

/** Ends the command with a message on standard error. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Lines to a file or standard output, with back-pressure. */
export interface LineWriter {
  write(line: string): Promise<void>;
  end(): Promise<void>;
}

/** Text is handed to the stream in pieces of about this size: one write per line would cost more than the line. */
const PIECE = 65_536;

/** Opens the output of a command. */
export function lineWriter(path: string | undefined): LineWriter {
  const stream = path === undefined || path === "-" ? process.stdout : createWriteStream(path);
  let waiting: string[] = [];
  let size = 0;
  let failure: Error | undefined;
  stream.on("error", (error: NodeJS.ErrnoException) => {
    // The reader has seen enough, as in `| head`.
    if (error.code === "EPIPE") process.exit(EXIT.good);
    failure = error;
  });
  const flush = async (): Promise<void> => {
    if (failure !== undefined) throw new CommandError(`cannot write the output: ${failure.message}`, EXIT.no);
    if (waiting.length === 0) return;
    const text = waiting.join("");
    waiting = [];
    size = 0;
    if (!stream.write(text)) await once(stream, "drain");
  };
  return {
    async write(line) {
      waiting.push(line, "\n");
      size += line.length;
      if (size > PIECE) await flush();
    },
    async end() {
      await flush();
      if (stream === process.stdout) return;
      stream.end();
      await once(stream, "finish");
    },
  };
}

/** One line to standard error. */
export function note(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** All problems of a file, one per line, then the end. */
export function failWithProblems(problems: readonly Problem[]): never {
  for (const problem of problems) note(formatProblem(problem));
  throw new CommandError(`${problems.length} ${problems.length === 1 ? "problem" : "problems"}; nothing was started`, EXIT.config);
}

/** Columns of text, aligned; the last one is not padded. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) row.forEach((cell, index) => (widths[index] = Math.max(widths[index] ?? 0, cell.length)));
  return rows
    .map((row) => row.map((cell, index) => (index === row.length - 1 ? cell : cell.padEnd(widths[index] ?? 0))).join("  "))
    .join("\n");
}
