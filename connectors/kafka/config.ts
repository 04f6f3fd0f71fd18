import { z } from "zod";
import { secret } from "../../src/archetypes/settings.ts";

const keys = z.strictObject({
  brokers: z
    .array(z.string().regex(/^[A-Za-z0-9.-]{1,255}:\d{1,5}$/, "must be host:port"))
    .min(1)
    .max(20)
    .describe("Brokers to begin with, each host:port; they name the others"),
  topic: z
    .string()
    .regex(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,248}$/, "must be a topic: letters, digits, . _ and -")
    .describe("Topic for everything; content never chooses it. It must exist"),
  key: z
    .enum(["subject", "agent"])
    .default("subject")
    .describe(
      "Record key, which decides the partition. subject: the id of alert, incident or event; agent: the agent's id where one agent is known",
    ),
  tls: z.boolean().default(true).describe("false: without TLS, which anybody on the way can read and change"),
  ca: secret.optional().describe("PEM of the authorities to trust instead of the usual ones, as a secret reference"),
  certificate: secret.optional().describe("PEM of our own certificate, where the brokers ask for one, as a secret reference"),
  certificateKey: secret.optional().describe("PEM of the certificate's key, as a secret reference"),
  sasl: z
    .strictObject({
      mechanism: z.enum(["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]).describe("How the password is proven; PLAIN shows it to the broker"),
      username: z.string().min(1).max(255).describe("User name"),
      password: secret.describe("Password, as a secret reference"),
    })
    .optional()
    .describe("User and password. Default: none"),
  compression: z.enum(["none", "gzip", "zstd"]).default("gzip").describe("Compression of record batches"),
  recordBytesMax: z
    .number()
    .int()
    .min(25_000)
    .max(700_000)
    .default(250_000)
    .describe("Largest record value; what is larger is shortened. Keep it below the topic's max.message.bytes"),
  ocsf: z.enum(["1.8.0", "1.9.0"]).default("1.8.0").describe("OCSF version of the values"),
  timeoutMs: z
    .number()
    .int()
    .min(100)
    .max(300_000)
    .default(30_000)
    .describe("Longest wait for one batch, connection included, milliseconds"),
});

/** Keys of one topic. */
export const config = keys.check(({ value, issues }) => {
  const complain = (key: keyof typeof value, message: string): void =>
    void issues.push({ code: "custom", path: [key], message, input: undefined });
  const { tls, certificate, certificateKey, sasl } = value;
  if ((certificate === undefined) !== (certificateKey === undefined))
    complain(certificate === undefined ? "certificate" : "certificateKey", "certificate and certificateKey go together");
  for (const one of ["ca", "certificate", "certificateKey"] as const)
    if (!tls && value[one] !== undefined) complain(one, "means nothing without tls");
  const remote = value.brokers.some((broker) => !/^(?:localhost|127\.0\.0\.1):/.test(broker));
  if (sasl?.mechanism === "PLAIN" && !tls && remote) complain("sasl", "PLAIN needs tls: the password would travel unencrypted");
});

/** The validated configuration. */
export type Config = z.output<typeof config>;
