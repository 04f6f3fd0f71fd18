/**
 * How sign-ins arrive: one per line in a storage account's blobs, and in `{"records": [...]}` from Event Hubs.
 * https://learn.microsoft.com/en-us/azure/azure-monitor/platform/stream-monitoring-data-event-hubs
 */
import { pageRecords } from "../../src/archetypes/http-pages.ts";
import { decodeUtf8 } from "../../src/archetypes/lines.ts";
import { bodyRecords } from "../../src/archetypes/body.ts";
import { poison } from "../../src/core/errors.ts";
import { checkDepth, checkKeys, mayForbidKeys, parseJson } from "../../src/core/framing.ts";
import { asObject } from "../../src/core/record.ts";
import type { Format, Receiver } from "../../src/ports/connector.ts";

/** Lines, each a sign-in or a batch of them. */
export const signInFormat: Format = { framing: "lines", open: () => readLine };

function readLine(line: string): readonly unknown[] {
  if (!line.includes('"records"')) return [parseJson(line)];
  const records = batchOf(line);
  if (records === undefined) return [parseJson(line)];
  const suspect = mayForbidKeys(line);
  return records.map((record) => {
    const failure = checkDepth(record) ?? (suspect ? checkKeys(record) : undefined);
    // The normalizer refuses what is no object, with its place; the record itself cannot be trusted.
    return failure === undefined ? record : failure.code;
  });
}

/** Takes batches that a relay forwards from Event Hubs, and single sign-ins. */
export const signInReceiver: Receiver = {
  paths: [""],
  receive: ({ body }) => {
    const reply = { status: 200, contentType: "application/json", body: "{}" };
    const text = decodeUtf8(body, true);
    if (text === undefined) throw poison("RECORD_ENCODING", "the body is not valid UTF-8");
    const records = batchOf(text);
    return records === undefined ? { ...bodyRecords(body), reply } : { ...pageRecords(records, text, "body"), reply };
  },
};

function batchOf(text: string): readonly unknown[] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // Several lines, or none of a record: the reader of lines says which.
    return undefined;
  }
  const records = asObject(value)?.["records"];
  return Array.isArray(records) ? (records as readonly unknown[]) : undefined;
}
