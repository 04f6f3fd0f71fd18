/** A simulated workspace and a destination that makes incidents in it through the API. */
import { afterEach, beforeEach } from "vitest";
import sentinel from "../../connectors/sentinel/sentinel.ts";
import type { Incident } from "../../src/core/incident.ts";
import type { Destination, Outcome, Rendered } from "../../src/ports/connector.ts";
import { SENTINEL_WORKSPACE, type KeptIncident } from "../../src/simulators/sentinel-incidents.ts";
import {
  SENTINEL_DEMO,
  startSentinelSimulator,
  type SentinelSimulator,
  type SentinelSimulatorOptions,
} from "../../src/simulators/sentinel.ts";
import { testContext, testSecret } from "../fixtures/context.ts";
import { delivery, incidentSubject, STORY_TIME } from "../fixtures/subjects.ts";

export const NAME = "sentinel/soc";
/** The client secret, which must show nowhere. */
export const CANARY = "canary-client-secret-77aa12";
export const NOW = STORY_TIME + 600_000;
export const ID = incidentSubject().incident.id;
/** What makes an incident one that ended by itself. */
export const quiet: Partial<Incident> = { status: 4, closure: { how: "quiet", time: STORY_TIME }, final: true };

/** One simulator per test. */
export function incidentWorld() {
  let simulator: SentinelSimulator | undefined;
  const running = (): SentinelSimulator => {
    if (simulator === undefined) throw new Error("no test is running");
    return simulator;
  };
  const start = async (options: SentinelSimulatorOptions = {}): Promise<void> => {
    await simulator?.close();
    simulator = await startSentinelSimulator({ clientSecret: CANARY, now: () => NOW, ...options });
  };
  beforeEach(() => start());
  afterEach(() => running().close());
  const configured = (settings: Readonly<Record<string, unknown>> = {}) => {
    const { tenantId, clientId, dcrImmutableId } = SENTINEL_DEMO;
    const { url: endpoint, authority, management: managementEndpoint } = running();
    const given = { tenantId, clientId, dcrImmutableId, endpoint, authority, managementEndpoint, clientSecret: testSecret(CANARY) };
    return sentinel.config.parse({ ...given, incidents: "api", workspace: SENTINEL_WORKSPACE, ...settings });
  };
  const destination = (settings: Readonly<Record<string, unknown>> = {}): Destination => sentinel.destination!(configured(settings));
  return {
    start,
    running,
    configured,
    destination,
    revision: (changes: Partial<Incident>, settings: Readonly<Record<string, unknown>> = {}): Rendered =>
      destination(settings).render(delivery(incidentSubject(changes), NAME)),
    send: (...items: readonly Rendered[]): Promise<readonly Outcome[]> => destination().send(items, testContext().context),
    kept: (id = ID): KeptIncident =>
      running()
        .workspace.incidents()
        .find((one) => one.id === id)!,
  };
}
