import type { Answer } from "../../src/archetypes/http-exchange.ts";
import { Failure } from "../../src/core/errors.ts";
import type { Check } from "../../src/ports/connector.ts";
import type { Context } from "../../src/ports/context.ts";
import type { Access } from "./access.ts";
import type { Config } from "./config.ts";
import { errorCode } from "./responses.ts";

/** Posts a body, with or without a token. */
export type Probe = (token: string | undefined, body: string) => Promise<{ readonly answer: Answer }>;

/** No rows: neither probe can store anything. That an empty array is judged like a full one is our reading, not documented. */
const NO_ROWS = "[]";

/**
 * Says in order: whether a token is given, whether the endpoint answers, whether the token may write to the rule
 * and the stream exists. Sends no row. What comes after a failed step is left out, since it would fail as well.
 */
export async function check(options: Config, access: Access, probe: Probe, context: Context): Promise<readonly Check[]> {
  const token = await failureOf(access.token(context));
  if (token instanceof Failure)
    return [
      {
        name: "token",
        ok: false,
        message: token.message,
        fix: "correct tenantId, clientId, the credential and cloud; see the connector's README",
      },
    ];
  const checks: Check[] = [
    {
      name: "token",
      ok: true,
      message: `Microsoft Entra ID gave a token${options.clientId === undefined ? "" : ` for client ${options.clientId}`}`,
    },
  ];

  const reach = await failureOf(probe(undefined, NO_ROWS));
  if (reach instanceof Failure)
    return [
      ...checks,
      { name: "endpoint", ok: false, message: reach.message, fix: `check the address ${options.endpoint}, DNS, firewall and private link` },
    ];
  // Without a token the real service says 401; anything that takes an anonymous request is something else.
  const refuses = reach.answer.status === 401 || reach.answer.status === 403;
  checks.push(
    refuses
      ? { name: "endpoint", ok: true, message: `${options.endpoint} answers and refuses anonymous requests` }
      : {
          name: "endpoint",
          ok: false,
          message: `${options.endpoint} answers an anonymous request with ${reach.answer.status} instead of 401`,
          fix: "endpoint must be the logs ingestion address of the rule or of its data collection endpoint",
        },
  );
  if (!refuses) return checks;

  const write = await failureOf(probe(token, NO_ROWS));
  return [
    ...checks,
    write instanceof Failure ? { name: "rule", ok: false, message: write.message, fix: "try again" } : ruleCheck(options, write.answer),
  ];
}

function ruleCheck(options: Config, answer: Answer): Check {
  const { status } = answer;
  const code = errorCode(answer);
  const said = `the rule answers ${status}${code === undefined ? "" : ` (${code})`}`;
  const failed = (message: string, fix: string): Check => ({ name: "rule", ok: false, message, fix });
  // An empty array is accepted, or refused for being empty: both come after the checks of access and stream.
  if (status === 204 || (status === 400 && code !== "InvalidStream"))
    return { name: "rule", ok: true, message: `${said}: access is granted and the stream exists` };
  if (status === 401)
    return failed(`${said}: the token is not for this service`, `set cloud to the Azure cloud of the endpoint; it is ${options.cloud}`);
  if (status === 403)
    return failed(
      `${said}: the application may not write to the rule`,
      "assign the role Monitoring Metrics Publisher on the data collection rule to the application, then wait up to 30 minutes; endpoint and rule must belong together",
    );
  if (status === 404 || status === 400)
    return failed(
      `${said}: there is no such rule or stream`,
      `check dcrImmutableId, and that the rule's streamDeclarations contain ${options.stream}`,
    );
  return failed(said, "try again later; if it stays, check endpoint");
}

async function failureOf<T>(attempt: Promise<T>): Promise<T | Failure> {
  try {
    return await attempt;
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
}
