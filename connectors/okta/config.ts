import { z } from "zod";
import { insecureUrl } from "../../src/archetypes/http-pages.ts";
import type { Secret } from "../../src/ports/context.ts";

const secret = z.custom<Secret>(
  (value) => typeof value === "object" && value !== null && "reveal" in value && typeof value.reveal === "function",
  "must be a reference: ${env:NAME} or ${file:/path/to/secret}",
);

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `30s`, `5m`, `24h`, `7d` as milliseconds. */
const duration = z
  .string()
  .regex(/^\d{1,6}[smhd]$/, "write a duration as a number and a unit: 30s, 5m, 24h, 7d")
  .transform((text) => Number(text.slice(0, -1)) * (UNITS[text.slice(-1)] ?? 1));

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
});

/** Validated configuration; durations in milliseconds. */
export type Config = z.output<typeof config>;
