/** Node processes for tests that must be killed without a warning. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

/** A running script. */
export interface Child {
  readonly pid: number;
  /** The next line that it printed; rejects with its error output when it ends first. */
  line(): Promise<string>;
  /** All lines that it printed until its end, those that `line` gave included. */
  ended(): Promise<readonly string[]>;
  /** Ends it at once and waits until it is gone. */
  kill(): Promise<void>;
}

/** Starts a TypeScript file of the tests with arguments; what it prints are the test's facts. */
export function startChild(script: URL, ...args: readonly string[]): Child {
  const child = spawn(process.execPath, [script.pathname, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const lines: string[] = [];
  let errors = "";
  let gone = false;
  let taken = 0;
  let wake = (): void => undefined;
  createInterface({ input: child.stdout }).on("line", (line) => {
    lines.push(line);
    wake();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => (errors += text));
  const closed = new Promise<void>((resolve) =>
    child.once("close", () => {
      gone = true;
      wake();
      resolve();
    }),
  );
  process.once("exit", () => child.kill("SIGKILL"));
  return {
    pid: child.pid ?? 0,
    line: async () => {
      while (lines.length <= taken) {
        if (gone) throw new Error(`the child ended: ${errors}`);
        await new Promise<void>((resolve) => (wake = resolve));
      }
      return lines[taken++] ?? "";
    },
    ended: async () => {
      await closed;
      return lines;
    },
    kill: async () => {
      child.kill("SIGKILL");
      await closed;
    },
  };
}
