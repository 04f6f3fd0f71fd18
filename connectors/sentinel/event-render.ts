/** One supporting event as one row of the ASIM table of its class. Pure: the same delivery gives the same bytes. */
import { utf8Bytes } from "../../src/archetypes/http-exchange.ts";
import { poison } from "../../src/core/errors.ts";
import type { Delivery, EventSubject, Rendered } from "../../src/ports/connector.ts";
import { CLASS_ROWS, generatedTime, tableOf } from "./event-classes.ts";
import { additionalParts, type EventRow } from "./event-parts.ts";
import { TABLES } from "./tables.ts";

/** One row and its size. @throws {Failure} poison RENDER_CONTRACT for times that no calendar has and rows that are too large */
export function renderEvent(delivery: Delivery<EventSubject>, bytesMax: number): Rendered {
  const { event } = delivery.subject;
  const table = tableOf(event);
  const { schema, version } = TABLES[table];
  const row: EventRow = {
    TimeGenerated: generatedTime(event, delivery.createdTime),
    ...CLASS_ROWS[table](event),
    EventSchema: schema,
    EventSchemaVersion: version,
    AdditionalFields: additionalParts(delivery.key, table, event),
  };
  const body = JSON.stringify(row);
  const bytes = utf8Bytes(body);
  if (bytes > bytesMax) throw poison("RENDER_CONTRACT", `the row has ${bytes} bytes, the limit is ${bytesMax}`);
  return { key: delivery.key, body, bytes, meta: { createdTime: delivery.createdTime, table } };
}
