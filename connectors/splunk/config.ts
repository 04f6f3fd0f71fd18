import { z } from "zod";
import { LOCAL_HOSTS, secret, serverUrl } from "../../src/archetypes/settings.ts";

/** The largest event whose fields are extracted at search time without settings of one's own: `[kv] maxchars` is 10,240, `TRUNCATE` 10,000. */
const EVENT_BYTES_DEFAULT = 10_000;
/** Beyond a megabyte an event is refused by collectors with older limits. */
const EVENT_BYTES_MAX = 1_000_000;

const name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_:.-]{0,99}$/, "must be letters, digits and _ : . - only");

const keys = z.strictObject({
  url: serverUrl("https://splunk.example.com:8088").describe(
    "HTTP Event Collector: scheme, host and port, e.g. https://splunk.example.com:8088 (not Splunk Web, not 8089)",
  ),
  token: secret.describe("HEC token, as a secret reference"),
  allowHttp: z
    .boolean()
    .default(false)
    .describe("Permit http to another machine, e.g. behind a service mesh: the token travels unencrypted"),
  index: z
    .string()
    .regex(/^[a-z0-9_][a-z0-9_-]{0,79}$/, "must be an index name: lower-case letters, digits, _ and -")
    .optional()
    .describe("Index for everything that is sent. Default: the token's default index"),
  host: name.default("custodes").describe("Value of the host field"),
  source: name.default("custodes").describe("Value of the source field"),
  sourcetype: name.default("custodes").describe("Prefix of the source types <prefix>:alert and <prefix>:incident"),
  channel: z
    .guid()
    .default("b6f6c1d2-6d3e-4b7a-9c55-0c7a1f2e3d48")
    .describe("Data channel of the requests; tokens with indexer acknowledgement refuse requests without one"),
  acknowledge: z.literal(false).default(false).describe("Indexer acknowledgement is not used yet: an answer of 200 counts as delivered"),
  eventBytesMax: z
    .number()
    .int()
    .min(EVENT_BYTES_DEFAULT)
    .max(EVENT_BYTES_MAX)
    .default(EVENT_BYTES_DEFAULT)
    .describe("Largest event; what is larger is shortened. Raise it together with TRUNCATE and maxchars in Splunk"),
  timeoutMs: z.number().int().min(100).max(300_000).default(30_000).describe("Longest wait for an answer, milliseconds"),
});

/** Keys of one Splunk destination. */
export const config = keys.refine(({ url, allowHttp }) => allowHttp || !url.startsWith("http:") || LOCAL_HOSTS.has(new URL(url).hostname), {
  path: ["url"],
  message: "must be https: the token would travel unencrypted (allowHttp permits it where another layer encrypts)",
});

/** The validated configuration. */
export type Config = z.output<typeof config>;
