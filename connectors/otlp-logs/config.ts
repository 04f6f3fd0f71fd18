import { z } from "zod";
import { OCSF_BYTES_MIN } from "../../src/archetypes/ocsf-subject.ts";
import { LOCAL_HOSTS, secret, serverUrl } from "../../src/archetypes/settings.ts";

/** Largest record: as values of OTLP an object is about twice as long as in JSON. */
const ITEM_BYTES_MIN = 3 * OCSF_BYTES_MIN;
const ITEM_BYTES_MAX = 900_000;

const keys = z.strictObject({
  endpoint: serverUrl("https://collector.example.com:4318").describe(
    "Base address of the receiver; /v1/logs is appended, e.g. https://collector.example.com:4318",
  ),
  headers: z
    .record(z.string().regex(/^[a-z0-9-]{1,64}$/, "must be a header's name in lower case"), secret)
    .default({})
    .describe("Headers of each request, e.g. authorization or api-key; values are secret references"),
  allowHttp: z.boolean().default(false).describe("Permit http to another machine, e.g. a collector in the same cluster"),
  serviceName: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{1,100}$/, "must be letters, digits and _ . -")
    .default("custodes")
    .describe("Resource attribute service.name"),
  batchItems: z
    .number()
    .int()
    .min(1)
    .max(500)
    .default(100)
    .describe(
      "Log records in one request at most. A receiver that refuses some does not say which, so all of the request become dead letters",
    ),
  itemBytesMax: z
    .number()
    .int()
    .min(ITEM_BYTES_MIN)
    .max(ITEM_BYTES_MAX)
    .default(250_000)
    .describe("Largest log record; what is larger is shortened"),
  ocsf: z.enum(["1.8.0", "1.9.0"]).default("1.8.0").describe("OCSF version of the bodies"),
  compression: z.enum(["none", "gzip"]).default("gzip").describe("Compression of requests"),
  timeoutMs: z.number().int().min(100).max(300_000).default(10_000).describe("Longest wait for an answer, milliseconds"),
});

/** Headers that the connector sets itself. */
const OWN_HEADERS: ReadonlySet<string> = new Set(["content-type", "content-encoding", "content-length", "host", "transfer-encoding"]);

/** Keys of one receiver. */
export const config = keys.check(({ value, issues }) => {
  const { endpoint, allowHttp, headers } = value;
  if (endpoint.startsWith("http:") && !allowHttp && !LOCAL_HOSTS.has(new URL(endpoint).hostname))
    issues.push({
      code: "custom",
      path: ["endpoint"],
      message: "must be https: what is sent would travel unencrypted (allowHttp permits it where another layer encrypts)",
      input: endpoint,
    });
  for (const name of Object.keys(headers).filter((one) => OWN_HEADERS.has(one)))
    issues.push({ code: "custom", path: ["headers", name], message: "is set by the connector itself", input: undefined });
});

/** The validated configuration. */
export type Config = z.output<typeof config>;
