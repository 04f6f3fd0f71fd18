/**
 * The event: one flat record that every connector fills and every rule, incident and renderer reads.
 *
 * All fields are always assigned in the same order (one hidden class, see docs/decisions/0002), values are
 * primitives or short string arrays, enums are OCSF numbers, times are epoch milliseconds.
 *
 * Three states of a text field: `undefined` = the source does not say; `""` = the source says that there is
 * none (JSON null or an empty text under a key that it supplies); anything else = the value. Rules tell the
 * first two apart with `field: null` and `field: ''`, so a field that a source never supplies cannot fire a
 * rule about absence (it is a coverage gap instead).
 */

/** Milliseconds since the epoch, UTC, whole. */
export type EpochMs = number;

/** Sigma logsource categories on normalized events (`semantics.md` section 2). */
export const CATEGORIES = [
  "agent_api",
  "agent_finding",
  "authentication",
  "egress",
  "dns",
  "infra_change",
  "process",
  "file",
  "credential",
] as const;
/** What an event is about; decides which rules see it. */
export type Category = (typeof CATEGORIES)[number];

/** OCSF `status_id` of activities. */
export const STATUS = { unknown: 0, success: 1, failure: 2 } as const;
/** OCSF `severity_id`. */
export const SEVERITY = { unknown: 0, informational: 1, low: 2, medium: 3, high: 4, critical: 5, fatal: 6 } as const;
/** OCSF `action_id` (security_control profile). */
export const ACTION = { unknown: 0, allowed: 1, denied: 2, observed: 3 } as const;
/** OCSF `class_uid` of the classes that events use. */
export const CLASS = {
  fileActivity: 1001,
  processActivity: 1007,
  detectionFinding: 2004,
  incidentFinding: 2005,
  accountChange: 3001,
  authentication: 3002,
  entityManagement: 3004,
  userAccess: 3005,
  networkActivity: 4001,
  httpActivity: 4002,
  dnsActivity: 4003,
  apiActivity: 6003,
} as const;

/** How an event got its agent. */
export const ATTRIBUTION = {
  /** No agent is known. */
  none: 0,
  /** The record carries an identity of the agent (client, credential, role, service account, agent id). */
  direct: 1,
  /** Its address or pod belonged to exactly one registered agent at that time. */
  registry: 2,
  /** Bindings that the log showed lead from its keys to exactly one agent. */
  observed: 3,
  /** Several agents share the key; `agents` names them and `agentUid` stays unset. */
  shared: 4,
} as const;

/** One normalized record. Mutable only until it is stored; treat it as frozen afterwards. */
export interface Event {
  // --- envelope
  /** Stable id: `<connector>:<vendor id>` or `<connector>:sha256:<32 hex>` of the record. */
  uid: string;
  time: EpochMs;
  endTime: EpochMs | undefined;
  /** When Custodes received it. */
  receivedTime: EpochMs | undefined;
  classUid: number;
  activityId: number;
  category: Category;
  severityId: number;
  statusId: number;
  statusCode: string | undefined;
  statusDetail: string | undefined;
  /** Instance name of the source, `<connector>/<name>`. */
  source: string;
  vendor: string;
  product: string;
  /** The vendor's own event type. */
  eventCode: string | undefined;
  originalUid: string | undefined;
  tenant: string | undefined;
  actionId: number | undefined;
  durationMs: number | undefined;
  // --- agent, set by attribution (never by a normalizer)
  agentUid: string | undefined;
  agentName: string | undefined;
  agentRole: string | undefined;
  /** `active`, `grace` (retired at most 10 minutes ago), `retired`, `future`. */
  agentState: string | undefined;
  /** Candidates when a key is shared. */
  agents: readonly string[] | undefined;
  attributionId: number;
  /** 0 to 100. */
  attributionConfidence: number | undefined;
  /** Declared calls per minute of the agent at that time, calendar included. */
  agentPerMinuteMax: number | undefined;
  /** Declared megabytes (10^6) of bulk reads per 10 minutes. */
  agentBulkMbMax: number | undefined;
  srcRegistered: boolean | undefined;
  dstAllowed: boolean | undefined;
  regionDeclared: boolean | undefined;
  actionDeclared: boolean | undefined;
  dataClassAllowed: boolean | undefined;
  // --- identity keys as the record gives them
  /** The agent's id in this source's own name space. */
  agentNative: string | undefined;
  /** OAuth client or API consumer id. */
  clientUid: string | undefined;
  /** Id or fingerprint of the credential, never the secret. */
  credentialUid: string | undefined;
  /** IAM role session or user ARN. */
  roleUid: string | undefined;
  serviceAccount: string | undefined;
  spiffeId: string | undefined;
  podUid: string | undefined;
  podName: string | undefined;
  /** The Kubernetes cluster whose addresses, pods and service accounts these are, as its source is configured. */
  cluster: string | undefined;
  sessionUid: string | undefined;
  runUid: string | undefined;
  // --- agent activity
  agentVersion: string | undefined;
  model: string | undefined;
  modelProvider: string | undefined;
  conversationUid: string | undefined;
  /** OCSF `ai_role_id`: 1 user 2 assistant 3 tool 4 agent 5 orchestrator 6 retriever. */
  aiRoleId: number | undefined;
  toolName: string | undefined;
  /** All tools used in a turn, in order. */
  toolNames: readonly string[] | undefined;
  tokensIn: number | undefined;
  tokensOut: number | undefined;
  costUsd: number | undefined;
  refusal: boolean | undefined;
  finishReason: string | undefined;
  purpose: string | undefined;
  consentUid: string | undefined;
  approvalUid: string | undefined;
  /** The agent or user on whose behalf the call was made. */
  onBehalfOf: string | undefined;
  findingThreat: string | undefined;
  findingSignal: string | undefined;
  /** `critical`, `high`, `medium`, `low` as the finding says. */
  findingSeverity: string | undefined;
  inputHash: string | undefined;
  outputHash: string | undefined;
  // --- API
  operation: string | undefined;
  service: string | undefined;
  requestUid: string | undefined;
  argsHash: string | undefined;
  responseCode: number | undefined;
  /** 1 when the call failed with 4xx or 5xx, 0 when it did not: the mean of it is the error rate. */
  errorFlag: number | undefined;
  routeName: string | undefined;
  dataClasses: readonly string[] | undefined;
  scopes: readonly string[] | undefined;
  // --- users
  userUid: string | undefined;
  userName: string | undefined;
  /** OCSF `user.type_id`: 1 user 2 admin 3 system 4 service. */
  userTypeId: number | undefined;
  targetUserUid: string | undefined;
  targetUserName: string | undefined;
  /** OCSF `auth_protocol_id`. */
  authProtocolId: number | undefined;
  grantType: string | undefined;
  isMfa: boolean | undefined;
  // --- network
  srcIp: string | undefined;
  srcPort: number | undefined;
  srcHost: string | undefined;
  srcCountry: string | undefined;
  dstIp: string | undefined;
  dstPort: number | undefined;
  /** Lower case, no port, no trailing dot. */
  dstHost: string | undefined;
  protocol: string | undefined;
  appProtocol: string | undefined;
  /** OCSF `direction_id`: 1 inbound 2 outbound 3 lateral. */
  directionId: number | undefined;
  /** Bytes from source to destination. */
  bytesOut: number | undefined;
  /** Bytes from destination to source; for an API call the size of the response. */
  bytesIn: number | undefined;
  method: string | undefined;
  /** Path and query, secret-looking query values replaced. */
  url: string | undefined;
  urlPath: string | undefined;
  userAgent: string | undefined;
  dnsQuery: string | undefined;
  dnsType: string | undefined;
  /** OCSF `rcode_id`. */
  dnsRcodeId: number | undefined;
  dnsAnswers: readonly string[] | undefined;
  // --- infrastructure
  /** Canonical action: `aws:<service>:<EventName>`, `k8s:<verb>:<resource>`, `okta:<event type>`. */
  infraAction: string | undefined;
  /** The record changed something, or tried to. */
  isChange: boolean | undefined;
  /** Privileged pod, host namespace, hostPath, exec, or a grant of an administrator role. */
  privileged: boolean | undefined;
  resourceUid: string | undefined;
  resourceName: string | undefined;
  resourceType: string | undefined;
  namespace: string | undefined;
  grant: string | undefined;
  cloudProvider: string | undefined;
  cloudAccount: string | undefined;
  region: string | undefined;
  host: string | undefined;
  containerUid: string | undefined;
  process: string | undefined;
  filePath: string | undefined;
  traceUid: string | undefined;
  spanUid: string | undefined;
  parentSpanUid: string | undefined;
  // --- identity facts
  /** What the record proves about identity keys beside its own, as `linkText` writes them (core/identity/links.ts). */
  links: readonly string[] | undefined;
}
