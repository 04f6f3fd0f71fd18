/**
 * The OTLP messages that we read, as tables of their field numbers.
 * https://github.com/open-telemetry/opentelemetry-proto (common, resource, logs and trace, v1)
 */

/** How a field stands on the wire and what it becomes in the JSON form of OTLP. */
type FieldKind = "text" | "flag" | "enum" | "count32" | "int64" | "double" | "nanos" | "fixed32" | "id" | "bytes";

/** One field of a message; `message` for nested ones. */
export interface Field {
  /** Its name in OTLP/JSON. */
  readonly name: string;
  readonly kind?: FieldKind;
  readonly message?: () => Message;
  readonly repeated?: true;
}

/** Field number -> field. Numbers that are not here are skipped. */
export type Message = ReadonlyMap<number, Field>;

const message = (fields: Readonly<Record<number, Field>>): Message =>
  new Map(Object.entries(fields).map(([key, field]) => [Number(key), field]));
const many = (name: string, of: () => Message): Field => ({ name, message: of, repeated: true });
const one = (name: string, of: () => Message): Field => ({ name, message: of });

const anyValue: Message = message({
  1: { name: "stringValue", kind: "text" },
  2: { name: "boolValue", kind: "flag" },
  3: { name: "intValue", kind: "int64" },
  4: { name: "doubleValue", kind: "double" },
  5: one("arrayValue", () => arrayValue),
  6: one("kvlistValue", () => keyValueList),
  7: { name: "bytesValue", kind: "bytes" },
});
const keyValue: Message = message({ 1: { name: "key", kind: "text" }, 2: one("value", () => anyValue) });
const arrayValue: Message = message({ 1: many("values", () => anyValue) });
const keyValueList: Message = message({ 1: many("values", () => keyValue) });

const resource: Message = message({ 1: many("attributes", () => keyValue), 2: { name: "droppedAttributesCount", kind: "count32" } });
const scope: Message = message({
  1: { name: "name", kind: "text" },
  2: { name: "version", kind: "text" },
  3: many("attributes", () => keyValue),
  4: { name: "droppedAttributesCount", kind: "count32" },
});

const logRecord: Message = message({
  1: { name: "timeUnixNano", kind: "nanos" },
  2: { name: "severityNumber", kind: "enum" },
  3: { name: "severityText", kind: "text" },
  5: one("body", () => anyValue),
  6: many("attributes", () => keyValue),
  7: { name: "droppedAttributesCount", kind: "count32" },
  8: { name: "flags", kind: "fixed32" },
  9: { name: "traceId", kind: "id" },
  10: { name: "spanId", kind: "id" },
  11: { name: "observedTimeUnixNano", kind: "nanos" },
  12: { name: "eventName", kind: "text" },
});

const spanEvent: Message = message({
  1: { name: "timeUnixNano", kind: "nanos" },
  2: { name: "name", kind: "text" },
  3: many("attributes", () => keyValue),
});
const status: Message = message({ 2: { name: "message", kind: "text" }, 3: { name: "code", kind: "enum" } });
const span: Message = message({
  1: { name: "traceId", kind: "id" },
  2: { name: "spanId", kind: "id" },
  3: { name: "traceState", kind: "text" },
  4: { name: "parentSpanId", kind: "id" },
  5: { name: "name", kind: "text" },
  6: { name: "kind", kind: "enum" },
  7: { name: "startTimeUnixNano", kind: "nanos" },
  8: { name: "endTimeUnixNano", kind: "nanos" },
  9: many("attributes", () => keyValue),
  11: many("events", () => spanEvent),
  15: one("status", () => status),
  16: { name: "flags", kind: "fixed32" },
});

const scopeLogs: Message = message({
  1: one("scope", () => scope),
  2: many("logRecords", () => logRecord),
  3: { name: "schemaUrl", kind: "text" },
});
const scopeSpans: Message = message({ 1: one("scope", () => scope), 2: many("spans", () => span), 3: { name: "schemaUrl", kind: "text" } });
const resourceLogs: Message = message({
  1: one("resource", () => resource),
  2: many("scopeLogs", () => scopeLogs),
  3: { name: "schemaUrl", kind: "text" },
});
const resourceSpans: Message = message({
  1: one("resource", () => resource),
  2: many("scopeSpans", () => scopeSpans),
  3: { name: "schemaUrl", kind: "text" },
});

/** ExportLogsServiceRequest. */
export const logsRequest: Message = message({ 1: many("resourceLogs", () => resourceLogs) });
/** ExportTraceServiceRequest. */
export const traceRequest: Message = message({ 1: many("resourceSpans", () => resourceSpans) });
