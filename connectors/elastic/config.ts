import { z } from "zod";
import { indexName, streamName } from "../../src/archetypes/bulk/names.ts";
import { days, LOCAL_HOSTS, secret, serverUrl } from "../../src/archetypes/settings.ts";

const keys = z.strictObject({
  url: serverUrl("https://elastic.example.com:9200").describe(
    "Elasticsearch (not Kibana): scheme, host, port and path prefix, e.g. https://elastic.example.com:9200",
  ),
  apiKey: secret.describe("API key in its encoded form, as a secret reference"),
  allowHttp: z.boolean().default(false).describe("Permit http to another machine, e.g. behind a service mesh: the key travels unencrypted"),
  alertIndex: indexName.default("custodes-alerts").describe("Plain index or write alias for alerts; no data stream"),
  incidentIndex: indexName.default("custodes-incidents").describe("Plain index or write alias for incidents; no data stream"),
  eventStream: streamName
    .default("logs-custodes.event-default")
    .describe("Data stream for supporting events, logs-<dataset>-<namespace>; used only where `when.kinds` names event"),
  eventRetention: days.default("90d").describe("How long the data stream keeps events, in days, e.g. 90d; installed by setup"),
  lifecycle: z
    .enum(["stream", "ilm"])
    .default("stream")
    .describe("What keeps the retention: the data stream's own lifecycle, or an ILM policy (not on Serverless); installed by setup"),
  alertAlias: z
    .string()
    .regex(/^logs-[a-z0-9._-]{1,100}$/, "must begin with logs-, which the prebuilt rule reads")
    .optional()
    .describe(
      'Alias of the alerts\' index, e.g. logs-custodes.alert, so that the prebuilt rule "External Alerts" reads it; installed by setup',
    ),
  kibanaUrl: serverUrl("https://kibana.example.com:5601")
    .optional()
    .describe("Kibana, for setup only: data views, dashboard and rules are installed there"),
  kibanaSpace: z
    .string()
    .regex(/^[a-z0-9_-]{1,100}$/, "must be the id of a space")
    .default("default")
    .describe("Kibana's space, for setup only"),
  timeoutMs: z.number().int().min(100).max(300_000).default(30_000).describe("Longest wait for an answer, milliseconds"),
});

/** Keys of one Elastic destination. */
export const config = keys
  .refine(({ url, allowHttp }) => isSafe(url, allowHttp), {
    path: ["url"],
    message: "must be https: the key would travel unencrypted (allowHttp permits it where another layer encrypts)",
  })
  .refine(({ kibanaUrl, allowHttp }) => kibanaUrl === undefined || isSafe(kibanaUrl, allowHttp), {
    path: ["kibanaUrl"],
    message: "must be https: the installer's key would travel unencrypted (allowHttp permits it where another layer encrypts)",
  });

function isSafe(url: string, allowHttp: boolean): boolean {
  return allowHttp || !url.startsWith("http:") || LOCAL_HOSTS.has(new URL(url).hostname);
}

/** The validated configuration. */
export type Config = z.output<typeof config>;
