import { z } from "zod";
import { duration, secret } from "../archetypes/settings.ts";
import { LEVELS } from "../core/alert.ts";
import { HEALTH_RULES } from "../core/completeness/health-rules.ts";
import { networkKeys } from "./network.ts";
import { vaultSchema } from "./vault.ts";

/** Instance names: `<connector>/<name>`. They become parts of paths, queue names and metrics. */
export const INSTANCE = /^([a-z][a-z0-9-]*)\/([a-z0-9][a-z0-9._-]{0,40})$/;

/** Keys that every source has beside its connector's own. */
export const sourceCommon = z.object({
  every: z
    .string()
    .optional()
    .describe("Schedule of its pulls: a cron expression of 5 or 6 fields (seconds first). Default: every 10 seconds"),
  lateness: duration.optional().describe("How far behind its newest event an event may still arrive. Default: the connector's own"),
  stall: duration.optional().describe("Without success for this long, alerts stop waiting for it and say so. Default 15m"),
  token: secret.optional().describe("Push sources: bearer token that senders must present. Default: the receiver's"),
  ...networkKeys,
});

/** Keys that every destination has beside its connector's own. */
export const destinationCommon = z.object({
  when: z
    .strictObject({
      minLevel: z.enum(LEVELS).optional().describe("Only alerts and incidents of at least this level"),
      kinds: z
        .array(z.enum(["alert", "incident", "event"]))
        .optional()
        .describe("event: those that support what goes there. Default: alerts and incidents that the connector accepts"),
      rules: z.array(z.string()).optional().describe("Only these rules (id or tag); for an incident: at least one of its alerts"),
      final: z.boolean().optional().describe("true: only what cannot change any more; false: only what still can"),
      agents: z.array(z.string().min(1)).optional().describe("Only about these agents, by id; * stands for any text"),
      teams: z.array(z.string().min(1)).optional().describe("Only about agents of these teams of the registry"),
      tenants: z.array(z.string().min(1)).optional().describe("Only about agents of these tenants of the registry"),
    })
    .optional()
    .describe("What goes there. Default: everything that the connector accepts"),
  concurrency: z
    .number()
    .int()
    .min(1)
    .max(32)
    .optional()
    .describe("Requests under way at once at most; how many the destination bears is found out. Default 4"),
  disableAfter: duration
    .refine((ms) => ms >= 60_000, "at least one minute")
    .optional()
    .describe("After failing for this long it is not tried any more until `custodes destinations enable`; its deliveries wait. Default 7d"),
  maxAttempts: z
    .number()
    .int()
    .min(1)
    .max(1000)
    .optional()
    .describe("Attempts before a dead letter. An outage of the whole destination spends one. Default 24"),
  ...networkKeys,
});

const placeholder = z.union([z.string(), z.number()]);

/** Values of `%name%` under the modifier `expand`. */
export const placeholdersSchema = z.record(
  z.string().regex(/^[^%\s]+$/, "a placeholder's name has neither % nor spaces"),
  z.union([placeholder, z.array(placeholder).min(1)]),
);

/** How long something is kept: null for ever. Less than a day would end before what is open is over. */
const kept = z.union([z.literal("forever").transform(() => null), duration.refine((ms) => ms >= 86_400_000, "keep it for at least 1d")]);

/** The configuration file without the parts that connectors define. */
export const configSchema = z.strictObject({
  data: z.string().default("./data").describe("Directory of the embedded store, relative to this file"),
  store: z
    .union([z.literal("embedded"), z.string().regex(/^postgres(ql)?:\/\//), secret])
    .default("embedded")
    .describe("embedded (PGlite in `data`), or postgres://user:password@host/database (or a secret reference to it)"),
  queue: z
    .union([z.literal("store"), z.string().regex(/^rediss?:\/\//), secret])
    .default("store")
    .describe("store (BullMQ on the same PostgreSQL), or redis://host:6379 (or a secret reference to it)"),
  agents: z
    .union([z.string().min(1), z.array(z.string().min(1)).min(1)])
    .optional()
    .describe("The agent registry, relative to this file: a file, a directory, a pattern, or a list of them"),
  rules: z
    .array(z.string())
    .default(["builtin"])
    .describe("Rule files and directories, relative to this file; `builtin` is the shipped pack"),
  placeholders: placeholdersSchema
    .default({})
    .describe("Values of %name% in rules under the modifier expand: name to value or list of values"),
  log: z.strictObject({ level: z.enum(["debug", "info", "warn", "error"]).default("info") }).prefault({}),
  receiver: z
    .strictObject({
      listen: z
        .string()
        .regex(/^.+:\d{1,5}$/, "write host:port, e.g. 127.0.0.1:8480")
        .refine((text) => !(Number(text.slice(text.lastIndexOf(":") + 1)) > 65_535), "the port must be below 65536")
        .default("127.0.0.1:8480"),
      token: secret.optional().describe("Bearer token for pushes; required unless `listen` is a loopback address"),
      bodyBytesMax: z.number().int().min(1024).max(67_108_864).default(8_388_608).describe("Largest pushed body after decompression"),
    })
    .prefault({})
    .describe("HTTP server for pushes, /healthz, /readyz and /metrics"),
  correlation: z
    .strictObject({
      every: z.string().default("*/5 * * * * *").describe("Cron schedule of the continuous job; appended events also trigger it"),
      lateness: duration.prefault("1m").describe("Default for sources whose connector names none"),
      openAt: z.enum(LEVELS).default("medium").describe("An alert of at least this level opens an incident"),
      quiet: duration.prefault("1h").describe("An incident without new alerts for this long is closed"),
      reopen: duration
        .prefault("24h")
        .describe("What would open an incident this long after another one about the same agent was closed reopens that one"),
      riskOpen: z
        .number()
        .int()
        .min(0)
        .max(1_000_000)
        .default(100)
        .describe("The added risk of alerts below openAt that opens an incident; 0: it never does"),
      riskDecay: duration
        .refine((ms) => ms >= 60_000, "at least one minute")
        .prefault("24h")
        .describe("An alert's risk falls in a straight line to nothing after this long, in event time"),
      minConfidence: z
        .number()
        .int()
        .min(0)
        .max(100)
        .default(50)
        .describe("An alert less sure of its agent than this opens no incident and adds no risk; it joins an open one"),
      recordUrls: z
        .record(
          z.string().regex(INSTANCE, "write the name of a source"),
          z.string().regex(/^https?:\/\/[^\s]+$/, "must be an http or https address"),
        )
        .default({})
        .describe("Pages of records by source, for links in incidents; {id} stands for the vendor's id of the record"),
    })
    .prefault({}),
  retention: z
    .strictObject({
      log: kept.prefault("90d").describe("Events with what is known about them, by whole days of receipt"),
      alerts: kept.prefault("90d").describe("Alerts that nothing refers to any more"),
      incidents: kept.prefault("400d").describe("Incidents that are closed"),
      deliveries: kept.prefault("90d").describe("Deliveries that are settled, dead letters included"),
      quarantine: kept.prefault("90d").describe("Records that could not be normalized"),
      audit: kept.prefault("400d").describe("The audit log"),
    })
    .prefault({})
    .describe("For how long what is kept: a duration of at least 1d, or forever"),
  health: z
    .strictObject({
      alerts: z
        .union([z.boolean(), z.array(z.enum(HEALTH_RULES))])
        .default(true)
        .describe("Alerts about the service itself and about silence: all, none, or these"),
      gapAfter: duration.prefault("15m").describe("A gap that reading again has not healed for this long raises an alert"),
      heldAfter: duration.prefault("15m").describe("A destination that fails for this long raises an alert at the others"),
    })
    .prefault({}),
  vault: vaultSchema.optional(),
  sources: z.record(z.string(), z.unknown()).default({}),
  destinations: z.record(z.string(), z.unknown()).default({}),
});
