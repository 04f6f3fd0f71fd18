/**
 * Columns of the stream that this connector sends, with their types in the data collection rule. The names are
 * those of ASIM's AlertEvent schema 0.1 without its aliases, which exist at query time only
 * (learn.microsoft.com/azure/sentinel/normalization-schema-alert), plus the table's own TimeGenerated.
 */
export const COLUMNS = {
  TimeGenerated: "datetime",
  EventVendor: "string",
  EventProduct: "string",
  EventSchema: "string",
  EventSchemaVersion: "string",
  EventType: "string",
  EventSubType: "string",
  EventUid: "string",
  EventCount: "int",
  EventStartTime: "datetime",
  EventEndTime: "datetime",
  EventSeverity: "string",
  EventOriginalSeverity: "string",
  EventOriginalType: "string",
  EventMessage: "string",
  EventOwner: "string",
  EventReportUrl: "string",
  AlertName: "string",
  AlertStatus: "string",
  AlertOriginalStatus: "string",
  DetectionMethod: "string",
  RuleName: "string",
  RuleDescription: "string",
  AttackTactics: "string",
  AttackTechniques: "string",
  AttackRemediationSteps: "string",
  ThreatId: "string",
  ThreatRiskLevel: "int",
  ThreatFirstReportedTime: "datetime",
  ThreatLastReportedTime: "datetime",
  DvcHostname: "string",
  DvcDomain: "string",
  DvcDomainType: "string",
  DvcFQDN: "string",
  DvcIpAddr: "string",
  DvcScopeId: "string",
  DvcAction: "string",
  Username: "string",
  UsernameType: "string",
  UserId: "string",
  UserIdType: "string",
  UserType: "string",
  UserSessionId: "string",
  ProcessName: "string",
  FilePath: "string",
  Url: "string",
  AdditionalFields: "dynamic",
} as const;

type Columns = typeof COLUMNS;

/** One row: a column that has no value is left out, and the table shows it as null. */
export type Row = {
  readonly [Name in keyof Columns]?: (Columns[Name] extends "int" ? number : Columns[Name] extends "dynamic" ? object : string) | undefined;
};
