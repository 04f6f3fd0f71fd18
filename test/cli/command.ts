/** Runs the real command line in a process of its own. */
import { spawn } from "node:child_process";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";

/** Root of the repository. */
const ROOT = resolve(import.meta.dirname, "../..");
/** The Node that the repository pins. */
export const NODE = resolve(ROOT, "node_modules/.bin/node");
/** The command line's entry. */
export const CLI = resolve(ROOT, "src/cli.ts");
/** Compiled sources are kept between processes: without it half of a short run is spent on reading TypeScript. */
export const CACHED: Readonly<Record<string, string | undefined>> = {
  ...process.env,
  NODE_COMPILE_CACHE: join(tmpdir(), "custodes-test-compile-cache"),
};

/** What a command did. */
export interface Ran {
  /** Exit code; -1 when a signal ended it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a command is given. */
export interface Given {
  readonly stdin?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  /** Files and pipes that it may have open at a time. */
  readonly openFilesMax?: number;
}

/** Runs `custodes …` to its end. Relative paths are relative to the repository. */
export function custodes(arguments_: readonly string[], given: Given = {}): Promise<Ran> {
  return new Promise((done, failed) => {
    const command = [NODE, CLI, ...arguments_];
    const limited =
      given.openFilesMax === undefined ? command : ["sh", "-c", `ulimit -n ${given.openFilesMax}; exec "$@"`, "sh", ...command];
    const child = spawn(limited[0]!, limited.slice(1), { cwd: ROOT, env: { ...CACHED, ...given.env } });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.once("error", failed);
    child.once("close", (code) => done({ code: code ?? -1, stdout, stderr }));
    // Who ends before it has read everything has said why.
    child.stdin.on("error", () => undefined);
    child.stdin.end(given.stdin ?? "");
  });
}

/** The lines of a text that are JSON, parsed. */
export function jsonLines<T = Record<string, unknown>>(text: string): T[] {
  return text
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as T);
}

/** Keys of an alert as `backtest` prints it, in their order: a contract. */
export const ALERT_KEYS = "rule_id rule_title group bucket first_time last_time count evidence severity agents id".split(" ");

/** An alert as `backtest` prints it. */
export interface AlertLine {
  readonly rule_id: string;
  readonly rule_title: string;
  readonly group: Readonly<Record<string, string>>;
  readonly bucket: number;
  readonly first_time: number;
  readonly last_time: number;
  readonly count: number;
  readonly evidence: readonly string[];
  readonly severity: string;
  readonly agents: readonly string[];
  readonly id: string;
}
