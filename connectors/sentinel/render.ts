/**
 * One alert or incident revision as one row of ASIM's AlertEvent schema. Pure: the same delivery gives the same
 * bytes. Whatever is not a column of the schema stands in AdditionalFields.
 */
import type { Level, RuleInfo } from "../../src/core/alert.ts";
import { attackOf } from "../../src/core/attack.ts";
import { utf8Bytes } from "../../src/archetypes/http-exchange.ts";
import { poison } from "../../src/core/errors.ts";
import type { EpochMs } from "../../src/core/event.ts";
import { INCIDENT_STATUS } from "../../src/core/incident.ts";
import { safeList, safeText } from "../../src/core/safe-text.ts";
import type { FindingDelivery, Rendered } from "../../src/ports/connector.ts";
import { alertFields, incidentFields } from "./additional.ts";
import type { Row } from "./columns.ts";
import { entityColumns } from "./entities.ts";
import { iso, LIST_MAX, long, short, TITLE_MAX } from "./values.ts";

/** No row count is documented; this bounds what one lost answer repeats (rows are not idempotent). */
export const BATCH_ITEMS_MAX = 500;
/**
 * A call may have 1 MB, compressed and uncompressed ("Azure Monitor service limits, Logs Ingestion API"); taken
 * as 10^6 bytes, less the array's brackets and the commas between rows.
 */
export const BATCH_BYTES_MAX = 1_000_000 - (BATCH_ITEMS_MAX + 1);
/** Largest row: all columns at their own limits stay below it. */
export const ITEM_BYTES_MAX = 256_000;

/** What the operator configured that shows in a row. */
export interface RowOptions {
  /** Page of an alert or incident, with `{id}` in the place of its id. */
  readonly reportUrl?: string | undefined;
}

/** One row and its size. @throws {Failure} poison RENDER_CONTRACT */
export function render(delivery: FindingDelivery, options: RowOptions): Rendered {
  const { subject } = delivery;
  const row = subject.kind === "alert" ? alertRow(delivery, subject, options) : incidentRow(delivery, subject, options);
  const body = JSON.stringify(row);
  const bytes = utf8Bytes(body);
  if (bytes > ITEM_BYTES_MAX) throw poison("RENDER_CONTRACT", `the row has ${bytes} bytes, the limit is ${ITEM_BYTES_MAX}`);
  return { key: delivery.key, body, bytes, meta: { createdTime: delivery.createdTime, table: "alert" } };
}

function alertRow(delivery: FindingDelivery, subject: Extract<FindingDelivery["subject"], { kind: "alert" }>, options: RowOptions): Row {
  const { alert, rule, evidence } = subject;
  return {
    ...commonColumns(delivery, alert.id, alert.level, options),
    ...spanColumns(alert.firstTime, alert.lastTime, alert.count),
    EventOriginalType: "alert",
    EventMessage: long(rule.description),
    AlertName: safeText(alert.ruleTitle, TITLE_MAX),
    AlertStatus: "Active",
    AlertOriginalStatus: alert.final ? "final" : "provisional",
    ...ruleColumns([rule]),
    AttackRemediationSteps: remediation([rule.runbook], rule.response?.actions ?? []),
    ThreatRiskLevel: riskLevel(rule.risk),
    ...entityColumns(evidence),
    AdditionalFields: alertFields(delivery, subject),
  };
}

const STATUS_WORDS: Readonly<Record<number, string>> = { 1: "new", 2: "in progress", 3: "on hold", 4: "resolved", 5: "closed" };

function incidentRow(
  delivery: FindingDelivery,
  subject: Extract<FindingDelivery["subject"], { kind: "incident" }>,
  options: RowOptions,
): Row {
  const { incident, rules, evidence } = subject;
  const closed = incident.status === INCIDENT_STATUS.resolved || incident.status === INCIDENT_STATUS.closed;
  const events = incident.alerts.reduce((sum, alert) => sum + alert.count, 0);
  return {
    ...commonColumns(delivery, incident.id, incident.level, options),
    ...spanColumns(incident.firstTime, incident.lastTime, events),
    EventOriginalType: "incident",
    EventMessage: long(incident.story),
    EventOwner: short(incident.agentOwner),
    AlertName: safeText(incident.title, TITLE_MAX),
    AlertStatus: closed ? "Closed" : "Active",
    AlertOriginalStatus: STATUS_WORDS[incident.status],
    ...ruleColumns(rules),
    AttackRemediationSteps: remediation(incident.runbooks, incident.actions),
    ThreatRiskLevel: riskLevel(incident.risk),
    ...entityColumns(evidence, incident.users[0]),
    AdditionalFields: incidentFields(delivery, subject),
  };
}

/** ASIM's EventSeverity has no Critical; the level itself stands in EventOriginalSeverity. */
const SEVERITIES: Readonly<Record<Level, string>> = {
  informational: "Informational",
  low: "Low",
  medium: "Medium",
  high: "High",
  critical: "High",
};

function commonColumns(delivery: FindingDelivery, id: string, level: Level, options: RowOptions): Row {
  return {
    // When this revision was made, not when the events happened: a scheduled rule looks back some minutes from
    // now over TimeGenerated and would never see a late revision otherwise; the events' times have own columns.
    TimeGenerated: iso(delivery.createdTime),
    EventVendor: "Custodes",
    EventProduct: "Custodes",
    EventSchema: "AlertEvent",
    EventSchemaVersion: "0.1",
    EventType: "Alert",
    EventSubType: level === "high" || level === "critical" ? "Threat" : "Suspicious Activity",
    EventUid: safeText(id, TITLE_MAX),
    EventSeverity: SEVERITIES[level],
    EventOriginalSeverity: level,
    EventReportUrl: options.reportUrl?.replaceAll("{id}", () => encodeURIComponent(safeText(id, TITLE_MAX))),
  };
}

/** `int` of a data collection rule has 32 bits. */
const INT_MAX = 2_147_483_647;

function spanColumns(first: EpochMs, last: EpochMs, count: number): Row {
  return {
    // A row stands for one event at least, also when a silent window had none.
    EventCount: Math.min(Math.max(count, 1), INT_MAX),
    EventStartTime: iso(first),
    EventEndTime: iso(last),
    ThreatFirstReportedTime: iso(first),
    ThreatLastReportedTime: iso(last),
  };
}

function ruleColumns(rules: readonly RuleInfo[]): Row {
  const attack = attackOf(
    rules.flatMap((rule) => rule.tags),
    rules.flatMap((rule) => rule.maps),
  );
  const joined = (texts: readonly (string | undefined)[], separator: string) => short(safeList(texts, LIST_MAX, TITLE_MAX).join(separator));
  return {
    DetectionMethod: rules.length > 0 && rules.every((rule) => rule.schedule !== undefined) ? "Scheduled Alerts" : "Behavioral Analytics",
    RuleName: joined(
      rules.map((rule) => rule.title),
      "; ",
    ),
    // An incident of several rules has no one description; its own story stands in EventMessage.
    RuleDescription: rules.length === 1 ? long(rules[0]?.description ?? "") : undefined,
    AttackTactics: joined(
      attack.tactics.map((tactic) => tactic.name),
      ", ",
    ),
    AttackTechniques: joined([...attack.techniques, ...attack.subTechniques].sort(), ", "),
    ThreatId: joined(
      rules.map((rule) => rule.threat),
      ", ",
    ),
  };
}

function remediation(runbooks: readonly (string | undefined)[], actions: readonly string[]): string | undefined {
  const steps = [
    ...safeList(runbooks, LIST_MAX, TITLE_MAX).map((one) => `Runbook: ${one}`),
    ...safeList(actions, LIST_MAX, TITLE_MAX).map((one) => `Action: ${one}`),
  ];
  return long(steps.join("; "));
}

/** ASIM's risk is a whole number from 0 to 100, as ours. */
function riskLevel(risk: number | undefined): number | undefined {
  return risk === undefined || !Number.isFinite(risk) ? undefined : Math.round(Math.min(Math.max(risk, 0), 100));
}
