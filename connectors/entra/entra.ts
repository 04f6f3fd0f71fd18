import { z } from "zod";
import { ABSOLUTE_PATH, checkFiles, isAbsolutePath } from "../../src/archetypes/file-check.ts";
import { idleSource } from "../../src/archetypes/idle.ts";
import { tailSource } from "../../src/archetypes/tail.ts";
import { defineConnector } from "../../src/ports/connector.ts";
import { signInFormat, signInReceiver } from "./body.ts";
import { entraNormalize } from "./normalize.ts";

/**
 * Sign-ins are there within 2 minutes on average, 5 at the 95th percentile, and later in bad hours.
 * https://learn.microsoft.com/en-us/entra/identity/monitoring-health/reference-log-latency
 */
const LATENESS_MS = 900_000;

const config = z.strictObject({
  path: z
    .string()
    .refine(isAbsolutePath, ABSOLUTE_PATH)
    .optional()
    .describe(
      "File, directory or glob of exported logs, e.g. /data/insights-logs-*/**/PT1H.json. Without it, a relay pushes to the receiver",
    ),
});

/** Sign-in logs of Microsoft Entra ID, as a diagnostic setting exports them. */
export default defineConnector<z.output<typeof config>>({
  id: "entra",
  title: "Microsoft Entra sign-in logs",
  config,
  check: async (options, context) => (options.path === undefined ? [] : await checkFiles(options.path, context)),
  source: (options) => (options.path === undefined ? idleSource : tailSource({ path: options.path, format: signInFormat })),
  receiver: () => signInReceiver,
  format: () => signInFormat,
  normalize: () => entraNormalize,
  categories: ["authentication"],
  lateness: LATENESS_MS,
  gaps: [
    "sign-ins of managed identities have no address",
    "when a token expires is not in the log",
    "audit logs of the directory (new secrets, consents) are not read",
  ],
});
