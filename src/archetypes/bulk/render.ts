/**
 * One delivery as two lines of a bulk request: the action and an ECS document. Pure: the same delivery gives the
 * same bytes. Index and id come from configuration and from our own ids, never from content.
 */
import { poison } from "../../core/errors.ts";
import type { Delivery, EventSubject, FindingDelivery, Rendered } from "../../ports/connector.ts";
import { ecsEvent, type EventCaps, type EventPlace } from "../ecs/event.ts";
import { ecsFinding } from "../ecs/finding.ts";
import { renderWithin } from "../finding.ts";
import { utf8Bytes } from "../http-exchange.ts";

/** Where documents go. */
export interface IndexNames {
  readonly alertIndex: string;
  readonly incidentIndex: string;
  /** Data stream or index of supporting events: only `create` is used with it. */
  readonly eventIndex: string;
  /** The dataset and namespace of a data stream that is named by them. */
  readonly stream: EventPlace["stream"];
  /** The server chooses ids (collections of OpenSearch Serverless that take none): repeats are then found by `custodes.key`. */
  readonly serverIds?: boolean;
}

/** Our ids are UUIDs; the pattern keeps an id from ever being more than a name (Elasticsearch allows 512 bytes). */
const ID = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;
/** Bytes of a document's id; Lucene refuses a longer one. */
const ID_BYTES_MAX = 512;

/** The order in which an event is shortened; the last form always fits, whatever the texts say. */
const EVENT_SHORTENING: readonly EventCaps[] = [
  // 1,024 units: the `ignore_above` of ECS keywords.
  { list: 50, text: 1024 },
  { list: 20, text: 256 },
  { list: 5, text: 48 },
];

/** Action and document of a delivery. @throws {Failure} poison RENDER_CONTRACT */
export function renderBulk(delivery: Delivery, names: IndexNames, itemBytesMax: number): Rendered {
  const { subject } = delivery;
  return subject.kind === "event"
    ? renderEvent({ ...delivery, subject }, names, itemBytesMax)
    : renderFinding({ ...delivery, subject }, names, itemBytesMax);
}

function renderFinding(delivery: FindingDelivery, names: IndexNames, itemBytesMax: number): Rendered {
  const { subject } = delivery;
  const { id, revision } = subject.kind === "alert" ? subject.alert : subject.incident;
  if (!ID.test(id)) throw poison("RENDER_CONTRACT", "the id is not usable as a document's id");
  if (!Number.isSafeInteger(revision) || revision < 1) throw poison("RENDER_CONTRACT", "the revision is not a positive whole number");
  const index = subject.kind === "alert" ? names.alertIndex : names.incidentIndex;
  // External versions: a later revision replaces the document, an earlier one is refused with a conflict.
  const meta = names.serverIds === true ? { _index: index } : { _index: index, _id: id, version: revision, version_type: "external" };
  const action = JSON.stringify({ index: meta });
  const rendered = renderWithin(delivery, itemBytesMax, (finding) => `${action}\n${JSON.stringify(ecsFinding(finding))}\n`);
  return { key: delivery.key, ...rendered, meta: { index, revision, ...(names.serverIds === true ? {} : { id }) } };
}

function renderEvent(delivery: Delivery<EventSubject>, names: IndexNames, itemBytesMax: number): Rendered {
  const { event } = delivery.subject;
  const index = names.eventIndex;
  // A data stream takes only `create`; the same id again is a conflict, which says that the event is there.
  const id = names.serverIds === true ? undefined : eventId(event.uid);
  const action = JSON.stringify(id === undefined ? { index: { _index: index } } : { create: { _index: index, _id: id } });
  for (const caps of EVENT_SHORTENING) {
    const body = `${action}\n${JSON.stringify(ecsEvent(event, { key: delivery.key, stream: names.stream }, caps))}\n`;
    const bytes = utf8Bytes(body);
    if (bytes <= itemBytesMax) return { key: delivery.key, body, bytes, meta: { index, revision: 1, ...(id === undefined ? {} : { id }) } };
  }
  throw poison("RENDER_CONTRACT", `the event does not fit into ${itemBytesMax} bytes even when shortened`);
}

/**
 * The document's id: the event's uid, with what is not plain ASCII percent-encoded. Uids are minted by us from the source and the
 * vendor's id, so that the same record has the same one however often it arrives; the encoding makes no two of them one.
 * Unlike a hash it can be looked up by hand.
 */
function eventId(uid: string): string {
  const id = uid.isWellFormed() ? encodeURI(uid) : "";
  if (id === "" || id.length > ID_BYTES_MAX) throw poison("RENDER_CONTRACT", "the event's uid is not usable as a document's id");
  return id;
}
