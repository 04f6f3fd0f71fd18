/** One delivery as one LogRecord in OTLP's JSON (opentelemetry-proto, docs/specification.md): the body is the OCSF object. Pure. */
import { ocsfWithin, type SubjectFacts } from "../../src/archetypes/ocsf-subject.ts";
import type { Level } from "../../src/core/alert.ts";
import { safeText } from "../../src/core/safe-text.ts";
import type { Delivery, Rendered } from "../../src/ports/connector.ts";
import type { Config } from "./config.ts";

/** `severityNumber` and `severityText` of a level, after the data model's ranges: INFO 9, WARN 13, ERROR 17, FATAL 21. */
const SEVERITY: Readonly<Record<Level, readonly [number, string]>> = {
  informational: [9, "INFO"],
  low: [10, "INFO2"],
  medium: [13, "WARN"],
  high: [17, "ERROR"],
  critical: [21, "FATAL"],
};
const EVENT_SEVERITY = SEVERITY.informational;
/** Longest attribute. */
const ATTRIBUTE_MAX = 1_024;

/** AnyValue of OTLP. */
type AnyValue =
  | { readonly stringValue: string }
  | { readonly boolValue: boolean }
  | { readonly intValue: string }
  | { readonly doubleValue: number }
  | { readonly arrayValue: { readonly values: readonly AnyValue[] } }
  | { readonly kvlistValue: { readonly values: readonly KeyValue[] } };
interface KeyValue {
  readonly key: string;
  readonly value: AnyValue;
}

/** @throws {Failure} poison RENDER_CONTRACT */
export function render(delivery: Delivery, settings: Config): Rendered {
  const { key } = delivery;
  const record = (ocsf: object, facts: SubjectFacts): string => JSON.stringify(logRecord(delivery, facts, ocsf));
  return { key, ...ocsfWithin(delivery, { bytesMax: settings.itemBytesMax, version: settings.ocsf }, record) };
}

function logRecord({ key, subject, createdTime }: Delivery, { kind, id, revision, time, change }: SubjectFacts, ocsf: object): object {
  const level = subject.kind === "event" ? undefined : subject.kind === "alert" ? subject.alert.level : subject.incident.level;
  const [severityNumber, severityText] = level === undefined ? EVENT_SEVERITY : SEVERITY[level];
  const attributes = {
    // What receivers may recognize a repeat by ("General attributes", log.record.uid).
    "log.record.uid": safeText(key, ATTRIBUTE_MAX),
    "custodes.kind": kind,
    "custodes.id": safeText(id, ATTRIBUTE_MAX),
    "custodes.revision": revision,
    ...(level === undefined ? {} : { "custodes.level": level }),
  };
  return {
    // Epoch milliseconds with six more digits: beyond what a JSON number holds, so OTLP has it as text.
    timeUnixNano: `${time}000000`,
    observedTimeUnixNano: `${createdTime}000000`,
    severityNumber,
    severityText,
    eventName: `custodes.${change}`,
    body: anyValue(ocsf),
    attributes: keyValues(attributes),
    ...(subject.kind === "event" ? trace(subject.event.traceUid, subject.event.spanUid) : {}),
  };
}

/** Ids are hex in OTLP's JSON; anything else would make receivers refuse the request. */
function trace(traceUid: string | undefined, spanUid: string | undefined): object {
  if (!/^(?!0{32})[0-9a-f]{32}$/.test(traceUid ?? "")) return {};
  return { traceId: traceUid, ...(/^(?!0{16})[0-9a-f]{16}$/.test(spanUid ?? "") ? { spanId: spanUid } : {}) };
}

function keyValues(object: object): readonly KeyValue[] {
  return Object.entries(object)
    .filter(([, value]) => value !== undefined && value !== null)
    .map(([key, value]) => ({ key, value: anyValue(value) }));
}

/** Whole numbers are texts, as protobuf's JSON has 64-bit integers. */
function anyValue(value: unknown): AnyValue {
  if (typeof value === "string") return { stringValue: value };
  if (typeof value === "boolean") return { boolValue: value };
  if (typeof value === "number") return Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
  if (Array.isArray(value)) return { arrayValue: { values: value.map(anyValue) } };
  return { kvlistValue: { values: keyValues(value as object) } };
}
