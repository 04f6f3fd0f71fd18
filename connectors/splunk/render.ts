/**
 * One alert or incident revision as one HEC envelope around a CIM `Alerts` event, one event in its own model. Pure: the same delivery
 * gives the same bytes. The CIM fields come first: search-time extraction reads only the beginning of a long event.
 */
import { findingDelivery, renderWithin, type Finding } from "../../src/archetypes/finding.ts";
import { isoTime } from "../../src/archetypes/own-object.ts";
import type { Level } from "../../src/core/alert.ts";
import { SEVERITY, type Event } from "../../src/core/event.ts";
import { safeText } from "../../src/core/safe-text.ts";
import type { Delivery, Rendered } from "../../src/ports/connector.ts";
import { envelope, type EnvelopeOptions } from "./envelope.ts";
import { renderEvent } from "./event.ts";
import { UNKNOWN } from "./event-fields.ts";

/** OCSF `severity_id` of a level, which CIM takes as `severity_id`. */
const SEVERITY_ID: Readonly<Record<Level, number>> = {
  informational: SEVERITY.informational,
  low: SEVERITY.low,
  medium: SEVERITY.medium,
  high: SEVERITY.high,
  critical: SEVERITY.critical,
};

/** Longest value of a single-valued CIM field that comes from an event. */
const VALUE_MAX = 256;

/** The envelope of a delivery. @throws {Failure} poison RENDER_CONTRACT */
export function render(delivery: Delivery, options: EnvelopeOptions): Rendered {
  const { subject } = delivery;
  if (subject.kind === "event") return renderEvent({ ...delivery, subject }, options);
  const body = (finding: Finding): string => {
    const { kind: type, lastTime: time, key, id, revision } = finding;
    return envelope({ type, time, key, id, revision, event: alertsEvent(finding) }, options);
  };
  return { key: delivery.key, ...renderWithin(findingDelivery(delivery), options.eventBytesMax, body) };
}

function alertsEvent(finding: Finding): Readonly<Record<string, unknown>> {
  const { events, agent } = finding;
  const first = (read: (event: Event) => string | undefined): string | undefined => {
    const value = events.map(read).find((item) => item !== undefined && item !== "");
    return value === undefined ? undefined : safeText(value, Math.min(VALUE_MAX, finding.textMax));
  };
  const user = first((event) => event.userName ?? event.userUid) ?? finding.users[0] ?? agent?.name ?? agent?.id;
  return {
    app: "custodes",
    id: finding.id,
    type: "alert",
    severity: finding.level,
    severity_id: SEVERITY_ID[finding.level],
    signature: finding.rule?.name ?? finding.title,
    signature_id: finding.rule?.id ?? `custodes:${finding.kind}`,
    subject: finding.title,
    description: finding.description,
    src: first((event) => event.srcIp ?? event.srcHost) ?? finding.ips[0] ?? UNKNOWN,
    dest: first((event) => event.dstHost ?? event.dstIp ?? event.host) ?? finding.hosts[0] ?? UNKNOWN,
    user: user ?? UNKNOWN,
    mitre_technique_id: techniques(finding),
    vendor_account: first((event) => event.cloudAccount),
    vendor_region: first((event) => event.region),
    custodes: {
      agent_id: agent?.id,
      agent_name: agent?.name,
      risk: finding.risk,
      first_time: isoTime(finding.firstTime),
      last_time: isoTime(finding.lastTime),
      tags: finding.tags,
      atlas: finding.attack.atlas,
      ips: finding.ips,
      hosts: finding.hosts,
      users: finding.users,
      ...finding.own,
    },
  };
}

/** Sub-techniques say more than the technique above them, so that is left out where one is named. */
function techniques({ attack }: Finding): readonly string[] | undefined {
  const parents = new Set(attack.subTechniques.map((id) => id.slice(0, 5)));
  const ids = [...attack.techniques.filter((id) => !parents.has(id)), ...attack.subTechniques];
  return ids.length === 0 ? undefined : ids;
}
