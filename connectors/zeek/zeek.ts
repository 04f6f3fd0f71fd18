import { z } from "zod";
import { clusterSetting, inClusterOf } from "../../src/archetypes/cluster.ts";
import { ABSOLUTE_PATH, checkFiles, isAbsolutePath } from "../../src/archetypes/file-check.ts";
import { tailSource } from "../../src/archetypes/tail.ts";
import { jsonLines } from "../../src/core/framing.ts";
import { defineConnector } from "../../src/ports/connector.ts";
import { zeekNormalize } from "./normalize.ts";

/** A line is written when the connection ends or times out (60 s idle for UDP, 5 min for TCP); ts is its beginning. */
const LATENESS_MS = 300_000;

const config = z.strictObject({
  path: z
    .string()
    .refine(isAbsolutePath, ABSOLUTE_PATH)
    .describe("Log file, directory or glob of Zeek's JSON logs, e.g. /opt/zeek/logs (everything below it)"),
  keep: z
    .enum(["outbound", "all"])
    .default("outbound")
    .describe("outbound: connections that leave the network; all: every connection, which feeds egress rules with internal traffic"),
  cluster: clusterSetting,
});

/** Zeek network monitor: conn, dns, ssl and http logs in JSON. */
export default defineConnector<z.output<typeof config>>({
  id: "zeek",
  title: "Zeek (conn, dns, ssl, http as JSON)",
  config,
  check: (options, context) => checkFiles(options.path, context),
  source: (options) => tailSource({ path: options.path, format: jsonLines }),
  format: () => jsonLines,
  normalize: (options) => inClusterOf(options?.cluster, zeekNormalize(options?.keep)),
  categories: ["egress", "dns"],
  lateness: LATENESS_MS,
  gaps: [
    "conn lines have no host name: it comes from dns or ssl lines of the same sensor",
    "encrypted DNS and encrypted client hello leave the host unknown",
  ],
});
