/** What log records and spans have in common: name, ids, times, outcome and a uid. */
import { poison } from "../../src/core/errors.ts";
import { STATUS, type EpochMs, type Event } from "../../src/core/event.ts";
import { asObject, numeric, recordObject, text, type Json } from "../../src/core/record.ts";
import type { NormalizeContext } from "../../src/ports/connector.ts";
import { attributesOf, valueOf, type Attributes } from "./attributes.ts";
import type { Resource } from "./resource.ts";
import { millisOf, timeOf } from "./time.ts";

/** One log record or span, read as far as every dialect needs it. */
export interface Envelope {
  readonly signal: "log" | "span";
  /** The event's or span's name; `""` when it has none. */
  readonly name: string;
  readonly scope: string | undefined;
  readonly attributes: Attributes;
  readonly resource: Resource;
  readonly raw: Json;
  readonly time: EpochMs;
  readonly endTime: EpochMs | undefined;
  readonly traceUid: string | undefined;
  readonly spanUid: string | undefined;
  readonly parentSpanUid: string | undefined;
  /** What the record says by its status or severity; undefined when it says nothing. */
  readonly failed: boolean | undefined;
  readonly context: NormalizeContext;
}

/** @throws {Failure} poison when the record is neither a log record nor a span, or has no usable time */
export function readEnvelope(record: Json, resourceOf: (raw: unknown) => Resource, context: NormalizeContext): Envelope {
  if (record["log"] === undefined && record["span"] === undefined) {
    throw poison("RECORD_FIELD_MISSING", "the record is neither a log record nor a span");
  }
  const resource = resourceOf(record["resource"]);
  const scope = text(asObject(record["scope"])?.["name"]);
  return record["log"] === undefined
    ? spanEnvelope(recordObject(record["span"]), scope, resource, context)
    : logEnvelope(recordObject(record["log"]), scope, resource, context);
}

function logEnvelope(raw: Json, scope: string | undefined, resource: Resource, context: NormalizeContext): Envelope {
  const attributes = attributesOf(raw["attributes"]);
  return {
    signal: "log",
    name: logName(raw, attributes, scope),
    scope,
    attributes,
    resource,
    raw,
    time: timeOf(raw["timeUnixNano"], raw["observedTimeUnixNano"], context.received),
    endTime: undefined,
    traceUid: idOf(raw["traceId"], 32),
    spanUid: idOf(raw["spanId"], 16),
    parentSpanUid: undefined,
    failed: isError(raw["severityNumber"]),
    context,
  };
}

function spanEnvelope(raw: Json, scope: string | undefined, resource: Resource, context: NormalizeContext): Envelope {
  const time = timeOf(raw["startTimeUnixNano"], undefined, context.received);
  const endTime = millisOf(raw["endTimeUnixNano"]);
  return {
    signal: "span",
    name: text(raw["name"]) ?? "",
    scope,
    attributes: attributesOf(raw["attributes"]),
    resource,
    raw,
    time,
    endTime: endTime !== undefined && endTime >= time ? endTime : undefined,
    traceUid: idOf(raw["traceId"], 32),
    spanUid: idOf(raw["spanId"], 16),
    parentSpanUid: idOf(raw["parentSpanId"], 16),
    failed: spanFailed(asObject(raw["status"])?.["code"]),
    context,
  };
}

/** Claude Code names its events without their prefix and tells the whole name in the body or by its scope. */
const CLAUDE_SCOPE = "com.anthropic.claude_code";

/** A whole name in `event.name` goes first: where events are made of trace points, `eventName` is a place in a program. */
function logName(raw: Json, attributes: Attributes, scope: string | undefined): string {
  const named = text(attributes.get("event.name"));
  const name = (named?.includes(".") === true ? named : (text(raw["eventName"]) ?? named)) ?? "";
  if (name.includes(".")) return name;
  const body = valueOf(raw["body"]);
  if (typeof body === "string" && body.startsWith("claude_code.") && body.endsWith(name)) return text(body)!;
  return name !== "" && scope?.startsWith(CLAUDE_SCOPE) === true ? `claude_code.${name}` : name;
}

/** SEVERITY_NUMBER_ERROR and above. https://opentelemetry.io/docs/specs/otel/logs/data-model/ */
const SEVERITY_ERROR = 17;

function isError(severity: unknown): boolean | undefined {
  if (typeof severity === "string" && severity.startsWith("SEVERITY_NUMBER_")) return /_(ERROR|FATAL)\d?$/.test(severity);
  const number = numeric(severity);
  return number === undefined || number <= 0 ? undefined : number >= SEVERITY_ERROR;
}

/** Unset is how instrumentations leave a span that went well; only errors must be marked. */
function spanFailed(code: unknown): boolean {
  return code === 2 || code === "2" || code === "STATUS_CODE_ERROR";
}

/** A trace or span id in lower case; undefined when it is not one, or all zeros, which means none. */
function idOf(value: unknown, length: number): string | undefined {
  if (typeof value !== "string" || value.length !== length || !/^[0-9a-fA-F]+$/.test(value) || /^0+$/.test(value)) return undefined;
  return value.toLowerCase();
}

/**
 * The uid: `otlp:<trace>/<span>` for a span. Several log records share a span, so theirs ends with a hash of what they
 * say: a request that is sent again gives the same uids, in either encoding. When it was observed does not count,
 * because a relay that stamps records anew must not double them.
 */
export function uidOf(envelope: Envelope): string {
  const { traceUid, spanUid, signal } = envelope;
  const spanned = traceUid !== undefined && spanUid !== undefined ? `otlp:${traceUid}/${spanUid}` : undefined;
  if (signal === "span" && spanned !== undefined) return spanned;
  const { raw, resource, attributes, context } = envelope;
  const times = [raw["timeUnixNano"], raw["startTimeUnixNano"], raw["endTimeUnixNano"]].map((nanos) => text(nanos) ?? "0");
  // Lists and primitives only, so the text is canonical once the attributes are sorted.
  const content: unknown[] = [envelope.name, times, valueOf(raw["body"]), sorted(attributes)];
  if (spanned === undefined) content.push(sorted(resource.attributes));
  const hash = context.sha256(JSON.stringify(content));
  return spanned === undefined ? `otlp:sha256:${hash.slice(0, 32)}` : `${spanned}/${hash.slice(0, 16)}`;
}

function sorted(attributes: Attributes): readonly unknown[] {
  return [...attributes].sort(([a], [b]) => (a < b ? -1 : 1));
}

/** Fills what the envelope and its resource say into an event. */
export function applyEnvelope(event: Event, envelope: Envelope): void {
  const { resource, endTime, time } = envelope;
  event.source = envelope.context.source;
  event.vendor = "OpenTelemetry";
  event.product = "OpenTelemetry GenAI";
  event.endTime = endTime;
  event.durationMs = endTime === undefined ? undefined : endTime - time;
  event.service = resource.service;
  event.namespace = resource.namespace;
  event.podUid = resource.podUid;
  event.podName = resource.podName;
  event.serviceAccount = resource.serviceAccount;
  event.cloudProvider = resource.cloudProvider;
  event.cloudAccount = resource.cloudAccount;
  event.region = resource.region;
  event.host = resource.host;
  event.containerUid = resource.containerUid;
  event.traceUid = envelope.traceUid;
  event.spanUid = envelope.spanUid;
  event.parentSpanUid = envelope.parentSpanUid;
}

/** Sets the outcome: `error.type`, else a failing code, else what the record's status or severity says. */
export function applyOutcome(event: Event, failed: boolean | undefined, errorType: string | undefined): void {
  const code = event.responseCode;
  const bad = errorType !== undefined || (code !== undefined && code >= 400) || failed === true;
  if (!bad && failed === undefined && code === undefined) return;
  event.statusId = bad ? STATUS.failure : STATUS.success;
  event.errorFlag = bad ? 1 : 0;
  // Messages of errors quote prompts and arguments; the type says enough.
  event.statusCode = errorType ?? (code === undefined ? undefined : String(code));
}
