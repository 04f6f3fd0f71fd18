/** Slack destinations with their simulator, for tests. */
import slack from "../../connectors/slack/slack.ts";
import { testSecret } from "../fixtures/context.ts";
import { startSlackSimulator, type SlackSimulatorOptions } from "../simulators/slack.ts";

export const NAME = "slack/soc";
export const TOKEN = "xoxb-canary-7f3a91c2d4";
export const HOOK = "T0CANARY/B0CANARY/canary9c41e7";
export const CHANNEL = "C0123456789";

/** A bot in a channel. */
export async function start(options: SlackSimulatorOptions = {}, settings: Readonly<Record<string, unknown>> = {}) {
  const simulator = await startSlackSimulator({ token: TOKEN, webhook: HOOK, ...options });
  const keys = {
    token: testSecret(TOKEN),
    channel: CHANNEL,
    endpoint: simulator.url,
    incidentUrl: "https://soc.example.com/{id}",
    ...settings,
  };
  const config = slack.config.parse(keys);
  return { ...simulator, config, destination: slack.destination!(config) };
}
/** An incoming webhook. */
export const startHook = async (options: SlackSimulatorOptions = {}) => {
  const simulator = await startSlackSimulator({ token: TOKEN, webhook: HOOK, ...options });
  const config = slack.config.parse({ webhookUrl: testSecret(`${simulator.url}/services/${HOOK}`), endpoint: simulator.url });
  return { ...simulator, config, destination: slack.destination!(config) };
};
export type World = Awaited<ReturnType<typeof start>>;
/** Runs with a bot whose world is closed whatever happens. */
export async function within(
  options: SlackSimulatorOptions,
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
