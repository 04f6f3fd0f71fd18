/** `custodes run` as a process of its own, seen from outside: its log, its HTTP routes, its end. */
import { spawn, type ChildProcess } from "node:child_process";
import { createServer, type AddressInfo } from "node:net";
import { createInterface } from "node:readline";
import { CACHED, CLI, NODE } from "../cli/command.ts";

/** Bearer token of the receivers that the tests configure. */
export const RECEIVER_TOKEN = "e2e-receiver-token";
/** What must happen happens within this time, also on a small and busy machine; less than a test may take. */
const PATIENCE_MS = 45_000;
/** The same for all of a day's work. */
const DONE_MS = 100_000;
const LOOK_EVERY_MS = 50;

/** A line of its log. */
export type LogLine = Readonly<Record<string, unknown>> & { readonly msg?: string; readonly level?: number };

/** How a process ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A running, or ended, `custodes run`. */
export interface Service {
  readonly pid: number;
  /** Lines of its log so far. */
  log(): readonly LogLine[];
  /** All that it wrote to standard error that is no log line. */
  readonly said: () => string;
  /** Base URL of its receiver, once it runs. Rejects when it ends before. */
  readonly url: Promise<string>;
  /** Resolves when the process is gone. */
  readonly ended: Promise<Ended>;
  signal(signal: NodeJS.Signals): void;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<Ended>;
  /** SIGTERM; resolves when it is gone. */
  stop(): Promise<Ended>;
  /** An answer of its state routes. */
  ask<T>(query: string, parameters?: Readonly<Record<string, string>>): Promise<T>;
}

/** A port that nobody listens on, so that the state commands find the service where the configuration says. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Processes that have not ended, by their configuration. */
const services = new Map<string, Set<ChildProcess>>();
process.once("exit", () => {
  for (const living of services.values()) for (const child of living) child.kill("SIGKILL");
});

/** Ends every process that still runs with this configuration, so that a test that failed leaves none behind. */
export async function endServices(config: string): Promise<void> {
  const living = [...(services.get(config) ?? [])];
  const gone = living.map((child) => new Promise((resolve) => child.once("close", resolve)));
  for (const child of living) child.kill("SIGKILL");
  await Promise.all(gone);
}

/** Starts `custodes run -c FILE`. */
export function runService(config: string, environment: Readonly<Record<string, string>>): Service {
  const child = spawn(NODE, [CLI, "run", "-c", config], { env: { ...CACHED, ...environment }, stdio: ["ignore", "ignore", "pipe"] });
  const living = services.get(config) ?? new Set<ChildProcess>();
  services.set(config, living.add(child));
  const lines: LogLine[] = [];
  let said = "";
  let running: ((url: string) => void) | undefined;
  createInterface({ input: child.stderr }).on("line", (text) => {
    const line = parsed(text);
    if (line === undefined) said += `${text}\n`;
    else lines.push(line);
    if (line?.msg === "custodes is running") running?.(String(line["url"]));
  });
  const ended = new Promise<Ended>((resolve) => {
    child.once("close", (code, signal) => {
      living.delete(child);
      resolve({ code, signal });
    });
  });
  const url = new Promise<string>((resolve, reject) => {
    running = resolve;
    void ended.then(({ code, signal }) => reject(new Error(`custodes ended (${code ?? signal}) before it ran:\n${said}`)));
  });
  // Whoever does not ask for the URL does not care that there is none.
  url.catch(() => undefined);
  const quit = (signal: NodeJS.Signals): Promise<Ended> => {
    child.kill(signal);
    return ended;
  };
  return {
    pid: child.pid ?? 0,
    log: () => lines,
    said: () => said,
    url,
    ended,
    signal: (signal) => void child.kill(signal),
    kill: () => quit("SIGKILL"),
    stop: () => quit("SIGTERM"),
    ask: async <T>(query: string, parameters: Readonly<Record<string, string>> = {}) => {
      const target = `${await url}/state/${query}?${new URLSearchParams(parameters).toString()}`;
      const answer = await fetch(target, { headers: { authorization: `Bearer ${RECEIVER_TOKEN}` } });
      if (!answer.ok) throw new Error(`${query}: ${answer.status}`);
      return (await answer.json()) as T;
    },
  };
}

function parsed(text: string): LogLine | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as LogLine) : undefined;
  } catch {
    // Not a log line: a stack trace, or a message of the command line.
    return undefined;
  }
}

/** Waits until something holds. @throws when it does not within a minute, with what was seen last */
export async function until(what: string, holds: () => Promise<unknown>, patienceMs: number = PATIENCE_MS): Promise<void> {
  const end = performance.now() + patienceMs;
  let last: unknown;
  while (performance.now() < end) {
    last = await holds();
    if (last === true) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
  throw new Error(`${what} did not happen within ${patienceMs} ms; last seen: ${JSON.stringify(last)}`);
}

interface Progress {
  readonly stored: number;
  readonly correlated: number | null;
  readonly watermark: number | null;
  readonly pending: number;
}

/** Watermarks lag by what their sources take for late, two minutes at most; with this they are at the present. */
const PRESENT_MS = 300_000;

/** Waits until all sources are read to the present, all is correlated, final and settled, and quiet incidents are closed. */
export async function untilDone(service: Service, sources: number): Promise<void> {
  await until(
    "the end of all work",
    async () => {
      const states = await service.ask<readonly { readonly source: string; readonly watermark: number | null }[]>("sources");
      // Before the deliveries: what closes an incident queues them in the same transaction, a step after its last alert.
      const open = await service.ask<readonly unknown[]>("incidents", { open: "true" });
      const progress = await service.ask<Progress>("progress");
      const { stored, correlated, watermark, pending } = progress;
      const fresh = (time: number | null): boolean => time !== null && Date.now() - time < PRESENT_MS;
      const read = states.length === sources && states.every((state) => fresh(state.watermark));
      return (
        (read && stored > 0 && correlated === stored && fresh(watermark) && open.length + pending === 0) || {
          states,
          open: open.length,
          progress,
        }
      );
    },
    DONE_MS,
  );
}
