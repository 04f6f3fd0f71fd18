import { z } from "zod";
import { clusterName } from "../../src/archetypes/cluster.ts";
import { ABSOLUTE_PATH, checkFiles, isAbsolutePath } from "../../src/archetypes/file-check.ts";
import { tailSource } from "../../src/archetypes/tail.ts";
import { jsonLines } from "../../src/core/framing.ts";
import { defineConnector } from "../../src/ports/connector.ts";
import { vaultNormalize } from "./normalize.ts";

/** Vault answers only after an entry is written, so a line is there at once; a shipper that copies it takes some seconds. */
const LATENESS_MS = 30_000;

const config = z.strictObject({
  path: z.string().refine(isAbsolutePath, ABSOLUTE_PATH).describe("Log file, directory or glob of a file audit device (format json)"),
  cluster: z.string().min(1).max(200).optional().describe("Name of the cluster; events carry it as their tenant"),
  clusters: z
    .record(z.string().regex(/^[^/\s].*[^/\s]$/, "the path of the auth mount without slashes around it, e.g. kubernetes-prod"), clusterName)
    .optional()
    .describe(
      "Which Kubernetes cluster each mount of the Kubernetes auth method belongs to: path of the mount (without auth/) to its name",
    ),
});

/** Audit log of HashiCorp Vault (and OpenBao, which writes the same). */
export default defineConnector<z.output<typeof config>>({
  id: "hashicorp-vault",
  title: "HashiCorp Vault audit log",
  config,
  check: (options, context) => checkFiles(options.path, context),
  source: (options) => tailSource({ path: options.path, format: jsonLines }),
  format: () => jsonLines,
  normalize: (options) => vaultNormalize(options?.cluster, options?.clusters),
  categories: ["authentication", "credential", "infra_change"],
  lateness: LATENESS_MS,
  gaps: [
    "accessors are hashed by the audit device's own salt: two devices name one token differently",
    "leases have no duration in the audit log, and requests name them hashed: neither their end nor their revocation is seen",
    "keys of dynamic secrets are hashed unless the mount lists them in audit_non_hmac_response_keys",
    "a service account needs the Kubernetes auth method; others give the entity only",
  ],
});
