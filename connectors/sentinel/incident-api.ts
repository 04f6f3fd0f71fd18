/** Incidents through the SecurityInsights API: create or update, then one comment per revision. Every step can be repeated. */
import { exchangeWithin } from "../../src/archetypes/deadline.ts";
import { answerObject, connectorFailure, retryAfterMs, type Answer } from "../../src/archetypes/http-exchange.ts";
import { Failure } from "../../src/core/errors.ts";
import type { EpochMs } from "../../src/core/event.ts";
import type { Json } from "../../src/core/record.ts";
import type { Rendered } from "../../src/ports/connector.ts";
import type { Context } from "../../src/ports/context.ts";
import type { Access } from "./access.ts";
import { CLOUDS, type Config } from "./config.ts";
import { incidentOfRow, incidentResource, revisionOf, type OurIncident } from "./incident-resource.ts";
import { deniedFailure, withToken } from "./ingest.ts";
import { errorCode } from "./responses.ts";

/** Who answers, in messages. */
const INCIDENTS_PEER = "The incidents API";
/** Role for it, in messages. */
export const RESPONDER = "the application needs the role Microsoft Sentinel Responder on the workspace";

const ANSWER_MS = 30_000;
/** Somebody who edits the incident all the time must not hold us up: then the pipeline tries again later. */
const ROUNDS_MAX = 3;
/** Version of the SecurityInsights API. */
export const INCIDENTS_VERSION = "2024-03-01";

/** 404s that say that there is nothing to create an incident in. */
const NO_WORKSPACE = new Set([
  "ResourceGroupNotFound",
  "SubscriptionNotFound",
  "InvalidSubscriptionId",
  "WorkspaceNotFound",
  "ParentResourceNotFound",
]);

/** Address of the workspace's resource group in Resource Manager, without a version. Undefined without a workspace. */
export function groupUrl(options: Config): string | undefined {
  const { workspace } = options;
  if (workspace === undefined) return undefined;
  const host = options.managementEndpoint ?? CLOUDS[options.cloud].management;
  return `${host}/subscriptions/${workspace.subscriptionId}/resourceGroups/${encodeURIComponent(workspace.resourceGroup)}`;
}

/** Address of the workspace, likewise. */
export function workspaceUrl(options: Config): string | undefined {
  const group = groupUrl(options);
  return group === undefined ? undefined : `${group}/providers/Microsoft.OperationalInsights/workspaces/${options.workspace?.name ?? ""}`;
}

/** Address of the workspace's incidents, likewise. */
export function incidentsUrl(options: Config): string | undefined {
  const url = workspaceUrl(options);
  return url === undefined ? undefined : `${url}/providers/Microsoft.SecurityInsights/incidents`;
}

/**
 * Makes the incident of one rendered row as the row says, unless a newer revision is there; its comment is there afterwards.
 * Resolves with what was done. @throws {Failure} scope item: this incident alone; else all of them
 */
export async function putIncident(options: Config, access: Access, one: Rendered, context: Context): Promise<string> {
  const url = incidentsUrl(options);
  const ours = incidentOfRow(one.body);
  if (url === undefined || ours === undefined)
    throw new Failure("the row names no incident that the API could hold", { kind: "poison", code: "RENDER_CONTRACT" });
  const call = caller(options, access, one, context);
  const done = await putCurrent(ours, `${url}/${ours.id}`, call, options.incidentOwner);
  if (done !== "newer" && ours.comment !== undefined) {
    const { id, message } = ours.comment;
    const answer = await call("PUT", `${url}/${ours.id}/comments/${id}`, { properties: { message } });
    // 409: the comment is there, since its id belongs to this revision alone.
    if (answer.status !== 409) understood(answer);
  }
  return done === "newer" ? "a newer revision is there" : `incident ${ours.id} ${done}`;
}

type Call = (method: "GET" | "PUT", url: string, body?: Json) => Promise<Answer>;

async function putCurrent(ours: OurIncident, url: string, call: Call, owner: string | undefined): Promise<string> {
  for (let round = 0; round < ROUNDS_MAX; round++) {
    const found = await call("GET", url);
    const existing = found.status === 404 ? undefined : understood(found);
    const there = existing === undefined ? 0 : revisionOf(existing);
    if (there > ours.revision) return "newer";
    if (there === ours.revision) return "unchanged";
    const put = await call("PUT", url, incidentResource(ours, existing, owner));
    // 409, documented 412: somebody changed it after we had read it.
    if (put.status === 409 || put.status === 412) continue;
    understood(put);
    return put.status === 201 ? "created" : "updated";
  }
  throw new Failure(`${INCIDENTS_PEER} says each time that somebody else changed the incident first`, {
    kind: "retryable",
    code: "INCIDENT_MOVED",
  });
}

function caller(options: Config, access: Access, one: Rendered, context: Context): Call {
  return async (method, url, body) => {
    const { answer } = await withToken(INCIDENTS_PEER, access, context, async (token) => ({
      answer: await askManagement(method, { url, version: INCIDENTS_VERSION }, token, body, context),
    }));
    const now = context.clock.now();
    if (answer.status === 403)
      throw deniedFailure(answer, [one], options.freshRoleGraceMs, now, { peer: INCIDENTS_PEER, needs: RESPONDER });
    const missing = answer.status === 404 && (method === "PUT" || NO_WORKSPACE.has(errorCode(answer) ?? ""));
    const settled = answer.status < 300 || answer.status === 409 || answer.status === 412 || (answer.status === 404 && !missing);
    if (!settled) throw incidentFailure(answer, now);
    return answer;
  };
}

/** One request to Azure Resource Manager; `url` has no version yet. @throws {Failure} as `exchange` */
export async function askManagement(
  method: "GET" | "PUT",
  { url, version }: { readonly url: string; readonly version: string },
  token: string,
  body: Json | undefined,
  context: Context,
): Promise<Answer> {
  return exchangeWithin(
    {
      peer: INCIDENTS_PEER,
      method,
      url: `${url}${url.includes("?") ? "&" : "?"}api-version=${version}`,
      headers: {
        Authorization: `Bearer ${token}`,
        Accept: "application/json",
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    },
    context,
    ANSWER_MS,
  );
}

/** The resource that an answer holds: a success without one comes from something else. @throws {Failure} */
function understood(answer: Answer): Json {
  const resource = answer.status === 200 || answer.status === 201 ? answerObject(answer) : undefined;
  if (resource?.["properties"] !== undefined) return resource;
  throw connectorFailure("retryable", "HTTP_MALFORMED", `${INCIDENTS_PEER} answered ${answer.status} without a resource`);
}

/** What an answer means that is no success ("Azure Resource Manager" common errors; limits of SecurityInsights). */
function incidentFailure(answer: Answer, now: EpochMs): Failure {
  const { status } = answer;
  const code = errorCode(answer);
  const said = `${INCIDENTS_PEER} answered ${status}${code === undefined ? "" : ` (${code})`}`;
  const wait = retryAfterMs(answer, now);
  if (status === 429) return connectorFailure("retryable", "HTTP_THROTTLED", `${said}: too many requests`, wait);
  if (status >= 500 || status === 408) return connectorFailure("retryable", "HTTP_UNAVAILABLE", said, wait);
  if (status === 400 || status === 422) {
    const ours = code === "MissingApiVersionParameter" || code === "InvalidApiVersionParameter";
    if (!ours) return new Failure(`${said}: the incident is refused`, { kind: "poison", code: "HTTP_REJECTED" });
  }
  if (status === 413) return new Failure(`${said}: the incident is too large`, { kind: "permanent", code: "HTTP_REJECTED" });
  return connectorFailure("permanent", "DESTINATION_CONFIG", `${said}; check workspace, managementEndpoint and cloud`);
}
