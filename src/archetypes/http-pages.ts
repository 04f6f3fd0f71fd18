/**
 * What every source that pulls pages over HTTP shares: one request, its failures, where links may lead, and
 * how the items of an answer become records. It sends once; the pipeline decides about trying again.
 */
import type { AxiosResponse } from "axios";
import { Failure, type FailureCode } from "../core/errors.ts";
import type { EpochMs } from "../core/event.ts";
import { checkDepth, checkKeys, mayForbidKeys } from "../core/framing.ts";
import type { Located, Page, RawRecord, Reject } from "../ports/connector.ts";
import type { Context } from "../ports/context.ts";
import { networkProblem } from "./network-problem.ts";

/** One answer may have this many bytes: no vendor's page is near it, and a page must fit into memory several times. */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;
/** A server may ask us to wait this long at most; a longer wait is a mistake or an attack, and the schedule asks again anyway. */
export const RETRY_AFTER_MAX_MS = 3_600_000;
/** A vendor's clock may be this far behind; more is a wrong header, which must not hold everything back. */
const SKEW_MAX_MS = 900_000;
/** A link may have this many characters: it has to fit into a cursor. */
const LINK_MAX = 2048;
/** This much of a Link header is looked at. */
const LINK_HEADER_MAX = 16 * 1024;

/** One request of a source. */
export interface HttpCall {
  readonly url: string;
  /** Default GET. */
  readonly method?: "GET" | "POST";
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** How long the vendor asks to wait, when it says so in headers of its own; used where Retry-After is missing. */
  readonly retryAfterMs?: (headers: Readonly<Record<string, string | undefined>>, now: EpochMs) => number | undefined;
}

/** A 2xx answer whose body was JSON. */
export interface HttpAnswer {
  readonly status: number;
  /** Names in lower case; several values of one name are joined by ", ". */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: unknown;
  /** The text that `body` was parsed from, for `pageRecords`. */
  readonly text: string;
}

/**
 * Sends one request and gives its JSON answer.
 * @throws {Failure} as `failureOfStatus` and `failureOfError` say; retryable HTTP_MALFORMED when a 2xx is not JSON
 */
export async function requestJson(call: HttpCall, context: Context): Promise<HttpAnswer> {
  const response = await send(call, context);
  const headers = plainHeaders(response.headers);
  const now = context.clock.now();
  const failure = failureOfStatus(response.status, headers, now);
  if (failure !== undefined) throw withWait(failure, call.retryAfterMs?.(headers, now));
  const text = typeof response.data === "string" ? response.data : "";
  try {
    return { status: response.status, headers, body: JSON.parse(text) as unknown, text };
  } catch {
    // The parser's message quotes the answer, which may hold anything.
    throw new Failure("the answer is not JSON", { kind: "retryable", code: "HTTP_MALFORMED", scope: "connector" });
  }
}

/** The failure with the vendor's own wait, where only waiting can help and nothing standard said how long. */
function withWait(failure: Failure, wait: number | undefined): Failure {
  if (wait === undefined || failure.kind !== "retryable" || failure.retryAfterMs !== undefined) return failure;
  const { kind, code, scope } = failure;
  return new Failure(failure.message, { kind, code, scope, retryAfterMs: clampWait(wait) });
}

async function send(call: HttpCall, context: Context): Promise<AxiosResponse<unknown>> {
  try {
    return await context.http.request<unknown>({
      url: call.url,
      method: call.method ?? "GET",
      headers: { accept: "application/json", ...call.headers },
      data: call.body,
      responseType: "text",
      // We parse by ourselves: the client would hand over broken JSON as text without a word.
      transformResponse: (data: unknown) => data,
      maxContentLength: ANSWER_BYTES_MAX,
      maxRedirects: 0,
      validateStatus: () => true,
      signal: context.signal,
    });
  } catch (error) {
    throw failureOfError(error);
  }
}

/** Lower-cased header names without a prototype; a list becomes one text. */
export function plainHeaders(headers: unknown): Readonly<Record<string, string | undefined>> {
  const plain = Object.create(null) as Record<string, string | undefined>;
  for (const [name, value] of Object.entries((headers ?? {}) as Record<string, unknown>)) {
    if (typeof value === "string" || typeof value === "number") plain[name.toLowerCase()] = String(value);
    else if (Array.isArray(value)) plain[name.toLowerCase()] = value.join(", ");
  }
  return plain;
}

/**
 * What a status means for a source; undefined for 2xx. 401 and 403 and every 4xx or 3xx not named stop the
 * connector until a human acts; 408, 425, 429 and 5xx are worth another try.
 */
export function failureOfStatus(status: number, headers: Readonly<Record<string, string | undefined>>, now: EpochMs): Failure | undefined {
  if (status >= 200 && status < 300) return undefined;
  const retryAfterMs = parseRetryAfter(headers["retry-after"], now);
  const again = (code: FailureCode, message: string): Failure =>
    new Failure(message, { kind: "retryable", code, scope: "connector", ...(retryAfterMs === undefined ? {} : { retryAfterMs }) });
  const stop = (code: FailureCode, message: string): Failure => new Failure(message, { kind: "permanent", code, scope: "connector" });
  if (status === 429) return again("HTTP_THROTTLED", "the server asks to slow down (429)");
  if (status === 408) return again("HTTP_TIMEOUT", "the server timed out (408)");
  if (status === 425 || status >= 500) return again("HTTP_UNAVAILABLE", `the server failed (${status})`);
  if (status === 401 || status === 403) return stop("HTTP_DENIED", `the server refuses the credential or its permission (${status})`);
  if (status >= 300 && status < 400) return stop("HTTP_REJECTED", `the server redirects (${status}), which is never followed`);
  return stop("HTTP_REJECTED", `the server refuses the request (${status})`);
}

/** Codes of broken connections that mean "too slow" rather than "not there". */
const TIMEOUT_CODES: ReadonlySet<string> = new Set(["ECONNABORTED", "ETIMEDOUT", "ESOCKETTIMEDOUT", "UND_ERR_CONNECT_TIMEOUT"]);

/**
 * A failure for what the HTTP client threw. Its own message is left out: it can hold the URL and with it a secret.
 * A Failure passes unchanged; what is not an error of the network is rethrown as it is, for it is a bug.
 */
export function failureOfError(error: unknown): Failure {
  if (error instanceof Failure) return error;
  const { code, isAxiosError, message } = (error ?? {}) as { code?: unknown; isAxiosError?: unknown; message?: unknown };
  if (isAxiosError !== true && typeof code !== "string") throw error;
  const name = typeof code === "string" && /^[A-Z0-9_]{2,64}$/.test(code) ? code : "unknown";
  if (typeof message === "string" && message.includes("maxContentLength"))
    return new Failure(`the answer is larger than ${ANSWER_BYTES_MAX} bytes`, {
      kind: "permanent",
      code: "HTTP_MALFORMED",
      scope: "connector",
    });
  const problem = networkProblem({ code, message });
  if (problem !== undefined)
    return new Failure(`the connection failed: ${problem.message}`, { kind: problem.kind, code: problem.code, scope: "connector" });
  if (TIMEOUT_CODES.has(name)) return new Failure(`the server did not answer in time (${name})`, retry("HTTP_TIMEOUT"));
  return new Failure(`the server could not be reached or the connection broke (${name})`, retry("HTTP_UNREACHABLE"));
}

function retry(code: FailureCode): { readonly kind: "retryable"; readonly code: FailureCode; readonly scope: "connector" } {
  return { kind: "retryable", code, scope: "connector" };
}

/** Milliseconds of a Retry-After header (seconds or an HTTP date, RFC 9110 section 10.2.3), 0 to RETRY_AFTER_MAX_MS. */
export function parseRetryAfter(value: string | undefined, now: EpochMs): number | undefined {
  if (value === undefined) return undefined;
  const trimmed = value.trim();
  if (/^\d{1,10}(\.\d{1,6})?$/.test(trimmed)) return clampWait(Math.ceil(Number(trimmed) * 1000));
  if (!/^[A-Z][a-z]{2}/.test(trimmed)) return undefined;
  const date = Date.parse(trimmed);
  return Number.isNaN(date) ? undefined : clampWait(date - now);
}

/**
 * The present of the vendor's clock by the Date header, and never later than ours: what the vendor will write down with its
 * own next moments is not readable yet. Whole seconds, RFC 9110 section 6.6.1.
 */
export function vendorNow(headers: Readonly<Record<string, string | undefined>>, now: EpochMs): EpochMs {
  const sent = Date.parse(headers["date"] ?? "");
  return Number.isNaN(sent) || now - sent > SKEW_MAX_MS ? now : Math.min(now, sent);
}

/**
 * What a page says of gaps when the vendor's clock, by the Date header, is too far from ours to be waited for: what it
 * dates between its time and ours is asked for too early, or not yet. Nothing of a time that it has not reached is read.
 */
export function withClock(
  page: Pick<Page, "gaps" | "covered">,
  headers: Readonly<Record<string, string | undefined>>,
  now: EpochMs,
  lagMs: number,
): Pick<Page, "gaps" | "covered"> {
  const sent = Date.parse(headers["date"] ?? "");
  if (Number.isNaN(sent) || Math.abs(now - sent) <= SKEW_MAX_MS) return page;
  const minutes = Math.round(Math.abs(now - sent) / 60_000);
  const shown = Math.min(sent, now) - lagMs;
  const detail = `the vendor's clock is ${minutes} minutes ${sent < now ? "behind" : "ahead of"} ours`;
  return {
    gaps: [...(page.gaps ?? []), { from: shown, to: Math.max(sent, now), why: "clock", detail }],
    covered: (page.covered ?? []).map(({ from, to }) => ({ from, to: Math.min(to, shown) })).filter(({ from, to }) => from < to),
  };
}

function clampWait(milliseconds: number): number {
  return Math.min(Math.max(milliseconds, 0), RETRY_AFTER_MAX_MS);
}

/**
 * An absolute URL for a link that the server gave, which may be relative.
 * @throws {Failure} permanent, connector: HTTP_WRONG_HOST when it leaves the scheme, host and port of `base`,
 * because the credential would travel there; HTTP_MALFORMED when it is no URL or too long
 */
export function pinnedUrl(link: string, base: string): string {
  const url = URL.canParse(link, base) ? new URL(link, base) : undefined;
  if (url === undefined || link.length > LINK_MAX)
    throw new Failure("the link to the next page is not a usable URL", { kind: "permanent", code: "HTTP_MALFORMED", scope: "connector" });
  if (url.origin !== new URL(base).origin || url.username !== "" || url.password !== "")
    throw new Failure("the link to the next page points to another host", {
      kind: "permanent",
      code: "HTTP_WRONG_HOST",
      scope: "connector",
    });
  return url.href;
}

/** Target of `rel` in a Link header (RFC 8288), e.g. `linkOf(headers["link"], "next")`; undefined when there is none. */
export function linkOf(header: string | undefined, rel: string): string | undefined {
  if (header === undefined) return undefined;
  let rest = header.slice(0, LINK_HEADER_MAX);
  for (;;) {
    const open = rest.indexOf("<");
    const close = rest.indexOf(">", open + 1);
    if (open === -1 || close === -1) return undefined;
    const target = rest.slice(open + 1, close);
    const following = rest.indexOf("<", close);
    const parameters = rest.slice(close + 1, following === -1 ? undefined : following);
    const found = /;\s*rel\s*=\s*(?:"([^"]*)"|([^\s;,"]+))/i.exec(parameters);
    const names = (found?.[1] ?? found?.[2] ?? "").toLowerCase().split(/\s+/);
    if (names.includes(rel.toLowerCase())) return target;
    if (following === -1) return undefined;
    rest = rest.slice(following);
  }
}

/** Why a URL must not carry a credential, or undefined: https everywhere, http only to this machine. */
export function insecureUrl(url: string): string | undefined {
  if (!URL.canParse(url)) return "not an absolute URL";
  const { protocol, hostname, username, password } = new URL(url);
  if (username !== "" || password !== "") return "credentials belong into the configuration's secrets, not into the URL";
  if (protocol === "https:") return undefined;
  if (protocol !== "http:") return "neither https nor http";
  const loopback = hostname === "localhost" || hostname === "[::1]" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(hostname);
  return loopback ? undefined : "http is for this machine only; use https";
}

/**
 * The items of an answer as records, each checked as a line of a file would be (forbidden keys, depth), so that
 * one bad item is one reject. `position` names the page; items are numbered from 1.
 */
export function pageRecords(
  items: readonly RawRecord[],
  text: string,
  position: string,
): { readonly records: readonly Located[]; readonly rejects: readonly Reject[] } {
  const records: Located[] = [];
  const rejects: Reject[] = [];
  const keysSuspect = mayForbidKeys(text);
  items.forEach((record, index) => {
    const place = `${position}:${index + 1}`;
    const failure = checkDepth(record) ?? (keysSuspect ? checkKeys(record) : undefined);
    if (failure === undefined) records.push({ record, position: place });
    else rejects.push({ code: failure.code, message: failure.message, position: place, raw: rawText(record, failure.code) });
  });
  return { records, rejects };
}

function rawText(record: RawRecord, code: FailureCode): string {
  // Deep values are not walked again: stringify recurses.
  return code === "RECORD_TOO_DEEP" ? "" : (JSON.stringify(record) ?? "");
}
