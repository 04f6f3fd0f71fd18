import { z } from "zod";
import { clusterName, inClusterOf } from "../../src/archetypes/cluster.ts";
import { ABSOLUTE_PATH, checkFiles, isAbsolutePath } from "../../src/archetypes/file-check.ts";
import { idleSource } from "../../src/archetypes/idle.ts";
import { tailSource } from "../../src/archetypes/tail.ts";
import { defineConnector } from "../../src/ports/connector.ts";
import { auditFormat, auditReceiver } from "./body.ts";
import { kubernetesNormalize } from "./normalize.ts";

/** The log backend writes in batches of at most 30 s by default, and API servers' clocks differ by seconds. */
const LATENESS_MS = 60_000;

const config = z.strictObject({
  path: z
    .string()
    .refine(isAbsolutePath, ABSOLUTE_PATH)
    .optional()
    .describe("Audit log file, directory or glob of the log backend. Without it, the webhook backend pushes to the receiver"),
  cluster: clusterName
    .optional()
    .describe("Name of the cluster; events carry it as their tenant, and its pods and accounts are told apart from those of others"),
});

/** Kubernetes audit log, read from files or pushed by the webhook backend. */
export default defineConnector<z.output<typeof config>>({
  id: "kubernetes",
  title: "Kubernetes audit log",
  config,
  check: async (options, context) => (options.path === undefined ? [] : await checkFiles(options.path, context)),
  source: (options) => (options.path === undefined ? idleSource : tailSource({ path: options.path, format: auditFormat })),
  receiver: () => auditReceiver,
  format: () => auditFormat,
  normalize: (options) => inClusterOf(options?.cluster, kubernetesNormalize(options?.cluster)),
  categories: ["infra_change"],
  lateness: LATENESS_MS,
  gaps: [
    "privileged pods and granted roles are seen only with audit level Request or RequestResponse for pods, workloads and RBAC",
    "podName and podUid need bound service account tokens; EKS access entries give the AWS role instead",
    "addresses of pods need level RequestResponse for pods and pods/status (level Request where the kubelet's patch names the node)",
    "ids of issued tokens need Kubernetes 1.30, or level RequestResponse for serviceaccounts/token, which logs the token itself",
    "the first of sourceIPs is what a client behind a proxy claims",
  ],
});
