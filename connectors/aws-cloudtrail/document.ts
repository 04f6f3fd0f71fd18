/**
 * Files of CloudTrail records: the objects that AWS delivers to S3 (`{"Records":[...]}`), an array, one record, or
 * one record per line as other tools export them.
 */
import { CODES, Failure, poison, type FailureCode } from "../../src/core/errors.ts";
import { checkDepth, checkKeys, mayForbidKeys, parseJson, RAW_MAX } from "../../src/core/framing.ts";
import { asObject, type Json } from "../../src/core/record.ts";
import type { Format } from "../../src/ports/connector.ts";

/** Stands for a record that could not be read, so that one does not cost the other records of its file. */
interface Unreadable {
  readonly unreadable: FailureCode;
  readonly raw: string;
}

/** One file is one document. */
export const cloudtrailFormat: Format = { framing: "document", open: () => readDocument };

/** @throws {Failure} poison with the reason when the record stands for one that could not be read */
export function throwUnreadable(record: Json): void {
  const code = record["unreadable"];
  if (typeof code === "string" && Object.hasOwn(CODES, code))
    throw poison(code as FailureCode, "the record could not be read from its file");
}

/** @throws {Failure} poison RECORD_NOT_JSON when the text is neither one JSON document nor a record per line */
function readDocument(text: string): readonly unknown[] {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return readLines(text);
  }
  return recordsOf(document, mayForbidKeys(text));
}

/** A request may carry any key: a record with a hostile one must not take the whole file with it. */
function recordsOf(document: unknown, keysSuspect: boolean): readonly unknown[] {
  const records = asObject(document)?.["Records"];
  const list: readonly unknown[] = Array.isArray(records) ? records : Array.isArray(document) ? document : [document];
  return list.map((record) => {
    const failure = checkDepth(record) ?? (keysSuspect ? checkKeys(record) : undefined);
    return failure === undefined ? record : unreadable(failure.code, "");
  });
}

function readLines(text: string): readonly unknown[] {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const records: unknown[] = [];
  for (const [index, line] of lines.entries()) {
    try {
      records.push(...recordsOf(parseJson(line), false));
    } catch (error) {
      // A first line that is no record is the start of a broken document, not of a file of lines.
      if (!(error instanceof Failure) || index === 0) throw error;
      records.push(unreadable(error.code, line));
    }
  }
  return records;
}

function unreadable(code: FailureCode, raw: string): Unreadable {
  return { unreadable: code, raw: raw.slice(0, RAW_MAX) };
}
