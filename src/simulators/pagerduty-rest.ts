/** What of PagerDuty's REST API is asked to find out whether a service takes events ("Authentication", "Services"). */
import type { SimulatedAnswer, SimulatedRequest } from "./http-server.ts";

/** A service as the REST API describes it. */
export interface PagerdutyService {
  readonly status: "active" | "warning" | "critical" | "maintenance" | "disabled";
  readonly integrationKeys: readonly string[];
}

/** The answer to a request of the REST API; undefined when it is none. */
export function restAnswer(
  request: SimulatedRequest,
  { apiTokens, services }: { readonly apiTokens: readonly string[]; readonly services: Readonly<Record<string, PagerdutyService>> },
): SimulatedAnswer | undefined {
  const id = /^\/services\/([A-Z0-9]+)$/.exec(request.path)?.[1];
  if (request.path !== "/abilities" && id === undefined) return undefined;
  if (request.method !== "GET") return { status: 405 };
  const token = /^Token token=(.+)$/.exec(request.headers.authorization ?? "")?.[1];
  if (token === undefined || !apiTokens.includes(token)) return { status: 401, body: { error: { message: "Unauthorized", code: 2006 } } };
  if (request.headers.accept !== "application/vnd.pagerduty+json;version=2") return { status: 406 };
  if (id === undefined) return { status: 200, body: { abilities: ["teams"] } };
  const service = services[id];
  if (service === undefined) return { status: 404, body: { error: { message: "Not Found", code: 2100 } } };
  const { status, integrationKeys } = service;
  const included = request.query.getAll("include[]").includes("integrations");
  const integrations = integrationKeys.map((key, index) => ({
    id: `I${index}`,
    type: included ? "events_api_v2_inbound_integration" : "events_api_v2_inbound_integration_reference",
    ...(included ? { integration_key: key } : {}),
  }));
  return { status: 200, body: { service: { id, type: "service", status, integrations } } };
}
