/** Pushed bodies: one JSON object, an array of them, or one per line, as records with their places. */
import {
  DOCUMENT_BYTES_MAX,
  newBatch,
  parseJson,
  RAW_MAX,
  readLine,
  readText,
  rejectLine,
  type Batch,
  type Read,
} from "../core/framing.ts";
import type { Located, Reject } from "../ports/connector.ts";
import { decodeUtf8, rawBytes, splitLines } from "./lines.ts";

/** What a body holds. Nothing is thrown: what cannot be read is a reject, so a sender is never sent into retries. */
export interface BodyRecords {
  readonly records: readonly Located[];
  readonly rejects: readonly Reject[];
}

const readOne: Read = (text) => [parseJson(text)];

/** Reads a body that may be one JSON value, an array (each item a record) or NDJSON; positions are `body:<n>`, from 1. */
export function bodyRecords(body: Uint8Array): BodyRecords {
  const batch = newBatch("body");
  if (body.length > DOCUMENT_BYTES_MAX) {
    rejectLine(batch, "RECORD_TOO_LONG", `the body is longer than ${DOCUMENT_BYTES_MAX} bytes`, 1, "");
    return located(batch);
  }
  const text = decodeUtf8(body, true);
  const whole = text?.trim();
  if (whole !== undefined && !readsAsLines(whole)) readDocument(whole, batch);
  else readLines(body, batch);
  return located(batch);
}

/** A body is read by lines when it has several and the first by itself is JSON, or when it is nothing else either. */
function readsAsLines(text: string): boolean {
  const newline = text.indexOf("\n");
  if (newline === -1) return false;
  return isJson(text.slice(0, newline)) || !isJson(text);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function readDocument(text: string, batch: Batch): void {
  if (text === "") return;
  const single = newBatch("body");
  readText(readOne, text, 1, single);
  batch.rejects.push(...single.rejects);
  const value = single.records[0];
  const items = Array.isArray(value) ? (value as readonly unknown[]) : single.records;
  items.forEach((record, index) => {
    batch.records.push(record);
    batch.lines.push(index + 1);
  });
}

function readLines(body: Uint8Array, batch: Batch): void {
  splitLines(body, (bytes, line) => {
    const text = decodeUtf8(bytes, line === 1);
    if (text === undefined) rejectLine(batch, "RECORD_ENCODING", "the line is not valid UTF-8", line, rawBytes(bytes, RAW_MAX));
    else readLine(readOne, text, line, batch);
  });
}

function located(batch: Batch): BodyRecords {
  const records = batch.records.map((record, index) => ({ record, position: `${batch.path}:${batch.lines[index]}` }));
  return { records, rejects: batch.rejects };
}
