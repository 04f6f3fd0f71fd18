/**
 * OTLP protobuf -> the objects of OTLP/JSON, so that both encodings share everything behind this file.
 *
 * protobufjs is the one dependency of a connector: OTLP exporters speak protobuf by default, and only its wire
 * reader is used. Its reflection would compile decoders with `Function` at run time, and would not let us count
 * and measure what a hostile body makes it build; the tables in `messages.ts` need neither.
 */
import protobuf from "protobufjs/minimal.js";
import { Failure, poison } from "../../src/core/errors.ts";
import { DEPTH_MAX } from "../../src/core/record.ts";
import type { Field, Message } from "./messages.ts";

/** Messages in one body: an empty one takes two bytes, but a hundred once it is an object. Real requests have some ten thousand. */
export const MESSAGES_MAX = 1_000_000;

type Reader = protobuf.Reader;
type Tree = Record<string, unknown>;

const [VARINT, FIXED64, LENGTH, FIXED32] = [0, 1, 2, 5];
/** Wire type of each kind of field. */
const WIRE = { text: 2, flag: 0, enum: 0, count32: 0, int64: 0, double: 1, nanos: 1, fixed32: 5, id: 2, bytes: 2 } as const;

/** Reads one message. @throws {Failure} poison RECORD_CORRUPT_FILE, RECORD_TOO_DEEP, RECORD_TOO_LONG */
export function decodeProtobuf(bytes: Uint8Array, message: Message): Tree {
  const reader = new protobuf.Reader(bytes);
  try {
    return readMessage(reader, bytes.length, message, { messages: 0 }, 0);
  } catch (error) {
    if (error instanceof Failure) throw error;
    // The reader tells about ends, varints and tags in words of its own; none of them quotes content.
    throw new Failure("the body is not an OTLP protobuf message", { kind: "poison", code: "RECORD_CORRUPT_FILE", cause: error });
  }
}

function readMessage(reader: Reader, end: number, message: Message, budget: { messages: number }, depth: number): Tree {
  if (depth > DEPTH_MAX) throw poison("RECORD_TOO_DEEP", `the body is nested deeper than ${DEPTH_MAX} messages`);
  if (++budget.messages > MESSAGES_MAX) throw poison("RECORD_TOO_LONG", `the body has more than ${MESSAGES_MAX} messages`);
  // Names come from our tables, so a plain object cannot get a key that means something else.
  const tree: Tree = {};
  while (reader.pos < end) {
    const tag = reader.uint32();
    const wire = tag & 7;
    const field = message.get(tag >>> 3);
    if (field === undefined) skip(reader, wire, tag >>> 3);
    else if (field.message === undefined) tree[field.name] = readScalar(reader, field, wire);
    else {
      if (wire !== LENGTH) throw corrupt();
      const length = reader.uint32();
      if (length > end - reader.pos) throw corrupt();
      const value = readMessage(reader, reader.pos + length, field.message(), budget, depth + 1);
      if (field.repeated === true) ((tree[field.name] ??= []) as Tree[]).push(value);
      else tree[field.name] = value;
    }
  }
  if (reader.pos !== end) throw corrupt();
  return tree;
}

function readScalar(reader: Reader, field: Field, wire: number): unknown {
  const { kind } = field;
  if (kind === undefined || wire !== WIRE[kind]) throw corrupt();
  switch (kind) {
    case "text":
      return reader.string();
    case "flag":
      return reader.bool();
    case "enum":
      return reader.int32();
    case "count32":
      return reader.uint32();
    case "fixed32":
      return reader.fixed32();
    case "int64":
      // As OTLP/JSON has it: 64-bit numbers are texts.
      return decimal(reader.int64());
    case "nanos":
      return decimal(reader.fixed64());
    case "double":
      return reader.double();
    case "id":
      return hex(reader.bytes());
    case "bytes": {
      const bytes = reader.bytes();
      return protobuf.util.base64.encode(bytes, 0, bytes.length);
    }
    default:
      return kind satisfies never;
  }
}

/** The reader gives 64-bit numbers as objects that know their decimal digits. */
function decimal(value: { toString(radix: number): string }): string {
  return value.toString(10);
}

/** Unknown fields are from newer versions. Groups (3, 4) are not in OTLP and would let a body nest without a table. */
function skip(reader: Reader, wire: number, number: number): void {
  if (number === 0) throw corrupt();
  if (wire === VARINT) reader.skip();
  else if (wire === FIXED64) reader.skip(8);
  else if (wire === LENGTH) reader.skip(reader.uint32());
  else if (wire === FIXED32) reader.skip(4);
  else throw corrupt();
}

function corrupt(): Failure {
  return poison("RECORD_CORRUPT_FILE", "the body is not an OTLP protobuf message");
}

const HEX = "0123456789abcdef";

function hex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += HEX[byte >> 4]! + HEX[byte & 15]!;
  return text;
}

/** An Export…ServiceResponse: nothing, or a partial success (field 1) with the count (1) and the reason (2). */
export function encodeResponse(rejected: number, reason: string): Uint8Array {
  if (rejected === 0) return new Uint8Array(0);
  const writer = new protobuf.Writer();
  writer.uint32((1 << 3) | LENGTH).fork();
  writer.uint32((1 << 3) | VARINT).int64(rejected);
  writer.uint32((2 << 3) | LENGTH).string(reason);
  return writer.ldelim().finish();
}
