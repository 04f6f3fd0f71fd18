import fc from "fast-check";
import protobuf from "protobufjs";
import { describe, expect, test } from "vitest";
import otlp from "../../connectors/otlp/otlp.ts";
import { MESSAGES_MAX } from "../../connectors/otlp/protobuf.ts";
import { REQUEST_RECORDS_MAX } from "../../connectors/otlp/requests.ts";
import { Failure } from "../../src/core/errors.ts";
import { normalizeContext } from "../contract/normalizer.ts";
import { encode, failureOf, JSON_TYPE, lines, PROTOBUF_TYPE, push } from "./otlp-push.ts";

describe("garbage", () => {
  const valid = encode("Logs", JSON.parse(lines("logs.ndjson")[0]!));

  test("every truncation of a body is refused or read as far as it is whole, and never anything else", () => {
    let refused = 0;
    for (let length = 0; length < valid.length; length++) {
      try {
        push("/v1/logs", PROTOBUF_TYPE, valid.subarray(0, length));
      } catch (error) {
        expect(error).toBeInstanceOf(Failure);
        expect(error).toMatchObject({ kind: "poison" });
        refused += 1;
      }
    }
    expect(refused).toBe(valid.length - 1);
  });

  test("random bytes and random changes give poison failures or records, and never another throw", () => {
    const changed = fc
      .array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { minLength: 1, maxLength: 5 })
      .map((changes) => changes.reduce((bytes, [at, byte]) => bytes.with(at, byte), valid.slice()));
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), changed), fc.constantFrom("/v1/logs", "/v1/traces"), (body, path) => {
        try {
          const normalize = otlp.normalize!(otlp.config.parse({}));
          for (const { record } of push(path, PROTOBUF_TYPE, body).records) normalize(record, normalizeContext("otlp"));
        } catch (error) {
          expect(error).toBeInstanceOf(Failure);
          expect((error as Failure).kind).toBe("poison");
        }
      }),
      { numRuns: 2000 },
    );
  });

  test.each([
    ["a varint that never ends", [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
    ["a length far beyond the body", [0x0a, 0xff, 0xff, 0xff, 0xff, 0x07]],
    ["a length that ends inside its parent's neighbour", [0x0a, 0x02, 0x12, 0x05, 0x12, 0x00]],
    ["a group", [0x0b, 0x0c]],
    ["field number zero", [0x00, 0x00]],
    ["a known field with another wire type", [0x08, 0x01]],
    ["a scalar with another wire type", [0x0a, 0x02, 0x18, 0x01]],
  ])("%s is refused", (_title, bytes) => {
    expect(failureOf(() => push("/v1/logs", PROTOBUF_TYPE, new Uint8Array(bytes)))).toMatchObject({
      kind: "poison",
      code: "RECORD_CORRUPT_FILE",
    });
  });

  test("deep nesting is refused without recursion running out", () => {
    // kvlist in kvlist ... 10,000 levels, built from the inside.
    let inner: Uint8Array = new Uint8Array(0);
    const wrap = (field: number, bytes: Uint8Array): Uint8Array =>
      new protobuf.Writer()
        .uint32((field << 3) | 2)
        .bytes(bytes)
        .finish();
    for (let level = 0; level < 3000; level++) inner = wrap(6, wrap(1, wrap(2, inner)));
    const body = wrap(1, wrap(2, wrap(2, wrap(5, inner))));
    expect(failureOf(() => push("/v1/logs", PROTOBUF_TYPE, body)).code).toBe("RECORD_TOO_DEEP");
    const json = `{"resourceLogs":${'[{"a":'.repeat(200)}1${"}]".repeat(200)}}`;
    expect(failureOf(() => push("/v1/logs", JSON_TYPE, json)).code).toBe("RECORD_TOO_DEEP");
  });

  test("more records or messages than anybody needs are refused before they are built", () => {
    const records = new Uint8Array(2 * (REQUEST_RECORDS_MAX + 1)).map((_, index) => (index % 2 === 0 ? 0x12 : 0x00));
    const wrap = (field: number, bytes: Uint8Array): Uint8Array =>
      new protobuf.Writer()
        .uint32((field << 3) | 2)
        .bytes(bytes)
        .finish();
    expect(failureOf(() => push("/v1/logs", PROTOBUF_TYPE, wrap(1, wrap(2, records)))).code).toBe("RECORD_TOO_LONG");
    const json = JSON.stringify({
      resourceLogs: [{ scopeLogs: [{ logRecords: Array.from({ length: REQUEST_RECORDS_MAX + 1 }, () => 0) }] }],
    });
    expect(failureOf(() => push("/v1/logs", JSON_TYPE, json)).code).toBe("RECORD_TOO_LONG");
    const resources = new Uint8Array(2 * (MESSAGES_MAX + 1)).map((_, index) => (index % 2 === 0 ? 0x0a : 0x00));
    expect(failureOf(() => push("/v1/logs", PROTOBUF_TYPE, resources)).code).toBe("RECORD_TOO_LONG");
  });

  test.each([
    ["", "RECORD_NOT_JSON"],
    ["[]", "RECORD_NOT_OBJECT"],
    ["null", "RECORD_NOT_OBJECT"],
    ['{"resourceLogs":', "RECORD_NOT_JSON"],
    ['{"__proto__":{"resourceLogs":[]}}', "RECORD_FORBIDDEN_KEY"],
  ])("the JSON body %j is refused", (body, code) => {
    expect(failureOf(() => push("/v1/logs", JSON_TYPE, body))).toMatchObject({ kind: "poison", code });
  });

  test("no failure says what the body said", () => {
    const secret = "hunter2";
    const bodies = [`{"resourceLogs":"${secret}`, `{"resourceLogs":[{"scopeLogs":[{"logRecords":["${secret}"]}]}]}`];
    for (const body of bodies) {
      try {
        expect(JSON.stringify(push("/v1/logs", JSON_TYPE, body).reply)).not.toContain(secret);
      } catch (error) {
        expect(`${String(error)} ${(error as Error).stack}`).not.toContain(secret);
      }
    }
  });
});
