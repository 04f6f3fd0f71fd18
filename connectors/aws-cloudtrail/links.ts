/**
 * Identity facts in CloudTrail: whose an access key is, who took a role and until when.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html
 */
import { asServiceAccount, linkTexts, proven, serviceAccountName, type Held, type Identity } from "../../src/archetypes/links.ts";
import { STATUS, type EpochMs, type Event } from "../../src/core/event.ts";
import { isPerson } from "../../src/core/identity/keys.ts";
import type { Link } from "../../src/core/identity/links.ts";
import { asObject, parseTime, text, type Json } from "../../src/core/record.ts";

/** The links of one call. */
export function linksOf(event: Event, log: Json): readonly string[] | undefined {
  const identity = asObject(log["userIdentity"]);
  const response = event.statusId === STATUS.success ? asObject(log["responseElements"]) : undefined;
  const issued = event.category === "authentication" && response !== undefined ? issuedLinks(event, log, response) : [];
  return linkTexts([...callerLinks(identity), ...issued]);
}

/** Every call shows whose its key is; a source identity, once set, stays with all roles that are taken from there on. */
function callerLinks(identity: Json | undefined): (Link | undefined)[] {
  const role: Identity = ["role", text(identity?.["arn"])];
  const context = asObject(identity?.["sessionContext"]);
  return [
    proven(["cred", text(identity?.["accessKeyId"])], role),
    proven(role, ["user", text(context?.["sourceIdentity"]) ?? text(asObject(context?.["attributes"])?.["sourceIdentity"])]),
  ];
}

/** A session and a key that were handed out, to whom, and until when. */
function issuedLinks(event: Event, log: Json, response: Json): (Link | undefined)[] {
  const credentials = asObject(response["credentials"]);
  const key: Identity = ["cred", text(credentials?.["accessKeyId"])];
  const held: Held = { until: expiration(credentials?.["expiration"]) };
  const session: Identity = ["role", text(asObject(response["assumedRoleUser"] ?? response["federatedUser"])?.["arn"])];
  const taker = takerOf(log, response);
  const tags = sessionTags(log);
  const account = serviceAccountName(tags.get("kubernetes-namespace"), tags.get("kubernetes-service-account"));
  return [
    proven(key, session, held),
    // Takers may give their sessions one name; the key is of the one whose key asked for it.
    proven(key, keyOf(log) ?? taker, held),
    // Whatever a person calls the session, it is no agent's.
    isPerson(event) ? proven(key, ["person", event.userUid ?? event.userName], held) : undefined,
    proven(session, taker, held),
    proven(session, ["user", text(response["sourceIdentity"])], held),
    proven(session, ["sa", account], held),
    proven(key, ["pod", tags.get("kubernetes-pod-uid")], held),
  ];
}

function takerOf(log: Json, response: Json): Identity {
  const subject = text(response["subjectFromWebIdentityToken"]);
  if (subject !== undefined) {
    if (subject.startsWith("spiffe://")) return ["spiffe", subject];
    return asServiceAccount(subject) === undefined ? ["user", subject] : ["sa", subject];
  }
  if (response["subject"] !== undefined) return ["user", text(response["subject"])];
  return ["role", text(asObject(log["userIdentity"])?.["arn"])];
}

/** `arn:aws:iam::111122223333:oidc-provider/<issuer>`: https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html */
const PROVIDER = /^arn:[^:]*:iam::\d*:oidc-provider\/(.{1,200})$/;

/**
 * The cluster whose service account a call is of: its token's issuer, or what EKS says. The same account of another cluster's
 * issuer is another workload, so one that nobody has given a name has its own.
 */
export function clusterOf(log: Json, clusters: Readonly<Record<string, string>>): string | undefined {
  const provider = text(asObject(log["responseElements"])?.["provider"]) ?? text(asObject(log["userIdentity"])?.["identityProvider"]);
  const tags = sessionTags(log);
  const found = PROVIDER.exec(provider ?? "")?.[1] ?? tags.get("eks-cluster-name");
  return found === undefined ? undefined : Object.hasOwn(clusters, found) ? clusters[found] : found;
}

function keyOf(log: Json): Identity | undefined {
  const key = text(asObject(log["userIdentity"])?.["accessKeyId"]);
  return key === undefined ? undefined : ["cred", key];
}

/** EKS Pod Identity names the pod in tags of the session: https://docs.aws.amazon.com/eks/latest/userguide/pod-id-abac.html */
const EKS_SERVICE = "pods.eks.amazonaws.com";
/** A session has at most 50 tags (https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html). */
const TAGS_MAX = 50;

/** Anyone who may tag a session can write these names; only EKS's own are believed. */
function sessionTags(log: Json): ReadonlyMap<string, string> {
  const tags = new Map<string, string>();
  if (asObject(log["userIdentity"])?.["invokedBy"] !== EKS_SERVICE) return tags;
  const given = asObject(log["requestParameters"])?.["tags"];
  for (const item of Array.isArray(given) ? given.slice(0, TAGS_MAX) : []) {
    const tag = asObject(item);
    const [name, value] = [text(tag?.["key"]), text(tag?.["value"])];
    if (name !== undefined && value !== undefined) tags.set(name, value);
  }
  return tags;
}

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
/** `Jul 18, 2023, 4:07:39 PM` (UTC); the second comma is missing in older records, and newer Javas put a narrow space before PM. */
const EXPIRATION = /^([A-Z][a-z]{2}) (\d{1,2}), (\d{4}),? (\d{1,2}):(\d\d):(\d\d)[ \u202f]([AP])M$/;

function expiration(value: unknown): EpochMs | undefined {
  const [, name = "", day, year, hour, minute, second, half] = EXPIRATION.exec(typeof value === "string" ? value : "") ?? [];
  const month = MONTHS.indexOf(name);
  if (month === -1) return parseTime(value);
  const hours = (Number(hour) % 12) + (half === "P" ? 12 : 0);
  return Date.UTC(Number(year), month, Number(day), hours, Number(minute), Number(second));
}
