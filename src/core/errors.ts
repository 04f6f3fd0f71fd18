/**
 * The one error class and the table of its codes. Only adapters and connectors make Failures from foreign
 * errors, only the pipeline decides what happens, nothing in between catches.
 */

/**
 * What the pipeline does about a failure:
 * `retryable` again later, with back-off; `permanent` never again for this item, or, with scope `connector`,
 * not until a human acts; `poison` the input is bad: quarantine it and go on; `config` the operator must edit.
 */
export type FailureKind = "retryable" | "permanent" | "poison" | "config";

/** Every code with its meaning. A test checks that each is used and documented. */
export const CODES = {
  // records
  RECORD_NOT_JSON: "The line is not valid JSON.",
  RECORD_NOT_OBJECT: "The record is valid JSON but not an object.",
  RECORD_TOO_LONG: "The record is longer than the limit.",
  RECORD_TOO_DEEP: "The record is nested deeper than the limit.",
  RECORD_ENCODING: "The record is not valid UTF-8 text.",
  RECORD_FORBIDDEN_KEY: "The record has a key that could change an object's prototype.",
  RECORD_NO_TIME: "The record has no usable time.",
  RECORD_TIME_FUTURE: "The record's time lies further in the future than the limit.",
  RECORD_FIELD_MISSING: "A field without which the record means nothing is missing.",
  RECORD_FIELD_INVALID: "A field that must be well-formed is not.",
  RECORD_COLUMNS: "The line does not have the columns that its format promises.",
  RECORD_CORRUPT_FILE: "The file could not be decompressed or read to its end.",
  RECORD_BUG: "The connector failed on the record for a reason of its own.",
  // sources and destinations
  HTTP_UNREACHABLE: "The server could not be reached or the connection broke.",
  HTTP_TIMEOUT: "The server did not answer in time.",
  HTTP_THROTTLED: "The server asked to slow down.",
  HTTP_UNAVAILABLE: "The server failed or is overloaded.",
  HTTP_DENIED: "The server refused the credential or permission.",
  HTTP_REJECTED: "The server refuses this request for good.",
  HTTP_TOO_LARGE: "The server refuses the size of the request.",
  HTTP_MALFORMED: "The server's answer could not be understood.",
  HTTP_WRONG_HOST: "The answer points to another host than the configured one.",
  HTTP_UNTRUSTED: "The server's certificate cannot be trusted, or it refuses ours.",
  HTTP_ADDRESS: "The address is one that must not be connected to.",
  HTTP_PROXY: "The proxy refuses, or does not get through to the server.",
  DESTINATION_CONFIG: "The destination refuses because of how it or we are configured.",
  RENDER_CONTRACT: "The delivery cannot be expressed within the destination's contract.",
  SOURCE_UNREADABLE: "The source's file or directory cannot be read.",
  CURSOR_INVALID: "The stored cursor cannot be understood by the source.",
  // store and queue
  CURSOR_MOVED: "Another worker moved the cursor first.",
  OFFSET_MOVED: "Another worker moved the offset first.",
  INCIDENT_MOVED: "Somebody else changed the incident first.",
  STORE_UNAVAILABLE: "The store cannot be reached.",
  STORE_LOCKED: "Another process uses the data directory.",
  QUEUE_UNAVAILABLE: "The queue's backend cannot be reached.",
  // configuration
  CONFIG_INVALID: "The configuration is wrong.",
  SECRET_UNAVAILABLE: "The place that secrets are kept in cannot be reached, or fails.",
  SECRET_MISSING: "A referenced secret does not exist.",
} as const;

/** Stable, upper-case name of a failure. */
export type FailureCode = keyof typeof CODES;

/** What a Failure carries beside its message. */
export interface FailureOptions {
  readonly kind: FailureKind;
  readonly code: FailureCode;
  /** Milliseconds that the other side asked us to wait. */
  readonly retryAfterMs?: number;
  /** `item`: this record or delivery only; `connector`: everything through it. Default `item`. */
  readonly scope?: "item" | "connector";
  readonly cause?: unknown;
}

/** An error that the pipeline knows what to do with. Its message never holds a secret or a record's content. */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly kind: FailureKind;
  readonly code: FailureCode;
  readonly retryAfterMs: number | undefined;
  readonly scope: "item" | "connector";

  constructor(message: string, options: FailureOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = options.kind;
    this.code = options.code;
    this.retryAfterMs = options.retryAfterMs;
    this.scope = options.scope ?? "item";
  }
}

/** A poison failure: the record is bad, the world is fine. */
export function poison(code: FailureCode, message: string): Failure {
  return new Failure(message, { kind: "poison", code });
}
