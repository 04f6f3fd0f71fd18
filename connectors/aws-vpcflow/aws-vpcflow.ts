import { z } from "zod";
import { clusterSetting, inClusterOf } from "../../src/archetypes/cluster.ts";
import { ABSOLUTE_PATH, checkFiles, isAbsolutePath } from "../../src/archetypes/file-check.ts";
import { tailSource } from "../../src/archetypes/tail.ts";
import { defineConnector } from "../../src/ports/connector.ts";
import { DEFAULT_COLUMNS, flowFormat, isUsable, layoutOf } from "./columns.ts";
import { vpcflowNormalize } from "./normalize.ts";

/**
 * AWS publishes to S3 about 10 minutes after the aggregation interval of 1 or 10 minutes has ended.
 * https://docs.aws.amazon.com/vpc/latest/userguide/flow-logs-basics.html
 */
const LATENESS_MS = 1_200_000;

const config = z.strictObject({
  path: z.string().refine(isAbsolutePath, ABSOLUTE_PATH).describe("Flow log file, directory or glob (.log or .log.gz as delivered to S3)"),
  columns: z
    .string()
    .refine((text) => isUsable(layoutOf(text)), "must name at least start and srcaddr or pkt-srcaddr, separated by spaces")
    .default(DEFAULT_COLUMNS)
    .describe("Columns of files without a header line, as in the flow log's own format. Default: AWS's default format"),
  keep: z
    .enum(["outbound", "all"])
    .default("outbound")
    .describe("outbound: flows that leave the network; all: every flow, which feeds egress rules with internal traffic"),
  cluster: clusterSetting,
});

/** AWS VPC flow logs, default and custom formats. */
export default defineConnector<z.output<typeof config>>({
  id: "aws-vpcflow",
  title: "AWS VPC flow logs",
  config,
  check: (options, context) => checkFiles(options.path, context),
  source: (options) => tailSource({ path: options.path, format: flowFormat(options.columns) }),
  format: (options) => flowFormat(options?.columns),
  normalize: (options) => inClusterOf(options?.cluster, vpcflowNormalize(options?.keep)),
  categories: ["egress"],
  lateness: LATENESS_MS,
  gaps: [
    "no host names: they come from DNS answers of another source",
    "the default format shows the NAT gateway instead of the workload; pkt-srcaddr needs a custom format of version 3 or newer",
    "SKIPDATA records say that AWS lost flows of an interval",
  ],
});
