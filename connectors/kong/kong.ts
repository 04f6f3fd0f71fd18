import { z } from "zod";
import { bodyRecords } from "../../src/archetypes/body.ts";
import { clusterSetting, inClusterOf } from "../../src/archetypes/cluster.ts";
import { ABSOLUTE_PATH, checkFiles, isAbsolutePath } from "../../src/archetypes/file-check.ts";
import { idleSource } from "../../src/archetypes/idle.ts";
import { tailSource } from "../../src/archetypes/tail.ts";
import { jsonLines } from "../../src/core/framing.ts";
import { defineConnector, type Receiver } from "../../src/ports/connector.ts";
import { CLAIM_PREFIX, kongNormalize } from "./normalize.ts";

/** A record is written when its request ends, and its time is when it started: long completions take minutes. */
const LATENESS_MS = 120_000;

const config = z.strictObject({
  path: z
    .string()
    .refine(isAbsolutePath, ABSOLUTE_PATH)
    .optional()
    .describe("File, directory or pattern of the file-log plugin. Without it, the http-log plugin pushes to the receiver"),
  claimPrefix: z
    .string()
    .regex(/^[a-z0-9-]{1,64}$/, "lower-case letters, digits and dashes, as Kong logs header names")
    .default(CLAIM_PREFIX)
    .describe("Prefix of the upstream headers that carry the token's claims (sub, act, scope, purpose, jti, exp)"),
  linkTokens: z
    .boolean()
    .default(false)
    .describe("Remember whose each token is, by its id (claim jti), for sources that name callers by it; about 150 bytes per event"),
  trustClaims: z
    .boolean()
    .default(false)
    .describe(
      "The gateway writes every claim header itself, from a token that it checked, and drops those that callers send: then a caller's own word for whom it acts is believed",
    ),
  cluster: clusterSetting,
});

// Kong's http-log drops a batch after its retries, so a bad record is quarantined and never answered with an error.
const receiver: Receiver = {
  paths: [""],
  receive: ({ body }) => ({ ...bodyRecords(body), reply: { status: 200, contentType: "application/json", body: "{}" } }),
};

/** Kong Gateway and Kong AI Gateway access log: file-log files, or http-log pushes. */
export default defineConnector<z.output<typeof config>>({
  id: "kong",
  title: "Kong Gateway access log",
  config,
  check: async (options, context) => (options.path === undefined ? [] : await checkFiles(options.path, context)),
  source: (options) => (options.path === undefined ? idleSource : tailSource({ path: options.path, format: jsonLines })),
  receiver: () => receiver,
  format: () => jsonLines,
  normalize: (options) => inClusterOf(options?.cluster, kongNormalize(options?.claimPrefix, options?.linkTokens, options?.trustClaims)),
  categories: ["agent_api"],
  lateness: LATENESS_MS,
  gaps: [
    "userUid, onBehalfOf, scopes and purpose need the token's claims as upstream headers (claimPrefix)",
    "delegation (which sub-agent acts for which agent) needs the claim act, of sub-agents with a consumer of their own also trustClaims",
    "dataClasses and region need tags data:<class> on routes and region:<name> on services",
    "tokens, cost and model need Kong's AI plugins with logging of statistics",
  ],
});
