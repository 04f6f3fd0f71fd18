/** The table side of the simulated workspace: which columns a stream has, and what becomes of a row's values. */

/** Types of stream columns (data collection rules API 2024-03-11, `KnownColumnDefinitionType`). */
export type ColumnType = "string" | "int" | "long" | "real" | "boolean" | "datetime" | "dynamic";

/** A value or row that the service would have dropped or changed without saying so. */
export interface Loss {
  readonly row: number;
  readonly column: string;
  readonly reason: "undeclared column" | "wrong type" | "cut" | "time replaced" | "no TimeGenerated";
}

/**
 * Columns of Microsoft's table ASimAlertEventLogs: the AlertEvent schema 0.1 without aliases, and TimeGenerated
 * (learn.microsoft.com/azure/sentinel/normalization-schema-alert).
 */
export const ALERT_EVENT_COLUMNS: ReadonlyMap<string, ColumnType> = new Map<string, ColumnType>([
  ...typed("datetime", "TimeGenerated EventStartTime EventEndTime ThreatFirstReportedTime ThreatLastReportedTime"),
  ...typed("int", "EventCount RuleNumber ThreatConfidence ThreatRiskLevel"),
  ...typed("long", "FileSize"),
  ...typed("boolean", "ThreatIsActive"),
  ...typed("dynamic", "AdditionalFields"),
  ...typed(
    "string",
    "EventVendor EventProduct EventProductVersion EventSchema EventSchemaVersion EventType EventSubType EventUid EventSeverity EventResult " +
      "EventMessage EventOwner EventReportUrl EventOriginalUid EventOriginalType EventOriginalSubType EventOriginalSeverity",
  ),
  ...typed("string", "AlertName AlertStatus AlertOriginalStatus AlertVerdict DetectionMethod RuleName RuleDescription"),
  ...typed("string", "AttackTactics AttackTechniques AttackRemediationSteps IndicatorType IndicatorAssociation"),
  ...typed("string", "ThreatId ThreatName ThreatCategory ThreatOriginalCategory ThreatOriginalConfidence ThreatOriginalRiskLevel"),
  ...typed(
    "string",
    "DvcHostname DvcDomain DvcDomainType DvcFQDN DvcId DvcIdType DvcIpAddr DvcMacAddr DvcOs DvcOsVersion DvcDescription DvcInterface " +
      "DvcScope DvcScopeId DvcZone DvcAction DvcOriginalAction",
  ),
  ...typed("string", "Username UsernameType UserId UserIdType UserType OriginalUserType UserScope UserScopeId UserSessionId"),
  ...typed("string", "ProcessId ProcessName ProcessCommandLine ProcessFileCompany FileName FilePath FileMD5 FileSHA1 FileSHA256"),
  ...typed("string", "RegistryKey RegistryValue RegistryValueData RegistryValueType EmailMessageId EmailSubject Url"),
]);

function typed(type: ColumnType, names: string): [string, ColumnType][] {
  return names.split(" ").map((name) => [name, type]);
}

/** Longer values are cut ("Azure Monitor service limits"). */
const FIELD_BYTES_MAX = 65_536;
/** A TimeGenerated outside of this span around now is replaced by the time of arrival. */
const PAST_MAX_MS = 2 * 86_400_000;
const FUTURE_MAX_MS = 86_400_000;

/** The row as the table keeps it: declared columns of the right type only. What is lost is added to `losses`. */
export function storedRow(
  given: Readonly<Record<string, unknown>>,
  columns: ReadonlyMap<string, ColumnType>,
  now: number,
  row: number,
  losses: Loss[],
): Readonly<Record<string, unknown>> {
  const kept = new Map<string, unknown>();
  for (const [column, value] of Object.entries(given)) {
    const type = columns.get(column);
    if (type === undefined) losses.push({ row, column, reason: "undeclared column" });
    else if (value === null) continue;
    else if (!fits(value, type)) losses.push({ row, column, reason: "wrong type" });
    else if (Buffer.byteLength(typeof value === "string" ? value : JSON.stringify(value)) > FIELD_BYTES_MAX)
      losses.push({ row, column, reason: "cut" });
    else kept.set(column, value);
  }
  const time = kept.get("TimeGenerated");
  if (time === undefined) losses.push({ row, column: "TimeGenerated", reason: "no TimeGenerated" });
  const at = typeof time === "string" ? Date.parse(time) : now;
  if (at < now - PAST_MAX_MS || at > now + FUTURE_MAX_MS) {
    losses.push({ row, column: "TimeGenerated", reason: "time replaced" });
    kept.set("TimeGenerated", new Date(now).toISOString());
  }
  return Object.fromEntries(kept);
}

function fits(value: unknown, type: ColumnType): boolean {
  switch (type) {
    case "string":
      return typeof value === "string";
    case "boolean":
      return typeof value === "boolean";
    case "int":
      return Number.isInteger(value) && Math.abs(value as number) <= 2_147_483_647;
    case "long":
      return Number.isSafeInteger(value);
    case "real":
      return typeof value === "number";
    case "datetime":
      return typeof value === "string" && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?Z$/.test(value) && !Number.isNaN(Date.parse(value));
    case "dynamic":
      return typeof value === "object" || typeof value === "string";
  }
}
