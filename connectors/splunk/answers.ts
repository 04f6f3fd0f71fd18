/**
 * What the answers of the HTTP Event Collector mean (help.splunk.com, "Troubleshoot HTTP Event Collector", and
 * what is measured beyond it: HTML errors, an array of quirks around `invalid-event-number`).
 */
import { answerObject, connectorFailure, retryAfterMs, type Answer } from "../../src/archetypes/http-exchange.ts";
import { Failure, type FailureCode } from "../../src/core/errors.ts";
import type { EpochMs } from "../../src/core/event.ts";
import type { Outcome } from "../../src/ports/connector.ts";

type Verdict = "delivered" | "isolate" | "refused" | "denied" | "config" | "unavailable" | "throttled";

/** Every code with the status that it comes with and what it means for a batch of events. */
export const CODE_VERDICTS: ReadonlyMap<number, readonly [status: number, verdict: Verdict, meaning: string]> = new Map([
  [0, [200, "delivered", "success"]],
  [1, [403, "denied", "the token is disabled"]],
  [2, [401, "denied", "the token did not arrive"]],
  [3, [401, "denied", "the authorization was not understood"]],
  [4, [403, "denied", "the token is not valid"]],
  [5, [400, "refused", "no data arrived"]],
  [6, [400, "isolate", "the data format is invalid"]],
  [7, [400, "config", "the token may not write to the index"]],
  [8, [500, "unavailable", "internal server error"]],
  [9, [503, "unavailable", "the server is busy"]],
  [10, [400, "config", "the data channel is missing"]],
  [11, [400, "config", "the data channel is not valid"]],
  [12, [400, "isolate", "the event field is required"]],
  [13, [400, "isolate", "the event field is blank"]],
  [14, [400, "config", "acknowledgement is disabled"]],
  [15, [400, "isolate", "an indexed field is not valid"]],
  [16, [400, "config", "authorization in the query is not enabled"]],
  [18, [503, "unavailable", "the queues are full"]],
  [19, [503, "unavailable", "the acknowledgement service is not available"]],
  [20, [503, "unavailable", "queues and acknowledgement service are not available"]],
  [21, [400, "config", "the token is not valid"]],
  [22, [400, "config", "the token is disabled"]],
  [23, [503, "unavailable", "the server is shutting down"]],
  [24, [200, "delivered", "the queue is approaching its capacity"]],
  [25, [200, "delivered", "the acknowledgement channel is approaching its capacity"]],
  [26, [429, "throttled", "the queue is at capacity"]],
  [27, [429, "throttled", "the acknowledgement channel is at capacity"]],
]);

/** The code of an answer, when it comes with the status that the table has for it. */
export function codeOf(answer: Answer): number | undefined {
  const code = answerObject(answer)?.["code"];
  // With another status it is not this table's: a proxy or another server made the answer.
  return typeof code === "number" && CODE_VERDICTS.get(code)?.[0] === answer.status ? code : undefined;
}

/** Codes of a collector that took the events and fills up. */
const BUSY_CODES: ReadonlySet<number> = new Set([24, 25]);

/**
 * Outcomes of a batch of `count` events for an answer to it. `ticketOf` gives the ticket for an acknowledgement id; without
 * it, or without an id in the answer, an event that was taken counts as delivered.
 * @throws {Failure} as the port says: scope connector, or scope item to have the batch bisected
 */
export function outcomesOf(
  answer: Answer,
  count: number,
  url: string,
  now: EpochMs,
  ack?: { readonly ticketOf: (id: number) => string; readonly askAfterMs: number },
): readonly Outcome[] {
  const code = codeOf(answer);
  if (code === undefined) throw statusFailure(answer, url, now);
  const body = answerObject(answer)!;
  const [status, verdict, meaning] = CODE_VERDICTS.get(code)!;
  if (verdict === "isolate") return isolated(body["invalid-event-number"], count, `HEC ${status}/${code}: ${meaning}`);
  if (verdict !== "delivered") throw codeFailure(answer, code, now);
  const busy = BUSY_CODES.has(code) ? { busy: true as const } : {};
  const id = body["ackId"];
  if (ack === undefined || id === undefined)
    return Array.from({ length: count }, () => ({ status: "delivered", receipt: `hec:${code}`, ...busy }));
  if (!(Number.isSafeInteger(id) && (id as number) >= 0))
    throw connectorFailure("retryable", "HTTP_MALFORMED", "the acknowledgement id is not a number");
  const ticket = ack.ticketOf(id as number);
  return Array.from({ length: count }, () => ({ status: "accepted", ticket, askAfterMs: ack.askAfterMs, ...busy }));
}

/** What a code means that is neither success nor about one event. */
export function codeFailure(answer: Answer, code: number, now: EpochMs): Failure {
  const [status, verdict, meaning] = CODE_VERDICTS.get(code)!;
  const message = `HEC ${status}/${code}: ${meaning}`;
  switch (verdict) {
    case "denied":
      return connectorFailure("permanent", "HTTP_DENIED", message);
    case "config":
      return connectorFailure("permanent", "DESTINATION_CONFIG", message);
    case "unavailable":
      return connectorFailure("retryable", "HTTP_UNAVAILABLE", message, retryAfterMs(answer, now));
    case "throttled":
      return connectorFailure("retryable", "HTTP_THROTTLED", message, retryAfterMs(answer, now));
    case "delivered":
    case "isolate":
    case "refused":
      return new Failure(message, { kind: "permanent", code: "HTTP_REJECTED" });
  }
}

/**
 * The event at `number` (from zero) is poison. Splunk reads a batch as a stream: those before it may be indexed
 * already, those after it are not. Both are sent again: a repeat carries the same key for the reader to drop,
 * a loss could not be noticed.
 */
function isolated(number: unknown, count: number, message: string): readonly Outcome[] {
  if (count > 1 && !(typeof number === "number" && Number.isInteger(number) && number >= 0 && number < count))
    throw new Failure(`${message}; which event is not said`, { kind: "permanent", code: "HTTP_REJECTED" });
  const at = count === 1 ? 0 : (number as number);
  return Array.from({ length: count }, (_, index) =>
    index === at
      ? { status: "failed", kind: "poison", code: "HTTP_REJECTED", message }
      : {
          status: "failed",
          kind: "retryable",
          code: "HTTP_REJECTED",
          message: `not confirmed: event ${at} of the request was refused`,
          retryAfterMs: 0,
        },
  );
}

/** What a status alone means: answers of proxies, HTML errors, unknown codes. */
export function statusFailure(answer: Answer, url: string, now: EpochMs): Failure {
  const { status } = answer;
  const permanent = (code: FailureCode, message: string): Failure => connectorFailure("permanent", code, message);
  const retryable = (code: FailureCode, message: string): Failure =>
    connectorFailure("retryable", code, message, retryAfterMs(answer, now));
  if (status >= 200 && status < 300) return retryable("HTTP_MALFORMED", `HTTP ${status} with a body that is not HEC's`);
  if (status >= 300 && status < 400) {
    const location = answer.header("location");
    const elsewhere = location !== undefined && URL.canParse(location, url) && new URL(location, url).host !== new URL(url).host;
    return elsewhere
      ? permanent("HTTP_WRONG_HOST", `HTTP ${status} redirects to another host; nothing follows it`)
      : permanent(
          "DESTINATION_CONFIG",
          `HTTP ${status}: a redirect comes from Splunk Web; use the collector's port (8088, or 443 in Splunk Cloud)`,
        );
  }
  if (status === 401 || status === 403) return permanent("HTTP_DENIED", `HTTP ${status}: the token was refused`);
  if (status === 404 || status === 405)
    return permanent("DESTINATION_CONFIG", `HTTP ${status}: there is no event collector at this address`);
  if (status === 415) return permanent("DESTINATION_CONFIG", "HTTP 415: something between us and the collector changed the encoding");
  if (status === 413) return new Failure("HTTP 413: the request is too large", { kind: "permanent", code: "HTTP_TOO_LARGE" });
  if (status === 429) return retryable("HTTP_THROTTLED", "HTTP 429: too many requests");
  if (status === 408) return retryable("HTTP_TIMEOUT", "HTTP 408: the server gave up waiting");
  if (status === 425 || status >= 500) return retryable("HTTP_UNAVAILABLE", `HTTP ${status}: the server failed`);
  return new Failure(`HTTP ${status}: the request was refused`, { kind: "permanent", code: "HTTP_REJECTED" });
}
