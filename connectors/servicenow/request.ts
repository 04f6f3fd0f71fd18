import { exchangeWithin } from "../../src/archetypes/deadline.ts";
import type { Answer, Exchange } from "../../src/archetypes/http-exchange.ts";
import type { Context } from "../../src/ports/context.ts";
import { PEER } from "./answers.ts";
import type { Config } from "./config.ts";

/** One request to the instance with its credential. @throws {Failure} as `exchangeWithin` */
export async function request(
  method: NonNullable<Exchange["method"]>,
  path: string,
  body: string | undefined,
  config: Config,
  context: Context,
): Promise<Answer> {
  const headers = {
    authorization: authorization(config),
    accept: "application/json",
    ...(body === undefined ? {} : { "content-type": "application/json" }),
  };
  const exchange = { peer: PEER, method, url: `${config.url}${path}`, headers };
  return await exchangeWithin(body === undefined ? exchange : { ...exchange, body }, context, config.timeoutMs);
}

function authorization({ username, password, token }: Config): string {
  if (token !== undefined) return `Bearer ${token.reveal()}`;
  const bytes = new TextEncoder().encode(`${username ?? ""}:${password?.reveal() ?? ""}`);
  return `Basic ${btoa(String.fromCharCode(...bytes))}`;
}
