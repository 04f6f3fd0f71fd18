import type { Event } from "../../src/core/event.ts";
import type { Row } from "./columns.ts";
import { short } from "./values.ts";

type Hosts = Pick<Row, "DvcHostname" | "DvcDomain" | "DvcDomainType" | "DvcFQDN">;
type Users = Pick<Row, "Username" | "UsernameType" | "UserId" | "UserIdType" | "UserType">;

/**
 * The columns of the device, user, process, file and URL that the evidence names first. AlertEvent has room for
 * one of each; all of them are listed in AdditionalFields. An incident's own list of hosts is no help here: it
 * also holds the hosts that were talked to.
 */
export function entityColumns(evidence: readonly Event[], knownUser?: string): Row {
  const user = evidence.find((event) => filled(event.userUid) || filled(event.userName));
  return {
    ...hostColumns(first(evidence, (event) => event.host ?? event.podName ?? event.srcHost)),
    DvcIpAddr: short(first(evidence, (event) => event.srcIp)),
    DvcScopeId: short(first(evidence, (event) => event.cloudAccount)),
    DvcAction: decision(evidence),
    ...userColumns(user, knownUser),
    UserSessionId: short(first(evidence, (event) => event.sessionUid)),
    ProcessName: short(first(evidence, (event) => event.process)),
    FilePath: short(first(evidence, (event) => event.filePath)),
    Url: short(first(evidence, (event) => (filled(event.dstHost) && filled(event.url) ? `${event.dstHost}${event.url}` : event.url))),
  };
}

function filled(text: string | undefined): text is string {
  return text !== undefined && text !== "";
}

function first(evidence: readonly Event[], read: (event: Event) => string | undefined): string | undefined {
  for (const event of evidence) {
    const value = read(event);
    if (filled(value)) return value;
  }
  return undefined;
}

/** ASIM wants the bare name in DvcHostname; a name with a domain also fills DvcFQDN, DvcDomain and its type. */
function hostColumns(host: string | undefined): Hosts {
  const name = short(host);
  if (name === undefined) return {};
  const dot = name.indexOf(".");
  const address = /^[0-9.]+$/.test(name) || name.includes(":");
  if (address || dot <= 0 || dot === name.length - 1) return { DvcHostname: name };
  return { DvcHostname: name.slice(0, dot), DvcDomain: name.slice(dot + 1), DvcDomainType: "FQDN", DvcFQDN: name };
}

/** OCSF `user.type_id` 1 to 4 in the words of ASIM's UserType. */
const USER_TYPES = ["Regular", "Admin", "System", "Service"];

function userColumns(event: Event | undefined, known: string | undefined): Users {
  const name = short(event?.userName) ?? (filled(event?.userUid) ? undefined : short(known));
  const id = short(event?.userUid);
  const type = event?.userTypeId === undefined ? undefined : USER_TYPES[event.userTypeId - 1];
  return {
    Username: name,
    UsernameType: name === undefined ? undefined : name.includes("@") ? "UPN" : "Simple",
    UserId: id,
    UserIdType: id === undefined ? undefined : userIdType(id),
    UserType: type,
  };
}

function userIdType(id: string): string {
  if (/^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i.test(id)) return "GUID";
  return id.includes("@") ? "Email" : "Other";
}

/** OCSF `action_id` of the evidence as one word: allowed when anything was, denied only when all of it was. */
function decision(evidence: readonly Event[]): string | undefined {
  if (evidence.some((event) => event.actionId === 1)) return "Allow";
  return evidence.length > 0 && evidence.every((event) => event.actionId === 2) ? "Deny" : undefined;
}
