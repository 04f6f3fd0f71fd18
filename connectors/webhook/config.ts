import { z } from "zod";
import { OCSF_BYTES_MIN } from "../../src/archetypes/ocsf-subject.ts";
import { LOCAL_HOSTS, secret } from "../../src/archetypes/settings.ts";

/** Signatures of one request: one for the key in use, one for the next; more only lengthens the header. */
const KEYS_MAX = 5;
/** Beyond this a webhook is no longer one: receivers and their proxies often stop at a megabyte. */
const BYTES_MAX = 1_000_000;

/** Why a text is no address of a webhook; undefined when it is one. Receivers tell their hooks apart by path and query, so both stay as they are. */
export function addressFault(text: string, allowHttp: boolean): string | undefined {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !["http:", "https:"].includes(url.protocol) || url.username !== "" || url.password !== "" || url.hash !== "")
    return "must be an address such as https://hooks.example.com/custodes, without credentials before the host";
  if (url.protocol === "http:" && !allowHttp && !LOCAL_HOSTS.has(url.hostname))
    return "must be https: what is sent would travel unencrypted (allowHttp permits it where another layer encrypts)";
  return undefined;
}

const keys = z.strictObject({
  url: z
    .union([z.string().max(2_048), secret])
    .describe("Where to post. A secret reference when the address itself is the credential, as it often is"),
  secrets: z
    .array(secret)
    .min(1)
    .max(KEYS_MAX)
    .describe(
      "Signing keys, `whsec_` and base64 of 24 to 64 bytes, as secret references. Each signs every request, so that a key can be exchanged",
    ),
  authorization: secret.optional().describe("Value of the header Authorization, as a secret reference"),
  allowHttp: z.boolean().default(false).describe("Permit http to another machine, e.g. behind a service mesh"),
  batchItems: z
    .number()
    .int()
    .min(1)
    .max(500)
    .default(1)
    .describe("Messages in one request at most. 1: each request is one message; more: each is a message of type `batch`"),
  itemBytesMax: z
    .number()
    .int()
    .min(OCSF_BYTES_MIN)
    .max(BYTES_MAX)
    .default(OCSF_BYTES_MIN)
    .describe("Largest message; what is larger is shortened. Standard Webhooks advises to stay below 20 kB"),
  ocsf: z.enum(["1.8.0", "1.9.0"]).default("1.8.0").describe("OCSF version of the findings"),
  timeoutMs: z.number().int().min(100).max(300_000).default(OCSF_BYTES_MIN).describe("Longest wait for an answer, milliseconds"),
});

/** Keys of one webhook. */
export const config = keys.check(({ value, issues }) => {
  const fault = typeof value.url === "string" ? addressFault(value.url, value.allowHttp) : undefined;
  if (fault !== undefined) issues.push({ code: "custom", path: ["url"], message: fault, input: value.url });
});

/** The validated configuration. */
export type Config = z.output<typeof config>;
