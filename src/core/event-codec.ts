/** How an event lies in the log: compact JSON of the fields that are set, under their own names. */
import { poison } from "./errors.ts";
import { CATEGORIES, type Category, type Event } from "./event.ts";
import { newEvent } from "./new-event.ts";
import { asObject } from "./record.ts";

type Kind = "text" | "number" | "flag" | "texts";

/**
 * The event as text. Fields that are undefined are left out; numbers that JSON cannot express become unset.
 * The text holds neither raw NUL bytes nor lone surrogates, so every database takes it.
 */
export function encodeEvent(event: Event): string {
  return JSON.stringify(event);
}

/**
 * The event that `encodeEvent` wrote, with all fields in their one order. Unknown keys and values of a wrong
 * type are left out: text that an older or newer version wrote must not bring in fields that nobody checks.
 * @throws {Failure} poison RECORD_NOT_JSON, RECORD_NOT_OBJECT, RECORD_FIELD_MISSING
 */
export function decodeEvent(text: string): Event {
  const stored = asObject(parse(text));
  if (stored === undefined) throw poison("RECORD_NOT_OBJECT", "the stored event is not a JSON object");
  const { uid, time, category, classUid, activityId } = stored;
  if (typeof uid !== "string" || typeof time !== "number" || !isCategory(category)) throw incomplete();
  if (typeof classUid !== "number" || typeof activityId !== "number") throw incomplete();
  const event = newEvent(uid, time, category, classUid, activityId);
  for (const key in stored) setField(event, key, stored[key]);
  return event;
}

/** Sets a field if it is one and the value is of its type; says whether it did. */
export function setField(event: Event, key: string, value: unknown): boolean {
  const kind = KINDS.get(key);
  if (kind === undefined || !fits(kind, value)) return false;
  (event as unknown as Record<string, unknown>)[key] = value;
  return true;
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    // The parser's own message quotes the text, which may be a record's content.
    if (error instanceof SyntaxError) throw poison("RECORD_NOT_JSON", "the stored event is not valid JSON");
    throw error;
  }
}

function incomplete(): Error {
  return poison("RECORD_FIELD_MISSING", "the stored event lacks its uid, time, category, class or activity");
}

function isCategory(value: unknown): value is Category {
  return (CATEGORIES as readonly unknown[]).includes(value);
}

function fits(kind: Kind, value: unknown): boolean {
  switch (kind) {
    case "text":
      return typeof value === "string";
    case "number":
      return typeof value === "number";
    case "flag":
      return typeof value === "boolean";
    case "texts":
      return Array.isArray(value) && value.every((item) => typeof item === "string");
  }
}

type KindOf<T> = T extends string ? "text" : T extends number ? "number" : T extends boolean ? "flag" : "texts";

// The compiler demands one entry of the right kind per field, so a field added to Event cannot be forgotten here.
const FIELD_KINDS: { readonly [K in keyof Event]-?: KindOf<NonNullable<Event[K]>> } = {
  uid: "text",
  time: "number",
  endTime: "number",
  receivedTime: "number",
  classUid: "number",
  activityId: "number",
  category: "text",
  severityId: "number",
  statusId: "number",
  statusCode: "text",
  statusDetail: "text",
  source: "text",
  vendor: "text",
  product: "text",
  eventCode: "text",
  originalUid: "text",
  tenant: "text",
  actionId: "number",
  durationMs: "number",
  agentUid: "text",
  agentName: "text",
  agentRole: "text",
  agentState: "text",
  agents: "texts",
  attributionId: "number",
  attributionConfidence: "number",
  agentPerMinuteMax: "number",
  agentBulkMbMax: "number",
  srcRegistered: "flag",
  dstAllowed: "flag",
  regionDeclared: "flag",
  actionDeclared: "flag",
  dataClassAllowed: "flag",
  agentNative: "text",
  clientUid: "text",
  credentialUid: "text",
  roleUid: "text",
  serviceAccount: "text",
  spiffeId: "text",
  podUid: "text",
  podName: "text",
  cluster: "text",
  sessionUid: "text",
  runUid: "text",
  agentVersion: "text",
  model: "text",
  modelProvider: "text",
  conversationUid: "text",
  aiRoleId: "number",
  toolName: "text",
  toolNames: "texts",
  tokensIn: "number",
  tokensOut: "number",
  costUsd: "number",
  refusal: "flag",
  finishReason: "text",
  purpose: "text",
  consentUid: "text",
  approvalUid: "text",
  onBehalfOf: "text",
  findingThreat: "text",
  findingSignal: "text",
  findingSeverity: "text",
  inputHash: "text",
  outputHash: "text",
  operation: "text",
  service: "text",
  requestUid: "text",
  argsHash: "text",
  responseCode: "number",
  errorFlag: "number",
  routeName: "text",
  dataClasses: "texts",
  scopes: "texts",
  userUid: "text",
  userName: "text",
  userTypeId: "number",
  targetUserUid: "text",
  targetUserName: "text",
  authProtocolId: "number",
  grantType: "text",
  isMfa: "flag",
  srcIp: "text",
  srcPort: "number",
  srcHost: "text",
  srcCountry: "text",
  dstIp: "text",
  dstPort: "number",
  dstHost: "text",
  protocol: "text",
  appProtocol: "text",
  directionId: "number",
  bytesOut: "number",
  bytesIn: "number",
  method: "text",
  url: "text",
  urlPath: "text",
  userAgent: "text",
  dnsQuery: "text",
  dnsType: "text",
  dnsRcodeId: "number",
  dnsAnswers: "texts",
  infraAction: "text",
  isChange: "flag",
  privileged: "flag",
  resourceUid: "text",
  resourceName: "text",
  resourceType: "text",
  namespace: "text",
  grant: "text",
  cloudProvider: "text",
  cloudAccount: "text",
  region: "text",
  host: "text",
  containerUid: "text",
  process: "text",
  filePath: "text",
  traceUid: "text",
  spanUid: "text",
  parentSpanUid: "text",
  links: "texts",
};

const KINDS: ReadonlyMap<string, Kind> = new Map(Object.entries(FIELD_KINDS));
