/** What a CloudTrail event name means: its category, and whether it grants power. */
import { CLASS, type Category } from "../../src/core/event.ts";
import { asObject, text, type Json } from "../../src/core/record.ts";

/** How an API call is modelled; without `activityId` it follows from the name. */
export interface ActionKind {
  readonly category: Category;
  readonly classUid: number;
  readonly activityId: number | undefined;
}

const SIGN_IN: ActionKind = { category: "authentication", classUid: CLASS.authentication, activityId: 1 };
const TOKEN: ActionKind = { category: "authentication", classUid: CLASS.authentication, activityId: 3 };
const SWITCH: ActionKind = { category: "authentication", classUid: CLASS.authentication, activityId: 7 };
const MODEL: ActionKind = { category: "agent_api", classUid: CLASS.apiActivity, activityId: 99 };
const API: ActionKind = { category: "infra_change", classUid: CLASS.apiActivity, activityId: undefined };

/** Token calls of STS; the other STS calls (GetCallerIdentity, Decode...) issue nothing. */
const STS_TOKENS: ReadonlySet<string> = new Set([
  "AssumeRole",
  "AssumeRoleWithSAML",
  "AssumeRoleWithWebIdentity",
  "AssumeRoot",
  "GetSessionToken",
  "GetFederationToken",
]);

/** Calls that run a model or an agent, of Bedrock and Bedrock AgentCore. */
const MODEL_CALLS: ReadonlySet<string> = new Set([
  "InvokeModel",
  "InvokeModelWithResponseStream",
  "InvokeModelWithBidirectionalStream",
  "Converse",
  "ConverseStream",
  "InvokeAgent",
  "InvokeInlineAgent",
  "InvokeFlow",
  "InvokeAgentRuntime",
  "Retrieve",
  "RetrieveAndGenerate",
  "RetrieveAndGenerateStream",
  "StartAsyncInvoke",
]);

/** Category and class of a call. */
export function actionKind(service: string, eventName: string): ActionKind {
  if (service === "sts") return STS_TOKENS.has(eventName) ? TOKEN : API;
  if (service === "signin") return eventName === "SwitchRole" || eventName === "ExitRole" ? SWITCH : SIGN_IN;
  if (service === "bedrock" || service === "bedrock-agentcore") return MODEL_CALLS.has(eventName) ? MODEL : API;
  return API;
}

const READING = ["Describe", "Get", "List", "Head", "Lookup", "Search", "Query", "Scan", "BatchGet", "View", "Check"];

/** Whether a call only reads. Records before version 1.06, and those of some services, do not say; its name does. */
export function isReadOnly(value: unknown, eventName: string): boolean {
  if (typeof value === "boolean") return value;
  if (value === "true" || value === "false") return value === "true";
  return READING.some((prefix) => eventName.startsWith(prefix));
}

const DELETING = ["Delete", "Terminate", "Remove", "Detach", "Deregister", "Revoke", "Disassociate"];
const CREATING = ["Create", "Run", "Allocate", "Register", "Import", "Copy", "Restore", "Launch"];

/** OCSF API Activity: 1 Create 2 Read 3 Update 4 Delete. */
export function apiActivity(eventName: string, readOnly: boolean): number {
  if (readOnly) return 2;
  if (DELETING.some((prefix) => eventName.startsWith(prefix))) return 4;
  return CREATING.some((prefix) => eventName.startsWith(prefix)) ? 1 : 3;
}

/** The policy or group that an IAM call gives away. */
export function grantOf(eventName: string, parameters: Json | undefined): string | undefined {
  if (parameters === undefined || eventName.startsWith("Detach") || eventName.startsWith("Delete")) return undefined;
  if (eventName === "AddUserToGroup") return text(parameters["groupName"]);
  return text(parameters["policyArn"]) ?? (eventName.endsWith("Policy") ? text(parameters["policyName"]) : undefined);
}

/** IAM calls that give somebody a credential or power over an identity, whatever they name. */
const ESCALATING: ReadonlySet<string> = new Set([
  "CreateAccessKey",
  "CreateLoginProfile",
  "UpdateLoginProfile",
  "AttachUserPolicy",
  "PutUserPolicy",
  "AddUserToGroup",
  "UpdateAssumeRolePolicy",
  "SetDefaultPolicyVersion",
  "CreateServiceSpecificCredential",
  "DeactivateMFADevice",
]);

/** AWS managed policies that hold administrator power: the last part of their ARN. */
const ADMIN_POLICIES: ReadonlySet<string> = new Set(["AdministratorAccess", "IAMFullAccess", "PowerUserAccess"]);

/** Inline policies longer than this are not searched; IAM's own limit is 10,240 characters without white space. */
const POLICY_TEXT_MAX = 65_536;

const QUARANTINE = ":policy/AWSCompromisedKeyQuarantine";

/** Whether an IAM call grants administrator power or a way to it. */
export function isPrivileged(eventName: string, grant: string | undefined, parameters: Json | undefined): boolean {
  if (grant?.includes(QUARANTINE) === true) return false;
  if (ESCALATING.has(eventName)) return true;
  if (grant !== undefined && ADMIN_POLICIES.has(grant.slice(grant.lastIndexOf("/") + 1))) return eventName.startsWith("Attach");
  const document = parameters?.["policyDocument"];
  if (typeof document !== "string" || document.length > POLICY_TEXT_MAX || !/^(Put|Create)/.test(eventName)) return false;
  return allowsEverything(document);
}

/** Whether a policy document has a statement that allows every action, or every action of IAM. */
function allowsEverything(document: string): boolean {
  let policy: unknown;
  try {
    policy = JSON.parse(document);
  } catch {
    return false; // An invalid document is refused by IAM, so it grants nothing.
  }
  const statement = asObject(policy)?.["Statement"];
  for (const item of Array.isArray(statement) ? statement : [statement]) {
    const one = asObject(item);
    if (one?.["Effect"] !== "Allow") continue;
    const action = one["Action"];
    for (const name of Array.isArray(action) ? action : [action]) if (name === "*" || name === "*:*" || name === "iam:*") return true;
  }
  return false;
}

/** The ARN of AWS's quarantine policy (V1 to V3 so far) when the call attaches it to a user. */
export function quarantinePolicy(eventName: string, parameters: Json | undefined): string | undefined {
  if (eventName !== "AttachUserPolicy") return undefined;
  const policy = text(parameters?.["policyArn"]);
  return policy?.includes(QUARANTINE) === true ? policy : undefined;
}
