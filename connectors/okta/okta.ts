import { Failure } from "../../src/core/errors.ts";
import { defineConnector, type Check } from "../../src/ports/connector.ts";
import type { Context } from "../../src/ports/context.ts";
import { config, type Config } from "./config.ts";
import { oktaFormat } from "./format.ts";
import { oktaNormalize } from "./normalize.ts";
import { oktaSource, probe } from "./pull.ts";

/** Okta System Log: sign-ins, tokens and administration. */
export default defineConnector<Config>({
  id: "okta",
  title: "Okta System Log",
  config,
  check,
  source: oktaSource,
  format: () => oktaFormat,
  normalize: (options) => oktaNormalize(options === undefined ? undefined : new URL(options.url).hostname),
  categories: ["authentication", "infra_change", "agent_finding"],
  // Events are readable seconds after they happened; a minute is Okta's own worst case in quiet times, two leave room.
  lateness: 120_000,
  gaps: [
    "a token request from behind NAT carries the public address, not the workload's",
    "requests with an API token name the token (credential) and its owner (user), not the program that holds it",
    "srcCountry is a country's English name, not its code",
  ],
});

async function check(options: Config, context: Context): Promise<readonly Check[]> {
  try {
    const events = await probe(options, context);
    if (events >= 0) return [{ name: "system log", ok: true, message: "the System Log can be read" }];
    return [failed("the answer is not a System Log", "check that `url` is the organization's Okta domain, e.g. https://acme.okta.com")];
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return [failed(`${error.code}: ${error.message}`, fixOf(error))];
  }
}

function failed(message: string, fix: string): Check {
  return { name: "system log", ok: false, message, fix };
}

function fixOf(failure: Failure): string {
  switch (failure.code) {
    case "HTTP_DENIED":
      return "create an API token as a read-only administrator, or grant the app the scope okta.logs.read and set scheme: Bearer";
    case "HTTP_UNREACHABLE":
    case "HTTP_TIMEOUT":
      return "check `url`, DNS and the way out to Okta (port 443)";
    case "HTTP_THROTTLED":
      return "another client uses up the rate limit of /api/v1/logs; raise its share or pull less often";
    case "SECRET_MISSING":
      return "set the environment variable or file that `apiToken` refers to";
    default:
      return "check that `url` is the organization's Okta domain, e.g. https://acme.okta.com";
  }
}
