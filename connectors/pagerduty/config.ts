import { z } from "zod";
import { duration, secret } from "../../src/archetypes/settings.ts";
import { LEVELS } from "../../src/core/alert.ts";

const page = z.string().regex(/^https?:\/\/[^\s]+$/, "must be an http or https address");

/**
 * "Events API Rate Limits": about 120 events a minute and key, more on request. Our own limit keeps below it, so that what is
 * urgent never waits behind a 429.
 */
const PER_MINUTE = 120;
/** What an account may be given on request (the same page). */
const PER_MINUTE_MAX = 10_000;

const storm = z
  .strictObject({
    incidents: z
      .number()
      .int()
      .min(1)
      .max(1000)
      .default(20)
      .describe("So many incidents may open within `within`, each as a page of its own"),
    within: duration.prefault("5m").describe("The time in which they are counted"),
  })
  .prefault({})
  .describe("Incidents beyond this are folded into one digest page, except critical ones");

/** Configuration of one PagerDuty destination. */
export const config = z.strictObject({
  routingKey: secret.describe("Integration key of an Events API v2 integration (32 characters), as a secret reference"),
  previousRoutingKey: secret
    .optional()
    .describe("The key before a rotation: acknowledge and resolve go there for incidents that it opened, until all of them are closed"),
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
    .prefault("2h")
    .describe(
      "An incident whose newest event is older than this opens no page (backfill, replay, a restored store); its end is sent all the same",
    ),
  client: z.string().min(1).max(100).default("Custodes").describe("Name of the sender as PagerDuty shows it"),
  minConfidence: z.number().int().min(0).max(100).default(50).describe("Incidents less sure than this to be the agent's doing page nobody"),
  webhookSecret: secret
    .optional()
    .describe(
      "Signing secret of a V3 webhook subscription that posts to /push/<this destination>/webhook: resolving there closes an incident here, acknowledging takes it up",
    ),
  previousWebhookSecret: secret.optional().describe("The signing secret before a rotation: webhooks signed with it are taken too"),
  incidentUrl: page.optional().describe("Page of an incident for links; {id} stands for its id"),
  imageUrl: z
    .string()
    .regex(/^https:\/\/[^\s]+$/, "must be an https address: PagerDuty shows no other images")
    .optional()
    .describe("Image of an incident, e.g. its timeline; {id} stands for its id"),
  perMinute: z
    .number()
    .int()
    .min(6)
    .max(PER_MINUTE_MAX)
    .default(PER_MINUTE)
    .describe("Events a minute that are sent at most: the limit of the routing key"),
  storm,
  apiToken: secret
    .optional()
    .describe("Read-only REST API key: with it, `check` asks whether the service is enabled. Never used for sending"),
  serviceId: z
    .string()
    .regex(/^[A-Z0-9]{1,40}$/, "must be an id such as PABC123, as it stands in the service's address")
    .optional()
    .describe("Id of the service that `check` asks about; needs apiToken"),
});

/** The validated configuration. */
export type Config = z.output<typeof config>;

/** Hosts of the service regions (support.pagerduty.com, "Service Regions"). */
export const HOSTS = { us: "https://events.pagerduty.com", eu: "https://events.eu.pagerduty.com" } as const;
/** Of the REST API (the same page). */
export const API_HOSTS = { us: "https://api.pagerduty.com", eu: "https://api.eu.pagerduty.com" } as const;
