/** The OTLP/HTTP receiver: https://opentelemetry.io/docs/specs/otlp/#otlphttp */
import { decodeUtf8 } from "../../src/archetypes/lines.ts";
import { poison, type FailureCode } from "../../src/core/errors.ts";
import { parseJson, RAW_MAX } from "../../src/core/framing.ts";
import { asObject } from "../../src/core/record.ts";
import type { Located, PushRequest, Pushed, Receiver, Reject } from "../../src/ports/connector.ts";
import { logsRequest, traceRequest } from "./messages.ts";
import { decodeProtobuf, encodeResponse } from "./protobuf.ts";
import { recordsOf, type OtlpRecord } from "./requests.ts";
import { millisOf } from "./time.ts";

const JSON_TYPE = "application/json";
const PROTOBUF_TYPE = "application/x-protobuf";

/** Takes logs and traces in both encodings of OTLP/HTTP. */
export const otlpReceiver: Receiver = { paths: ["/v1/logs", "/v1/traces"], receive };

function receive(request: PushRequest): Pushed {
  const isTraces = request.path.endsWith("/v1/traces");
  const contentType = request.contentType.split(";")[0]!.trim().toLowerCase();
  const found = recordsOf(decode(request.body, contentType, isTraces));
  const records: Located[] = [];
  const rejects: Reject[] = [];
  for (const [index, record] of found.entries()) {
    const position = `body:${index + 1}`;
    const problem = problemOf(record);
    if (problem === undefined) records.push({ record, position });
    else rejects.push({ ...problem, position, raw: (JSON.stringify(record.log ?? record.span) ?? "").slice(0, RAW_MAX) });
  }
  return { records, rejects, reply: reply(contentType, isTraces, rejects) };
}

/** @throws {Failure} poison when the body is not what its content type says */
function decode(body: Uint8Array, contentType: string, isTraces: boolean): unknown {
  if (contentType === PROTOBUF_TYPE) return decodeProtobuf(body, isTraces ? traceRequest : logsRequest);
  if (contentType !== JSON_TYPE) {
    throw poison("RECORD_FIELD_INVALID", `the content type must be ${JSON_TYPE} or ${PROTOBUF_TYPE}`);
  }
  const text = decodeUtf8(body);
  if (text === undefined) throw poison("RECORD_ENCODING", "the body is not valid UTF-8");
  return parseJson(text);
}

/** What makes a record unusable whatever it says; the sender is told, and must not send it again. */
function problemOf({ log, span }: OtlpRecord): { readonly code: FailureCode; readonly message: string } | undefined {
  const object = asObject(log ?? span);
  if (object === undefined) return { code: "RECORD_NOT_OBJECT", message: "the record is not an object" };
  const time =
    log === undefined
      ? millisOf(object["startTimeUnixNano"])
      : (millisOf(object["timeUnixNano"]) ?? millisOf(object["observedTimeUnixNano"]));
  if (time !== undefined) return undefined;
  return { code: "RECORD_NO_TIME", message: "the record has no usable time" };
}

/** The answer has the encoding of the request; without rejects it is the empty message. */
function reply(contentType: string, isTraces: boolean, rejects: readonly Reject[]): Pushed["reply"] {
  const reason = rejects.length === 0 ? "" : `${rejects.length} records cannot be used, the first because: ${rejects[0]!.message}`;
  if (contentType === PROTOBUF_TYPE) return { status: 200, contentType: PROTOBUF_TYPE, body: encodeResponse(rejects.length, reason) };
  const counted = isTraces ? "rejectedSpans" : "rejectedLogRecords";
  const body = rejects.length === 0 ? {} : { partialSuccess: { [counted]: String(rejects.length), errorMessage: reason } };
  return { status: 200, contentType: JSON_TYPE, body: JSON.stringify(body) };
}
