/** Whether incidents can be read and written, asked without writing. */
import { answerObject, type Answer } from "../../src/archetypes/http-exchange.ts";
import { Failure } from "../../src/core/errors.ts";
import { asObject } from "../../src/core/record.ts";
import type { Check } from "../../src/ports/connector.ts";
import type { Context } from "../../src/ports/context.ts";
import { azureAccess } from "./access.ts";
import { CLOUDS, type Config } from "./config.ts";
import { askManagement, INCIDENTS_VERSION, incidentsUrl, RESPONDER, workspaceUrl } from "./incident-api.ts";
import { errorCode } from "./responses.ts";

const ACTION = "Microsoft.SecurityInsights/incidents/write";
const PERMISSIONS_VERSION = "2022-04-01";
const COMMENT_ACTION = "Microsoft.SecurityInsights/incidents/comments/write";

/** Reads one incident, then the permissions that the caller has on the workspace. */
export async function checkIncidents(options: Config, context: Context): Promise<readonly Check[]> {
  const fix = "give the application the role Microsoft Sentinel Responder on the workspace; check workspace, cloud and managementEndpoint";
  const name = "incidents";
  try {
    const token = await azureAccess(options, `${CLOUDS[options.cloud].management}/.default`).token(context);
    const ask = (url: string, version: string) => askManagement("GET", { url, version }, token, undefined, context);
    const read = await ask(`${incidentsUrl(options) ?? ""}?$top=1`, INCIDENTS_VERSION);
    if (read.status !== 200) return [{ name, ok: false, message: said("incidents cannot be read", read), fix }];
    const rights = await ask(`${workspaceUrl(options) ?? ""}/providers/Microsoft.Authorization/permissions`, PERMISSIONS_VERSION);
    const lacking = rights.status === 200 ? [ACTION, COMMENT_ACTION].filter((action) => !allows(rights, action)) : [];
    // Not everybody may read permissions: then the first incident will tell.
    if (rights.status !== 200) return [{ name, ok: true, message: said("incidents can be read; permissions cannot", rights) }];
    if (lacking.length > 0) return [{ name, ok: false, message: `the application lacks ${lacking.join(" and ")}`, fix: RESPONDER }];
    return [{ name, ok: true, message: "incidents can be read and written" }];
  } catch (error) {
    if (error instanceof Failure) return [{ name, ok: false, message: error.message, fix }];
    throw error;
  }
}

function said(what: string, answer: Answer): string {
  const code = errorCode(answer);
  return `${what}: Azure answers ${answer.status}${code === undefined ? "" : ` (${code})`}`;
}

/** One of the assigned roles has the action, and does not take it out again; `*` stands for any text. */
function allows(answer: Answer, action: string): boolean {
  const roles = answerObject(answer)?.["value"];
  return Array.isArray(roles) && roles.some((role) => names(role, "actions", action) && !names(role, "notActions", action));
}

function names(role: unknown, list: string, action: string): boolean {
  const patterns = asObject(role)?.[list];
  return (
    Array.isArray(patterns) && patterns.some((pattern) => typeof pattern === "string" && fits(pattern.toLowerCase(), action.toLowerCase()))
  );
}

/** Without regular expressions made of foreign text: each part between two stars must follow the one before. */
function fits(pattern: string, action: string): boolean {
  const parts = pattern.split("*");
  if (parts.length === 1) return pattern === action;
  let from = 0;
  for (const [index, part] of parts.entries()) {
    const at = index === parts.length - 1 ? Math.max(from, action.length - part.length) : action.indexOf(part, from);
    if (at < 0 || (index === 0 && at !== 0) || action.slice(at, at + part.length) !== part) return false;
    from = at + part.length;
  }
  return true;
}
