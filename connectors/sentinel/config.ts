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

/** Names as Azure allows them in a resource id, each without a slash. */
const workspace = z.strictObject({
  subscriptionId: z.guid().describe("Subscription of the workspace"),
  resourceGroup: z
    .string()
    .regex(/^[\w().-]{1,90}$/)
    .describe("Resource group of the workspace"),
  name: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9-]{2,61}[A-Za-z0-9]$/)
    .describe("Name of the Log Analytics workspace that Sentinel is enabled on"),
});

/** Configuration of one Sentinel destination. */
export const config = z
  .strictObject({
    tenantId: z
      .string()
      .regex(/^[A-Za-z0-9][A-Za-z0-9.-]{0,252}$/)
      .optional()
      .describe("Directory (tenant) id or domain of the app registration. Needed without managedIdentity"),
    clientId: z
      .guid()
      .optional()
      .describe("Application (client) id of the app registration; with managedIdentity that of a user-assigned identity"),
    clientSecret: secret.optional().describe("Client secret of the app registration, as a secret reference"),
    certificate: secret
      .optional()
      .describe("Instead of clientSecret: certificate and private key of the app registration in one PEM text, as a secret reference"),
    federatedToken: secret
      .optional()
      .describe(
        "Instead of clientSecret: token of a workload identity, as a reference to its file, e.g. ${file:/var/run/secrets/azure/tokens/azure-identity-token}",
      ),
    managedIdentity: z.literal(true).optional().describe("Instead of clientSecret: use the managed identity of this machine"),
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
      .describe("Stream of alerts and incidents, declared in the rule; its data flow's output is Microsoft-ASimAlertEventLogs"),
    cloud: z
      .enum(["public", "usgov", "china"])
      .default("public")
      .describe("Azure cloud: decides token scope, authority and endpoint suffix"),
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
    workspace: workspace.optional().describe("The workspace: needed for incidents: api, and fills in what `setup` writes"),
    dcrName: z
      .string()
      .regex(/^[\w.-]{1,64}$/)
      .optional()
      .describe(
        "Resource name of the data collection rule, in the workspace's resource group: `doctor` then also compares its streams (needs Reader on the rule)",
      ),
    incidents: z
      .enum(["rule", "api"])
      .default("rule")
      .describe("Who makes Sentinel's incidents: the analytics rule of `setup`, or this destination through the incidents API"),
    incidentOwner: z
      .email()
      .optional()
      .describe("User principal name that a new incident is assigned to, with incidents: api. Later owners are kept"),
    managementEndpoint: origin(/^management\.(azure\.com|usgovcloudapi\.net|chinacloudapi\.cn)$/, "https://management.azure.com")
      .optional()
      .describe("Address of Azure Resource Manager. Default: the one of `cloud`"),
  })
  .superRefine((given, context) => {
    const fail = (key: string, message: string): void => context.addIssue({ code: "custom", path: [key], message });
    const ways = (["clientSecret", "certificate", "federatedToken", "managedIdentity"] as const).filter((way) => given[way] !== undefined);
    if (ways.length !== 1) fail("clientSecret", "give exactly one of clientSecret, certificate, federatedToken and managedIdentity");
    if (given.managedIdentity === undefined) {
      if (given.tenantId === undefined) fail("tenantId", "is needed without managedIdentity");
      if (given.clientId === undefined) fail("clientId", "is needed without managedIdentity");
    }
    const suffix = CLOUDS[given.cloud].suffix;
    const host = URL.canParse(given.endpoint) ? new URL(given.endpoint).hostname : "";
    if (host.includes(".ingest.monitor.azure.") && !host.endsWith(suffix))
      fail("endpoint", `must end in ${suffix} in cloud ${given.cloud}`);
    if (given.incidents === "api" && given.workspace === undefined) fail("workspace", "is needed for incidents: api");
    if (given.dcrName !== undefined && given.workspace === undefined) fail("workspace", "is needed for dcrName");
  });

/** The validated configuration. */
export type Config = z.output<typeof config>;

/**
 * What differs between clouds (learn.microsoft.com, "Azure Monitor endpoints", "Azure Government", "Azure in China"):
 * token scopes, authority, Resource Manager and the suffix of logs ingestion addresses.
 */
export const CLOUDS = {
  public: {
    scope: "https://monitor.azure.com/.default",
    authority: "https://login.microsoftonline.com",
    management: "https://management.azure.com",
    suffix: ".ingest.monitor.azure.com",
  },
  usgov: {
    scope: "https://monitor.azure.us/.default",
    authority: "https://login.microsoftonline.us",
    management: "https://management.usgovcloudapi.net",
    suffix: ".ingest.monitor.azure.us",
  },
  china: {
    scope: "https://monitor.azure.cn/.default",
    authority: "https://login.chinacloudapi.cn",
    management: "https://management.chinacloudapi.cn",
    suffix: ".ingest.monitor.azure.cn",
  },
} as const;
