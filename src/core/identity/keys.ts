/** The identity keys of an event, and whether a fact on its way could still say whose one of them is. */
import type { Category, EpochMs, Event } from "../event.ts";
import { isPrivateIp } from "../ip.ts";
import { inCluster } from "./clusters.ts";
import { keyText, type KeyText, type LinkKind } from "./links.ts";
import { CLOCK_TOLERANCE_MS, OBSERVED_MS } from "./reach.ts";

/** Categories whose sensors see addresses only. */
export const BY_ADDRESS: ReadonlySet<Category> = new Set<Category>(["egress", "dns", "process", "file"]);

/** Which field holds which kind of key, the one that says most of who acted first. A pod and an address are added. */
const FIELDS: readonly (readonly [LinkKind, keyof Event])[] = [
  ["agent", "agentNative"],
  ["client", "clientUid"],
  // Before the session: whoever asked for its key took it, whatever he called it.
  ["cred", "credentialUid"],
  ["role", "roleUid"],
  ["sa", "serviceAccount"],
  ["spiffe", "spiffeId"],
];

/** OCSF `user.type_id` of people (1 user, 2 administrator) and of the system itself (3): nobody's agent. */
const NO_AGENT_MAX = 3;
/** Kubernetes' own controllers: https://kubernetes.io/docs/concepts/overview/working-with-objects/namespaces/#initial-namespaces */
const SYSTEM_ACCOUNT = "system:serviceaccount:kube-system:";

/**
 * The keys of an event by which bindings may find its agent, the strongest first. None when the record says that a person or the
 * system acted. The address is one only for sensors that know nothing else, and only a private one: behind a public one
 * there is anybody.
 */
export function keysOf(event: Event): KeyText[] {
  const keys: KeyText[] = [];
  const { podName, namespace } = event;
  if (isNoAgent(event)) return keys;
  if (event.serviceAccount?.startsWith(SYSTEM_ACCOUNT) === true) return keys;
  for (const [kind, field] of FIELDS) add(keys, kind, event[field] as string | undefined);
  add(keys, "pod", event.podUid);
  // In a change the namespace is that of the object, not of the pod that made it.
  if (podName !== undefined && podName !== "" && namespace !== undefined && event.category !== "infra_change")
    add(keys, "pod", `${namespace}/${podName}`);
  add(keys, "run", event.runUid);
  add(keys, "session", event.sessionUid);
  if (BY_ADDRESS.has(event.category) && event.srcIp !== undefined && isPrivateIp(event.srcIp)) add(keys, "ip", event.srcIp);
  return event.cluster === undefined ? keys : keys.map((key) => inCluster(key, event.cluster));
}

/** OCSF `user.type_id` up to which it is a person. */
const PERSON_MAX = 2;

/** Whether the record says that a person acted. */
export function isPerson({ userTypeId }: Event): boolean {
  return userTypeId !== undefined && userTypeId > 0 && userTypeId <= PERSON_MAX;
}

/** Whether the record says that a person or the system acted. */
export function isNoAgent({ userTypeId }: Event): boolean {
  return userTypeId !== undefined && userTypeId > 0 && userTypeId <= NO_AGENT_MAX;
}

function add(keys: KeyText[], kind: LinkKind, value: string | undefined): void {
  if (value === undefined || value === "") return;
  const key = keyText(kind, value);
  if (key !== undefined) keys.push(key);
}

/** From when on every fact that may decide the keys has arrived, once the watermark has passed it. */
export function decidableAt(keys: readonly KeyText[], time: EpochMs): EpochMs {
  // An agent is seen at an address up to so much later; links hold from their record on.
  return time + (keys.some((key) => key.startsWith("ip:")) ? OBSERVED_MS : CLOCK_TOLERANCE_MS);
}
