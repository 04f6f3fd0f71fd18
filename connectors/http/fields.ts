/** Which event fields a mapping may fill, and with what kind of value. The rest belongs to the envelope or to attribution. */
import type { Event } from "../../src/core/event.ts";

type Kind = "text" | "number" | "boolean" | "list";

const TEXT = [
  ...(["statusCode", "statusDetail", "eventCode", "tenant", "agentNative", "clientUid", "credentialUid", "roleUid"] as const),
  ...(["serviceAccount", "spiffeId", "podUid", "podName", "sessionUid", "runUid", "agentVersion", "model", "modelProvider"] as const),
  ...(["conversationUid", "toolName", "finishReason", "purpose", "consentUid", "approvalUid", "onBehalfOf"] as const),
  ...(["findingThreat", "findingSignal", "findingSeverity", "inputHash", "outputHash", "operation", "service"] as const),
  ...(["requestUid", "argsHash", "routeName", "userUid", "userName", "targetUserUid", "targetUserName", "grantType"] as const),
  ...(["srcIp", "srcHost", "srcCountry", "dstIp", "dstHost", "protocol", "appProtocol", "method", "url", "userAgent"] as const),
  ...(["dnsQuery", "dnsType", "infraAction", "resourceUid", "resourceName", "resourceType", "namespace", "grant"] as const),
  ...(["cloudProvider", "cloudAccount", "region", "host", "containerUid", "process", "filePath"] as const),
  ...(["traceUid", "spanUid", "parentSpanUid"] as const),
];
const NUMBER = [
  ...(["activityId", "severityId", "statusId", "actionId", "durationMs", "aiRoleId", "tokensIn", "tokensOut", "costUsd"] as const),
  ...(["responseCode", "errorFlag", "userTypeId", "authProtocolId", "srcPort", "dstPort", "directionId"] as const),
  ...(["bytesOut", "bytesIn", "dnsRcodeId"] as const),
];
const BOOLEAN = ["refusal", "isMfa", "isChange", "privileged"] as const;
const LIST = ["toolNames", "dataClasses", "scopes", "dnsAnswers"] as const;

/** A field that a mapping may fill. */
export type MappedField = Extract<
  keyof Event,
  (typeof TEXT)[number] | (typeof NUMBER)[number] | (typeof BOOLEAN)[number] | (typeof LIST)[number]
>;

const KINDS: ReadonlyMap<string, Kind> = new Map([
  ...TEXT.map((field) => [field, "text"] as const),
  ...NUMBER.map((field) => [field, "number"] as const),
  ...BOOLEAN.map((field) => [field, "boolean"] as const),
  ...LIST.map((field) => [field, "list"] as const),
]);

/** Every field that a mapping may fill. */
export const MAPPED_FIELDS = [...KINDS.keys()] as [MappedField, ...MappedField[]];

/** What kind of value a field takes. */
export function kindOf(field: MappedField): Kind {
  return KINDS.get(field) ?? "text";
}
