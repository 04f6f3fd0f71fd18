import { z } from "zod";
import { duration, secret } from "../../src/archetypes/settings.ts";
import { LEVELS } from "../../src/core/alert.ts";

const page = z.string().regex(/^https?:\/\/[^\s]+$/, "must be an http or https address");

/** Configuration of one PagerDuty destination. */
export const config = z.strictObject({
  routingKey: secret.describe("Integration key of an Events API v2 integration (32 characters), as a secret reference"),
  previousRoutingKey: secret
    .optional()
    .describe("The key before a rotation: acknowledge and resolve also go there, until all incidents opened with it are closed"),
  region: z.enum(["us", "eu"]).default("us").describe("Service region of the account; a key works in one region only"),
  endpoint: z
    .string()
    .regex(
      /^http:\/\/(127\.0\.0\.1|localhost|\[::1\]):\d{1,5}$/,
      "only a simulator on this machine can take the place of PagerDuty: http://127.0.0.1:<port>",
    )
    .optional()
    .describe("A local simulator instead of PagerDuty, for demonstrations and tests"),
  minLevel: z.enum(LEVELS).default("high").describe("Incidents below this level page nobody"),
  maxAge: duration
    .prefault("1h")
    .describe("An incident that reached its level longer ago than this, or has been silent for longer, opens no page (backfill, replay)"),
  client: z.string().min(1).max(100).default("Custodes").describe("Name of the sender as PagerDuty shows it"),
  minConfidence: z.number().int().min(0).max(100).default(50).describe("Incidents less sure than this to be the agent's doing page nobody"),
  webhookSecret: secret
    .optional()
    .describe(
      "Signing secret of a V3 webhook subscription that posts to /push/<this destination>/webhook: resolving there closes an incident here, acknowledging takes it up",
    ),
  incidentUrl: page.optional().describe("Page of an incident for links; {id} stands for its id"),
});

/** The validated configuration. */
export type Config = z.output<typeof config>;

/** Hosts of the service regions (support.pagerduty.com, "Service Regions"). */
export const HOSTS = { us: "https://events.pagerduty.com", eu: "https://events.eu.pagerduty.com" } as const;
