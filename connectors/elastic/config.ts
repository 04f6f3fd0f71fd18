import { z } from "zod";
import { LOCAL_HOSTS, secret, serverUrl } from "../../src/archetypes/settings.ts";

/** Elasticsearch's rules for index names, without the forms that only its own indices use. */
const indexName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,199}$/, "must be an index name: lower-case letters, digits and . _ -")
  // The built-in templates make data streams of these names; a data stream cannot replace a document by its id.
  .refine(
    (name) => !/^(logs|metrics|synthetics|traces|profiling)-/.test(name),
    "would become a data stream, in which nothing can be replaced",
  );

const keys = z.strictObject({
  url: serverUrl("https://elastic.example.com:9200").describe(
    "Elasticsearch (not Kibana): scheme, host, port and path prefix, e.g. https://elastic.example.com:9200",
  ),
  apiKey: secret.describe("API key in its encoded form, as a secret reference"),
  allowHttp: z.boolean().default(false).describe("Permit http to another machine, e.g. behind a service mesh: the key travels unencrypted"),
  alertIndex: indexName.default("custodes-alerts").describe("Plain index or write alias for alerts; no data stream"),
  incidentIndex: indexName.default("custodes-incidents").describe("Plain index or write alias for incidents; no data stream"),
  timeoutMs: z.number().int().min(100).max(300_000).default(30_000).describe("Longest wait for an answer, milliseconds"),
});

/** Keys of one Elastic destination. */
export const config = keys.refine(({ url, allowHttp }) => allowHttp || !url.startsWith("http:") || LOCAL_HOSTS.has(new URL(url).hostname), {
  path: ["url"],
  message: "must be https: the key would travel unencrypted (allowHttp permits it where another layer encrypts)",
});

/** The validated configuration. */
export type Config = z.output<typeof config>;
