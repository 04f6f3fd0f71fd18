import { z } from "zod";
import { clusterSetting, inClusterOf } from "../../src/archetypes/cluster.ts";
import { ABSOLUTE_PATH, checkFiles, isAbsolutePath } from "../../src/archetypes/file-check.ts";
import { tailSource } from "../../src/archetypes/tail.ts";
import { defineConnector } from "../../src/ports/connector.ts";
import { accessLogFormat } from "./format.ts";
import { istioNormalize } from "./normalize.ts";

/** Envoy writes a line when the connection ends, and flushes every 10 s by default; start_time lies before that. */
const LATENESS_MS = 120_000;

const config = z.strictObject({
  path: z.string().refine(isAbsolutePath, ABSOLUTE_PATH).describe("Access log file, directory or glob of the egress gateway's JSON log"),
  cluster: clusterSetting,
  trustDomains: z
    .array(z.string().min(1).max(255))
    .min(1)
    .max(100)
    .optional()
    .describe("Trust domains of this mesh: an id of another one is no service account here. Default: any"),
});

/** Istio / Envoy access log of an egress gateway. */
export default defineConnector<z.output<typeof config>>({
  id: "istio",
  title: "Istio / Envoy access log (egress gateway, JSON)",
  config,
  check: (options, context) => checkFiles(options.path, context),
  source: (options) => tailSource({ path: options.path, format: accessLogFormat }),
  format: () => accessLogFormat,
  normalize: (options) => inClusterOf(options?.cluster, istioNormalize(options?.trustDomains)),
  categories: ["egress"],
  lateness: LATENESS_MS,
  gaps: [
    "passed-through TLS has no method, path, user agent or response code",
    "spiffeId needs %DOWNSTREAM_PEER_URI_SAN% in the log format as downstream_peer_uri_san",
  ],
});
