import { z } from "zod";
import type { Secret } from "../../src/ports/context.ts";

const secret = z.custom<Secret>(
  (value) => typeof value === "object" && value !== null && "reveal" in value && typeof value.reveal === "function",
  "must be a reference: ${env:NAME} or ${file:/path/to/secret}",
);

/** Elasticsearch's rules for index names, without the forms that only its own indices use. */
const indexName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,199}$/, "must be an index name: lower-case letters, digits and . _ -")
  // The built-in templates make data streams of these names; a data stream cannot replace a document by its id.
  .refine(
    (name) => !/^(logs|metrics|synthetics|traces|profiling)-/.test(name),
    "would become a data stream, in which nothing can be replaced",
  );

const LOCAL: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "[::1]"]);

const keys = z.strictObject({
  url: z
    .string()
    .transform((text, context) => {
      const url = URL.canParse(text) ? new URL(text) : undefined;
      const http = url?.protocol === "https:" || url?.protocol === "http:";
      if (url === undefined || !http || url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
        context.addIssue({ code: "custom", message: "must be an address such as https://elastic.example.com:9200, without credentials" });
        return z.NEVER;
      }
      return url.href.replace(/\/$/, "");
    })
    .describe("Elasticsearch (not Kibana): scheme, host, port and path prefix, e.g. https://elastic.example.com:9200"),
  apiKey: secret.describe("API key in its encoded form, as a secret reference"),
  allowHttp: z.boolean().default(false).describe("Permit http to another machine, e.g. behind a service mesh: the key travels unencrypted"),
  alertIndex: indexName.default("custodes-alerts").describe("Plain index or write alias for alerts; no data stream"),
  incidentIndex: indexName.default("custodes-incidents").describe("Plain index or write alias for incidents; no data stream"),
  timeoutMs: z.number().int().min(100).max(300_000).default(30_000).describe("Longest wait for an answer, milliseconds"),
});

/** Keys of one Elastic destination. */
export const config = keys.refine(({ url, allowHttp }) => allowHttp || !url.startsWith("http:") || LOCAL.has(new URL(url).hostname), {
  path: ["url"],
  message: "must be https: the key would travel unencrypted (allowHttp permits it where another layer encrypts)",
});

/** The validated configuration. */
export type Config = z.output<typeof config>;
