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
  sourcetype: name.default("custodes").describe("Prefix of the source types <prefix>:alert, <prefix>:incident and <prefix>:event:<model>"),
  channel: z
    .guid()
    .default("b6f6c1d2-6d3e-4b7a-9c55-0c7a1f2e3d48")
    .describe(
      "Data channel of the requests; tokens with indexer acknowledgement refuse requests without one. With acknowledge, its last group changes every ten seconds",
    ),
  acknowledge: z
    .boolean()
    .default(false)
    .describe(
      "A delivery counts when its indexer has acknowledged it, not when the collector has taken it. The token needs indexer acknowledgement (not in Splunk Cloud)",
    ),
  ackEveryMs: z
    .number()
    .int()
    .min(1_000)
    .max(60_000)
    .default(10_000)
    .describe("With acknowledge: how long after a request, and how often, its acknowledgement is asked for, milliseconds"),
  stickyCookie: z
    .string()
    .regex(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$/, "must be the name of a cookie")
    .optional()
    .describe("With acknowledge behind a load balancer: the cookie by which it finds the same node again, which alone knows the answer"),
  eventBytesMax: z
    .number()
    .int()
    .min(EVENT_BYTES_DEFAULT)
    .max(EVENT_BYTES_MAX)
    .default(EVENT_BYTES_DEFAULT)
    .describe("Largest event; what is larger is shortened. Raise it together with TRUNCATE and maxchars in Splunk"),
  management: z
    .strictObject({
      url: serverUrl("https://splunk.example.com:8089").describe(
        "Management port of a search head or indexer, e.g. https://splunk.example.com:8089",
      ),
      token: secret.describe("Splunk authentication token of a user that may list indexes, as a secret reference"),
    })
    .optional()
    .describe("Used by checks alone: whether the index exists. Nothing is sent there otherwise"),
  notable: z
    .boolean()
    .default(false)
    .describe("For setup: the add-on's searches make notable events (findings) of incidents. Needs Splunk Enterprise Security"),
  risk: z
    .boolean()
    .default(false)
    .describe("For setup: the add-on's searches write alerts to the risk index. Needs Splunk Enterprise Security"),
  timeoutMs: z.number().int().min(100).max(300_000).default(30_000).describe("Longest wait for an answer, milliseconds"),
});

const UNENCRYPTED = "must be https: the token would travel unencrypted (allowHttp permits it where another layer encrypts)";

function isSafe(url: string | undefined, allowHttp: boolean): boolean {
  return allowHttp || url === undefined || !url.startsWith("http:") || LOCAL_HOSTS.has(new URL(url).hostname);
}

/** Keys of one Splunk destination. */
export const config = keys
  .refine(({ url, allowHttp }) => isSafe(url, allowHttp), { path: ["url"], message: UNENCRYPTED })
  .refine(({ management, allowHttp }) => isSafe(management?.url, allowHttp), { path: ["management", "url"], message: UNENCRYPTED });

/** The validated configuration. */
export type Config = z.output<typeof config>;
