/**
 * Identity facts in audit events: which pod runs as which service account, which address it has, whose a token is.
 * Bodies are there from level Request (requests) and RequestResponse (answers) on; what needs one says nothing without.
 * Pods: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/
 */
import { linkTexts, proven, serviceAccountName, type Held } from "../../src/archetypes/links.ts";
import { expiryOf, tokenClaims } from "../../src/archetypes/token-claims.ts";
import { STATUS, type Event } from "../../src/core/event.ts";
import { looksLikeIp } from "../../src/core/ip.ts";
import type { Link } from "../../src/core/identity/links.ts";
import { asObject, numeric, parseTime, text, type Json } from "../../src/core/record.ts";

/** A pod has one address of each family (https://kubernetes.io/docs/concepts/services-networking/dual-stack/). */
const ADDRESSES_MAX = 2;

/** What a request was for. */
export interface Asked {
  readonly verb: string;
  readonly resource: string | undefined;
  readonly subresource: string | undefined;
}

/** The links of one audit event, whose identities are set already. */
export function linksOf(event: Event, log: Json, asked: Asked): readonly string[] | undefined {
  return linkTexts([...callerLinks(event), ...(event.statusId === STATUS.success ? changeLinks(event, log, asked) : [])]);
}

/**
 * Bound service account tokens carry their pod and their id (JTI), which the API server notes with every request.
 * https://kubernetes.io/docs/reference/access-authn-authz/authentication/#service-account-tokens
 */
function callerLinks(event: Event): (Link | undefined)[] {
  const { serviceAccount, podUid, credentialUid, roleUid } = event;
  if (serviceAccount === undefined) return [proven(["cred", credentialUid], ["role", roleUid])];
  const owner = podUid === undefined ? (["sa", serviceAccount] as const) : (["pod", podUid] as const);
  return [
    proven(["cred", credentialUid], owner),
    proven(["pod", podUid], ["sa", serviceAccount]),
    // A pod and its service account share a namespace.
    proven(["pod", podPath(serviceAccount.split(":")[2], event.podName)], ["pod", podUid]),
  ];
}

function changeLinks(event: Event, log: Json, { verb, resource, subresource }: Asked): (Link | undefined)[] {
  if (resource === "serviceaccounts" && subresource === "token" && verb === "create") return tokenLinks(event, log);
  if (resource !== "pods" || event.isChange !== true) return [];
  if (subresource === undefined && verb === "create") return podLinks(podOf(event, log));
  if (subresource === "status") return [...podLinks(podOf(event, log)), ...addressLinks(podOf(event, log))];
  return subresource === undefined && verb === "delete" ? endLinks(event, log) : [];
}

interface Pod {
  readonly uid: string | undefined;
  readonly path: string | undefined;
  readonly serviceAccount: string | undefined;
  readonly addresses: readonly string[];
  /** It has ended: its addresses are free for others, though its status goes on naming them. */
  readonly ended: boolean;
  readonly metadata: Json | undefined;
}

/** The pod as the answer has it, else as far as the request says. */
function podOf(event: Event, log: Json): Pod {
  const request = asObject(log["requestObject"]);
  const answer = asObject(log["responseObject"]);
  const whole = answer?.["kind"] === "Pod" ? answer : undefined;
  const metadata = asObject((whole ?? request)?.["metadata"]);
  const spec = asObject((whole ?? request)?.["spec"]);
  const status = asObject((whole ?? request)?.["status"]);
  const phase = status?.["phase"];
  return {
    uid: text(metadata?.["uid"]) ?? text(asObject(log["objectRef"])?.["uid"]),
    path: podPath(event.namespace, event.resourceName),
    serviceAccount: serviceAccountName(event.namespace, text(spec?.["serviceAccountName"])),
    addresses: hasOwnAddress(spec, status) ? addressesOf(status) : [],
    ended: phase === "Succeeded" || phase === "Failed",
    metadata,
  };
}

function podLinks(pod: Pod, held?: Held): (Link | undefined)[] {
  return [proven(["pod", pod.uid], ["sa", pod.serviceAccount], held), proven(["pod", pod.path], ["pod", pod.uid], held)];
}

function addressLinks(pod: Pod, held: Held = pod.ended ? { ends: true } : {}): (Link | undefined)[] {
  return pod.addresses.map((address) => proven(["ip", address], ["pod", pod.uid], held));
}

/**
 * The first deletion of a running pod only sets a time, until which it may go on; the second, by its kubelet, comes when
 * it has stopped. https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination
 */
function endLinks(event: Event, log: Json): (Link | undefined)[] {
  const found = podOf(event, log);
  const options = asObject(log["requestObject"]);
  const whole = asObject(log["responseObject"])?.["kind"] === "Pod";
  const uid = whole ? found.uid : (text(asObject(options?.["preconditions"])?.["uid"]) ?? found.uid);
  const pod = { ...found, uid };
  const grace = numeric(found.metadata?.["deletionGracePeriodSeconds"]);
  const until = whole ? parseTime(found.metadata?.["deletionTimestamp"]) : undefined;
  const last = grace === 0 || options?.["gracePeriodSeconds"] === 0 || event.userName?.startsWith("system:node:") === true;
  if (!last && (until === undefined || until <= event.time)) return [];
  const held: Held = last ? { ends: true } : { until };
  return [...podLinks(pod, held), ...addressLinks(pod, held)];
}

/**
 * The answer to a token request has the token itself; from 1.30 on an annotation names its id at every level.
 * https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/
 */
function tokenLinks(event: Event, log: Json): (Link | undefined)[] {
  const account = serviceAccountName(event.namespace, event.resourceName);
  const status = asObject(asObject(log["responseObject"])?.["status"]);
  const claims = tokenClaims(tokenText(status?.["token"]));
  const noted = text(asObject(log["annotations"])?.["authentication.kubernetes.io/issued-credential-id"]);
  const id = noted?.startsWith("JTI=") === true ? noted.slice(4) : text(claims?.["jti"]);
  const until = parseTime(status?.["expirationTimestamp"]) ?? expiryOf(claims?.["exp"]);
  const bound = asObject(asObject(asObject(log["requestObject"])?.["spec"])?.["boundObjectRef"]);
  const uid = bound?.["kind"] === "Pod" ? text(bound["uid"]) : undefined;
  return [
    proven(["cred", id], uid === undefined ? ["sa", account] : ["pod", uid], { until }),
    proven(["pod", uid], ["sa", account]),
    proven(["pod", podPath(event.namespace, text(bound?.["name"]))], ["pod", uid]),
  ];
}

/** A token is longer than any text that an event keeps. */
function tokenText(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function podPath(namespace: string | undefined, name: string | undefined): string | undefined {
  return namespace === undefined || namespace === "" || name === undefined ? undefined : `${namespace}/${name}`;
}

/** A pod in its node's network has the node's address, which is nobody's. Without a word on it nothing is known. */
function hasOwnAddress(spec: Json | undefined, status: Json | undefined): boolean {
  if (spec?.["hostNetwork"] === true) return false;
  const host = text(status?.["hostIP"]);
  return host === undefined ? spec !== undefined : !addressesOf(status).includes(host);
}

function addressesOf(status: Json | undefined): string[] {
  const list = status?.["podIPs"];
  const all = [status?.["podIP"], ...(Array.isArray(list) ? list.slice(0, ADDRESSES_MAX).map((one) => asObject(one)?.["ip"]) : [])];
  return [...new Set(all.flatMap((one) => text(one) ?? []).filter(looksLikeIp))];
}
