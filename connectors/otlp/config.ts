import { z } from "zod";
import { clusterSetting } from "../../src/archetypes/cluster.ts";
import { ABSOLUTE_PATH, isAbsolutePath } from "../../src/archetypes/file-check.ts";

/** Fields of the event that no convention has an attribute for, or another than an organization's own. */
const FIELDS = [
  "agentNative",
  "approvalUid",
  "clientUid",
  "consentUid",
  "onBehalfOf",
  "purpose",
  "runUid",
  "sessionUid",
  "tenant",
  "userName",
  "userUid",
] as const;

/** A field that may be read from a chosen attribute. */
export type FieldName = (typeof FIELDS)[number];

/** Configuration of one OTLP source. */
export const config = z.strictObject({
  path: z
    .string()
    .refine(isAbsolutePath, ABSOLUTE_PATH)
    .optional()
    .describe("File, directory or pattern of OTLP/JSON requests, one per line (the collector's file exporter). Without it, exporters push"),
  operations: z
    .enum(["both", "logs", "traces"])
    .default("both")
    .describe(
      "Which signal counts calls. Set it when your instrumentation reports each call as a span and as a log event; findings come from both",
    ),
  trustResource: z
    .boolean()
    .default(false)
    .describe(
      "A collector's k8sattributes processor, not the agent, writes k8s.*: then other sources' events of a pod find its service account",
    ),
  cluster: clusterSetting,
  fields: z
    .partialRecord(z.enum(FIELDS), z.string().min(1).max(256))
    .default({})
    .describe("Attributes of the record or its resource that hold event fields, e.g. `purpose: app.purpose`"),
});

/** Validated configuration of one OTLP source. */
export type Config = z.infer<typeof config>;
