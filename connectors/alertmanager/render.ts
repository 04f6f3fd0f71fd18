/**
 * One alert or incident as a postable alert of Alertmanager's API v2. Its set of labels is its identity there, so labels hold only what never
 * changes; what does, is annotations. Pure.
 */
import { renderWithin, type Finding } from "../../src/archetypes/finding.ts";
import { isoTime } from "../../src/archetypes/own-object.ts";
import { isClosed } from "../../src/core/incident.ts";
import { safeText } from "../../src/core/safe-text.ts";
import type { FindingDelivery, Rendered } from "../../src/ports/connector.ts";
import type { Config } from "./config.ts";

/** Longest label: it shows in every list and in the address bar. */
const LABEL_MAX = 256;
/** Latest time that RFC 3339 can write. */
const TIME_MAX = 253_402_300_799_999;

/** @throws {Failure} poison RENDER_CONTRACT */
export function render(delivery: FindingDelivery, settings: Config, bytesMax: number): Rendered {
  const posted = (finding: Finding): string =>
    JSON.stringify({
      labels: { ...settings.labels, ...labelsOf(delivery) },
      annotations: annotationsOf(finding, delivery),
      startsAt: isoTime(finding.firstTime),
      endsAt: isoTime(endOf(delivery, settings)),
    });
  return { key: delivery.key, ...renderWithin(delivery, bytesMax, posted) };
}

function labelsOf({ subject }: FindingDelivery): Record<string, string> {
  const labels =
    subject.kind === "incident"
      ? { alertname: "CustodesIncident", incident_id: subject.incident.id, entity: subject.incident.entity }
      : // An alert's level is its rule's; that of an incident grows with its alerts and would make it another one.
        { alertname: "CustodesAlert", alert_id: subject.alert.id, rule_id: subject.alert.ruleId, severity: subject.alert.level };
  return filled(labels, LABEL_MAX);
}

/** Open: far enough that nothing ends before its next revision. Closed: when it was, so that Alertmanager says that it is over. */
function endOf({ subject, createdTime }: FindingDelivery, { openFor, alertFor }: Config): number {
  if (subject.kind === "alert") return Math.min(createdTime + alertFor, TIME_MAX);
  const { incident } = subject;
  if (!isClosed(incident)) return Math.min(createdTime + openFor, TIME_MAX);
  // Never later than now, which would leave it firing, and never before it began, which would be refused.
  return Math.max(Math.min(incident.closure?.time ?? createdTime, createdTime), incident.firstTime);
}

function annotationsOf(finding: Finding, { subject }: FindingDelivery): Record<string, string> {
  const { attack } = finding;
  const group = subject.kind === "alert" ? Object.entries(subject.alert.group).map(([name, value]) => `${name}=${value}`) : [];
  return filled(
    {
      summary: finding.title,
      description: finding.description,
      level: finding.level,
      risk: String(finding.risk),
      revision: String(finding.revision),
      delivery_key: finding.key,
      agents: finding.agents.join(", "),
      group: group.join(", "),
      techniques: [...attack.techniques, ...attack.subTechniques, ...attack.atlas].join(", "),
      addresses: finding.ips.join(", "),
      hosts: finding.hosts.join(", "),
      users: finding.users.join(", "),
      runbook_url: finding.runbook ?? "",
      closed: subject.kind === "incident" && isClosed(subject.incident) ? (subject.incident.closure?.how ?? "closed") : "",
    },
    finding.textMax,
  );
}

/** Safe texts; without the empty ones, which Alertmanager takes for missing. */
function filled(texts: Readonly<Record<string, string>>, max: number): Record<string, string> {
  const pairs = Object.entries(texts).map(([name, text]) => [name, safeText(text, max).trim()] as const);
  return Object.fromEntries(pairs.filter(([, text]) => text !== ""));
}
