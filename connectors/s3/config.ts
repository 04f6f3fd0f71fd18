import { z } from "zod";
import { LOCAL_HOSTS, secret, serverUrl } from "../../src/archetypes/settings.ts";

const keys = z.strictObject({
  bucket: z
    .string()
    // https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
    .regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, "must be a bucket name: 3 to 63 lower-case letters, digits, dots and hyphens")
    .describe("Bucket; it must exist"),
  region: z
    .string()
    .regex(/^[a-z0-9-]{1,40}$/, "must be a region such as eu-central-1")
    .describe("Region of the bucket, e.g. eu-central-1; auto for Cloudflare R2, us-east-1 for most others"),
  endpoint: serverUrl("https://minio.example.com:9000")
    .optional()
    .describe("Address of an S3-compatible store (MinIO, R2, …). Default: AWS, by the region"),
  pathStyle: z
    .boolean()
    .optional()
    .describe(
      "true: the bucket is the first part of the path; false: of the host name. Default: true with endpoint, and for names with dots",
    ),
  allowHttp: z.boolean().default(false).describe("Permit an http endpoint on another machine, e.g. behind a service mesh"),
  prefix: z
    .string()
    // Characters that need no escape in a signed path.
    .regex(/^(?:[A-Za-z0-9_.-]{1,100}\/){0,10}$/, "must be folders of letters, digits, _ . and -, each with a final slash")
    .default("custodes/")
    .describe("What all object keys begin with; ends with a slash"),
  accessKeyId: secret
    .optional()
    .describe(
      "Access key id, as a secret reference. Without it: AWS's usual chain (environment, web identity, container, instance, profile)",
    ),
  secretAccessKey: secret.optional().describe("Secret access key, as a secret reference"),
  sessionToken: secret.optional().describe("Session token of temporary credentials, as a secret reference"),
  encryption: z
    .enum(["AES256", "aws:kms"])
    .optional()
    .describe("Server-side encryption to ask for. Default: what the bucket does by itself"),
  kmsKeyId: z
    .string()
    .regex(/^[A-Za-z0-9:/_-]{1,400}$/, "must be a key id, alias or ARN")
    .optional()
    .describe("KMS key, with encryption aws:kms. Default: AWS's own key"),
  bucketOwner: z
    .string()
    .regex(/^\d{12}$/, "must be an account id of 12 digits")
    .optional()
    .describe("Account that must own the bucket; a bucket of anybody else is refused"),
  createOnly: z
    .boolean()
    .default(true)
    .describe(
      "Send If-None-Match: * so that nothing is written twice. false for stores that do not know it; the same bytes are written again then",
    ),
  ocsf: z.enum(["1.8.0", "1.9.0"]).default("1.8.0").describe("OCSF version of the lines"),
  timeoutMs: z.number().int().min(100).max(300_000).default(60_000).describe("Longest wait for an answer, milliseconds"),
});

/** Keys of one bucket. */
export const config = keys.check(({ value, issues }) => {
  const complain = (key: keyof typeof value, message: string): void =>
    void issues.push({ code: "custom", path: [key], message, input: undefined });
  const { endpoint, accessKeyId, secretAccessKey, sessionToken, encryption, kmsKeyId } = value;
  if (endpoint?.startsWith("http:") === true && !value.allowHttp && !LOCAL_HOSTS.has(new URL(endpoint).hostname))
    complain("endpoint", "must be https: what is sent would travel unencrypted (allowHttp permits it where another layer encrypts)");
  if (endpoint !== undefined && new URL(endpoint).pathname !== "/") complain("endpoint", "must be without a path");
  if ((accessKeyId === undefined) !== (secretAccessKey === undefined))
    complain(accessKeyId === undefined ? "accessKeyId" : "secretAccessKey", "accessKeyId and secretAccessKey go together");
  if (sessionToken !== undefined && accessKeyId === undefined) complain("sessionToken", "means nothing without accessKeyId");
  if (kmsKeyId !== undefined && encryption !== "aws:kms") complain("kmsKeyId", "means nothing without encryption: aws:kms");
});

/** The validated configuration. */
export type Config = z.output<typeof config>;

/** Address of an object or, with an empty key, of the bucket. The key must need no escapes. */
export function addressOf({ bucket, region, endpoint, pathStyle }: Config, key: string): URL {
  const domain = region.startsWith("cn-") ? "amazonaws.com.cn" : "amazonaws.com";
  const base = new URL(endpoint ?? `https://s3.${region}.${domain}`);
  // The certificate of AWS is for one label before the region.
  if (pathStyle ?? (endpoint !== undefined || bucket.includes("."))) return new URL(`/${bucket}/${key}`.replace(/\/$/, ""), base);
  base.host = `${bucket}.${base.host}`;
  return new URL(`/${key}`, base);
}
