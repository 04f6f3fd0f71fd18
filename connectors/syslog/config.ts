import { z } from "zod";
import { OCSF_BYTES_MIN } from "../../src/archetypes/ocsf-subject.ts";
import { secret } from "../../src/archetypes/settings.ts";

/** Bytes of header and structured data around a message, at most. */
const HEADER_BYTES = 1_000;
/** rsyslog's default `maxMessageSize` is 8 KiB: what is longer it cuts or splits. */
const CEF_BYTES = 8_000;
/** syslog-ng's default `log-msg-size`. */
const OCSF_BYTES = 65_536;

/** RFC 5424 section 6: printable ASCII without spaces; a HOSTNAME has at most 255 of it, an APP-NAME 48. */
const printable = (max: number) =>
  z.string().regex(new RegExp(`^[!-~]{1,${max}}$`), `must be 1 to ${max} printable ASCII characters without spaces`);

const keys = z.strictObject({
  host: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9.:_-]{0,254}$/, "must be a name or an address, without port and brackets")
    .describe("Syslog server: a name or an address"),
  port: z.number().int().min(1).max(65_535).default(6514).describe("6514 is the port of syslog over TLS; plain TCP often uses 601 or 514"),
  tls: z.boolean().default(true).describe("false: plain TCP, which anybody on the way can read and change"),
  ca: secret
    .optional()
    .describe("PEM of the authorities to trust instead of the usual ones, as a secret reference (${file:/path/to/ca.pem})"),
  certificate: secret.optional().describe("PEM of our own certificate, where the server asks for one, as a secret reference"),
  key: secret.optional().describe("PEM of the certificate's key, as a secret reference"),
  serverName: printable(255).optional().describe("Name that the server's certificate must be for. Default: the host"),
  format: z.enum(["cef", "ocsf"]).default("cef").describe("What the message is: CEF, or OCSF as JSON"),
  ocsf: z.enum(["1.8.0", "1.9.0"]).default("1.8.0").describe("OCSF version, with format ocsf"),
  facility: z.number().int().min(0).max(23).default(16).describe("RFC 5424 facility: 16 is local0, 13 log audit"),
  hostName: printable(255).default("custodes").describe("HOSTNAME of the messages"),
  appName: printable(48).default("custodes").describe("APP-NAME of the messages"),
  enterpriseId: z
    .number()
    .int()
    .min(1)
    .max(4_294_967_295)
    .optional()
    .describe("Private enterprise number of yours: with it key, id and revision also go into structured data, as custodes@<number>"),
  messageBytesMax: z
    .number()
    .int()
    .min(CEF_BYTES)
    .max(1_000_000)
    .optional()
    .describe("Largest message; what is larger is shortened. Default 8000 for cef, 65536 for ocsf. Keep it below the server's limit"),
  closeWaitMs: z
    .number()
    .int()
    .min(0)
    .max(60_000)
    .default(5_000)
    .describe("How long to wait, after the last byte, for the server to end the connection as well, milliseconds"),
  timeoutMs: z
    .number()
    .int()
    .min(100)
    .max(300_000)
    .default(10_000)
    .describe("Longest wait for a connection and for each write, milliseconds"),
});

/** Keys of one syslog server. */
export const config = keys.check(({ value, issues }) => {
  const complain = (key: keyof typeof value, message: string): void =>
    void issues.push({ code: "custom", path: [key], message, input: value[key] });
  if (value.format === "ocsf" && value.messageBytesMax !== undefined && value.messageBytesMax < OCSF_BYTES_MIN + HEADER_BYTES)
    complain("messageBytesMax", `must be at least ${OCSF_BYTES_MIN + HEADER_BYTES} with format ocsf`);
  if ((value.certificate === undefined) !== (value.key === undefined))
    complain(value.key === undefined ? "certificate" : "key", "certificate and key go together");
  for (const one of ["ca", "certificate", "key", "serverName"] as const)
    if (!value.tls && value[one] !== undefined) complain(one, "means nothing without tls");
});

/** The validated configuration. */
export type Config = z.output<typeof config>;

/** Largest message of a configuration. */
export function messageBytesMax({ format, messageBytesMax: given }: Config): number {
  return given ?? (format === "cef" ? CEF_BYTES : OCSF_BYTES);
}
