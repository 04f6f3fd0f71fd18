/**
 * Tables of Sentinel's normalized events that this connector fills, with the columns of their streams. Names are those
 * of the ASIM schemas without their aliases, types those of data collection rules. What a table itself lacks although its
 * schema asks for it is taken out by the rule ("Azure Monitor Logs reference", one page per table).
 */
import { COLUMNS } from "./columns.ts";

/** Types of stream columns (data collection rules API 2024-03-11). */
export type ColumnType = "string" | "int" | "long" | "real" | "boolean" | "datetime" | "dynamic";

const TYPES: ReadonlySet<string> = new Set<ColumnType>(["string", "int", "long", "real", "boolean", "datetime", "dynamic"]);

/** One table with its schema and the stream that leads to it. */
export interface Table {
  readonly name: string;
  readonly schema: string;
  readonly version: string;
  readonly columns: Readonly<Record<string, ColumnType>>;
  /** Columns of the schema that the table does not store. */
  readonly lacks: readonly string[];
}

/** What every class table has; AgentEvent has its own. */
const COMMON =
  "datetime TimeGenerated EventStartTime EventEndTime int EventCount dynamic AdditionalFields string EventVendor EventProduct EventSchema EventSchemaVersion " +
  "EventType EventSubType EventResult EventResultDetails EventOriginalResultDetails EventSeverity EventUid EventOriginalUid EventOriginalType " +
  "Dvc DvcHostname DvcDomain DvcDomainType DvcFQDN DvcIpAddr DvcAction ";
const SOURCE = "string SrcIpAddr SrcHostname SrcDomain SrcDomainType SrcFQDN int SrcPortNumber ";
const ACTOR = "string ActorUserId ActorUserIdType ActorUsername ActorUsernameType ActorUserType ActorSessionId ";
const AGENT = "string ActingAppId ActingAppName ActingAppType ";
const NETWORK =
  "string DstIpAddr DstHostname DstDomain DstDomainType DstFQDN NetworkProtocol NetworkApplicationProtocol NetworkDirection " +
  "SrcAppId SrcAppName SrcAppType SrcUserId SrcUserIdType SrcUsername SrcUsernameType SrcUserType int DstPortNumber NetworkDuration " +
  "long SrcBytes DstBytes NetworkBytes ";

/** Stored by hardly any of the tables: each list below was compared with the table's reference page, column by column. */
const NOT_STORED = ["Dvc", "EventSchema", "EventUid"] as const;

/** All tables by their short name. */
export const TABLES = {
  alert: { name: "ASimAlertEventLogs", schema: "AlertEvent", version: "0.1", columns: COLUMNS, lacks: [] },
  agent: {
    name: "ASimAgentEventLogs",
    schema: "AgentEvent",
    version: "0.1.0",
    columns: columnsOf(
      "datetime TimeGenerated EventStartTime EventEndTime int EventCount SrcPortNumber long InputTokensUsed OutputTokensUsed dynamic AdditionalFields " +
        "EventFinishReasons string EventVendor EventProduct EventSchema EventSchemaVersion EventType EventUid EventOriginalUid EventOriginalType " +
        "EventOriginalRequestDetails EventOriginalResultDetails EventErrorDetails EventOriginalErrorType EventRequestId EventSessionId " +
        "SrcAgentId SrcAgentName SrcIpAddr SrcFQDN ActingAppId ActingAppName ActingAppType ActorUserId ActorUserIdType ActorUsername ActorUsernameType " +
        "ModelName ModelProviderName ToolName",
    ),
    lacks: [],
  },
  authentication: {
    name: "ASimAuthenticationEventLogs",
    schema: "Authentication",
    version: "0.1.4",
    columns: columnsOf(
      `${COMMON}${SOURCE}${ACTOR}${AGENT}string SrcGeoCountry HttpUserAgent LogonMethod LogonProtocol TargetAppName TargetAppType TargetSessionId ` +
        "TargetUserId TargetUserIdType TargetUsername TargetUsernameType TargetUserType",
    ),
    lacks: NOT_STORED,
  },
  network: {
    name: "ASimNetworkSessionLogs",
    schema: "NetworkSession",
    version: "0.2.7",
    columns: columnsOf(`${COMMON}${SOURCE}${NETWORK}string SrcGeoCountry`),
    lacks: ["EventSchema", "EventUid"],
  },
  web: {
    name: "ASimWebSessionLogs",
    schema: "WebSession",
    version: "0.2.7",
    columns: columnsOf(`${COMMON}${SOURCE}${NETWORK}string SrcGeoCountry Url HttpRequestMethod HttpUserAgent HttpHost`),
    lacks: ["EventSchema", "EventUid"],
  },
  dns: {
    name: "ASimDnsActivityLogs",
    schema: "Dns",
    version: "0.1.7",
    columns: columnsOf(
      `${COMMON}${SOURCE}string DstIpAddr DnsQuery DnsQueryTypeName DnsResponseName NetworkProtocol SrcUserId SrcUserIdType SrcUsername SrcUsernameType ` +
        "SrcUserType int DstPortNumber DnsResponseCode DnsNetworkDuration",
    ),
    lacks: ["EventOriginalResultDetails", "EventSchema", "EventUid"],
  },
  audit: {
    name: "ASimAuditEventLogs",
    schema: "AuditEvent",
    version: "0.1.2",
    columns: columnsOf(
      `${COMMON}${SOURCE}${ACTOR}${AGENT}string HttpUserAgent NewValue Object ObjectId ObjectType OriginalObjectType Operation TargetAppName TargetAppType TargetUrl ValueType`,
    ),
    lacks: NOT_STORED,
  },
  process: {
    name: "ASimProcessEventLogs",
    schema: "ProcessEvent",
    version: "0.1.4",
    columns: columnsOf(
      `${COMMON}${ACTOR}string ActingProcessId TargetProcessId TargetProcessName TargetProcessCommandLine TargetUserId TargetUserIdType TargetUsername TargetUsernameType`,
    ),
    lacks: NOT_STORED,
  },
  file: {
    name: "ASimFileEventLogs",
    schema: "FileEvent",
    version: "0.2.2",
    columns: columnsOf(`${COMMON}${ACTOR}string SrcIpAddr TargetFileName TargetFilePath TargetFilePathType`),
    lacks: ["Dvc", "EventUid"],
  },
} as const satisfies Readonly<Record<string, Table>>;

/** Short name of a table. */
export type TableName = keyof typeof TABLES;

/** Stream of a table's rows; the one of alerts is the operator's to name. */
export function streamOf(table: TableName, alerts: string): string {
  return table === "alert" ? alerts : `Custom-${TABLES[table].name}`;
}

/** From `type name name type name …`. */
function columnsOf(text: string): Readonly<Record<string, ColumnType>> {
  const columns: Record<string, ColumnType> = {};
  let type: ColumnType = "string";
  for (const word of text.trim().split(/\s+/)) {
    if (TYPES.has(word)) type = word as ColumnType;
    else columns[word] = type;
  }
  return columns;
}
