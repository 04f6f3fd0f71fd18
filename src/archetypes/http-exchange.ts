/**
 * One HTTP exchange of a destination: exact bytes out, the answer as text back, every way in which a connection
 * can fail as a Failure. The client's own error never leaves this file: it carries the request with its secrets.
 */
import { Failure, type FailureCode, type FailureOptions } from "../core/errors.ts";
import { asObject, type Json } from "../core/record.ts";
import type { EpochMs } from "../core/event.ts";
import type { Context } from "../ports/context.ts";
import { networkProblem } from "./network-problem.ts";

/** Answers beyond this break the exchange: no destination's answer to one batch comes near it. */
export const ANSWER_BYTES_MAX = 4_194_304;

/** Longest wait that an answer may ask for: a hostile or broken `Retry-After` must not park a queue for a day. */
export const RETRY_AFTER_MAX_MS = 3_600_000;

/** What is sent; `body` goes out byte for byte. */
export interface Exchange {
  /** Who is asked, for messages, e.g. `PagerDuty`. */
  readonly peer: string;
  readonly method?: "GET" | "HEAD" | "POST" | "PUT" | "PATCH";
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | ArrayBuffer | Uint8Array;
}

/** What came back, whatever its status. */
export interface Answer {
  readonly status: number;
  readonly text: string;
  /** Value of a header by its lower-case name; of one that may come several times (`set-cookie`), the values by lines. */
  header(name: string): string | undefined;
}

/**
 * Sends once and reads the whole answer. Any status resolves.
 * @throws {Failure} retryable, scope connector: HTTP_UNREACHABLE, HTTP_TIMEOUT, HTTP_MALFORMED
 */
export async function exchange(request: Exchange, context: Context): Promise<Answer> {
  try {
    const response = await context.http.request<unknown>({
      method: request.method ?? "POST",
      url: request.url,
      headers: { ...request.headers },
      data: request.body instanceof Uint8Array ? exactBuffer(request.body) : request.body,
      responseType: "text",
      // The client would parse and trim JSON text on both ways; limits and parsing are the connector's business.
      transformRequest: [passOn],
      transformResponse: [passOn],
      validateStatus: null,
      maxRedirects: 0,
      maxContentLength: ANSWER_BYTES_MAX,
      maxBodyLength: Infinity,
      signal: context.signal,
    });
    const headers = response.headers as Readonly<Record<string, unknown>>;
    return {
      status: response.status,
      text: typeof response.data === "string" ? response.data : "",
      header: (name) => {
        const value = headers[name];
        return typeof value === "string" ? value : Array.isArray(value) ? value.join("\n") : undefined;
      },
    };
  } catch (error) {
    throw connectionFailure(request.peer, error);
  }
}

/** The answer's text as a JSON object; undefined when it is anything else. */
export function answerObject(answer: Answer): Json | undefined {
  try {
    return asObject(JSON.parse(answer.text));
  } catch {
    // Not JSON: the caller treats it like JSON of another shape.
    return undefined;
  }
}

/** A failure of everything through a connector: nothing of the batch was taken. */
export function connectorFailure(kind: "retryable" | "permanent", code: FailureCode, message: string, retryAfterMs?: number): Failure {
  const options: FailureOptions = { kind, code, scope: "connector" };
  return new Failure(message, retryAfterMs === undefined ? options : { ...options, retryAfterMs });
}

/** Milliseconds that `Retry-After` (seconds or an HTTP date) asks for, at most RETRY_AFTER_MAX_MS. */
export function retryAfterMs(answer: Answer, now: EpochMs): number | undefined {
  const value = answer.header("retry-after")?.trim();
  if (value === undefined || value === "") return undefined;
  const wait = /^\d{1,9}$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now;
  return Number.isNaN(wait) ? undefined : Math.min(Math.max(wait, 0), RETRY_AFTER_MAX_MS);
}

/** UTF-8 length of a text, which is what servers count. */
export function utf8Bytes(text: string): number {
  return encoder.encode(text).length;
}

const encoder = new TextEncoder();

/** The client takes a buffer whole, whatever part of it a view shows. */
function exactBuffer(bytes: Uint8Array): ArrayBuffer {
  return bytes.slice().buffer;
}

function passOn(data: unknown): unknown {
  return data;
}

/** Codes by which the client says that an answer came but could not be read. */
const UNREADABLE = /^(HPE_|ERR_BAD_RESPONSE|ERR_STREAM_PREMATURE_CLOSE|Z_)/;
const TIMED_OUT = new Set(["ECONNABORTED", "ETIMEDOUT", "ESOCKETTIMEDOUT"]);

function connectionFailure(peer: string, error: unknown): Failure {
  const given = error instanceof Error && "code" in error ? error.code : undefined;
  const code = typeof given === "string" && /^[A-Z0-9_]{1,40}$/.test(given) ? given : "no code";
  const problem = networkProblem({ code: given, message: error instanceof Error ? error.message : "" });
  if (problem !== undefined) return connectorFailure(problem.kind, problem.code, `the connection to ${peer} failed: ${problem.message}`);
  if (TIMED_OUT.has(code)) return connectorFailure("retryable", "HTTP_TIMEOUT", `${peer} did not answer in time (${code})`);
  if (UNREADABLE.test(code))
    return connectorFailure("retryable", "HTTP_MALFORMED", `the answer of ${peer} broke off or is no HTTP (${code})`);
  return connectorFailure("retryable", "HTTP_UNREACHABLE", `the connection to ${peer} failed (${code})`);
}
