import { answerObject, connectorFailure, retryAfterMs, type Answer } from "../../src/archetypes/http-exchange.ts";
import { Failure } from "../../src/core/errors.ts";
import type { EpochMs } from "../../src/core/event.ts";

/** Who answers, in messages. */
export const PEER = "PagerDuty";

/** "Events API v2 Overview": after a 429 wait, twice 30 seconds and more; the pipeline adds the more. */
const THROTTLED_WAIT_MS = 30_000;

/**
 * What an answer means ("Events API v2 Overview" and "Rate Limits"); undefined when the event was taken. Taken
 * is not notified: a disabled service or a suppression rule swallows events after a 202.
 */
export function failureOf(answer: Answer, dedupKey: string, now: EpochMs): Failure | undefined {
  const { status } = answer;
  const said = `${PEER} answered ${status}`;
  if (status === 202) {
    const body = answerObject(answer);
    const echo = body?.["dedup_key"];
    // Only `status` is promised; an echo that is there must be ours, else somebody else answered.
    if (body?.["status"] === "success" && (echo === undefined || echo === dedupKey)) return undefined;
    return connectorFailure("retryable", "HTTP_MALFORMED", `${said} without saying success for this event`);
  }
  if (status >= 200 && status < 300)
    return connectorFailure("retryable", "HTTP_MALFORMED", `${said} where only 202 means accepted; something else may be answering`);
  const wait = retryAfterMs(answer, now) ?? resetMs(answer);
  if (status === 429) return connectorFailure("retryable", "HTTP_THROTTLED", `${said}: over the key's limit`, wait ?? THROTTLED_WAIT_MS);
  if (status >= 500 || status === 408 || status === 425) return connectorFailure("retryable", "HTTP_UNAVAILABLE", said, wait);
  if (status === 400) {
    if (blamesRoutingKey(answer))
      return connectorFailure("permanent", "DESTINATION_CONFIG", `${said}: the routing key is not valid; check routingKey and region`);
    return new Failure(`${said}: the event is refused`, { kind: "poison", code: "HTTP_REJECTED" });
  }
  if (status === 413) return new Failure(`${said}: the event is too large`, { kind: "permanent", code: "HTTP_TOO_LARGE" });
  if (status === 401 || status === 403)
    return connectorFailure("permanent", "HTTP_DENIED", `${said}: access is denied; check routingKey and region`);
  return connectorFailure("permanent", "DESTINATION_CONFIG", `${said}, which it never does; check region and any proxy in between`);
}

/** The texts differ over time (some with typing errors), so only the name of the field is looked for. */
function blamesRoutingKey(answer: Answer): boolean {
  const errors = answerObject(answer)?.["errors"];
  return Array.isArray(errors) && errors.some((error) => typeof error === "string" && /routing[_ ]?key/i.test(error));
}

/** Seconds until the limit starts anew ("REST API Rate Limits"; seen on events as well); at most one minute, its window. */
function resetMs(answer: Answer): number | undefined {
  const value = answer.header("ratelimit-reset");
  return value !== undefined && /^\d{1,6}$/.test(value) ? Math.min(Number(value) * 1000, 60_000) : undefined;
}
