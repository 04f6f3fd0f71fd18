import { z } from "zod";
import { clusterName } from "../../src/archetypes/cluster.ts";
import { ABSOLUTE_PATH, checkFiles, isAbsolutePath } from "../../src/archetypes/file-check.ts";
import { tailSource } from "../../src/archetypes/tail.ts";
import { defineConnector } from "../../src/ports/connector.ts";
import { cloudtrailFormat } from "./document.ts";
import { cloudtrailNormalize } from "./normalize.ts";

/**
 * AWS delivers on average within about 5 minutes of the call and gives no guarantee; three times that is seldom exceeded.
 * https://docs.aws.amazon.com/awscloudtrail/latest/userguide/how-cloudtrail-works.html
 */
const LATENESS_MS = 900_000;

const config = z.strictObject({
  path: z
    .string()
    .refine(isAbsolutePath, ABSOLUTE_PATH)
    .describe("Directory or glob of CloudTrail objects as delivered to S3 (`*.json.gz`), e.g. /data/AWSLogs/**/CloudTrail/**/*.json.gz"),
  clusters: z
    .record(z.string().min(1).max(300), clusterName)
    .optional()
    .describe(
      "Names of Kubernetes clusters, by their OIDC issuer without https:// or by the name that EKS has for them. An issuer that is not listed is a cluster of its own",
    ),
});

/** AWS CloudTrail: control plane, token and model calls. */
export default defineConnector<z.output<typeof config>>({
  id: "aws-cloudtrail",
  title: "AWS CloudTrail",
  config,
  check: (options, context) => checkFiles(options.path, context),
  source: (options) => tailSource({ path: options.path, format: cloudtrailFormat }),
  format: () => cloudtrailFormat,
  normalize: (options) => cloudtrailNormalize(options?.clusters),
  categories: ["infra_change", "authentication", "agent_api", "agent_finding"],
  lateness: LATENESS_MS,
  gaps: [
    "calls that AWS services make in somebody's name carry the service's name instead of an address",
    "data events (S3 objects, Bedrock InvokeModel through some interfaces) are logged only when the trail selects them",
    "the path of an IAM user is missing from quarantine findings: users with a path are matched by session or key only",
  ],
});
