import type { ZodType } from "zod";
import type { Alert, RuleInfo } from "../core/alert.ts";
import type { EpochMs, Event } from "../core/event.ts";
import type { FailureCode, FailureKind } from "../core/errors.ts";
import type { FoundGap, Span } from "../core/completeness/gap.ts";
import type { Incident } from "../core/incident.ts";
import type { AnswerReceiver } from "./answers.ts";
import type { Context } from "./context.ts";
import type { Setup } from "./setup.ts";
import type { Storm } from "./digest.ts";

export type * from "./answers.ts";
export type * from "./setup.ts";
export type * from "./digest.ts";

/** Opaque to all but its source, at most 4 KiB of text. */
export type Cursor = string;

/** A record that could not become an event, with its place. */
export interface Reject {
  readonly code: FailureCode;
  readonly message: string;
  /** `<path>:<line>`, `<path>@<byte offset>` or the page's position; never content. */
  readonly position: string;
  /** The record as received, cut to the quarantine's limit by the pipeline. */
  readonly raw: string;
}

/** A vendor's record, untouched: parsed JSON, or the line of a text format in the shape its Format gives. */
export type RawRecord = unknown;

/** One record with the place where it was found. */
export interface Located {
  readonly record: RawRecord;
  readonly position: string;
}

/** One pull's worth of records. */
export interface Page {
  readonly records: readonly Located[];
  /** Records that could not even be decoded. */
  readonly rejects: readonly Reject[];
  readonly next: Cursor;
  /** There is more to pull now. */
  readonly more: boolean;
  /** Event time up to which this source is now proven complete; null when the page proves nothing. */
  readonly completeTo: EpochMs | null;
  /** All that had been written by this time is read: the source is complete up to its lateness before it. For sources that prove no more. */
  readonly readTo?: EpochMs;
  /**
   * Pages come in the order in which their records were written, so that what is still to come is behind what was read by
   * no more than the source's lateness. Such a source is complete as far as it was read, also before its end.
   */
  readonly inOrder?: boolean;
  /** Stretches of event time of which records are missing, as far as the source can prove it. */
  readonly gaps?: readonly FoundGap[];
  /** Records that are gone for good, some time after the source was last complete; the pipeline knows when that was. */
  readonly gone?: readonly Pick<FoundGap, "why" | "detail">[];
  /** Stretches that have been read as a whole with this page, as far as the source can tell: heals gaps found there before. */
  readonly covered?: readonly Span[];
}

/** Something that is pulled. */
export interface Source {
  /** True: this instance is only pushed to; the pipeline never calls `pull`. */
  readonly idle?: boolean;
  /**
   * One page after `cursor` (null: the configured start). Repeatable: the same cursor may be pulled again after
   * a crash, and then must give at least the same records. A start that depends on the clock is given as an empty page
   * with `more`, before anything is asked, so that it is stored. Does not retry, sleep or keep state.
   * @throws {Failure} retryable, permanent with scope connector
   */
  pull(cursor: Cursor | null, context: Context): Promise<Page>;
}

/** What a normalizer may know beside the record. */
export interface NormalizeContext {
  /** Instance name, `<connector>/<name>`. */
  readonly source: string;
  /** When the batch was received. */
  readonly received: EpochMs;
  /** Lower-case hex SHA-256 of the UTF-8 text. */
  readonly sha256: (text: string) => string;
}

/**
 * Turns one record into events; `[]` means that the record is understood and of no interest. Pure and
 * synchronous; never sets the fields of attribution (agentUid … dataClassAllowed).
 * @throws {Failure} poison
 */
export type Normalize = (record: RawRecord, context: NormalizeContext) => readonly Event[];

/** How the text of a file or of a pushed body becomes records. */
export interface Format {
  /** `lines`: one record (or header) per line. `document`: the text is one JSON document. */
  readonly framing: "lines" | "document";
  /**
   * Starts reading one file; the returned function takes each line (or the document) in order and gives its
   * records. It may keep state such as a header.
   * @throws {Failure} poison (from the returned function)
   */
  open(): (text: string) => readonly RawRecord[];
}

/** A pushed HTTP request as the receiver hands it over; the body is decompressed and within the limits. */
export interface PushRequest {
  readonly path: string;
  readonly contentType: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: Uint8Array;
}
/** What a push becomes: records to store, and how to answer once they are durable. */
export interface Pushed {
  readonly records: readonly Located[];
  readonly rejects: readonly Reject[];
  readonly reply: { readonly status: number; readonly contentType: string; readonly body: string | Uint8Array };
}
/** The role of a source that is pushed to. */
export interface Receiver {
  /** Paths below the source's own `/push/<connector>/<name>`, e.g. `""` or `/v1/logs`. */
  readonly paths: readonly string[];
  /** Pure. @throws {Failure} poison when the whole body cannot be read (answered with 400) */
  receive(request: PushRequest): Pushed;
}

/** An alert or incident revision. */
export type FindingSubject =
  | { readonly kind: "alert"; readonly alert: Alert; readonly rule: RuleInfo; readonly evidence: readonly Event[] }
  | { readonly kind: "incident"; readonly incident: Incident; readonly rules: readonly RuleInfo[]; readonly evidence: readonly Event[] };

/** An event that supports an alert, as it was attributed when it is sent. Delivered only where the configuration asks for it. */
export interface EventSubject {
  readonly kind: "event";
  readonly event: Event;
}

/** What is delivered. */
export type Subject = FindingSubject | EventSubject;

/** One subject on its way to one destination. */
export interface Delivery<S extends Subject = Subject> {
  /** Stable for life: `<destination>:<alert|incident|event>:<id>:<revision>`; an event has no revision but 1. */
  readonly key: string;
  readonly destination: string;
  readonly subject: S;
  /** When it was put into the outbox. */
  readonly createdTime: EpochMs;
  /** Attempts made before this one. */
  readonly attempts: number;
  /** When it is sent; absent: when it was put into the outbox. */
  readonly time?: EpochMs;
  /** What the last delivered revision of the subject left at this destination; absent: nothing. */
  readonly memory?: string;
}

/** An alert or incident on its way. */
export type FindingDelivery = Delivery<FindingSubject>;

/** Exact bytes for one delivery; `bytes` is what counts against limits. */
export interface Rendered {
  readonly key: string;
  /** Request body (or its part for this delivery), UTF-8. */
  readonly body: string;
  readonly bytes: number;
  /** Only deliveries of one group are sent in one batch, e.g. those for one table; absent: a group of its own name "". */
  readonly group?: string;
  /** Set when the destination wants nothing sent for this delivery, with the reason; it is settled as skipped. */
  readonly skip?: string;
  /** Set when it asks for somebody's attention: of incidents that do, a destination's `storm` folds those beyond its limit. */
  readonly opens?: boolean;
  /** What `send` needs beside the body, e.g. the index or document id. Small, no secrets. */
  readonly meta?: Readonly<Record<string, string | number>>;
}

/** What became of one delivery. `busy`: it was taken, and the destination says that it fills up: fewer requests at once from now on. */
export type Outcome =
  | {
      readonly status: "delivered";
      readonly receipt: string;
      readonly busy?: true;
      /** What later revisions of the subject must know of this one, e.g. its id over there: at most MEMORY_MAX characters, no secrets; "" forgets. */
      readonly memory?: string;
    }
  | {
      /** Taken, but not safe yet: `confirm` is asked with the ticket, also by another process, until it says more. */
      readonly status: "accepted";
      /** Opaque to all but its destination, at most TICKET_MAX characters, no secrets. */
      readonly ticket: string;
      /** Ask not before so much from now, milliseconds. */
      readonly askAfterMs: number;
      readonly busy?: true;
    }
  | {
      readonly status: "failed";
      readonly kind: FailureKind;
      readonly code: FailureCode;
      readonly message: string;
      readonly retryAfterMs?: number;
    };

/** A place that alerts and incidents go to. */
export interface Destination {
  readonly limits: {
    readonly batchItems: number;
    readonly batchBytes: number;
    readonly itemBytes: number;
    /** Deliveries in any 60 seconds, of each process; absent: as many as it bears. What is urgent goes first. */
    readonly perMinute?: number;
  };
  /** Absent: every incident is shown, however many there are. */
  readonly storm?: Storm;
  /** Which kinds it takes. */
  readonly accepts: readonly Subject["kind"][];
  /** Pure: the same delivery gives the same bytes. @throws {Failure} poison RENDER_CONTRACT */
  render(delivery: Delivery): Rendered;
  /**
   * Sends one batch within the limits, once. One outcome per item, same order.
   * @throws {Failure} only when the batch failed as a whole; nothing of it counts as delivered then. A throw
   * with code HTTP_TOO_LARGE or scope item makes the pipeline bisect the batch.
   */
  send(batch: readonly Rendered[], context: Context): Promise<readonly Outcome[]>;
  /**
   * Asks what became of accepted deliveries, once. One outcome per ticket, same order: `accepted` again means not yet known, `failed`
   * with kind retryable that it must be sent again (under the same key). Deliveries that were given the same ticket are asked about
   * once and settled alike. Required of whoever gives tickets.
   * @throws {Failure} as `send`; the tickets stay good
   */
  confirm?(tickets: readonly Ticket[], context: Context): Promise<readonly Outcome[]>;
}

/** Longest ticket, UTF-16 units. */
export const TICKET_MAX = 400;
/** Longest memory of a delivered revision, UTF-16 units. */
export const MEMORY_MAX = 400;

/** Deliveries that wait to be confirmed. */
export interface Ticket {
  /** Of one of those that share it. */
  readonly key: string;
  readonly ticket: string;
  /** When it was accepted. */
  readonly time: EpochMs;
}

/** One finding of a connector's self-check. */
export interface Check {
  readonly name: string;
  readonly ok: boolean;
  readonly message: string;
  /** What to do about it; required when not ok. */
  readonly fix?: string;
}

/** One vendor: one folder, one default export. `C` is its validated configuration. */
export interface Connector<C = unknown> {
  readonly id: string;
  readonly title: string;
  /** Parse, defaults, documentation (`.describe`) of the instance's own keys. Secrets are Secret values. */
  readonly config: ZodType<C>;
  /** Credentials and reach, without side effects on the other side. */
  check(config: C, context: Context): Promise<readonly Check[]>;
  readonly source?: (config: C) => Source;
  readonly receiver?: (config: C) => Receiver;
  /** How its files and pushed bodies are read; needed by `normalize` and `backtest` on the command line. */
  readonly format?: (config?: C) => Format;
  readonly normalize?: (config?: C) => Normalize;
  readonly destination?: (config: C) => Destination;
  /** Files and steps for the destination's side; also without a configuration, with its defaults. */
  readonly setup?: (config: C | undefined) => Setup;
  /** Addresses of a cloud's metadata service that this instance's credential comes from (managed identity); see Network.metadata. */
  readonly metadata?: (config: C) => readonly string[];
  /** Undefined where this instance takes no answers. */
  readonly answers?: (config: C) => AnswerReceiver | undefined;
  /** Categories that its events can have: a rule's watermark is the minimum over the sources that feed it. */
  readonly categories?: readonly Event["category"][];
  /** How far behind the newest event records usually arrive, milliseconds; a source's `lateness` overrides it. */
  readonly lateness?: number;
  /** Fields that some of its records never supply, in words; shown as coverage gaps. */
  readonly gaps?: readonly string[];
}

/** Types the connector's configuration for its author. The result is what `connectors/index.ts` collects. */
export function defineConnector<C>(connector: Connector<C>): Connector<C> {
  return connector;
}
