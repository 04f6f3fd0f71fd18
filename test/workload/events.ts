/** The events of a workload, normalized and attributed as a backtest does it, in memory. */
import { join } from "node:path";
import { connectors } from "../../connectors/index.ts";
import { eventRunner, parseInputs, readAgents } from "../../src/backtest/inputs.ts";
import { backtest } from "../../src/backtest/run.ts";
import type { Event } from "../../src/core/event.ts";
import { workloadInputs } from "./run.ts";

/** Every distinct event that reaches correlation, in the order in which it does. */
export async function workloadEvents(directory: string): Promise<readonly Event[]> {
  const inputs = parseInputs(workloadInputs(directory), undefined, connectors);
  const byPath = new Map(inputs.map((input) => [input.path, input.connector]));
  const nothing = { detections: [], correlations: [], rejected: [], warnings: [] };
  const runner = eventRunner(nothing, readAgents(join(directory, "agents.yaml")), (path) => byPath.get(path) ?? "", connectors);
  const events: Event[] = [];
  const begin: typeof runner.begin = (latenessMs) => {
    const made = runner.begin(latenessMs);
    events.length = 0;
    return {
      push(batch) {
        for (const event of batch) events.push(event);
        return made.push(batch);
      },
      advance: (watermarks) => made.advance(watermarks),
      finish: () => made.finish(),
    };
  };
  await backtest(inputs, { ...runner, begin }, 120_000, () => undefined);
  return events;
}
