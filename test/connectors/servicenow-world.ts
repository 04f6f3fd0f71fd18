/** A ServiceNow destination with its simulator, for tests. */
import servicenow from "../../connectors/servicenow/servicenow.ts";
import { testContext, testSecret } from "../fixtures/context.ts";
import { startServicenowSimulator, type ServicenowSimulatorOptions } from "../simulators/servicenow.ts";

export const NAME = "servicenow/soc";
export const PASSWORD = "canary-pässword-4c1f90";
export const TOKEN = "canarytoken7e22b1a4";
/** What the context's clock shows. */
export const NOW = testContext().context.clock.now();

/** An instance and a destination that is configured for it. */
export async function start(options: ServicenowSimulatorOptions = {}, settings: Readonly<Record<string, unknown>> = {}) {
  const simulator = await startServicenowSimulator({ username: "custodes", password: PASSWORD, token: TOKEN, ...options });
  const config = servicenow.config.parse({ url: simulator.url, username: "custodes", password: testSecret(PASSWORD), ...settings });
  return { ...simulator, config, destination: servicenow.destination!(config) };
}
export type World = Awaited<ReturnType<typeof start>>;
/** Runs with a world that is closed whatever happens. */
export async function within(
  options: ServicenowSimulatorOptions,
  settings: Readonly<Record<string, unknown>>,
  run: (world: World) => Promise<void>,
) {
  const world = await start(options, settings);
  try {
    await run(world);
  } finally {
    await world.close();
  }
}
