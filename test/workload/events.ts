/** The events of a workload, normalized and attributed as a backtest does it, in memory. */
import { join } from "node:path";
import { connectors } from "../../connectors/index.ts";
import { parseInputs } from "../../src/backtest/inputs.ts";
import { eventRunner, readAgents } from "../../src/backtest/runners.ts";
import { backtest } from "../../src/backtest/run.ts";
import type { Watermarks } from "../../src/core/correlation/types.ts";
import type { Event } from "../../src/core/event.ts";
import { workloadInputs } from "./run.ts";

/** What correlation was given, in order. */
export type Step = { readonly push: readonly Event[] } | { readonly advance: Watermarks };

/** Every step of a backtest of the workload, up to the end of its input. */
export async function workloadSteps(directory: string): Promise<readonly Step[]> {
  const inputs = await parseInputs(workloadInputs(directory), undefined, connectors);
  const nothing = { detections: [], correlations: [], rejected: [], warnings: [] };
  const runner = eventRunner(nothing, readAgents(join(directory, "agents.yaml")), connectors);
  const steps: Step[] = [];
  const begin: typeof runner.begin = (latenessMs) => {
    const made = runner.begin(latenessMs);
    steps.length = 0;
    return {
      ...made,
      push(batch) {
        steps.push({ push: batch });
        return made.push(batch);
      },
      advance(watermarks) {
        steps.push({ advance: watermarks });
        return made.advance(watermarks);
      },
    };
  };
  await backtest(inputs, { ...runner, begin }, 120_000);
  return steps;
}
