/**
 * A supporting event as an HEC envelope around the fields of its CIM model. Pure. What it belongs to and what CIM has no field for
 * is in the object `custodes`, with fixed keys; texts are escaped and cut until the envelope fits.
 */
import { utf8Bytes } from "../../src/archetypes/http-exchange.ts";
import { checkTime, isoTime } from "../../src/archetypes/own-object.ts";
import { poison } from "../../src/core/errors.ts";
import { ATTRIBUTION, type Event } from "../../src/core/event.ts";
import { safeList, safeText } from "../../src/core/safe-text.ts";
import type { Delivery, EventSubject, Rendered } from "../../src/ports/connector.ts";
import { envelope, type EnvelopeOptions } from "./envelope.ts";
import { cimFields, type EventCaps } from "./event-fields.ts";
import { modelOf } from "./models.ts";

/** 256: what CIM fields of our alerts have; the last always fits into the smallest limit. */
const SHORTENING: readonly EventCaps[] = [
  { text: 256, list: 25 },
  { text: 128, list: 10 },
  { text: 64, list: 5 },
  { text: 24, list: 1 },
];
/** Keys and ids that a reader compares are not cut until the rest is short. */
const KEY_MAX = 512;

const ATTRIBUTIONS = new Map(Object.entries(ATTRIBUTION).map(([name, id]) => [id as number, name]));

/** The envelope of an event. @throws {Failure} poison RENDER_CONTRACT */
export function renderEvent(delivery: Delivery<EventSubject>, options: EnvelopeOptions): Rendered {
  const { event } = delivery.subject;
  checkTime(event.time);
  const model = modelOf(event);
  for (const caps of SHORTENING) {
    const keyMax = caps.text < 64 ? 128 : KEY_MAX;
    const body = envelope(
      {
        type: `event:${model}`,
        time: event.time,
        key: safeText(delivery.key, keyMax),
        id: safeText(event.uid, keyMax),
        revision: 1,
        event: { ...cimFields(event, model, caps), custodes: ownFields(event, caps) },
      },
      options,
    );
    const bytes = utf8Bytes(body);
    if (bytes <= options.eventBytesMax) return { key: delivery.key, body, bytes };
  }
  throw poison("RENDER_CONTRACT", `the event does not fit into ${options.eventBytesMax} bytes even when shortened`);
}

function ownFields(event: Event, caps: EventCaps): Readonly<Record<string, unknown>> {
  const safe = (text: string | undefined): string | undefined =>
    text === undefined || text === "" ? undefined : safeText(text, caps.text);
  const list = (texts: readonly string[] | undefined): readonly string[] | undefined =>
    texts === undefined || texts.length === 0 ? undefined : safeList(texts, caps.list, caps.text);
  return {
    kind: "event",
    category: event.category,
    event_source: safe(event.source),
    event_code: safe(event.eventCode),
    received_time: event.receivedTime === undefined ? undefined : isoTime(event.receivedTime),
    agent_id: safe(event.agentUid),
    agent_name: safe(event.agentName),
    agent_role: safe(event.agentRole),
    agent_state: safe(event.agentState),
    agent_candidates: list(event.agents),
    attribution: ATTRIBUTIONS.get(event.attributionId) ?? "none",
    attribution_confidence: event.attributionConfidence,
    session: safe(event.sessionUid),
    run: safe(event.runUid),
    conversation: safe(event.conversationUid),
    credential: safe(event.credentialUid),
    client: safe(event.clientUid),
    pod: safe(event.podName),
    tool: safe(event.toolName),
    model: safe(event.model),
    tokens_in: event.tokensIn,
    tokens_out: event.tokensOut,
    operation: safe(event.operation),
    infra_action: safe(event.infraAction),
    grant: safe(event.grant),
    privileged: event.privileged,
    http_method: safe(event.method),
    http_status: event.responseCode,
    status_detail: safe(event.statusDetail),
    data_classes: list(event.dataClasses),
    dst_allowed: event.dstAllowed,
    src_registered: event.srcRegistered,
    threat: safe(event.findingThreat),
    trace: safe(event.traceUid),
  };
}
