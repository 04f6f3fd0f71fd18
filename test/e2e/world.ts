/** A fleet's day on disk and in a simulated Okta, four simulated SIEMs, and the configuration that ties them together. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { registryYaml } from "../../src/demo/fleet.ts";
import { makeSamples } from "../../src/demo/make-samples.ts";
import { startElasticSimulator, type ElasticSimulator } from "../../src/simulators/elastic.ts";
import { oktaSimulator, type OktaLogEvent, type OktaSimulator } from "../../src/simulators/okta.ts";
import { startPagerdutySimulator, type PagerdutySimulator } from "../../src/simulators/pagerduty.ts";
import { startSentinelSimulator, type SentinelSimulator } from "../../src/simulators/sentinel.ts";
import { SIEM_SECRETS, siemDestinations } from "../../src/simulators/siems.ts";
import { startSplunkSimulator, type SplunkSimulator } from "../../src/simulators/splunk.ts";
import { endServices, RECEIVER_TOKEN } from "./service.ts";

const HOUR_MS = 3_600_000;

/** Secrets as the configuration refers to them. */
export const SECRETS: Readonly<Record<string, string>> = {
  E2E_OKTA: "e2e-okta-token",
  E2E_RECEIVER: RECEIVER_TOKEN,
  ...SIEM_SECRETS,
};

/** The vendors' records of one day, ended more than an hour ago: old enough to be final, young enough for every destination. */
export interface Day {
  readonly kong: readonly string[];
  readonly okta: readonly string[];
  readonly istio: readonly string[];
  readonly kubernetes: readonly string[];
  readonly agentFindings: readonly string[];
  readonly agents: string;
}

/** Makes the day; the samples are those of the demo but for their times. */
export function makeDay(): Day {
  const start = Math.floor(Date.now() / HOUR_MS) * HOUR_MS - 25 * HOUR_MS;
  return { ...makeSamples(start), agents: registryYaml(start) };
}

/** What stands around one data directory. */
export interface World {
  readonly directory: string;
  /** The configuration file. */
  readonly config: string;
  /** Number of its sources. */
  readonly sources: number;
  readonly elastic: ElasticSimulator;
  readonly splunk: SplunkSimulator;
  readonly sentinel: SentinelSimulator;
  readonly pagerduty: PagerdutySimulator;
  readonly okta: OktaSimulator;
  /** Body of what an agent's monitor pushes, to `/push/agent-findings/pushed`. */
  readonly pushed: string;
  /** Ends the services of its configuration, too. */
  close(): Promise<void>;
}

/** Differences from the usual world. */
export interface WorldOptions {
  /** Top-level keys that replace those of the configuration, as YAML. */
  readonly more?: string;
  /** `listen` of the receiver. Default: any free port. */
  readonly listen?: string;
  /** Keys of the PagerDuty destination beside its usual ones. */
  readonly every?: string;
}

/**
 * Starts the simulators and writes samples and configuration to a temporary directory. Kong's log lies in three files of
 * three sources, so that more than one pull is under way; the monitors' findings come half from a file, half by push.
 */
export async function startWorld(day: Day, options: WorldOptions = {}): Promise<World> {
  const directory = mkdtempSync(join(tmpdir(), "custodes-e2e-"));
  const events = day.okta.map((line) => JSON.parse(line) as OktaLogEvent);
  const [elastic, splunk, sentinel, pagerduty, okta] = await Promise.all([
    startElasticSimulator(),
    startSplunkSimulator(),
    startSentinelSimulator(),
    startPagerdutySimulator(),
    // A test pulls every second, a real organization would not let it.
    oktaSimulator({ authorization: `SSWS ${SECRETS["E2E_OKTA"]}`, events, perMinute: 100_000 }),
  ]);
  const write = (name: string, lines: readonly string[]): void => writeFileSync(join(directory, name), `${lines.join("\n")}\n`);
  mkdirSync(directory, { recursive: true });
  // The last four lines are broken ones and a record that came before: both of its copies belong to one source.
  const [good, odd] = [day.kong.slice(0, -4), day.kong.slice(-4)];
  const third = Math.ceil(good.length / 3);
  write("kong-a.ndjson", [...good.slice(0, third), ...odd]);
  write("kong-b.ndjson", good.slice(third, 2 * third));
  write("kong-c.ndjson", good.slice(2 * third));
  write("istio.ndjson", day.istio);
  write("kubernetes.ndjson", day.kubernetes);
  write(
    "findings.ndjson",
    day.agentFindings.filter((_, index) => index % 2 === 0),
  );
  writeFileSync(join(directory, "agents.yaml"), day.agents);
  const pushed = day.agentFindings.filter((line, index) => index % 2 === 1 && !line.includes('"yesterday"'));
  const config = join(directory, "custodes.yaml");
  const every = options.every ?? "* * * * * *";
  writeFileSync(
    config,
    `data: ./data
agents: ./agents.yaml
receiver: { listen: "${options.listen ?? "127.0.0.1:0"}", token: "\${env:E2E_RECEIVER}" }
correlation: { every: "${every}" }
sources:
  kong/a: { path: ${join(directory, "kong-a.ndjson")}, every: "${every}" }
  kong/b: { path: ${join(directory, "kong-b.ndjson")}, every: "${every}" }
  kong/c: { path: ${join(directory, "kong-c.ndjson")}, every: "${every}" }
  okta/corp: { url: "${okta.url}", apiToken: "\${env:E2E_OKTA}", backfill: 3d, every: "${every}" }
  istio/egress: { path: ${join(directory, "istio.ndjson")}, every: "${every}" }
  kubernetes/prod: { path: ${join(directory, "kubernetes.ndjson")}, every: "${every}" }
  agent-findings/fleet: { path: ${join(directory, "findings.ndjson")}, every: "${every}" }
  agent-findings/pushed: {}
${siemDestinations({ elastic, splunk, sentinel, pagerduty }, "3d")}${options.more ?? ""}
`,
  );
  return {
    directory,
    config,
    sources: 8,
    elastic,
    splunk,
    sentinel,
    pagerduty,
    okta,
    pushed: `${pushed.join("\n")}\n`,
    close: async () => {
      await endServices(config);
      await Promise.all([elastic, splunk, sentinel, pagerduty, okta].map((one) => one.close()));
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** Pushes a body to a source as an agent's monitor would; the status of the reply, 0 when there was none. */
export async function push(url: string, source: string, body: string): Promise<number> {
  const headers = { authorization: `Bearer ${RECEIVER_TOKEN}`, "content-type": "application/x-ndjson" };
  try {
    return (await fetch(`${url}/push/${source}`, { method: "POST", headers, body })).status;
  } catch {
    // Nobody there, or killed in the middle: the sender does not know, and sends again.
    return 0;
  }
}
