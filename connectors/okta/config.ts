import { z } from "zod";
import { insecureUrl } from "../../src/archetypes/http-pages.ts";
import { duration, secret } from "../../src/archetypes/settings.ts";

/** Okta keeps the System Log for 90 days; an earlier `since` is refused. */
const RETENTION_MS = 90 * 86_400_000;

/** Configuration of one Okta source. */
export const config = z.strictObject({
  url: z
    .string()
    .transform((text, context) => {
      const problem = insecureUrl(text);
      const url = problem === undefined ? new URL(text) : undefined;
      if (url === undefined || url.pathname !== "/" || url.search !== "" || url.hash !== "") {
        context.addIssue({ code: "custom", message: `must be an address such as https://acme.okta.com (${problem ?? "without a path"})` });
        return z.NEVER;
      }
      return url.origin;
    })
    .describe("Address of the organization, e.g. https://acme.okta.com (the Okta domain, not a custom domain's sign-in page)"),
  apiToken: secret.describe("API token, or access token with the scope okta.logs.read when `scheme` is Bearer, as a secret reference"),
  scheme: z.enum(["SSWS", "Bearer"]).default("SSWS").describe("SSWS for an API token, Bearer for an OAuth 2.0 access token"),
  backfill: duration
    .refine((value) => value <= RETENTION_MS, "Okta keeps 90 days")
    .default(86_400_000)
    .describe("How far back the first pull reaches. Default 24h, at most 90d"),
  settle: duration
    .default(60_000)
    .describe("Okta may store an event this long after it happened: nothing newer is taken as complete. Default 60s"),
  recheck: duration
    .default(3_600_000)
    .describe("Every hour of the log is read once more, this long after, to find what was left out. 0s: never. Default 1h"),
});

/** Validated configuration; durations in milliseconds. */
export type Config = z.output<typeof config>;
