/** The connector's self-check: questions that change nothing on the other side. */
import { statusFailure } from "../../src/archetypes/bulk/status.ts";
import { answerObject, type Answer } from "../../src/archetypes/http-exchange.ts";
import { Failure } from "../../src/core/errors.ts";
import { asObject, type Json } from "../../src/core/record.ts";
import { safeList, safeText } from "../../src/core/safe-text.ts";
import type { Check } from "../../src/ports/connector.ts";
import type { Context } from "../../src/ports/context.ts";
import { serviceAsk } from "./ask.ts";
import { isServerless, type Config } from "./config.ts";

/** Roles that are named at most. */
const ROLES_MAX = 10;

/** Reach and product, credential, then each index. Stops at the first that makes the next meaningless. */
export async function check(settings: Config, context: Context): Promise<readonly Check[]> {
  const ask = serviceAsk(settings);
  const get = async (path: string): Promise<Answer | Failure> => {
    try {
      return await ask({ method: "GET", path }, context);
    } catch (error) {
      if (error instanceof Failure) return error;
      throw error;
    }
  };
  const checks: Check[] = [];
  const add = (one: Check): boolean => {
    checks.push(one);
    return one.ok;
  };
  if (!isServerless(settings)) {
    if (!add(reachCheck(await get("/"), settings))) return checks;
    add(rolesCheck(await get("/_plugins/_security/authinfo")));
  }
  for (const name of new Set([settings.alertIndex, settings.incidentIndex])) {
    if (!add(indexCheck(name, true, await get(`/${name}/_mapping`), settings))) return checks;
  }
  add(indexCheck(settings.eventIndex, false, await get(`/${settings.eventIndex}/_mapping`), settings));
  return checks;
}

function reachCheck(answer: Answer | Failure, settings: Config): Check {
  const name = "reach";
  if (answer instanceof Failure) return unreachable(name, answer);
  if (answer.status === 401 || answer.status === 403) return denied(name, answer.status, settings);
  const version = asObject(answerObject(answer)?.["version"]);
  if (version?.["distribution"] === "opensearch") {
    const number = typeof version["number"] === "string" ? safeText(version["number"], 30) : "of unknown version";
    return { name, ok: true, message: `OpenSearch ${number} answers` };
  }
  return {
    name,
    ok: false,
    message: `HTTP ${answer.status}: this is not OpenSearch`,
    fix: "url must be OpenSearch itself, not Dashboards, a login page or Elasticsearch (for which there is the connector elastic)",
  };
}

function unreachable(name: string, failure: Failure): Check {
  return failure.code === "SECRET_MISSING" || failure.code === "HTTP_DENIED"
    ? {
        name,
        ok: false,
        message: failure.message,
        fix: "provide the secrets that basic or aws refer to, or credentials in AWS's usual places",
      }
    : { name, ok: false, message: failure.message, fix: "check host, port and firewall, and the authority of a certificate of your own" };
}

function denied(name: string, status: number, settings: Config): Check {
  const fix =
    settings.aws === undefined
      ? "check user and password; the connector's README has the role"
      : "check keys, region, service (es or aoss) and this machine's clock; the domain's or collection's access policy must name the caller";
  return { name, ok: false, message: `HTTP ${status}: the credential was refused`, fix };
}

function rolesCheck(answer: Answer | Failure): Check {
  const name = "credential";
  const json = answer instanceof Failure || answer.status !== 200 ? undefined : answerObject(answer);
  // Domains without fine-grained access control have no security plugin, and others may not let it be asked.
  if (json === undefined) return { name, ok: true, message: "accepted; its roles are not shown" };
  const roles = Array.isArray(json["roles"]) ? (json["roles"] as unknown[]).filter((role) => typeof role === "string") : [];
  return { name, ok: true, message: `accepted, with the roles ${safeList(roles, ROLES_MAX, 60).join(", ") || "none"}` };
}

function indexCheck(index: string, needed: boolean, answer: Answer | Failure, settings: Config): Check {
  const name = `index ${index}`;
  if (answer instanceof Failure) return unreachable(name, answer);
  if (answer.status === 401) return denied(name, 401, settings);
  if (answer.status === 403)
    return isServerless(settings)
      ? { ...denied(name, 403, settings), ok: !needed }
      : { name, ok: true, message: "not checked: this credential may write to it, perhaps, but not look at it" };
  const missing = "it does not exist yet: whatever is written first decides the types of its fields";
  const fix = "run `custodes setup` for this destination";
  if (answer.status === 404) return { name, ok: !needed, message: missing, fix };
  const json = answerObject(answer);
  if (answer.status !== 200 || json === undefined) {
    const failure = statusFailure(answer.status, {}, settings.url, 0);
    return { name, ok: false, message: failure.message, fix: "url must be OpenSearch itself" };
  }
  if (needed && Object.keys(json).some((one) => one.startsWith(".ds-")))
    return {
      name,
      ok: false,
      message: "it is a data stream, in which no revision can replace another",
      fix: "configure the name of a plain index, or remove the template that makes a data stream of it",
    };
  const typed = Object.values(json).every((one) => asObject(propertiesOf(one)?.["custodes"]) !== undefined);
  return typed
    ? { name, ok: true, message: "it gives our fields their types" }
    : { name, ok: !needed, message: "it lacks the types of our fields", fix };
}

function propertiesOf(index: unknown): Json | undefined {
  return asObject(asObject(asObject(index)?.["mappings"])?.["properties"]);
}
