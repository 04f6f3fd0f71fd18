import { z } from "zod";
import { secret } from "../../src/archetypes/settings.ts";

/** A new role assignment takes up to 30 minutes to work ("Tutorial: Send data with Logs ingestion API"). */
const FRESH_ROLE_GRACE_MS = 1_800_000;

/** Hosts that tokens and rows may go to; plain HTTP only to this machine, where simulators listen. */
function origin(hosts: RegExp, example: string): z.ZodType<string> {
  return z.string().transform((text, context) => {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    const local = url?.protocol === "http:" && ["127.0.0.1", "localhost", "[::1]"].includes(url.hostname);
    const bare =
      url !== undefined && url.username === "" && url.password === "" && url.search === "" && url.hash === "" && url.pathname === "/";
    if (url === undefined || !bare || !(local || (url.protocol === "https:" && hosts.test(url.hostname)))) {
      context.addIssue({ code: "custom", message: `must be an address such as ${example}, without a path` });
      return z.NEVER;
    }
    return url.origin;
  });
}

/** Configuration of one Sentinel destination. */
export const config = z.strictObject({
  tenantId: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9.-]{0,252}$/)
    .describe("Directory (tenant) id or domain of the app registration"),
  clientId: z.guid().describe("Application (client) id of the app registration"),
  clientSecret: secret.describe("Client secret of the app registration, as a secret reference"),
  endpoint: origin(/\.ingest\.monitor\.azure\.(com|us|cn)$/, "https://acme-ab12.westeurope-1.ingest.monitor.azure.com").describe(
    "Logs ingestion address of the data collection rule (kind Direct) or of its data collection endpoint",
  ),
  dcrImmutableId: z
    .string()
    .regex(/^dcr-[0-9a-f]{32}$/, "must be the rule's immutable id: dcr- and 32 hexadecimal digits (not its resource name)")
    .describe("Immutable id of the data collection rule, `dcr-...`"),
  stream: z
    .string()
    .regex(/^Custom-[A-Za-z0-9_]{1,100}$/, "must begin with Custom- and be declared in the rule's streamDeclarations")
    .default("Custom-ASimAlertEventLogs")
    .describe("Stream declared in the rule; its data flow's output is Microsoft-ASimAlertEventLogs"),
  cloud: z.enum(["public", "usgov", "china"]).default("public").describe("Azure cloud: decides token scope and authority"),
  authority: origin(
    /^login\.(microsoftonline\.(com|us)|chinacloudapi\.cn|partner\.microsoftonline\.cn)$/,
    "https://login.microsoftonline.com",
  )
    .optional()
    .describe("Token authority. Default: the one of `cloud`"),
  freshRoleGraceMs: z
    .number()
    .int()
    .min(0)
    .max(86_400_000)
    .default(FRESH_ROLE_GRACE_MS)
    .describe("While no delivery has waited longer than this, a 403 is taken for a role assignment that does not work yet. 0: never"),
  reportUrl: z
    .string()
    .regex(/^https?:\/\/[^\s]+$/, "must be an http or https address")
    .optional()
    .describe("Page of an alert or incident for EventReportUrl; {id} stands for its id"),
});

/** The validated configuration. */
export type Config = z.output<typeof config>;

/** Scope and authority per cloud (learn.microsoft.com, "Azure Monitor endpoints"; all end in /.default). */
export const CLOUDS = {
  public: { scope: "https://monitor.azure.com/.default", authority: "https://login.microsoftonline.com" },
  usgov: { scope: "https://monitor.azure.us/.default", authority: "https://login.microsoftonline.us" },
  china: { scope: "https://monitor.azure.cn/.default", authority: "https://login.chinacloudapi.cn" },
} as const;
