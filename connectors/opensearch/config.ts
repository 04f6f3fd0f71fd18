import { z } from "zod";
import { indexName } from "../../src/archetypes/bulk/names.ts";
import { days, LOCAL_HOSTS, secret, serverUrl } from "../../src/archetypes/settings.ts";

const basic = z.strictObject({
  username: z.string().min(1).max(200).describe("User of the security plugin"),
  password: secret.describe("Its password, as a secret reference"),
});

const aws = z
  .strictObject({
    region: z
      .string()
      .regex(/^[a-z]{2}(-[a-z]+)+-\d$/, "must be a region such as eu-west-1")
      .describe("Region of the domain or collection"),
    service: z.enum(["es", "aoss"]).describe("es for a managed domain, aoss for OpenSearch Serverless"),
    accessKeyId: secret
      .optional()
      .describe(
        "Access key id, as a secret reference. Without it: AWS's usual chain (environment, web identity, container, instance, profile)",
      ),
    secretAccessKey: secret.optional().describe("Secret access key, as a secret reference"),
    sessionToken: secret.optional().describe("Session token of short-lived keys, as a secret reference"),
  })
  .refine(({ accessKeyId, secretAccessKey }) => (accessKeyId === undefined) === (secretAccessKey === undefined), {
    path: ["secretAccessKey"],
    message: "accessKeyId and secretAccessKey go together",
  });

const keys = z.strictObject({
  url: serverUrl("https://opensearch.example.com:9200").describe("OpenSearch itself (not Dashboards): scheme, host, port and path prefix"),
  basic: basic.optional().describe("User and password of the security plugin; either this or `aws`"),
  aws: aws.optional().describe("Requests are signed (SigV4); either this or `basic`"),
  allowHttp: z
    .boolean()
    .default(false)
    .describe("Permit http to another machine, e.g. behind a service mesh: credentials travel unencrypted"),
  alertIndex: indexName.default("custodes-alerts").describe("Plain index or write alias for alerts; no data stream"),
  incidentIndex: indexName.default("custodes-incidents").describe("Plain index or write alias for incidents; no data stream"),
  eventIndex: indexName
    .default("custodes-events")
    .describe("Data stream for supporting events, on Serverless a plain index; used only where `when.kinds` names event"),
  eventRetention: days.default("90d").describe("How long the data stream keeps events, in days, e.g. 90d; installed by setup"),
  documentIds: z
    .boolean()
    .default(true)
    .describe(
      "False for collections of the types TIMESERIES and VECTORSEARCH, which take no ids: repeats and revisions are then separate documents",
    ),
  timeoutMs: z.number().int().min(100).max(300_000).default(30_000).describe("Longest wait for an answer, milliseconds"),
});

/** Keys of one OpenSearch destination. */
export const config = keys
  .refine(({ url, allowHttp }) => allowHttp || !url.startsWith("http:") || LOCAL_HOSTS.has(new URL(url).hostname), {
    path: ["url"],
    message: "must be https: the credential would travel unencrypted (allowHttp permits it where another layer encrypts)",
  })
  .refine(({ basic: one, aws: other }) => (one === undefined) !== (other === undefined), {
    path: ["basic"],
    message: "give either basic or aws",
  })
  .refine(({ documentIds, aws: one }) => documentIds || one?.service === "aoss", {
    path: ["documentIds"],
    message: "only OpenSearch Serverless has collections that take no ids",
  });

/** The validated configuration. */
export type Config = z.output<typeof config>;

/** Whether the collection is of OpenSearch Serverless, which has neither data streams nor pipelines nor policies. */
export function isServerless({ aws: one }: Config): boolean {
  return one?.service === "aoss";
}
