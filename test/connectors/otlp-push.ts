import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import protobuf from "protobufjs";
import otlp from "../../connectors/otlp/otlp.ts";
import { Failure } from "../../src/core/errors.ts";
import type { Pushed } from "../../src/ports/connector.ts";
import { normalizeContext } from "../contract/normalizer.ts";

/** The published messages, written down a second time, so that the tables are checked against something else. */
const SCHEMA = `syntax = "proto3"; package t;
message AnyValue { oneof value { string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4;
  ArrayValue array_value = 5; KeyValueList kvlist_value = 6; bytes bytes_value = 7; } }
message ArrayValue { repeated AnyValue values = 1; }
message KeyValueList { repeated KeyValue values = 1; }
message KeyValue { string key = 1; AnyValue value = 2; }
message Resource { repeated KeyValue attributes = 1; uint32 dropped_attributes_count = 2; }
message Scope { string name = 1; string version = 2; repeated KeyValue attributes = 3; uint32 dropped_attributes_count = 4; }
message LogRecord { fixed64 time_unix_nano = 1; fixed64 observed_time_unix_nano = 11; int32 severity_number = 2; string severity_text = 3;
  AnyValue body = 5; repeated KeyValue attributes = 6; uint32 dropped_attributes_count = 7; fixed32 flags = 8; bytes trace_id = 9;
  bytes span_id = 10; string event_name = 12; }
message ScopeLogs { Scope scope = 1; repeated LogRecord log_records = 2; string schema_url = 3; }
message ResourceLogs { Resource resource = 1; repeated ScopeLogs scope_logs = 2; string schema_url = 3; }
message Logs { repeated ResourceLogs resource_logs = 1; }
message SpanEvent { fixed64 time_unix_nano = 1; string name = 2; repeated KeyValue attributes = 3; uint32 dropped_attributes_count = 4; }
message Link { bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; repeated KeyValue attributes = 4; }
message Status { string message = 2; int32 code = 3; }
message Span { bytes trace_id = 1; bytes span_id = 2; string trace_state = 3; bytes parent_span_id = 4; fixed32 flags = 16; string name = 5;
  int32 kind = 6; fixed64 start_time_unix_nano = 7; fixed64 end_time_unix_nano = 8; repeated KeyValue attributes = 9;
  uint32 dropped_attributes_count = 10; repeated SpanEvent events = 11; uint32 dropped_events_count = 12; repeated Link links = 13;
  uint32 dropped_links_count = 14; Status status = 15; }
message ScopeSpans { Scope scope = 1; repeated Span spans = 2; string schema_url = 3; }
message ResourceSpans { Resource resource = 1; repeated ScopeSpans scope_spans = 2; string schema_url = 3; }
message Traces { repeated ResourceSpans resource_spans = 1; }
message Partial { int64 rejected = 1; string error_message = 2; }
message Response { Partial partial_success = 1; }`;
/** The published messages for protobufjs. */
export const root = protobuf.parse(SCHEMA).root;

/** A JSON object. */
export type Tree = Record<string, unknown>;
const receiver = otlp.receiver!(otlp.config.parse({}));
export const JSON_TYPE = "application/json";
export const PROTOBUF_TYPE = "application/x-protobuf";

/** Pushes a body to a source named `agents`. */
export function push(path: string, contentType: string, body: Uint8Array | string): Pushed {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  return receiver.receive({ path: `/push/otlp/agents${path}`, contentType, headers: {}, body: bytes });
}

/** Ids are base64 for protobufjs, and hex in OTLP/JSON. */
function withBytes(tree: unknown): unknown {
  if (Array.isArray(tree)) return tree.map(withBytes);
  if (typeof tree !== "object" || tree === null) return tree;
  return Object.fromEntries(
    Object.entries(tree).map(([key, value]) => [
      key,
      /^(traceId|spanId|parentSpanId)$/.test(key) ? Buffer.from(value as string, "hex") : withBytes(value),
    ]),
  );
}

/** A request in OTLP/JSON form as protobuf. */
export function encode(type: "Logs" | "Traces", request: unknown): Uint8Array {
  const message = root.lookupType(`t.${type}`);
  return message.encode(message.fromObject(withBytes(request) as Tree)).finish();
}

/** The lines of a sample. */
export const lines = (name: string): string[] =>
  readFileSync(resolve(import.meta.dirname, "../../connectors/otlp/samples", name), "utf8")
    .trim()
    .split("\n");
/** What the records of a push become. */
export const eventsOf = (pushed: Pushed): unknown[] => {
  const normalize = otlp.normalize!(otlp.config.parse({}));
  return pushed.records.flatMap(({ record }) => normalize(record, normalizeContext("otlp")));
};
/** The Failure that `act` throws. */
export const failureOf = (act: () => unknown): Failure => {
  try {
    act();
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
};
