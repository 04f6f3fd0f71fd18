import { inClusterOf } from "../../src/archetypes/cluster.ts";
import { checkFiles } from "../../src/archetypes/file-check.ts";
import { idleSource } from "../../src/archetypes/idle.ts";
import { tailSource } from "../../src/archetypes/tail.ts";
import { defineConnector } from "../../src/ports/connector.ts";
import { config, type Config } from "./config.ts";
import { otlpNormalize } from "./normalize.ts";
import { otlpReceiver } from "./receive.ts";
import { otlpFormat } from "./requests.ts";

// Exporters send every 5 s, and a span only when it ended: five minutes cover the calls of models and tools.
const LATENESS_MS = 300_000;

/** OpenTelemetry logs and traces of agents, pushed over OTLP/HTTP or from files of OTLP/JSON. */
export default defineConnector<Config>({
  id: "otlp",
  title: "OpenTelemetry (OTLP/HTTP)",
  config,
  check: async (options, context) =>
    options.path === undefined
      ? [{ name: "receiver", ok: true, message: "exporters push to this source; there is nothing to reach" }]
      : await checkFiles(options.path, context),
  source: (options) => (options.path === undefined ? idleSource : tailSource({ path: options.path, format: otlpFormat })),
  receiver: () => otlpReceiver,
  format: () => otlpFormat,
  normalize: (options) => inClusterOf(options?.cluster, otlpNormalize(options)),
  categories: ["agent_api", "agent_finding"],
  lateness: LATENESS_MS,
  gaps: [
    "spans longer than the lateness (whole agent runs) arrive late; they are counted as amendments",
    "purpose, consent and approval exist only where `fields` names attributes for them (approval also for coding agents)",
    "without gen_ai.agent.id (or name), attribution needs the pod or service account in the resource",
    "the agent's own address is not known: client.address is that of who asked it",
  ],
});
