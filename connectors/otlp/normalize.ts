/** OTLP log record or span -> events. What says nothing about an agent gives none. */
import { linkTexts, proven } from "../../src/archetypes/links.ts";
import type { Event } from "../../src/core/event.ts";
import { recordObject } from "../../src/core/record.ts";
import type { Normalize } from "../../src/ports/connector.ts";
import { suppliedOf } from "./attributes.ts";
import { codingEvent, isCodingAgent } from "./coding-agents.ts";
import type { Config, FieldName } from "./config.ts";
import { readEnvelope, uidOf, type Envelope } from "./envelope.ts";
import { findingsOf } from "./findings.ts";
import { resourceReader } from "./resource.ts";
import { callEvent, operationOf } from "./semconv.ts";

/** Normalizes records of `requests.ts`. */
export function otlpNormalize(config?: Config): Normalize {
  const resourceOf = resourceReader();
  const counted = config?.operations ?? "both";
  const fields = Object.entries(config?.fields ?? {}) as readonly (readonly [FieldName, string])[];
  return (record, context) => {
    const envelope = readEnvelope(recordObject(record), resourceOf, context);
    let known: string | undefined;
    const uid = (): string => (known ??= uidOf(envelope));
    const events = findingsOf(envelope, uid);
    const counts = counted === "both" || (counted === "logs") === (envelope.signal === "log");
    const call = counts ? callOf(envelope, uid) : undefined;
    if (call !== undefined) events.unshift(call);
    for (const event of events) applyFields(event, envelope, fields);
    const [first] = events;
    if (first !== undefined && config?.trustResource === true) first.links = linksOf(first);
    return events;
  };
}

/**
 * Once for all events of a record. An agent that writes its own resource could claim another's pod and so make it
 * doubtful whose that pod is: the operator must say that it does not.
 */
function linksOf({ podUid, podName, namespace, serviceAccount }: Event): readonly string[] | undefined {
  const path = namespace === undefined || podName === undefined ? undefined : `${namespace}/${podName}`;
  return linkTexts([proven(["pod", podUid], ["sa", serviceAccount]), proven(["pod", path], ["pod", podUid])]);
}

function callOf(envelope: Envelope, uid: () => string): Event | undefined {
  if (isCodingAgent(envelope)) return codingEvent(envelope, uid);
  const operation = operationOf(envelope);
  return operation === undefined ? undefined : callEvent(envelope, operation, uid());
}

/** Fields that the operator reads from attributes of their own, of the record or else of its resource. */
function applyFields(event: Event, envelope: Envelope, fields: readonly (readonly [FieldName, string])[]): void {
  for (const [field, key] of fields) {
    const value = suppliedOf(envelope.attributes, [key]) ?? suppliedOf(envelope.resource.attributes, [key]);
    if (value !== undefined) event[field] = value;
  }
}
