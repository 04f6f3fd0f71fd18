import { answerObject, connectorFailure, retryAfterMs, type Answer } from "../../src/archetypes/http-exchange.ts";
import { Failure } from "../../src/core/errors.ts";
import type { EpochMs } from "../../src/core/event.ts";
import { asObject } from "../../src/core/record.ts";

/** Who answers, in messages. */
export const PEER = "The Logs Ingestion API";

/** 400s that say the rule or the stream is wrong, not the rows: bisecting the batch would find nothing. */
const CONFIG_CODES = new Set([
  "InvalidStream",
  "InvalidDcrImmutableId",
  "MissingApiVersionParameter",
  "InvalidApiVersion",
  "UnsupportedMediaType",
]);

/** Seen in the place of a 413, when the service gives up reading ("Troubleshoot Azure Monitor Ingestion"). */
const GAVE_UP_READING = new Set(["TimeoutExpired", "ReadyBody_ClientConnectionAbort"]);

/**
 * The service's error code, from the body or `x-ms-error-code`; only if it looks like one, since its message may
 * repeat what was sent.
 */
export function errorCode(answer: Answer): string | undefined {
  const code = asObject(answerObject(answer)?.["error"])?.["code"] ?? answer.header("x-ms-error-code");
  return typeof code === "string" && /^[A-Za-z0-9_.]{1,64}$/.test(code) ? code : undefined;
}

/**
 * What an answer other than 204 means (Logs Ingestion API swagger 2023-01-01 and the "Troubleshoot Azure Monitor
 * Ingestion" page). `rows`: how many were sent. 401 and 403 are decided by the caller, who knows what was tried.
 */
export function ingestionFailure(answer: Answer, now: EpochMs, rows: number): Failure {
  const { status } = answer;
  const code = errorCode(answer);
  const said = `${PEER} answered ${status}${code === undefined ? "" : ` (${code})`}`;
  const wait = retryAfterMs(answer, now);
  if (status >= 400 && code !== undefined && GAVE_UP_READING.has(code)) {
    // One row is far below the limit: then it was the connection after all.
    if (rows === 1) return connectorFailure("retryable", "HTTP_UNAVAILABLE", said, wait);
    return new Failure(`${said}: the batch may be too large`, { kind: "permanent", code: "HTTP_TOO_LARGE" });
  }
  if (status === 413) return new Failure(`${said}: the batch is too large`, { kind: "permanent", code: "HTTP_TOO_LARGE" });
  if (status === 429) return connectorFailure("retryable", "HTTP_THROTTLED", `${said}: over the rule's limit`, wait);
  if (status >= 500 || status === 408 || status === 425) return connectorFailure("retryable", "HTTP_UNAVAILABLE", said, wait);
  if (status === 404)
    return connectorFailure(
      "permanent",
      "DESTINATION_CONFIG",
      `${said}: no such rule or stream; check endpoint, dcrImmutableId and stream`,
    );
  if (status === 400 || status === 422) {
    if (code !== undefined && CONFIG_CODES.has(code))
      return connectorFailure("permanent", "DESTINATION_CONFIG", `${said}: check dcrImmutableId and stream`);
    return new Failure(`${said}: a row is refused`, { kind: "poison", code: "HTTP_REJECTED" });
  }
  // The service's own library, too, takes nothing but 204 for success: a proxy in between may answer 200.
  if (status >= 200 && status < 300)
    return connectorFailure("retryable", "HTTP_MALFORMED", `${said} where only 204 means accepted; something else may be answering`);
  return connectorFailure("permanent", "DESTINATION_CONFIG", `${said}, which it never does; check endpoint`);
}
