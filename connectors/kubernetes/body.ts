/**
 * How audit events arrive: one per line in the file of the log backend, or as an EventList pushed by the webhook
 * backend. https://kubernetes.io/docs/tasks/debug/debug-cluster/audit/#audit-backends
 */
import { pageRecords } from "../../src/archetypes/http-pages.ts";
import { decodeUtf8 } from "../../src/archetypes/lines.ts";
import { poison } from "../../src/core/errors.ts";
import { checkDepth, checkKeys, mayForbidKeys, parseJson } from "../../src/core/framing.ts";
import { asObject } from "../../src/core/record.ts";
import type { Format, Receiver } from "../../src/ports/connector.ts";

/** Lines of the log backend; a line may hold a whole EventList, as relays write what the webhook gave them. */
export const auditFormat: Format = { framing: "lines", open: () => readLine };

function readLine(line: string): readonly unknown[] {
  // An event may carry any key in its requestObject: a bad one must not take the others of a list with it.
  if (!line.includes('"EventList"')) return [parseJson(line)];
  const value = parse(line);
  const list = asObject(value);
  if (list?.["kind"] !== "EventList") return [parseJson(line)];
  const suspect = mayForbidKeys(line);
  return itemsOf(list).map((item) => {
    const failure = checkDepth(item) ?? (suspect ? checkKeys(item) : undefined);
    // The normalizer refuses what is no object, with its place; the item itself cannot be trusted.
    return failure === undefined ? item : failure.code;
  });
}

/** Takes the webhook backend's batches; any 2xx settles one, anything else makes the API server send it again. */
export const auditReceiver: Receiver = {
  paths: [""],
  receive: ({ body }) => {
    const text = decodeUtf8(body, true);
    if (text === undefined) throw poison("RECORD_ENCODING", "the body is not valid UTF-8");
    const value = asObject(parse(text));
    if (value === undefined) throw poison("RECORD_NOT_OBJECT", "the body is no EventList");
    const items = value["kind"] === "EventList" ? itemsOf(value) : [value];
    return { ...pageRecords(items, text, "body"), reply: { status: 200, contentType: "text/plain", body: "" } };
  },
};

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw poison("RECORD_NOT_JSON", "the text is not valid JSON");
  }
}

function itemsOf(list: Readonly<Record<string, unknown>>): readonly unknown[] {
  const items = list["items"];
  if (!Array.isArray(items)) throw poison("RECORD_FIELD_MISSING", "the EventList has no items");
  return items as readonly unknown[];
}
