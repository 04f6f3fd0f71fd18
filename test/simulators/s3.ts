/**
 * A strict S3-compatible store: verifies signature version 4 by itself, conditional writes, the hash of the body, the owner and
 * the region, and answers with S3's XML. Written from AWS's documentation ("Signature Version 4", "PutObject", "Error responses").
 */
import { createHash, createHmac } from "node:crypto";
import { gunzipSync } from "node:zlib";
import {
  faultQueue,
  startLoopback,
  type HttpFault,
  type SimulatedAnswer,
  type SimulatedRequest,
} from "../../src/simulators/http-server.ts";

/** How the store is set up. */
export interface S3Options {
  readonly bucket: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  readonly now: () => number;
  /** The credential may write and nothing else. */
  readonly writeOnly?: boolean;
  readonly owner?: string;
  /** Does not know conditional writes. */
  readonly noConditions?: boolean;
}

/** An object as it lies there. */
interface StoredObject {
  readonly key: string;
  readonly lines: readonly unknown[];
  readonly headers: SimulatedRequest["headers"];
  readonly bytes: Buffer;
}

/** A running store. */
export interface S3Simulator {
  readonly url: string;
  objects(): readonly StoredObject[];
  /** Every line of every object. */
  received(): readonly unknown[];
  requests(): number;
  fail(...faults: readonly HttpFault[]): void;
  close(): Promise<void>;
}

/** S3 refuses requests whose time is further away. */
const SKEW_MS = 900_000;

/** Starts the store on a free loopback port. */
export async function startS3Simulator(options: S3Options): Promise<S3Simulator> {
  const faults = faultQueue<HttpFault>();
  const objects = new Map<string, StoredObject>();
  const server = await startLoopback<HttpFault>({
    fault: (request) => (request.method === "PUT" ? faults.next() : undefined),
    handle: (request) => refusal(request, options) ?? (request.method === "PUT" ? put(request, objects, options) : list(request, options)),
  });
  return {
    url: server.url,
    objects: () => [...objects.values()],
    received: () => [...objects.values()].flatMap((one) => one.lines),
    requests: () => server.requests(),
    fail: (...list) => faults.add(list),
    close: () => server.close(),
  };
}

/** An error as S3 writes it. */
export function s3Error(
  status: number,
  code: string,
  headers: Readonly<Record<string, string>> = {},
): SimulatedAnswer & { readonly body: string } {
  return {
    status,
    headers: { "content-type": "application/xml", ...headers },
    body: `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>…</Message><RequestId>4442587FB7D0A2F9</RequestId></Error>`,
  };
}

function refusal(request: SimulatedRequest, options: S3Options): SimulatedAnswer | undefined {
  const match =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([a-z0-9-]+)\/s3\/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$/.exec(
      request.headers.authorization ?? "",
    );
  if (match === null) return s3Error(400, "AuthorizationHeaderMalformed");
  // The port is a part of the host wherever it is not the scheme's own.
  if (!/:\d+$/.test(request.headers.host ?? "")) return s3Error(400, "InvalidRequest");
  const [, keyId = "", day = "", region = "", signed = "", signature = ""] = match;
  const date = String(request.headers["x-amz-date"]);
  const time = Date.parse(date.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, "$1-$2-$3T$4:$5:$6Z"));
  if (keyId !== options.accessKeyId) return s3Error(403, "InvalidAccessKeyId");
  if (request.headers["x-amz-security-token"] !== options.sessionToken) return s3Error(400, "InvalidToken");
  if (region !== options.region) return s3Error(400, "AuthorizationHeaderMalformed", { "x-amz-bucket-region": options.region });
  if (Number.isNaN(time) || Math.abs(time - options.now()) > SKEW_MS) return s3Error(403, "RequestTimeTooSkewed");
  const names = signed.split(";");
  const must = Object.keys(request.headers).filter((name) => name === "host" || name === "content-type" || name.startsWith("x-amz-"));
  if (must.some((name) => !names.includes(name))) return s3Error(403, "AccessDenied");
  const payload = createHash("sha256").update(request.body).digest("hex");
  if (request.headers["x-amz-content-sha256"] !== payload) return s3Error(400, "XAmzContentSHA256Mismatch");
  const query = [...request.query].map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).sort();
  const canonical = [
    request.method,
    // S3 decodes the path and escapes everything but the unreserved characters.
    request.path
      .split("/")
      .map((part) => encodeURIComponent(decodeURIComponent(part)).replaceAll(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16)}`))
      .join("/"),
    query.join("&"),
    ...names.map((name) => `${name}:${String(request.headers[name]).trim()}`),
    "",
    signed,
    payload,
  ].join("\n");
  const scope = `${day}/${region}/s3/aws4_request`;
  const hmac = (key: string | Buffer, text: string): Buffer => createHmac("sha256", key).update(text).digest();
  const signingKey = ["s3", "aws4_request"].reduce(hmac, hmac(hmac(`AWS4${options.secretAccessKey}`, day), region));
  const text = `AWS4-HMAC-SHA256\n${date}\n${scope}\n${createHash("sha256").update(canonical).digest("hex")}`;
  if (day !== date.slice(0, 8) || hmac(signingKey, text).toString("hex") !== signature) return s3Error(403, "SignatureDoesNotMatch");
  if (!`${request.path}/`.startsWith(`/${options.bucket}/`)) return s3Error(404, "NoSuchBucket");
  const owner = request.headers["x-amz-expected-bucket-owner"];
  return owner !== undefined && owner !== options.owner ? s3Error(403, "AccessDenied") : undefined;
}

function put(request: SimulatedRequest, objects: Map<string, StoredObject>, options: S3Options): SimulatedAnswer {
  const key = decodeURIComponent(request.path.slice(`/${options.bucket}/`.length));
  if (key === "" || Buffer.byteLength(key) > 1_024) return s3Error(400, "KeyTooLongError");
  const condition = request.headers["if-none-match"];
  if (condition !== undefined && options.noConditions === true) return s3Error(501, "NotImplemented");
  if (condition !== undefined && condition !== "*") return s3Error(400, "InvalidArgument");
  const encryption = request.headers["x-amz-server-side-encryption"];
  if (encryption !== undefined && encryption !== "AES256" && encryption !== "aws:kms") return s3Error(400, "InvalidArgument");
  if (condition === "*" && objects.has(key)) return s3Error(412, "PreconditionFailed");
  const text = gunzipSync(request.body).toString("utf8");
  if (!text.endsWith("\n")) return s3Error(400, "InvalidRequest");
  const lines = text
    .slice(0, -1)
    .split("\n")
    .map((line) => JSON.parse(line) as unknown);
  objects.set(key, { key, lines, headers: request.headers, bytes: request.body });
  return { status: 200, headers: { etag: `"${createHash("md5").update(request.body).digest("hex")}"` } };
}

function list({ query, method }: SimulatedRequest, { writeOnly, bucket }: S3Options): SimulatedAnswer {
  if (method !== "GET" || query.get("list-type") !== "2") return s3Error(405, "MethodNotAllowed");
  if (writeOnly === true) return s3Error(403, "AccessDenied");
  return {
    status: 200,
    headers: { "content-type": "application/xml" },
    body: `<ListBucketResult><Name>${bucket}</Name><KeyCount>0</KeyCount></ListBucketResult>`,
  };
}
