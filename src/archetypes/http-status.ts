/** What a status means to a destination whose vendor says nothing more exact. */
import { Failure, type FailureCode } from "../core/errors.ts";
import type { EpochMs } from "../core/event.ts";
import { connectorFailure, retryAfterMs, type Answer } from "./http-exchange.ts";

/** Who answered, and at what address we had asked. */
export interface Asked {
  /** For messages, e.g. `the webhook`. */
  readonly peer: string;
  readonly url: string;
  readonly now: EpochMs;
}

/** The failure that a status other than success is; scope item for what is refused for its content. */
export function statusFailure(answer: Answer, { peer, url, now }: Asked): Failure {
  const { status } = answer;
  const permanent = (code: FailureCode, message: string): Failure => connectorFailure("permanent", code, `HTTP ${status}: ${message}`);
  const retryable = (code: FailureCode, message: string): Failure =>
    connectorFailure("retryable", code, `HTTP ${status}: ${message}`, retryAfterMs(answer, now));
  if (status >= 300 && status < 400)
    return isElsewhere(answer, url)
      ? permanent("HTTP_WRONG_HOST", "the address redirects to another host; nothing follows it")
      : permanent("DESTINATION_CONFIG", "the address redirects; nothing follows it, configure where it leads");
  switch (status) {
    case 401:
    case 403:
    case 407:
      return permanent("HTTP_DENIED", `${peer} refused the credential`);
    case 404:
    case 405:
    case 406:
    case 415:
      return permanent("DESTINATION_CONFIG", `${peer} takes nothing of this kind at this address`);
    case 410:
      return permanent("DESTINATION_CONFIG", `${peer} is gone and wants nothing more`);
    case 408:
      return retryable("HTTP_TIMEOUT", `${peer} gave up waiting`);
    case 413:
      return new Failure("HTTP 413: the request is too large", { kind: "permanent", code: "HTTP_TOO_LARGE" });
    case 429:
      return retryable("HTTP_THROTTLED", `${peer} asks to slow down`);
    default:
      return status === 425 || status >= 500 || status < 200
        ? retryable("HTTP_UNAVAILABLE", `${peer} or what is before it failed`)
        : new Failure(`HTTP ${status}: ${peer} refused the request`, { kind: "permanent", code: "HTTP_REJECTED" });
  }
}

function isElsewhere(answer: Answer, url: string): boolean {
  const location = answer.header("location");
  return location !== undefined && URL.canParse(location, url) && new URL(location, url).host !== new URL(url).host;
}
