/**
 * What S3's answers mean (docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html, and "Conditional requests"). S3 judges no
 * content: whatever it refuses for good, no other batch would fare better.
 */
import { connectorFailure, retryAfterMs, type Answer } from "../../src/archetypes/http-exchange.ts";
import { statusFailure } from "../../src/archetypes/http-status.ts";
import { Failure, type FailureCode } from "../../src/core/errors.ts";
import type { EpochMs } from "../../src/core/event.ts";

type Verdict = readonly [kind: "retryable" | "permanent", code: FailureCode, meaning: string];

const STOP = "permanent" as const;
/** Error codes of S3 and its kind, with what they mean for us. */
export const CODES: ReadonlyMap<string, Verdict> = new Map<string, Verdict>([
  ["AccessDenied", [STOP, "HTTP_DENIED", "the credential may not do this, or the key of the encryption may not be used"]],
  ["AccountProblem", [STOP, "HTTP_DENIED", "there is a problem with the account"]],
  ["AllAccessDisabled", [STOP, "HTTP_DENIED", "all access to the bucket is disabled"]],
  ["InvalidAccessKeyId", [STOP, "HTTP_DENIED", "the access key is not known"]],
  ["InvalidToken", [STOP, "HTTP_DENIED", "the session token is not valid"]],
  ["SignatureDoesNotMatch", [STOP, "HTTP_DENIED", "the signature is wrong: the secret access key does not belong to the access key"]],
  ["RequestTimeTooSkewed", [STOP, "HTTP_DENIED", "this machine's clock and S3's differ by more than 15 minutes"]],
  // The chain has newer ones by then, and so may the referenced secret.
  ["ExpiredToken", ["retryable", "HTTP_DENIED", "the session token has expired"]],
  ["AuthorizationHeaderMalformed", [STOP, "DESTINATION_CONFIG", "the bucket is in another region"]],
  ["IllegalLocationConstraintException", [STOP, "DESTINATION_CONFIG", "the bucket is in another region"]],
  ["PermanentRedirect", [STOP, "DESTINATION_CONFIG", "the bucket is in another region"]],
  ["NoSuchBucket", [STOP, "DESTINATION_CONFIG", "there is no such bucket"]],
  ["InvalidBucketName", [STOP, "DESTINATION_CONFIG", "this is no name of a bucket"]],
  [
    "NotImplemented",
    [STOP, "DESTINATION_CONFIG", "the store does not know a header that is sent: set createOnly: false, or no encryption"],
  ],
  // New buckets: names of AWS take a while to get around.
  ["TemporaryRedirect", ["retryable", "HTTP_UNAVAILABLE", "the bucket's name is not known everywhere yet"]],
  ["BadDigest", ["retryable", "HTTP_UNAVAILABLE", "the bytes changed on their way"]],
  ["XAmzContentSHA256Mismatch", ["retryable", "HTTP_UNAVAILABLE", "the bytes changed on their way"]],
  ["IncompleteBody", ["retryable", "HTTP_UNAVAILABLE", "not all bytes arrived"]],
  ["RequestTimeout", ["retryable", "HTTP_TIMEOUT", "the bytes did not arrive in time"]],
  ["ConditionalRequestConflict", ["retryable", "HTTP_UNAVAILABLE", "somebody else writes the same object"]],
  ["OperationAborted", ["retryable", "HTTP_UNAVAILABLE", "another operation is under way"]],
  ["InternalError", ["retryable", "HTTP_UNAVAILABLE", "S3 failed"]],
  ["ServiceUnavailable", ["retryable", "HTTP_UNAVAILABLE", "S3 is not available"]],
  ["SlowDown", ["retryable", "HTTP_THROTTLED", "too many requests for this prefix"]],
  ["TooManyRequests", ["retryable", "HTTP_THROTTLED", "too many requests"]],
  ["ThrottlingException", ["retryable", "HTTP_THROTTLED", "too many requests"]],
  ["KMS.ThrottlingException", ["retryable", "HTTP_THROTTLED", "too many requests for the key of the encryption"]],
]);

/** The error code of an answer's XML, when it looks like one. */
export function errorCode({ text }: Answer): string | undefined {
  return /<Error>[^]{0,2000}?<Code>([A-Za-z][A-Za-z0-9.]{0,63})<\/Code>/.exec(text)?.[1];
}

/** Whether the object is there now, or the failure that says why not. `already`: it was there before. */
export function putResult(answer: Answer, url: string, now: EpochMs): "written" | "already" | Failure {
  const { status } = answer;
  if (status === 200 || status === 201) {
    // Each answer to a PUT has the object's tag; a proxy's page has none.
    if (answer.header("etag") !== undefined) return "written";
    return connectorFailure("retryable", "HTTP_MALFORMED", `HTTP ${status} without an ETag is no answer of S3`);
  }
  if (status === 412) return "already";
  return failureOf(answer, url, now);
}

/** The failure of an answer that is no success. */
export function failureOf(answer: Answer, url: string, now: EpochMs): Failure {
  const { status } = answer;
  const code = errorCode(answer);
  if (status >= 300 && code === "EntityTooLarge")
    return new Failure(`S3 ${status}/EntityTooLarge: the object is too large`, { kind: "permanent", code: "HTTP_TOO_LARGE" });
  const known = status < 300 || code === undefined ? undefined : CODES.get(code);
  if (known !== undefined) {
    const [kind, failureCode, meaning] = known;
    return connectorFailure(
      kind,
      failureCode,
      `S3 ${status}/${code}: ${meaning}${regionHint(answer)}`,
      kind === "retryable" ? retryAfterMs(answer, now) : undefined,
    );
  }
  if (status >= 200 && status < 300)
    return connectorFailure("retryable", "HTTP_MALFORMED", `HTTP ${status} is no answer to a PUT of an object`);
  if (status === 409)
    return connectorFailure("retryable", "HTTP_UNAVAILABLE", "HTTP 409: somebody else writes the same object", retryAfterMs(answer, now));
  const failure = statusFailure(answer, { peer: "S3", url, now });
  // No content is at fault: halving the batch would only repeat the question.
  return failure.code === "HTTP_REJECTED"
    ? connectorFailure("permanent", "DESTINATION_CONFIG", `S3 ${status}/${code ?? "no code"}: the request was refused`)
    : failure;
}

/** AWS names the right region beside the wrong one. */
function regionHint(answer: Answer): string {
  const region = answer.header("x-amz-bucket-region");
  return region !== undefined && /^[a-z0-9-]{1,40}$/.test(region) ? ` (the bucket's region is ${region})` : "";
}
