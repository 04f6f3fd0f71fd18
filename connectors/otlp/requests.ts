/** OTLP requests -> one record per log record or span, each with the resource and scope that it belongs to. */
import { poison } from "../../src/core/errors.ts";
import { asObject, recordObject, type Json } from "../../src/core/record.ts";
import type { Format } from "../../src/ports/connector.ts";
import { parseJson } from "../../src/core/framing.ts";

/**
 * Log records or spans of one request. Exporters send 512 at a time and the collector 8,192; more than twice that
 * is no batch but somebody trying what we can hold.
 */
export const REQUEST_RECORDS_MAX = 20_000;

/** What the normalizer takes: exactly one of `log` and `span`. */
export interface OtlpRecord {
  readonly resource: unknown;
  readonly scope: unknown;
  readonly log?: unknown;
  readonly span?: unknown;
}

/**
 * The records of a request in OTLP/JSON form. Requests of metrics have none.
 * @throws {Failure} poison RECORD_NOT_OBJECT, RECORD_FIELD_MISSING (no request), RECORD_TOO_LONG
 */
export function recordsOf(request: unknown): readonly OtlpRecord[] {
  const object = recordObject(request);
  const records: OtlpRecord[] = [];
  take(object["resourceLogs"], "scopeLogs", "logRecords", (resource, scope, log) => records.push({ resource, scope, log }));
  take(object["resourceSpans"], "scopeSpans", "spans", (resource, scope, span) => records.push({ resource, scope, span }));
  if (records.length > REQUEST_RECORDS_MAX) throw tooMany();
  return records;
}

/** As `recordsOf`, for files, where a line that is no request is a mistake worth telling. */
function fileRecords(request: unknown): readonly OtlpRecord[] {
  const object = recordObject(request);
  const known = "resourceLogs" in object || "resourceSpans" in object || "resourceMetrics" in object;
  if (!known) throw poison("RECORD_FIELD_MISSING", "the line has neither resourceLogs nor resourceSpans");
  return recordsOf(object);
}

function take(list: unknown, scopes: string, items: string, add: (resource: unknown, scope: unknown, item: unknown) => number): void {
  let count = 0;
  for (const entry of objects(list)) {
    for (const scoped of objects(entry[scopes])) {
      const found = scoped[items];
      if (!Array.isArray(found)) continue;
      count += found.length;
      if (count > REQUEST_RECORDS_MAX) throw tooMany();
      for (const item of found) add(entry["resource"], scoped["scope"], item);
    }
  }
}

function tooMany(): Error {
  return poison("RECORD_TOO_LONG", `the request has more than ${REQUEST_RECORDS_MAX} log records or spans`);
}

function objects(value: unknown): readonly Json[] {
  return Array.isArray(value) ? value.map(asObject).filter((one) => one !== undefined) : [];
}

/** One request per line, as the collector's file exporter writes them. */
export const otlpFormat: Format = { framing: "lines", open: () => (text) => fileRecords(parseJson(text)) };
