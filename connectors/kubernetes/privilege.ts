/** What in an audit event gives power over a node or the cluster. Kubernetes: https://kubernetes.io/docs/concepts/security/rbac-good-practices/ */
import { asObject, text, type Json } from "../../src/core/record.ts";

/** What the question is about. */
export interface Request {
  readonly verb: string;
  readonly resource: string | undefined;
  readonly subresource: string | undefined;
  /** `requestObject`; only with audit level Request or RequestResponse. */
  readonly body: Json | undefined;
  readonly grant: string | undefined;
}

/** Subresources that open a session into a container. */
export function isInteractive(subresource: string | undefined): boolean {
  return subresource === "exec" || subresource === "attach" || subresource === "portforward";
}

/** Roles that hold everything in the cluster or in a namespace; `system:masters` is a group that roles cannot bound. */
const ADMIN_ROLES: ReadonlySet<string> = new Set(["cluster-admin", "admin", "system:masters"]);

/** Capabilities that lead out of a container. */
const ESCAPE_CAPABILITIES: ReadonlySet<string> = new Set([
  "ALL",
  "SYS_ADMIN",
  "SYS_PTRACE",
  "SYS_MODULE",
  "SYS_RAWIO",
  "DAC_READ_SEARCH",
  "BPF",
  "CAP_SYS_ADMIN",
]);

/** Containers, volumes and rules of one object that are looked at; Kubernetes objects end at about 1.5 MB anyway. */
const ITEMS_MAX = 256;

/** The role that a binding gives. */
export function grantOf(resource: string | undefined, body: Json | undefined): string | undefined {
  if (resource !== "rolebindings" && resource !== "clusterrolebindings") return undefined;
  return text(asObject(body?.["roleRef"])?.["name"]);
}

/** Whether the request opens a session into a container, runs one with power over its node, or grants administration. */
export function isPrivileged(request: Request): boolean {
  const { verb, resource, subresource, body, grant } = request;
  if (isInteractive(subresource) || subresource === "ephemeralcontainers") return true;
  if (resource === "nodes" && subresource === "proxy") return true;
  if (verb !== "create" && verb !== "update" && verb !== "patch") return false;
  if (grant !== undefined) return ADMIN_ROLES.has(grant);
  if (body === undefined) return false;
  if (resource === "roles" || resource === "clusterroles") return hasWildcardRule(body);
  const spec = podSpec(body);
  return spec !== undefined && isPowerful(spec);
}

/** The pod of a Pod, of a workload (`spec.template.spec`) or of a CronJob (`spec.jobTemplate.spec.template.spec`). */
function podSpec(body: Json): Json | undefined {
  const spec = asObject(body["spec"]);
  const job = asObject(asObject(spec?.["jobTemplate"])?.["spec"]);
  const template = asObject(asObject((job ?? spec)?.["template"])?.["spec"]);
  return template ?? spec;
}

function isPowerful(spec: Json): boolean {
  if (spec["hostPID"] === true || spec["hostIPC"] === true || spec["hostNetwork"] === true) return true;
  if (some(spec["volumes"], (volume) => asObject(volume["hostPath"]) !== undefined)) return true;
  return (
    some(spec["containers"], isPowerfulContainer) ||
    some(spec["initContainers"], isPowerfulContainer) ||
    some(spec["ephemeralContainers"], isPowerfulContainer)
  );
}

function isPowerfulContainer(container: Json): boolean {
  const context = asObject(container["securityContext"]);
  if (context === undefined) return false;
  if (context["privileged"] === true) return true;
  const added = asObject(context["capabilities"])?.["add"];
  return Array.isArray(added) && added.some((name) => typeof name === "string" && ESCAPE_CAPABILITIES.has(name.toUpperCase()));
}

function hasWildcardRule(body: Json): boolean {
  return some(body["rules"], (rule) => includesStar(rule["verbs"]) && includesStar(rule["resources"]));
}

function includesStar(value: unknown): boolean {
  return Array.isArray(value) && value.includes("*");
}

function some(list: unknown, test: (item: Json) => boolean): boolean {
  if (!Array.isArray(list)) return false;
  for (let index = 0; index < list.length && index < ITEMS_MAX; index++) {
    const item = asObject(list[index]);
    if (item !== undefined && test(item)) return true;
  }
  return false;
}
