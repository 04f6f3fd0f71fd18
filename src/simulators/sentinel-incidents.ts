/**
 * A strict stand-in for the incidents of the SecurityInsights API 2024-03-01 in Azure Resource Manager: etags, limits and
 * refusals as documented. Microsoft publishes no message texts for most of them; codes are those of Resource Manager.
 */
import {
  faultQueue,
  startLoopback,
  type HttpFault,
  type LoopbackServer,
  type SimulatedAnswer,
  type SimulatedRequest,
} from "./http-server.ts";

/** Where the simulated workspace is. */
export const SENTINEL_WORKSPACE = {
  subscriptionId: "99999999-8888-4777-8666-555555555555",
  resourceGroup: "soc",
  name: "soc-workspace",
} as const;

/** How the simulated workspace is set up. */
export interface IncidentsOptions {
  /** Why a token is not valid for an audience. */
  readonly refusal: (token: string, audience: string) => "unknown" | "expired" | "audience" | undefined;
  readonly audience: string;
  readonly now: () => number;
  /** The role on the workspace works from this time on. */
  readonly roleFrom: number;
  /** Actions of the caller's role; one with `-` before it is taken out again. */
  readonly actions: readonly string[];
  /** Properties of the data collection rule `custodes` in the resource group; undefined: there is none. */
  readonly rule: () => unknown;
  /** PUTs of incidents in five minutes. */
  readonly writesPerWindow: number;
}

/** One incident as it is kept. */
export interface KeptIncident {
  readonly id: string;
  etag: string;
  properties: Readonly<Record<string, unknown>>;
  readonly comments: Map<string, string>;
}

/** A running workspace. */
export interface IncidentsSimulator extends LoopbackServer {
  incidents(): readonly KeptIncident[];
  /** Changes an incident as an analyst does in the portal. */
  edit(id: string, properties: Readonly<Record<string, unknown>>): void;
  fail(...faults: readonly HttpFault[]): void;
  /** Runs once, before the next PUT of an incident is looked at: somebody is faster. */
  beforePut(action: () => void): void;
}

interface World {
  readonly options: IncidentsOptions;
  readonly kept: Map<string, KeptIncident>;
  readonly writes: number[];
  changes: number;
  before: (() => void) | undefined;
}

const WINDOW_MS = 300_000;
const SEVERITIES = new Set(["High", "Medium", "Low", "Informational"]);
const STATUSES = new Set(["New", "Active", "Closed"]);
const CLASSIFICATIONS = new Set(["Undetermined", "TruePositive", "BenignPositive", "FalsePositive"]);
const DESCRIPTION_MAX = 5_000;
const COMMENT_MAX = 30_000;
const COMMENTS_MAX = 100;

/** Starts the workspace on a free loopback port. */
export async function startIncidents(options: IncidentsOptions): Promise<IncidentsSimulator> {
  const world: World = { options, kept: new Map(), writes: [], changes: 0, before: undefined };
  const faults = faultQueue<HttpFault>();
  const server = await startLoopback<HttpFault>({ fault: () => faults.next(), handle: (request) => answer(request, world) });
  return {
    ...server,
    incidents: () => [...world.kept.values()],
    edit: (id, properties) => {
      const one = world.kept.get(id);
      if (one === undefined) throw new Error(`no incident ${id}`);
      one.properties = { ...one.properties, ...properties };
      one.etag = nextEtag(world);
    },
    fail: (...list) => faults.add(list),
    beforePut: (action) => {
      world.before = action;
    },
  };
}

function nextEtag(world: World): string {
  return `"${String(++world.changes).padStart(8, "0")}-0000-0d00-0000-000000000000"`;
}

const { subscriptionId, resourceGroup, name } = SENTINEL_WORKSPACE;
const GROUP = `/subscriptions/${subscriptionId}/resourceGroups/${resourceGroup}`;
const WORKSPACE = `${GROUP}/providers/Microsoft.OperationalInsights/workspaces/${name}`;
const INCIDENTS = `${WORKSPACE}/providers/Microsoft.SecurityInsights/incidents`;

function answer(request: SimulatedRequest, world: World): SimulatedAnswer {
  const { options } = world;
  const token = /^Bearer (\S+)$/.exec(request.headers.authorization ?? "")?.[1];
  const refusal = token === undefined ? "missing" : options.refusal(token, options.audience);
  if (refusal !== undefined) return refuse(401, refusal === "expired" ? "ExpiredAuthenticationToken" : "InvalidAuthenticationToken");
  const version = request.query.get("api-version");
  if (version === null) return refuse(400, "MissingApiVersionParameter");
  if (!request.path.startsWith(`/subscriptions/${subscriptionId}/`)) return refuse(404, "SubscriptionNotFound");
  if (!request.path.startsWith(`/subscriptions/${subscriptionId}/resourceGroups/${resourceGroup}/`))
    return refuse(404, "ResourceGroupNotFound");
  if (options.now() < options.roleFrom) return refuse(403, "AuthorizationFailed");
  if (request.path.startsWith(`${GROUP}/providers/Microsoft.Insights/dataCollectionRules/`)) return ruleAnswer(request, version, options);
  if (!request.path.startsWith(`${WORKSPACE}/`)) return refuse(404, "ParentResourceNotFound");
  if (request.path === `${WORKSPACE}/providers/Microsoft.Authorization/permissions`)
    return version === "2022-04-01" ? { status: 200, body: { value: [role(options.actions)] } } : refuse(400, "InvalidApiVersionParameter");
  if (version !== "2024-03-01") return refuse(400, "InvalidApiVersionParameter");
  if (request.path === INCIDENTS && request.method === "GET")
    return { status: 200, body: { value: [...world.kept.values()].slice(0, 1).map(shown) } };
  const [, id, comment] = /^\/([^/]+)(?:\/comments\/([^/]+))?$/.exec(request.path.slice(INCIDENTS.length)) ?? [];
  if (!request.path.startsWith(`${INCIDENTS}/`) || id === undefined) return refuse(404, "ResourceNotFound");
  if (comment !== undefined) return request.method === "PUT" ? putComment(request, id, comment, world) : refuse(405, "MethodNotAllowed");
  if (request.method === "GET") {
    const one = world.kept.get(id);
    return one === undefined ? refuse(404, "NotFound") : { status: 200, body: shown(one) };
  }
  return request.method === "PUT" ? putIncident(request, id, world) : refuse(405, "MethodNotAllowed");
}

function ruleAnswer(request: SimulatedRequest, version: string, { rule }: IncidentsOptions): SimulatedAnswer {
  if (request.method !== "GET" || version !== "2023-03-11") return refuse(400, "InvalidApiVersionParameter");
  const properties = request.path.endsWith("/custodes") ? rule() : undefined;
  return properties === undefined ? refuse(404, "ResourceNotFound") : { status: 200, body: { name: "custodes", properties } };
}

function role(actions: readonly string[]): unknown {
  const out = actions.filter((action) => action.startsWith("-")).map((action) => action.slice(1));
  return { actions: actions.filter((action) => !action.startsWith("-")), notActions: out };
}

function shown(one: KeptIncident): unknown {
  return {
    id: `${INCIDENTS}/${one.id}`,
    name: one.id,
    type: "Microsoft.SecurityInsights/incidents",
    etag: one.etag,
    properties: one.properties,
  };
}

function putIncident(request: SimulatedRequest, id: string, world: World): SimulatedAnswer {
  const { before } = world;
  world.before = undefined;
  before?.();
  const slow = throttled(world);
  if (slow !== undefined) return slow;
  const body = bodyOf(request);
  const properties = body?.["properties"] as Readonly<Record<string, unknown>> | undefined;
  if (body === undefined || typeof properties !== "object") return refuse(400, "BadRequest");
  const fault = propertyFault(properties);
  if (fault !== undefined) return refuse(400, "BadRequest", fault);
  const existing = world.kept.get(id);
  const etag = body["etag"] ?? request.headers["if-match"];
  if (existing !== undefined && etag !== existing.etag)
    return refuse(409, "Conflict", `Newer version of resource '${id}' exists. Data was not saved`);
  if (existing === undefined && etag !== undefined) return refuse(409, "Conflict", "the resource does not exist any more");
  const kept = existing ?? { id, etag: "", properties: {}, comments: new Map<string, string>() };
  kept.etag = nextEtag(world);
  // The whole resource is replaced: what the request leaves out is gone.
  kept.properties = { owner: {}, ...properties, incidentNumber: world.kept.size + 1, providerName: "Azure Sentinel" };
  world.kept.set(id, kept);
  return { status: existing === undefined ? 201 : 200, body: shown(kept) };
}

function propertyFault(properties: Readonly<Record<string, unknown>>): string | undefined {
  const { title, description, severity, status, classification, labels } = properties;
  if (typeof title !== "string" || title === "") return "title is required";
  if (typeof severity !== "string" || !SEVERITIES.has(severity)) return "severity is required and must be one of the known ones";
  if (typeof status !== "string" || !STATUSES.has(status)) return "status is required and must be one of the known ones";
  if (typeof description === "string" && description.length > DESCRIPTION_MAX) return "description is too long";
  if (status === "Closed" && !(typeof classification === "string" && CLASSIFICATIONS.has(classification)))
    return "closing needs a classification";
  if (status !== "Closed" && classification !== undefined) return "a classification belongs to a closed incident";
  if (
    labels !== undefined &&
    !(Array.isArray(labels) && labels.every((label: { labelName?: unknown }) => typeof label.labelName === "string"))
  )
    return "labels must have names";
  for (const time of [properties["firstActivityTimeUtc"], properties["lastActivityTimeUtc"]])
    if (time !== undefined && (typeof time !== "string" || Number.isNaN(Date.parse(time)))) return "activity times must be times";
  return undefined;
}

function putComment(request: SimulatedRequest, id: string, comment: string, world: World): SimulatedAnswer {
  const one = world.kept.get(id);
  if (one === undefined) return refuse(404, "NotFound");
  if (!/^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i.test(comment)) return refuse(400, "BadRequest", "the name must be a GUID");
  const message = (bodyOf(request)?.["properties"] as { readonly message?: unknown } | undefined)?.message;
  if (typeof message !== "string" || message === "" || message.length > COMMENT_MAX)
    return refuse(400, "BadRequest", "message is missing or too long");
  if (one.comments.has(comment)) return refuse(409, "Conflict", `Newer version of resource '${comment}' exists. Data was not saved`);
  if (one.comments.size >= COMMENTS_MAX) return refuse(400, "BadRequest", "an incident takes 100 comments");
  one.comments.set(comment, message);
  // A comment changes the incident, as the portal's "last update time" shows.
  one.etag = nextEtag(world);
  return { status: 201, body: { name: comment, properties: { message } } };
}

function throttled({ options, writes }: World): SimulatedAnswer | undefined {
  const now = options.now();
  while (writes[0] !== undefined && writes[0] <= now - WINDOW_MS) writes.shift();
  if (writes.length < options.writesPerWindow) {
    writes.push(now);
    return undefined;
  }
  const wait = Math.ceil(((writes[0] ?? now) + WINDOW_MS - now) / 1000);
  return { ...refuse(429, "TooManyRequests"), headers: { "retry-after": String(wait) } };
}

function bodyOf(request: SimulatedRequest): Readonly<Record<string, unknown>> | undefined {
  if (!String(request.headers["content-type"] ?? "").startsWith("application/json")) return undefined;
  try {
    return JSON.parse(request.body.toString("utf8")) as Readonly<Record<string, unknown>>;
  } catch {
    // Answered with 400 like any other body that is no resource.
    return undefined;
  }
}

function refuse(status: number, code: string, message = "refused"): SimulatedAnswer {
  return { status, body: { error: { code, message } } };
}
