/** What can be found out without paging anybody. */
import { exchangeWithin } from "../../src/archetypes/deadline.ts";
import { answerObject, type Answer } from "../../src/archetypes/http-exchange.ts";
import { Failure } from "../../src/core/errors.ts";
import { asObject } from "../../src/core/record.ts";
import { safeText } from "../../src/core/safe-text.ts";
import type { Check, Rendered } from "../../src/ports/connector.ts";
import type { Context, Secret } from "../../src/ports/context.ts";
import { API_HOSTS, type Config } from "./config.ts";
import { PEER } from "./responses.ts";
import { ANSWER_MS, enqueue } from "./send.ts";

/** States of a service in which it takes events ("Services, status"); in all others it swallows them. */
const ENABLED = new Set(["active", "warning", "critical"]);
const NAME_MAX = 100;

/** Each key by a resolve of nothing; with a REST key, whether the service is enabled and the routing key its own. */
export async function check(options: Config, context: Context): Promise<readonly Check[]> {
  const { routingKey, previousRoutingKey, apiToken } = options;
  const checks = [await keyCheck("routing key", routingKey, options, context)];
  if (previousRoutingKey !== undefined) checks.push(await keyCheck("previous routing key", previousRoutingKey, options, context));
  if (apiToken !== undefined) checks.push(await serviceCheck(apiToken, options, context));
  else if (options.serviceId !== undefined)
    checks.push({
      name: "service",
      ok: false,
      message: "serviceId is set without apiToken",
      fix: "set apiToken to a read-only REST API key",
    });
  return checks;
}

/**
 * Resolves an incident that does not exist: PagerDuty accepts and drops that ("Send an Alert Event"), and a
 * wrong key is refused. There is no documented way to ask about a key without sending an event.
 */
async function keyCheck(name: string, secret: Secret, options: Config, context: Context): Promise<Check> {
  const dedupKey = `custodes:check:${Math.floor(context.random() * 2 ** 48).toString(16)}`;
  const body = JSON.stringify({ event_action: "resolve", dedup_key: dedupKey });
  const probe: Rendered = { key: dedupKey, body, bytes: body.length, meta: { action: "check", dedupKey } };
  try {
    await enqueue(probe, secret, options, context);
    const more = options.apiToken === undefined ? "; whether its service is enabled and notifies, apiToken and serviceId would tell" : "";
    return { name, ok: true, message: `PagerDuty accepts the key${more}` };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { name, ok: false, message: error.message, fix: fixFor(error) };
  }
}

function fixFor(failure: Failure): string {
  switch (failure.code) {
    case "HTTP_UNREACHABLE":
    case "HTTP_TIMEOUT":
      return "check DNS, firewall and proxy for events.pagerduty.com or events.eu.pagerduty.com, port 443";
    case "HTTP_THROTTLED":
    case "HTTP_UNAVAILABLE":
      return "try again in a minute";
    case "DESTINATION_CONFIG":
    case "HTTP_DENIED":
      return "copy the integration key of an Events API v2 integration of the service, and set region to the account's (us or eu)";
    default:
      return "look for a proxy that answers instead of PagerDuty";
  }
}

/** GET only; a read-only key suffices ("Authentication"). */
async function serviceCheck(token: Secret, options: Config, context: Context): Promise<Check> {
  const name = options.serviceId === undefined ? "REST API key" : "service";
  const { serviceId } = options;
  const path = serviceId === undefined ? "/abilities" : `/services/${serviceId}?include%5B%5D=integrations`;
  const url = `${options.endpoint ?? API_HOSTS[options.region]}${path}`;
  const headers = { Authorization: `Token token=${token.reveal()}`, Accept: "application/vnd.pagerduty+json;version=2" };
  let answer: Answer;
  try {
    answer = await exchangeWithin({ peer: PEER, method: "GET", url, headers }, context, ANSWER_MS);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return {
      name,
      ok: false,
      message: error.message,
      fix: "check DNS, firewall and proxy for api.pagerduty.com or api.eu.pagerduty.com, port 443",
    };
  }
  const no = (message: string, fix: string): Check => ({ name, ok: false, message, fix });
  if (answer.status === 401 || answer.status === 403)
    return no(
      `the REST API answered ${answer.status}`,
      "make a read-only REST API key (Integrations, API Access Keys) in the account of this region",
    );
  if (answer.status === 404) return no("there is no such service", "copy serviceId from the address of the service's page");
  if (answer.status === 429) return no("the REST API is over its limit", "try again in a minute");
  const body = answer.status === 200 ? answerObject(answer) : undefined;
  if (body === undefined)
    return no(`the REST API answered ${answer.status}`, "try again in a minute; look for a proxy that answers instead of PagerDuty");
  if (serviceId === undefined) return { name, ok: true, message: "the key is valid; set serviceId to have the service looked at" };
  return serviceVerdict(body, options.routingKey.reveal(), no);
}

function serviceVerdict(body: Readonly<Record<string, unknown>>, key: string, no: (message: string, fix: string) => Check): Check {
  const service = asObject(body["service"]);
  const status = service?.["status"];
  if (typeof status !== "string") return no("the answer describes no service", "look for a proxy that answers instead of PagerDuty");
  const shown = safeText(status, NAME_MAX);
  if (!ENABLED.has(status)) return no(`the service is ${shown}: it swallows events`, "enable the service, or end its maintenance window");
  const integrations = Array.isArray(service?.["integrations"]) ? service["integrations"] : [];
  const keys = integrations.map((one) => asObject(one)?.["integration_key"]).filter((one) => typeof one === "string");
  // Keys of event orchestrations begin with R and belong to no service.
  if (keys.length > 0 && !keys.includes(key) && !key.startsWith("R"))
    return no(
      "the routing key belongs to none of the service's integrations",
      "copy the integration key of this service, or set serviceId to the key's",
    );
  return { name: "service", ok: true, message: `the service is enabled (${shown})` };
}
