import { exchangeWithin } from "../../src/archetypes/deadline.ts";
import type { Answer } from "../../src/archetypes/http-exchange.ts";
import type { Context } from "../../src/ports/context.ts";
import type { Config } from "./config.ts";

/** Posts envelopes through a channel, once. @throws {Failure} as `exchange` */
export async function post(body: string, channel: string, settings: Config, context: Context): Promise<Answer> {
  return await exchangeWithin(
    {
      peer: "Splunk",
      url: `${settings.url}/services/collector/event`,
      headers: {
        authorization: `Splunk ${settings.token.reveal()}`,
        "content-type": "application/json",
        "x-splunk-request-channel": channel,
      },
      body,
    },
    context,
    settings.timeoutMs,
  );
}
