import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { connectors } from "../../connectors/index.ts";
import { parseConfig } from "../config/load.ts";
import type { Config } from "../config/config.ts";
import { formatProblem } from "../config/yaml.ts";
import type { Clock } from "../ports/context.ts";
import { BUILTIN_RULES } from "../rules.ts";
import { PACKAGE_ROOT } from "../package.ts";
import { startElasticSimulator, type ElasticSimulator } from "../simulators/elastic.ts";
import { oktaSimulator, type OktaLogEvent, type OktaSimulator } from "../simulators/okta.ts";
import { startPagerdutySimulator, type PagerdutySimulator } from "../simulators/pagerduty.ts";
import { startSentinelSimulator, type SentinelSimulator } from "../simulators/sentinel.ts";
import { SIEM_SECRETS, siemDestinations } from "../simulators/siems.ts";
import { startSplunkSimulator, type SplunkSimulator } from "../simulators/splunk.ts";

/** Directory of the sample logs. */
const SAMPLES = resolve(PACKAGE_ROOT, "src/demo/samples");
/** The samples end here; the demo's clock starts a little later, so that ages and windows are those of that day. */
const SAMPLES_END = Date.UTC(2026, 8, 16);
const AFTER_MS = 180_000;
const OKTA_TOKEN = "demo-okta-token";
const RECEIVER_TOKEN = "demo-receiver-token";

/** The simulated vendors around one demo. */
export interface DemoWorld {
  readonly elastic: ElasticSimulator;
  readonly splunk: SplunkSimulator;
  readonly sentinel: SentinelSimulator;
  readonly pagerduty: PagerdutySimulator;
  readonly okta: OktaSimulator;
  close(): Promise<void>;
}

/** A clock that runs as the wall clock does, but on the evening of the samples' day. */
export function demoClock(): Clock {
  const offset = SAMPLES_END + AFTER_MS - Date.now();
  return { now: () => Date.now() + offset };
}

/** Starts the simulated SIEMs and the simulated identity provider on loopback. */
export async function startWorld(): Promise<DemoWorld> {
  const lines = readFileSync(resolve(SAMPLES, "okta.ndjson"), "utf8").split("\n").filter(Boolean);
  const events = lines.map((line) => JSON.parse(line) as OktaLogEvent);
  const [elastic, splunk, sentinel, pagerduty, okta] = await Promise.all([
    startElasticSimulator(),
    startSplunkSimulator(),
    startSentinelSimulator(),
    startPagerdutySimulator(),
    oktaSimulator({ authorization: `SSWS ${OKTA_TOKEN}`, events }),
  ]);
  const parts = [elastic, splunk, sentinel, pagerduty, okta];
  return {
    elastic,
    splunk,
    sentinel,
    pagerduty,
    okta,
    close: async () => {
      await Promise.all(parts.map((part) => part.close()));
    },
  };
}

/** The demo's configuration: what a user would write, with the simulators' addresses. */
export function demoConfig(world: DemoWorld, directory: string): Config {
  const file = resolve(directory, "custodes.yaml");
  const environment = {
    OKTA_TOKEN,
    RECEIVER_TOKEN,
    ...SIEM_SECRETS,
  };
  const loaded = parseConfig(file, configText(world), { connectors, environment, builtinRules: BUILTIN_RULES });
  if (loaded.config === undefined) throw new Error(`the demo's configuration is wrong:\n${loaded.problems.map(formatProblem).join("\n")}`);
  return loaded.config;
}

/** Secrets by reference, everything else in the open. */
function configText(world: DemoWorld): string {
  const sample = (name: string) => JSON.stringify(resolve(SAMPLES, name));
  return `
data: ./data
agents: ${sample("agents.yaml")}
log: { level: warn }
receiver: { listen: "127.0.0.1:0", token: "\${env:RECEIVER_TOKEN}" }
correlation: { every: "* * * * * *" }
sources:
  kong/gateway: { path: ${sample("kong.ndjson.gz")}, every: "* * * * * *" }
  okta/corp: { url: "${world.okta.url}", apiToken: "\${env:OKTA_TOKEN}", backfill: 2d, every: "* * * * * *" }
  istio/egress: { path: ${sample("istio.ndjson")}, every: "* * * * * *" }
  kubernetes/prod: { path: ${sample("kubernetes.ndjson")}, every: "* * * * * *" }
  agent-findings/fleet: { path: ${sample("agent-findings.ndjson")}, every: "* * * * * *" }
${siemDestinations(world, "2d")}`;
}
