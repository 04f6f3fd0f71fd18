/** What a status other than success means for a whole bulk request, of Elasticsearch and of OpenSearch. */
import { Failure } from "../../core/errors.ts";
import type { EpochMs } from "../../core/event.ts";
import { connectorFailure, retryAfterMs } from "../http-exchange.ts";

/** `url` is the configured address, with which a redirect is compared. */
export function statusFailure(status: number, headers: Readonly<Record<string, unknown>>, url: string, now: EpochMs): Failure {
  const header = (name: string): string | undefined => (typeof headers[name] === "string" ? headers[name] : undefined);
  const wait = retryAfterMs({ status, text: "", header }, now);
  if (status >= 200 && status < 300)
    return connectorFailure("retryable", "HTTP_MALFORMED", `HTTP ${status} is no answer to a bulk request`);
  if (status >= 300 && status < 400) {
    const location = header("location");
    const elsewhere = location !== undefined && URL.canParse(location, url) && new URL(location, url).host !== new URL(url).host;
    return connectorFailure(
      "permanent",
      elsewhere ? "HTTP_WRONG_HOST" : "DESTINATION_CONFIG",
      `HTTP ${status}: the address redirects${elsewhere ? " to another host" : ""}; nothing follows it`,
    );
  }
  switch (status) {
    case 401:
      return connectorFailure("permanent", "HTTP_DENIED", "HTTP 401: the credential was refused");
    case 403:
      return connectorFailure("permanent", "HTTP_DENIED", "HTTP 403: the credential may not do this");
    case 404:
    case 405:
    case 406:
    case 415:
      return connectorFailure("permanent", "DESTINATION_CONFIG", `HTTP ${status}: there is no bulk API at this address`);
    case 408:
      return connectorFailure("retryable", "HTTP_TIMEOUT", "HTTP 408: the server gave up waiting", wait);
    case 413:
    case 417:
      return new Failure(`HTTP ${status}: the request is too large`, { kind: "permanent", code: "HTTP_TOO_LARGE" });
    case 429:
      return connectorFailure("retryable", "HTTP_THROTTLED", "HTTP 429: the cluster rejects requests for now", wait);
    default:
      return status === 425 || status >= 500
        ? connectorFailure("retryable", "HTTP_UNAVAILABLE", `HTTP ${status}: the cluster or what is before it failed`, wait)
        : new Failure(`HTTP ${status}: the request was refused`, { kind: "permanent", code: "HTTP_REJECTED" });
  }
}
