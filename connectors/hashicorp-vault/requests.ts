/** What a request to Vault is about, by its path and its mount. https://developer.hashicorp.com/vault/api-docs */
import { CLASS, type Category } from "../../src/core/event.ts";

/** How a request is modelled. */
export interface RequestKind {
  readonly category: Category;
  readonly classUid: number;
  readonly activityId: number;
  /** `vault:<operation>:<what>`; what never holds a name that a client chose. */
  readonly action: string;
  /** A token's life: it is issued, used up or ended by this request. */
  readonly token: "issued" | "revoked-own" | undefined;
}

/** OCSF Authentication activities. */
const LOGON = 1;
const LOGOFF = 2;
const TICKET = 3;

const TOKEN_ISSUING: ReadonlySet<string> = new Set(["create", "create-orphan", "renew", "renew-self", "renew-accessor"]);
const TOKEN_REVOKING: ReadonlySet<string> = new Set(["revoke", "revoke-self", "revoke-accessor", "revoke-orphan"]);

/** Where a request goes. */
export interface Place {
  readonly path: string;
  /** Absent in entries of older versions; then the path says less. */
  readonly mountPoint: string | undefined;
  readonly mountType: string | undefined;
}

/** Kind of a request. */
export function requestKind({ path, mountPoint, mountType }: Place, operation: string): RequestKind {
  const [area, mount = ""] = path.split("/", 2);
  if (area === "auth") {
    const point = mountPoint !== undefined && path.startsWith(mountPoint) ? mountPoint : `auth/${mount}/`;
    return authKind(path.slice(point.length), operation, { method: mountType ?? mount, isToken: point === "auth/token/" });
  }
  const isSystem = area === "sys" || area === "identity";
  const isLease = area === "sys" && mount === "leases";
  const what = isSystem ? `${area}/${word(mount)}` : word(mountType ?? "secret");
  const category = isSystem && !isLease ? "infra_change" : "credential";
  return { category, classUid: CLASS.apiActivity, activityId: apiActivity(operation), action: action(operation, what), token: undefined };
}

/** `rest` is what follows the mount: its first word is the method's own, the next may be a name. */
function authKind(
  rest: string,
  operation: string,
  { method, isToken }: { readonly method: string; readonly isToken: boolean },
): RequestKind {
  const what = action(operation, `auth/${word(method)}`);
  const authentication = (activityId: number, token?: RequestKind["token"]): RequestKind => {
    return { category: "authentication", classUid: CLASS.authentication, activityId, action: what, token };
  };
  const [verb = "", next] = rest.split("/", 2);
  if (isToken && TOKEN_ISSUING.has(verb)) return authentication(TICKET, "issued");
  if (isToken && TOKEN_REVOKING.has(verb)) return authentication(LOGOFF, verb === "revoke-self" ? "revoked-own" : undefined);
  if (!isToken && (verb === "login" || (verb === "oidc" && next === "callback"))) return authentication(LOGON, "issued");
  return { category: "infra_change", classUid: CLASS.apiActivity, activityId: apiActivity(operation), action: what, token: undefined };
}

/** OCSF API Activity: 1 Create 2 Read 3 Update 4 Delete. A write is an `update`, also of what is new. */
function apiActivity(operation: string): number {
  switch (operation) {
    case "create":
      return 1;
    case "read":
    case "list":
    case "header":
    case "help":
      return 2;
    case "update":
    case "patch":
      return 3;
    case "delete":
      return 4;
    default:
      return 99;
  }
}

/** Words of paths and mounts are Vault's own; anything else was made up by a client. */
function word(given: string): string {
  return /^[a-z][a-z0-9_-]{0,40}$/.test(given) ? given : "other";
}

function action(operation: string, what: string): string {
  return `vault:${word(operation)}:${what}`;
}

/** A token in a path, as older clients sent it: `auth/token/lookup/hvs.…`, or `s.` and `b.` before Vault 1.10. */
const TOKENS = /\b(?:hv[sbr]|[sbr])\.[A-Za-z0-9_-]{20,}/g;

/** The path without what may be a secret in it. */
export function safePath(path: string): string {
  return path.replace(TOKENS, "REDACTED");
}
