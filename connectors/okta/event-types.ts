/** What an Okta event type means here. List: https://developer.okta.com/docs/reference/api/event-types/ */
import { CLASS, type Category } from "../../src/core/event.ts";

/** How an event type is modelled. */
export interface EventKind {
  readonly category: Category;
  readonly classUid: number;
  readonly activityId: number;
  /** Of `infra_change`: it alters something. */
  readonly isChange: boolean;
  /** Of `agent_finding`. */
  readonly threat: string | undefined;
  /** It says nothing about access. */
  readonly isIgnored: boolean;
}

/** Mail, SMS and hook deliveries and rate-limit notices: housekeeping of Okta itself, about nobody's access. */
const IGNORED = ["system.email.", "system.sms.", "system.voice.", "event_hook.deliver", "system.org.rate_limit.", "core.concurrency."];

/** Detections that Okta makes by itself, with the threat that they point to. */
const FINDINGS: ReadonlyMap<string, string> = new Map([
  ["security.threat.detected", "credential_attack"],
  ["security.attack.start", "credential_attack"],
  ["security.breached_credential.detected", "credential_leak"],
  ["user.account.report_suspicious_activity_by_enduser", "credential_abuse"],
  ["user.risk.detect", "credential_abuse"],
  ["user.session.context.change", "credential_abuse"],
]);

/** OCSF Authentication activities. */
const LOGON = 1;
const LOGOFF = 2;
const TICKET = 3;
const OTHER = 99;

/** Types remembered: Okta has about 1,000. A log that makes up more starts anew. */
const KINDS_MAX = 2048;
const kinds = new Map<string, EventKind>();

/** How events of a type are modelled; a type that nobody listed is an administrative change. */
export function eventKind(eventType: string): EventKind {
  let kind = kinds.get(eventType);
  if (kind === undefined) {
    kind = readKind(eventType);
    if (kinds.size >= KINDS_MAX) kinds.clear();
    kinds.set(eventType, kind);
  }
  return kind;
}

function readKind(eventType: string): EventKind {
  const threat = FINDINGS.get(eventType);
  if (threat !== undefined) {
    return { category: "agent_finding", classUid: CLASS.detectionFinding, activityId: 1, isChange: false, threat, isIgnored: false };
  }
  const signIn = signInActivity(eventType);
  if (signIn !== undefined) {
    return {
      category: "authentication",
      classUid: CLASS.authentication,
      activityId: signIn,
      isChange: false,
      threat: undefined,
      isIgnored: false,
    };
  }
  const [classUid, activityId] = changeClass(eventType);
  const isIgnored = IGNORED.some((prefix) => eventType.startsWith(prefix));
  return { category: "infra_change", classUid, activityId, isChange: !isRead(eventType), threat: undefined, isIgnored };
}

function signInActivity(eventType: string): number | undefined {
  if (eventType.startsWith("user.session.")) return /\.(end|clear|expire|revoke)/.test(eventType) ? LOGOFF : LOGON;
  if (eventType.startsWith("user.authentication.") || eventType.startsWith("system.push.")) return LOGON;
  if (eventType.startsWith("app.oauth2.")) return oauthActivity(eventType);
  switch (eventType) {
    case "policy.evaluate_sign_on":
    case "user.mfa.attempt_bypass":
    case "user.mfa.okta_verify.deny_push":
    case "user.account.lock":
    case "user.account.lock.limit":
      return OTHER;
    default:
      return undefined;
  }
}

/** `app.oauth2.client.lifecycle.*` and the like administer clients; tokens and consents are authentication. */
function oauthActivity(eventType: string): number | undefined {
  if (eventType.includes(".token.grant")) return TICKET;
  if (eventType.includes(".token.revoke")) return LOGOFF;
  if (eventType.includes(".token.") || eventType.includes(".authorize") || eventType.includes(".signon")) return LOGON;
  return eventType.includes(".consent.") || eventType.includes(".interclient") ? OTHER : undefined;
}

const READ_WORDS: ReadonlySet<string> = new Set([
  "read",
  "view",
  "list",
  "get",
  "export",
  "download",
  "evaluate",
  "show_password",
  "verify",
]);

/** Types whose last word reads: `application.user_membership.show_password`, `system.log_stream...export`. */
function isRead(eventType: string): boolean {
  return READ_WORDS.has(eventType.slice(eventType.lastIndexOf(".") + 1));
}

/** Activities of OCSF Account Change by the last words of the event type. */
const ACCOUNT_ACTIVITY: readonly (readonly [string, number])[] = [
  [".create", 1],
  [".reactivate", 2],
  [".deactivate", 5],
  [".activate", 2],
  [".unsuspend", 2],
  [".suspend", 5],
  [".delete", 6],
  [".reset_password", 4],
  [".update_password", 3],
  [".lock", 9],
  [".unlock", 12],
];

function changeClass(eventType: string): readonly [number, number] {
  if (eventType.includes(".privilege.grant")) return [CLASS.userAccess, 1];
  if (eventType.includes(".privilege.revoke")) return [CLASS.userAccess, 2];
  if (eventType.startsWith("iam.") && eventType.includes("bindings.add")) return [CLASS.userAccess, 3];
  if (eventType.startsWith("user.mfa.factor.")) return [CLASS.accountChange, /\.(activate|update)$/.test(eventType) ? 10 : 11];
  if (eventType.startsWith("user.lifecycle.") || eventType.startsWith("user.account.")) {
    for (const [suffix, activity] of ACCOUNT_ACTIVITY) if (eventType.includes(suffix)) return [CLASS.accountChange, activity];
    return [CLASS.accountChange, OTHER];
  }
  return [CLASS.entityManagement, entityActivity(eventType.slice(eventType.lastIndexOf(".") + 1))];
}

/** OCSF Entity Management activity of the last word of an event type. */
function entityActivity(word: string): number {
  if (word === "create" || word === "add" || word === "new_client_secret") return 1;
  if (READ_WORDS.has(word)) return 2;
  if (word === "update" || word === "change") return 3;
  if (word === "delete" || word === "remove" || word === "revoke") return 4;
  if (word === "activate" || word === "enable") return 8;
  return word === "deactivate" || word === "disable" ? 9 : OTHER;
}
