/** What ServiceNow's answers mean ("REST API, error codes", "Inbound REST API rate limiting"). */
import { answerObject, connectorFailure, retryAfterMs, type Answer } from "../../src/archetypes/http-exchange.ts";
import { Failure } from "../../src/core/errors.ts";
import type { EpochMs } from "../../src/core/event.ts";
import { asObject, type Json } from "../../src/core/record.ts";

/** Who answers, in messages. */
export const PEER = "ServiceNow";

/** Limits are by the hour and counted every 30 seconds. */
const THROTTLED_WAIT_MS = 60_000;
const THROTTLED_WAIT_MAX_MS = 3_600_000;

/**
 * The object under `result` of an answer that says success. @throws {Failure}
 * An instance that hibernates answers 200 with a page: that is no success.
 */
export function resultOf(answer: Answer, now: EpochMs): Json {
  if (answer.status === 200 || answer.status === 201) {
    const isJson = /^application\/json\b/i.test(answer.header("content-type") ?? "");
    const result = isJson ? asObject(answerObject(answer)?.["result"]) : undefined;
    if (result !== undefined) return result;
    throw connectorFailure(
      "retryable",
      "HTTP_MALFORMED",
      `${PEER} answered ${answer.status} without a result; the instance may be hibernating, or something else answers`,
    );
  }
  throw failureOf(answer, now);
}

/** As `resultOf`, for a list. */
export function resultsOf(answer: Answer, now: EpochMs): readonly Json[] {
  if (answer.status !== 200) throw failureOf(answer, now);
  const isJson = /^application\/json\b/i.test(answer.header("content-type") ?? "");
  const result = isJson ? answerObject(answer)?.["result"] : undefined;
  if (!Array.isArray(result))
    throw connectorFailure("retryable", "HTTP_MALFORMED", `${PEER} answered 200 without a list; the instance may be hibernating`);
  return result.map(asObject).filter((one) => one !== undefined);
}

function failureOf(answer: Answer, now: EpochMs): Failure {
  const { status } = answer;
  const said = `${PEER} answered ${status}`;
  if (status === 429)
    return connectorFailure("retryable", "HTTP_THROTTLED", `${said}: over the instance's limit`, throttledWait(answer, now));
  if (status >= 500 || status === 408) return connectorFailure("retryable", "HTTP_UNAVAILABLE", said, retryAfterMs(answer, now));
  if (status > 201 && status < 300)
    return connectorFailure("retryable", "HTTP_MALFORMED", `${said}, which it never does; something else may be answering`);
  if (status === 400) return new Failure(`${said}: the record is refused`, { kind: "permanent", code: "HTTP_REJECTED" });
  if (status === 413) return new Failure(`${said}: the request is too large`, { kind: "permanent", code: "HTTP_TOO_LARGE" });
  if (status === 401) return connectorFailure("permanent", "HTTP_DENIED", `${said}: the credential is refused`);
  if (status === 403) return connectorFailure("permanent", "HTTP_DENIED", `${said}: a role or an access control list forbids it`);
  return connectorFailure("permanent", "DESTINATION_CONFIG", `${said}; check url, table, and whether the plugin is there`);
}

/** `X-RateLimit-Reset` is the second at which the limit starts anew. */
function throttledWait(answer: Answer, now: EpochMs): number {
  const reset = answer.header("x-ratelimit-reset") ?? "";
  const until = /^\d{9,11}$/.test(reset) ? Math.min(Math.max(Number(reset) * 1000 - now, 0), THROTTLED_WAIT_MAX_MS) : undefined;
  return retryAfterMs(answer, now) ?? until ?? THROTTLED_WAIT_MS;
}
