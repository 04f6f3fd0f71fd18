import type { Event } from "../../src/core/event.ts";
import type { Row } from "./columns.ts";
import { short } from "./values.ts";

type Users = Pick<Row, "Username" | "UsernameType" | "UserId" | "UserIdType" | "UserType">;

/**
 * The columns of the device, user, process, file and URL that the evidence names first. AlertEvent has room for
 * one of each; all of them are listed in AdditionalFields. An incident's own list of hosts is no help here: it
 * also holds the hosts that were talked to.
 */
export function entityColumns(evidence: readonly Event[], knownUser?: string): Row {
  const user = evidence.find((event) => filled(event.userUid) || filled(event.userName));
  return {
    ...hostParts(
      "Dvc",
      first(evidence, (event) => event.host ?? event.podName ?? event.srcHost),
    ),
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

/**
 * A host under a prefix such as `Dvc`. ASIM wants the bare name in `…Hostname`; a name with a domain also fills `…FQDN`,
 * `…Domain` and its type.
 */
export function hostParts(prefix: string, host: string | undefined): Readonly<Record<string, string>> {
  const name = short(host);
  if (name === undefined) return {};
  const dot = name.indexOf(".");
  const address = /^[0-9.]+$/.test(name) || name.includes(":");
  if (address || dot <= 0 || dot === name.length - 1) return { [`${prefix}Hostname`]: name };
  return {
    [`${prefix}Hostname`]: name.slice(0, dot),
    [`${prefix}Domain`]: name.slice(dot + 1),
    [`${prefix}DomainType`]: "FQDN",
    [`${prefix}FQDN`]: name,
  };
}

/** OCSF `user.type_id` 1 to 4 in the words of ASIM's UserType. */
const USER_TYPES = ["Regular", "Admin", "System", "Service"];

/** ASIM's kind of user; undefined for what it has no word for. */
export function userType(id: number | undefined): string | undefined {
  return id === undefined ? undefined : USER_TYPES[id - 1];
}

function userColumns(event: Event | undefined, known: string | undefined): Users {
  const name = short(event?.userName) ?? (filled(event?.userUid) ? undefined : short(known));
  const id = short(event?.userUid);
  return {
    Username: name,
    UsernameType: name === undefined ? undefined : name.includes("@") ? "UPN" : "Simple",
    UserId: id,
    UserIdType: id === undefined ? undefined : userIdType(id),
    UserType: userType(event?.userTypeId),
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
