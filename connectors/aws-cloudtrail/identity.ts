/**
 * Who made a CloudTrail call, and which session a token call handed out.
 * https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html
 */
import type { Event } from "../../src/core/event.ts";
import { asObject, text, type Json } from "../../src/core/record.ts";

/** Sets role, credential and user from `userIdentity`. */
export function applyIdentity(event: Event, identity: Json | undefined): void {
  if (identity === undefined) return;
  const type = text(identity["type"]);
  const arn = text(identity["arn"]);
  event.credentialUid = text(identity["accessKeyId"]);
  event.userUid = text(identity["principalId"]);
  event.userName = text(identity["userName"]) ?? sessionName(arn);
  event.userTypeId = isProgram(type, event.credentialUid) ? undefined : isSignedIn(arn) ? 1 : userType(type);
  event.roleUid = arn;
  if (type === "WebIdentityUser") event.serviceAccount = serviceAccountName(event.userName);
  const attributes = asObject(asObject(identity["sessionContext"])?.["attributes"]);
  const mfa = text(attributes?.["mfaAuthenticated"]);
  if (mfa !== undefined) event.isMfa = mfa === "true";
  event.onBehalfOf = text(asObject(identity["onBehalfOf"])?.["userId"]);
  event.srcHost ??= text(identity["invokedBy"]);
}

/** `arn:aws:sts::1:assumed-role/role/session` -> `session`; `arn:aws:iam::1:user/path/name` -> `name`. */
function sessionName(arn: string | undefined): string | undefined {
  if (arn === undefined) return undefined;
  const slash = arn.lastIndexOf("/");
  return slash === -1 || slash === arn.length - 1 ? undefined : arn.slice(slash + 1);
}

/**
 * A user of IAM who signs in is a person; behind a long-term key (`AKIA`) can be one, or a program.
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
 */
function isProgram(type: string | undefined, key: string | undefined): boolean {
  return type === "IAMUser" && key?.startsWith("AKIA") === true;
}

/**
 * People who come by IAM Identity Center take roles of this name, which nobody else may make.
 * https://docs.aws.amazon.com/singlesignon/latest/userguide/referencingpermissionsets.html
 */
function isSignedIn(arn: string | undefined): boolean {
  return arn?.includes(":assumed-role/AWSReservedSSO_") === true;
}

function userType(type: string | undefined): number {
  switch (type) {
    case "Root":
      return 2;
    case "AWSService":
    case "AWSAccount":
      return 3;
    case "IAMUser":
    case "SAMLUser":
    case "IdentityCenterUser":
      return 1;
    default:
      return 4;
  }
}

/** Calls whose answer is a session of its own that the caller, who has no AWS identity yet, will use next. */
const FEDERATED: ReadonlySet<string> = new Set(["AssumeRoleWithWebIdentity", "AssumeRoleWithSAML"]);

/**
 * What a token call handed out. A federated caller is bound to the session and access key that it got, because its
 * later calls carry only those; a caller with an identity of its own keeps it, and the session is the target.
 */
export function applyIssued(event: Event, eventName: string, response: Json | undefined): void {
  const issued = text(asObject(response?.["assumedRoleUser"])?.["arn"]) ?? text(asObject(response?.["federatedUser"])?.["arn"]);
  event.targetUserUid = issued;
  event.targetUserName = sessionName(issued) ?? event.targetUserName;
  if (!FEDERATED.has(eventName)) return;
  event.authProtocolId = eventName === "AssumeRoleWithSAML" ? 5 : 4; // SAML, OpenID
  event.roleUid = issued ?? event.roleUid;
  event.credentialUid = text(asObject(response?.["credentials"])?.["accessKeyId"]) ?? event.credentialUid;
  const subject = text(response?.["subjectFromWebIdentityToken"]) ?? text(response?.["subject"]);
  event.serviceAccount = serviceAccountName(subject) ?? event.serviceAccount;
}

/** Only a Kubernetes service account; a web identity can as well be a person or a CI job. */
function serviceAccountName(subject: string | undefined): string | undefined {
  return subject?.startsWith("system:serviceaccount:") === true ? subject : undefined;
}
