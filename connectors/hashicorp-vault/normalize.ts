/**
 * Entry of a Vault audit device -> event. Format: https://developer.hashicorp.com/vault/docs/audit/schema
 * Tokens and most values are hashed by Vault, and all of them stay out of the event, because a device may log raw.
 */
import { linkTexts, proven, serviceAccountName, type Held, type Identity } from "../../src/archetypes/links.ts";
import { ACTION, CLASS, SEVERITY, STATUS, type Event } from "../../src/core/event.ts";
import { poison } from "../../src/core/errors.ts";
import { looksLikeIp } from "../../src/core/ip.ts";
import { newEvent } from "../../src/core/new-event.ts";
import { asObject, numeric, recordId, recordObject, recordTime, text, textList, type Json } from "../../src/core/record.ts";
import type { Normalize } from "../../src/ports/connector.ts";
import { requestKind, safePath, type RequestKind } from "./requests.ts";

/**
 * Normalizes audit entries; `cluster` becomes the tenant where the entry names no namespace. A request counts when it is answered.
 * `clusters`: which Kubernetes cluster each mount of that auth method serves.
 */
export function vaultNormalize(cluster?: string, clusters: Readonly<Record<string, string>> = {}): Normalize {
  return (record, context) => {
    const entry = recordObject(record);
    const time = recordTime(entry["time"], context.received);
    const request = asObject(entry["request"]);
    if (request === undefined) throw poison("RECORD_FIELD_MISSING", "the entry has no request");
    if (entry["type"] !== "response") return [];
    const id = recordId(request["id"], "request.id");
    const path = text(request["path"]) ?? "";
    const operation = text(request["operation"]) ?? "";
    const mounted = { mountPoint: text(request["mount_point"]), mountType: text(request["mount_type"]) };
    const kind = requestKind({ path, ...mounted }, operation);
    const event = newEvent(`hashicorp-vault:${id}`, time, kind.category, kind.classUid, kind.activityId);
    event.source = context.source;
    event.vendor = "HashiCorp";
    event.product = "Vault";
    event.originalUid = id;
    event.requestUid = id;
    event.tenant = namespaceOf(request) ?? cluster;
    event.eventCode = operation;
    event.operation = kind.action;
    event.infraAction = kind.action;
    event.isChange = kind.category === "infra_change" && kind.activityId !== 2;
    event.service = mounted.mountPoint;
    event.resourceName = text(safePath(path));
    event.resourceType = mounted.mountType;
    const address = text(request["remote_address"]);
    if (address !== undefined && looksLikeIp(address)) event.srcIp = address;
    applyOutcome(event, text(entry["error"]));
    const auth = asObject(entry["auth"]);
    const issued = kind.token === "issued" ? asObject(asObject(entry["response"])?.["auth"]) : undefined;
    // Who signs in has no token yet; the one that it gets is what its next requests carry.
    const caller = text(auth?.["accessor"]) === undefined ? (issued ?? auth) : auth;
    applyCaller(event, caller, request);
    event.cluster = clusterOf(caller, clusters);
    applyGrant(event, issued, kind);
    event.links = linksOf(event, entry, { auth, issued, kind });
    return [event];
  };
}

function namespaceOf(request: Json): string | undefined {
  const namespace = asObject(request["namespace"]);
  return namespace?.["id"] === "root" ? undefined : text(namespace?.["path"]);
}

/** The reasons that Vault gives in fixed words; the rest of an error may quote what the client sent. */
const REASONS = [
  "permission denied",
  "invalid token",
  "bad token",
  "missing client token",
  "invalid credentials",
  "lease not found",
  "unsupported path",
  "unsupported operation",
  "service account name not authorized",
  "namespace not authorized",
] as const;

function applyOutcome(event: Event, error: string | undefined): void {
  event.statusId = error === undefined ? STATUS.success : STATUS.failure;
  event.errorFlag = error === undefined ? 0 : 1;
  if (error === undefined) return;
  event.severityId = SEVERITY.low;
  event.statusDetail = REASONS.find((reason) => error.includes(reason));
  if (event.statusDetail === "permission denied") event.actionId = ACTION.denied;
}

/** Auth methods by which people come, and those by which workloads do; of the others nothing is known. */
const PEOPLE: ReadonlySet<string> = new Set(["userpass", "ldap", "oidc", "github", "okta", "radius", "saml", "kerberos"]);
const WORKLOADS: ReadonlySet<string> = new Set(["kubernetes", "approle", "aws", "azure", "gcp", "cert", "oci", "cf", "alicloud", "spiffe"]);

function applyCaller(event: Event, auth: Json | undefined, request: Json): void {
  event.credentialUid = text(auth?.["accessor"]) ?? text(request["client_token_accessor"]);
  event.userUid = text(auth?.["entity_id"]);
  event.userName = text(auth?.["display_name"]);
  event.scopes = textList(auth?.["policies"]);
  event.serviceAccount = accountOf(auth);
  event.roleUid = roleOf(auth);
  const method = event.category === "authentication" ? text(request["mount_type"]) : undefined;
  if (event.serviceAccount !== undefined || event.roleUid !== undefined || WORKLOADS.has(method ?? "")) event.userTypeId = 4;
  else if (PEOPLE.has(method ?? "")) event.userTypeId = 1;
  if (event.classUid === CLASS.authentication) {
    event.targetUserUid = event.userUid;
    event.targetUserName = event.userName;
    event.grantType = method;
  }
}

/** Metadata of the Kubernetes auth method: https://developer.hashicorp.com/vault/docs/auth/kubernetes */
function accountOf(auth: Json | undefined): string | undefined {
  const metadata = asObject(auth?.["metadata"]);
  return serviceAccountName(text(metadata?.["service_account_namespace"]), text(metadata?.["service_account_name"]));
}

/**
 * Of a token only its display name says by which mount it came: the mount's path, then what the method calls the caller.
 * https://developer.hashicorp.com/vault/docs/concepts/tokens
 */
function clusterOf(auth: Json | undefined, clusters: Readonly<Record<string, string>>): string | undefined {
  const metadata = asObject(auth?.["metadata"]);
  const called = `-${text(metadata?.["service_account_namespace"])}-${text(metadata?.["service_account_name"])}`;
  const name = auth?.["display_name"];
  return Object.entries(clusters).find(([mount]) => name === `${mount.replaceAll("/", "-")}${called}`)?.[1];
}

/** Metadata of the AWS auth method, when its configuration keeps the ARN: https://developer.hashicorp.com/vault/api-docs/auth/aws */
function roleOf(auth: Json | undefined): string | undefined {
  const metadata = asObject(auth?.["metadata"]);
  return text(metadata?.["client_arn"]) ?? text(metadata?.["canonical_arn"]);
}

function applyGrant(event: Event, issued: Json | undefined, kind: RequestKind): void {
  if (event.statusId !== STATUS.success) return;
  // A root token may do everything, and does not expire.
  const root = textList(issued?.["policies"])?.includes("root") === true;
  if (root) event.grant = "root";
  const opens = event.isChange === true && /^vault:[a-z]+:sys\/(policies|policy|auth|audit)$/.test(kind.action);
  if (root || opens) event.privileged = true;
}

interface Tokens {
  readonly auth: Json | undefined;
  readonly issued: Json | undefined;
  readonly kind: RequestKind;
}

/** Whose tokens and leases are, until when: what is behind a token stays with it and with what it gets. */
function linksOf(event: Event, entry: Json, { auth, issued, kind }: Tokens): readonly string[] | undefined {
  const own: Identity = ["cred", text(auth?.["accessor"])];
  // A request that was refused may have come with a token that is over.
  if (event.statusId !== STATUS.success) return undefined;
  if (kind.token === "revoked-own") return linkTexts(holderLinks(own, auth, { ends: true }));
  const response = asObject(entry["response"]);
  const seconds = numeric(issued?.["token_ttl"]);
  const held: Held = seconds !== undefined && seconds > 0 ? { until: event.time + Math.floor(seconds) * 1000 } : {};
  const fresh: Identity = ["cred", text(issued?.["accessor"])];
  const lease: Identity = ["cred", text(asObject(response?.["secret"])?.["lease_id"])];
  return linkTexts([
    ...holderLinks(own, auth, {}),
    ...holderLinks(fresh, issued, held),
    proven(fresh, own, held),
    proven(lease, own),
    proven(["cred", accessKey(response)], own),
  ]);
}

function holderLinks(token: Identity, auth: Json | undefined, held: Held) {
  const entity: Identity = ["user", text(auth?.["entity_id"])];
  return [proven(token, entity, held), proven(token, ["sa", accountOf(auth)], held), proven(token, ["role", roleOf(auth)], held)];
}

/** The key of an AWS user or session that the AWS secrets engine made, when the mount does not hash it. */
function accessKey(response: Json | undefined): string | undefined {
  const key = text(asObject(response?.["data"])?.["access_key"]);
  return key !== undefined && /^A[KS]IA[A-Z0-9]{12,124}$/.test(key) ? key : undefined;
}
