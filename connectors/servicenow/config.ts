import { z } from "zod";
import { LOCAL_HOSTS, secret, serverUrl } from "../../src/archetypes/settings.ts";

const keys = z.strictObject({
  url: serverUrl("https://acme.service-now.com").describe("The instance, e.g. https://acme.service-now.com"),
  username: z
    .string()
    .regex(/^[^\s:^]{1,100}$/, "must be a user id without blanks, : and ^")
    .optional()
    .describe("User of the integration (basic authentication); needs password"),
  password: secret.optional().describe("Its password, as a secret reference"),
  token: secret.optional().describe("Instead: an OAuth access token that something else renews"),
  api: z
    .enum(["events", "incidents"])
    .default("events")
    .describe("events: Event Management, which deduplicates by message key. incidents: a record of `table` for each"),
  table: z
    .string()
    .regex(/^[a-z][a-z0-9_]{1,79}$/, "must be a table's name such as incident or sn_si_incident")
    .default("incident")
    .describe("Table of the records, for api: incidents; sn_si_incident is that of Security Incident Response"),
  source: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9 _.-]{0,49}$/, "must be at most 50 letters, digits, blanks and _ . -")
    .default("custodes")
    .describe("Value of source and correlation_display, and the start of message keys and correlation ids"),
  category: z.string().min(1).max(40).optional().describe("Value of category of new records"),
  closeState: z
    .string()
    .regex(/^-?\d{1,4}$/, "must be a choice's number, e.g. 6")
    .optional()
    .describe("State that a record gets when its incident closes, e.g. 6 (Resolved). Without it only a work note says so"),
  closeCode: z.string().min(1).max(100).optional().describe("Value of close_code then, where the instance wants one"),
  timeoutMs: z.number().int().min(100).max(300_000).default(30_000).describe("Longest wait for an answer, milliseconds"),
});

/** Keys of one ServiceNow destination. */
export const config = keys.superRefine(({ url, username, password, token }, context) => {
  const complain = (path: string, message: string): void => context.addIssue({ code: "custom", path: [path], message });
  if (url.startsWith("http:") && !LOCAL_HOSTS.has(new URL(url).hostname))
    complain("url", "must be https: the credential would travel unencrypted");
  if ((token === undefined) === (username === undefined)) complain("token", "give either username and password, or token");
  else if ((username === undefined) !== (password === undefined)) complain("password", "username and password belong together");
});

/** The validated configuration. */
export type Config = z.output<typeof config>;
