import { exchangeWithin } from "../../src/archetypes/deadline.ts";
import type { Answer } from "../../src/archetypes/http-exchange.ts";
import { ocsfWithin, type SubjectFacts } from "../../src/archetypes/ocsf-subject.ts";
import { isoTime } from "../../src/archetypes/own-object.ts";
import { Failure } from "../../src/core/errors.ts";
import { safeText } from "../../src/core/safe-text.ts";
import { defineConnector, type Check, type Delivery, type Destination, type Outcome, type Rendered } from "../../src/ports/connector.ts";
import type { Context } from "../../src/ports/context.ts";
import { errorCode, failureOf, putResult } from "./answers.ts";
import { addressOf, config, type Config } from "./config.ts";
import { credentialSource, signedHeaders, type CredentialSource } from "./sign.ts";

/**
 * S3 and what is compatible with it: one gzipped NDJSON object of OCSF per batch. Its key is a hash of the batch's
 * delivery keys, and it is created only when it is not there: a repeat changes nothing.
 */
export default defineConnector<Config>({ id: "s3", title: "S3-compatible store (OCSF as NDJSON)", config, check, destination });

/** Objects are better large, and a lost answer costs nothing but the bytes. */
const BATCH_ITEMS_MAX = 1_000;
const BATCH_BYTES_MAX = 8_000_000;
/** Readers of NDJSON often have line limits of a megabyte; nobody reads a finding of more than a quarter. */
const ITEM_BYTES_MAX = 250_000;

function destination(settings: Config): Destination {
  const credentials = credentialSource(settings);
  return {
    // One byte per item is the line end.
    limits: { batchItems: BATCH_ITEMS_MAX, batchBytes: BATCH_BYTES_MAX - BATCH_ITEMS_MAX, itemBytes: ITEM_BYTES_MAX },
    accepts: ["alert", "incident", "event"],
    render: (delivery) => render(delivery, settings),
    send: (batch, context) => send(batch, settings, credentials, context),
  };
}

/** OCSF as it is; the delivery's key is where OCSF puts what it does not know. */
function render(delivery: Delivery, { ocsf: version }: Config): Rendered {
  const { key } = delivery;
  let day = "";
  const line = (ocsf: { readonly unmapped?: object }, { time }: SubjectFacts): string => {
    day = isoTime(time).slice(0, "YYYY-MM-DD".length);
    return JSON.stringify({ ...ocsf, unmapped: { ...ocsf.unmapped, delivery_key: safeText(key, 1_024) } });
  };
  const rendered = ocsfWithin(delivery, { bytesMax: ITEM_BYTES_MAX, version }, line);
  return { key, ...rendered, meta: { day } };
}

async function send(
  batch: readonly Rendered[],
  settings: Config,
  credentials: CredentialSource,
  context: Context,
): Promise<readonly Outcome[]> {
  if (batch.length === 0) return [];
  const key = objectKey(batch, settings, context);
  const body = await gzip(batch.map((item) => `${item.body}\n`).join(""));
  const { answer, url } = await ask({ method: "PUT", key, headers: putHeaders(settings), body }, settings, credentials, context);
  const result = putResult(answer, url, context.clock.now());
  if (result instanceof Failure) throw result;
  const receipt = result === "already" ? `s3: ${key} was there already` : `s3: ${key}`;
  return batch.map(() => ({ status: "delivered", receipt }));
}

/** `<prefix>YYYY/MM/DD/<hash>.ndjson.gz`, by the earliest day in it. */
function objectKey(batch: readonly Rendered[], { prefix }: Config, context: Context): string {
  const days = batch.map((item) => String(item.meta?.["day"])).sort();
  const hash = context.digest.sha256(batch.map((item) => item.key).join("\n"));
  return `${prefix}${(days[0] ?? "").replaceAll("-", "/")}/${hash}.ndjson.gz`;
}

function putHeaders({ createOnly, encryption, kmsKeyId, bucketOwner }: Config): Record<string, string> {
  return {
    // Without a content encoding: readers of lakes go by the name, and clients must not unpack it on the way.
    "content-type": "application/gzip",
    ...(createOnly ? { "if-none-match": "*" } : {}),
    ...(encryption === undefined ? {} : { "x-amz-server-side-encryption": encryption }),
    ...(kmsKeyId === undefined ? {} : { "x-amz-server-side-encryption-aws-kms-key-id": kmsKeyId }),
    ...(bucketOwner === undefined ? {} : { "x-amz-expected-bucket-owner": bucketOwner }),
  };
}

interface Question {
  readonly method: "GET" | "PUT";
  readonly key: string;
  readonly query?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array;
}

async function ask(
  { method, key, query, headers, body }: Question,
  settings: Config,
  credentials: CredentialSource,
  context: Context,
): Promise<{ readonly answer: Answer; readonly url: string }> {
  const url = addressOf(settings, key);
  url.search = query ?? "";
  const content = body === undefined ? {} : { body };
  const signed = await signedHeaders({ method, url, headers, ...content }, await credentials(), settings.region, context.clock.now());
  const answer = await exchangeWithin({ peer: "S3", method, url: url.href, headers: signed, ...content }, context, settings.timeoutMs);
  return { answer, url: url.href };
}

/** The same text gives the same bytes: there is no time in the header. */
async function gzip(text: string): Promise<Uint8Array> {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Asks for an empty list, which changes nothing; its error tells a wrong credential from one that may only write. */
async function check(settings: Config, context: Context): Promise<readonly Check[]> {
  const owner = settings.bucketOwner === undefined ? {} : { "x-amz-expected-bucket-owner": settings.bucketOwner };
  try {
    const question = { method: "GET", key: "", query: "list-type=2&max-keys=0", headers: owner } as const;
    const { answer, url } = await ask(question, settings, credentialSource(settings), context);
    if (answer.status === 200)
      return [{ name: "bucket", ok: true, message: "it is there and the credential is good; whether it may write shows when it does" }];
    if (answer.status === 403 && errorCode(answer) === "AccessDenied")
      return [
        {
          name: "bucket",
          ok: true,
          message: "the credential is good and may not list, which it need not; whether it may write shows when it does",
        },
      ];
    const failure = failureOf(answer, url, context.clock.now());
    return [{ name: "bucket", ok: false, message: failure.message, fix: fixOf(failure) }];
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return [{ name: "bucket", ok: false, message: error.message, fix: fixOf(error) }];
  }
}

function fixOf({ code }: Failure): string {
  if (code === "HTTP_DENIED")
    return "check accessKeyId and secretAccessKey or the machine's role, and this machine's clock; the role needs s3:PutObject on the prefix";
  if (code === "DESTINATION_CONFIG" || code === "HTTP_WRONG_HOST") return "check bucket, region, endpoint and pathStyle";
  return "check endpoint, certificate and firewall";
}
