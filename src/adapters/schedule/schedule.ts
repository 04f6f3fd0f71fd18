import cron, { setLogger, type ScheduledTask } from "node-cron";
import { seldom } from "../../core/seldom.ts";
import type { Log } from "../../ports/context.ts";

/** While the store is away every tick of every schedule fails; one line a minute per schedule says it. */
const REPEAT_MS = 60_000;

/** Runs functions on cron schedules until closed. */
export interface Scheduler {
  /** `tick` must only enqueue; a failing tick is logged, at most once a minute, and the next one comes. UTC unless a time zone is given. */
  add(name: string, expression: string, tick: () => Promise<void>, timezone?: string): void;
  close(): Promise<void>;
}

/** A scheduler on node-cron. */
export function scheduler(log: Log): Scheduler {
  // The library's own lines are coloured text, and say what a busy process does anyway: a tick was skipped.
  setLogger({
    info: () => undefined,
    debug: () => undefined,
    warn: (message) => log.debug({ schedule: "cron" }, message),
    error: (message) => log.warn({ schedule: "cron", error: String(message) }, "a schedule failed"),
  });
  const tasks: ScheduledTask[] = [];
  return {
    add(name, expression, tick, timezone = "UTC") {
      const due = seldom(REPEAT_MS);
      const run = async () => {
        try {
          await tick();
        } catch (error) {
          if (due(performance.now())) log.warn({ schedule: name, error: String(error) }, "schedule could not enqueue");
        }
      };
      tasks.push(cron.schedule(expression, run, { name, timezone, noOverlap: true }));
    },
    async close() {
      for (const task of tasks) await task.destroy();
      tasks.length = 0;
    },
  };
}
