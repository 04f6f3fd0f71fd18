import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { start } from "../app.ts";
import { isDone, summarize } from "../demo/summary.ts";
import { demoClock, demoConfig, startWorld } from "../demo/world.ts";
import { log } from "../adapters/log/log.ts";
import { loadPack } from "../rules.ts";
import { EXIT, note } from "./output.ts";

/** The demo must be done by then; it usually takes a few seconds. */
const DEMO_MAX_MS = 55_000;
const LOOK_EVERY_MS = 200;

/** The main job on sample logs of a small fleet's day, embedded, against simulated SIEMs on loopback. */
export async function demoCommand(): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), "custodes-demo-"));
  const world = await startWorld();
  const started = performance.now();
  try {
    const config = demoConfig(world, directory);
    const clock = demoClock();
    const service = await start(config, { clock, log: log("warn") });
    try {
      console.log(`Custodes demo: one day of a small fleet; data in ${directory}, receiver on ${service.url}`);
      while (!(await isDone(service, clock.now(), config.sources.length))) {
        if (performance.now() - started > DEMO_MAX_MS) {
          note(`the demo did not finish within ${DEMO_MAX_MS / 1000} s: ${JSON.stringify(await service.health())}`);
          return EXIT.no;
        }
        await sleep(LOOK_EVERY_MS);
      }
      const summary = await summarize(service, world, loadPack(config.rules, config.placeholders).rule);
      console.log(summary.text);
      console.log(`\nDone in ${((performance.now() - started) / 1000).toFixed(1)} s.`);
      if (!summary.complete) note("not everything arrived: see the table above");
      return summary.complete ? EXIT.good : EXIT.no;
    } finally {
      await service.stop();
    }
  } finally {
    await world.close();
    rmSync(directory, { recursive: true, force: true });
  }
}
