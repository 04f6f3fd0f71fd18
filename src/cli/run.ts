import { log as pinoLog } from "../adapters/log/log.ts";
import { start } from "../app.ts";
import { loadPack } from "../rules.ts";
import { routeProblems } from "../routes.ts";
import { commandConfig } from "./config.ts";
import { EXIT, failWithProblems } from "./output.ts";

/** A drain that takes longer is cut: orchestrators kill after 30 s by default. */
const DRAIN_MAX_MS = 25_000;
/** Everything is closed by then; whatever still holds the process is given up. */
const LINGER_MS = 1000;

/** Runs the service until SIGTERM or SIGINT; a second signal ends it at once. SIGHUP has it take its rule files and registry as they are. */
export async function runCommand(path: string): Promise<number> {
  const config = commandConfig(path, true);
  const problems = routeProblems(config, loadPack(config.rules, config.placeholders).rules);
  if (problems.length > 0) failWithProblems(problems);
  const log = pinoLog(config.log.level);
  // Listened for before anything starts: a signal during the start must not end the process in the middle of it.
  const stop = stopSignal();
  // Until there is something to reload, the signal is nothing to die of either.
  let reload = (): void => undefined;
  process.on("SIGHUP", () => reload());
  const service = await start(config, { log });
  reload = () => {
    log.info({}, "SIGHUP: rule files and the agent registry are read");
    void service.reload();
  };
  const signal = await stop;
  log.info({ signal }, "stopping: no new work is taken");
  const late = setTimeout(() => {
    log.error({ drainMs: DRAIN_MAX_MS }, "the drain took too long; what was under way will be done again");
    process.exit(EXIT.no);
  }, DRAIN_MAX_MS);
  await service.stop();
  clearTimeout(late);
  log.info({}, "stopped");
  // A connection that a driver keeps trying to open must not keep a stopped service alive.
  setTimeout(() => process.exit(EXIT.good), LINGER_MS).unref();
  return EXIT.good;
}

function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let asked = false;
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.on(signal, () => {
        if (asked) process.exit(EXIT.no);
        asked = true;
        resolve(signal);
      });
    }
  });
}
