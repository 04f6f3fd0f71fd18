import protobuf from "protobufjs";
import { describe, expect, test } from "vitest";
import { encode, eventsOf, failureOf, JSON_TYPE, lines, PROTOBUF_TYPE, push, root, type Tree } from "./otlp-push.ts";

describe("encodings", () => {
  test.each([
    ["logs.ndjson", "/v1/logs", "Logs"],
    ["findings.ndjson", "/v1/logs", "Logs"],
    ["coding-agents.ndjson", "/v1/logs", "Logs"],
    ["spans.ndjson", "/v1/traces", "Traces"],
    ["findings.ndjson", "/v1/traces", "Traces"],
  ] as const)("%s pushed to %s gives the same events as JSON and as protobuf", (name, path, type) => {
    const key = type === "Logs" ? "resourceLogs" : "resourceSpans";
    const requests = lines(name).filter((line) => line.includes(key));
    let events = 0;
    for (const line of requests) {
      const asJson = push(path, JSON_TYPE, line);
      const asProtobuf = push(path, PROTOBUF_TYPE, encode(type, JSON.parse(line)));
      expect(asProtobuf.records.length).toBe(asJson.records.length);
      expect(eventsOf(asProtobuf)).toEqual(eventsOf(asJson));
      events += eventsOf(asJson).length;
    }
    expect(events).toBeGreaterThan(0);
  });

  test("values of every type survive protobuf, 64-bit numbers exactly", () => {
    const attributes = [
      { key: "i", value: { intValue: "-9223372036854775807" } },
      { key: "d", value: { doubleValue: 0.25 } },
      { key: "b", value: { boolValue: true } },
      {
        key: "a",
        value: { arrayValue: { values: [{ stringValue: "é漢" }, { kvlistValue: { values: [{ key: "k", value: { intValue: "7" } }] } }] } },
      },
      { key: "x", value: { bytesValue: "AQID" } },
      { key: "e", value: {} },
    ];
    const log = {
      timeUnixNano: "18446744073709551615",
      observedTimeUnixNano: "1774915519693810781",
      severityNumber: 17,
      flags: 1,
      attributes,
    };
    const { records } = push("/v1/logs", PROTOBUF_TYPE, encode("Logs", { resourceLogs: [{ scopeLogs: [{ logRecords: [log] }] }] }));
    expect((records[0]!.record as Tree)["log"]).toEqual(log);
  });

  test("fields of newer versions are passed over", () => {
    const body = encode("Logs", { resourceLogs: [{ scopeLogs: [{ logRecords: [{ timeUnixNano: "1774915519693810781" }] }] }] });
    // Fields 100 to 103, one per wire type, before the known one.
    const unknown = new protobuf.Writer()
      .uint32(800)
      .uint32(5)
      .uint32(809)
      .fixed64(1)
      .uint32(818)
      .string("x")
      .uint32(829)
      .fixed32(1)
      .finish();
    const { records } = push("/v1/logs", PROTOBUF_TYPE, new Uint8Array([...unknown, ...body]));
    expect(records).toHaveLength(1);
  });

  test("the content type may carry parameters, and any other type is refused", () => {
    expect(push("/v1/logs", "Application/JSON; charset=utf-8", "{}").reply.status).toBe(200);
    expect(failureOf(() => push("/v1/logs", "text/plain", "{}"))).toMatchObject({ kind: "poison", code: "RECORD_FIELD_INVALID" });
  });

  test("each record has its place in the request", () => {
    const { records } = push("/v1/logs", JSON_TYPE, lines("logs.ndjson")[0]!);
    expect(records.map(({ position }) => position)).toEqual(["body:1", "body:2", "body:3"]);
  });
});

describe("replies", () => {
  test.each([
    ["/v1/logs", JSON_TYPE, "{}"],
    ["/v1/traces", JSON_TYPE, "{}"],
  ])("full success of %s as %s is the empty message", (path, type, body) => {
    expect(push(path, type, body).reply).toEqual({ status: 200, contentType: type, body: "{}" });
  });

  test("an empty protobuf body is an empty request, and its answer is empty too", () => {
    const { reply, records } = push("/v1/logs", PROTOBUF_TYPE, new Uint8Array(0));
    expect(records).toEqual([]);
    expect(reply).toEqual({ status: 200, contentType: PROTOBUF_TYPE, body: new Uint8Array(0) });
  });

  const bad = {
    resourceLogs: [{ scopeLogs: [{ logRecords: [{ body: { stringValue: "no time" } }, { timeUnixNano: "1774915519693810781" }] }] }],
  };

  test("records that cannot be used are rejected, counted in the answer, and the others are kept", () => {
    const pushed = push(
      "/v1/logs",
      JSON_TYPE,
      JSON.stringify({ resourceLogs: [{ scopeLogs: [{ logRecords: [7, ...bad.resourceLogs[0]!.scopeLogs[0]!.logRecords] }] }] }),
    );
    expect(pushed.records.map(({ position }) => position)).toEqual(["body:3"]);
    expect(pushed.rejects.map(({ code, position }) => [code, position])).toEqual([
      ["RECORD_NOT_OBJECT", "body:1"],
      ["RECORD_NO_TIME", "body:2"],
    ]);
    expect(JSON.parse(pushed.reply.body as string)).toEqual({
      partialSuccess: { rejectedLogRecords: "2", errorMessage: "2 records cannot be used, the first because: the record is not an object" },
    });
  });

  test("spans are counted by their own name", () => {
    const { reply } = push("/v1/traces", JSON_TYPE, '{"resourceSpans":[{"scopeSpans":[{"spans":[{}]}]}]}');
    expect(JSON.parse(reply.body as string)).toMatchObject({ partialSuccess: { rejectedSpans: "1" } });
  });

  test("partial success in protobuf is the published message", () => {
    const { reply } = push("/v1/logs", PROTOBUF_TYPE, encode("Logs", bad));
    const response = root
      .lookupType("t.Response")
      .decode(reply.body as Uint8Array)
      .toJSON();
    expect(reply.contentType).toBe(PROTOBUF_TYPE);
    expect(response).toEqual({ partialSuccess: { rejected: "1", errorMessage: expect.stringContaining("no usable time") as unknown } });
  });
});
