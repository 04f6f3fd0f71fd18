/** One delivery as one RFC 5424 message. Pure: the same delivery gives the same bytes. */
import { findingDelivery, renderWithin } from "../../src/archetypes/finding.ts";
import { utf8Bytes } from "../../src/archetypes/http-exchange.ts";
import { ocsfWithin, subjectFacts, type SubjectFacts } from "../../src/archetypes/ocsf-subject.ts";
import type { Level } from "../../src/core/alert.ts";
import { poison } from "../../src/core/errors.ts";
import { safeText } from "../../src/core/safe-text.ts";
import type { Delivery, Rendered } from "../../src/ports/connector.ts";
import { eventCef, findingCef } from "./cef.ts";
import { messageBytesMax, type Config } from "./config.ts";
import { syslogMessage } from "./frame.ts";

/** RFC 5424 severity of a level: critical 2, error 3, warning 4, notice 5, informational 6. */
const SEVERITY: Readonly<Record<Level, number>> = { informational: 6, low: 5, medium: 4, high: 3, critical: 2 };
/** Events support what the alert beside them says, and page nobody. */
const EVENT_SEVERITY = 6;
/** Longest texts of an event, step by step. */
const EVENT_TEXTS = [1_023, 256, 64] as const;
/** Longest structured data parameter. */
const PARAMETER_MAX = 256;

/** @throws {Failure} poison RENDER_CONTRACT */
export function render(delivery: Delivery, settings: Config): Rendered {
  const { key, subject } = delivery;
  const bytesMax = messageBytesMax(settings);
  const message = (text: string): string => wrapped(delivery, subjectFacts(delivery), settings, text);
  if (settings.format === "ocsf") {
    const json = (ocsf: object, { id, revision }: SubjectFacts): string =>
      message(JSON.stringify({ key: safeText(key, 1_024), id: safeText(id, 1_024), revision, ocsf }));
    return { key, ...ocsfWithin(delivery, { bytesMax, version: settings.ocsf }, json) };
  }
  if (subject.kind !== "event") {
    const { confidence } = subject.kind === "alert" ? subject.alert : subject.incident;
    const count = subject.kind === "alert" ? subject.alert.count : undefined;
    const { change } = subjectFacts(delivery);
    const facts = { change, confidence, count };
    return { key, ...renderWithin(findingDelivery(delivery), bytesMax, (finding) => message(findingCef(finding, facts))) };
  }
  for (const textMax of EVENT_TEXTS) {
    const body = message(eventCef(subject.event, key, textMax));
    const bytes = utf8Bytes(body);
    if (bytes <= bytesMax) return { key, body, bytes };
  }
  throw poison("RENDER_CONTRACT", `the event does not fit into ${bytesMax} bytes even when shortened`);
}

function wrapped({ key, subject, createdTime }: Delivery, { kind, id, revision }: SubjectFacts, settings: Config, text: string): string {
  const { facility, hostName, appName, enterpriseId } = settings;
  const severity =
    subject.kind === "event" ? EVENT_SEVERITY : SEVERITY[subject.kind === "alert" ? subject.alert.level : subject.incident.level];
  const data = { key: safeText(key, PARAMETER_MAX), id: safeText(id, PARAMETER_MAX), revision: String(revision) };
  return syslogMessage({ facility, severity, time: createdTime, hostName, appName, messageId: kind, enterpriseId, data }, text);
}
