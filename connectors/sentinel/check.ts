import type { Answer } from "../../src/archetypes/http-exchange.ts";
import { Failure } from "../../src/core/errors.ts";
import type { Check } from "../../src/ports/connector.ts";
import type { Context } from "../../src/ports/context.ts";
import { azureAccess, type Access } from "./access.ts";
import { checkIncidents } from "./check-incidents.ts";
import { checkStreams } from "./check-streams.ts";
import { CLOUDS, type Config } from "./config.ts";
import { postRows } from "./ingest.ts";
import { errorCode } from "./responses.ts";
import { streamOf, TABLES, type TableName } from "./tables.ts";

/** No rows: no probe can store anything. That an empty array is judged like a full one is our reading, not documented. */
const NO_ROWS = "[]";

/**
 * Says in order: whether a token is given, whether the endpoint answers, whether the token may write to the rule and which
 * streams exist; with dcrName whether they have all columns; with incidents: api whether incidents can be read and written. Sends no row and changes nothing. What
 * comes after a failed step is left out, since it would fail as well.
 */
export async function check(options: Config, context: Context): Promise<readonly Check[]> {
  const access = azureAccess(options, CLOUDS[options.cloud].scope);
  const checks = await checkIngestion(options, access, context);
  if (checks[0]?.ok === false) return checks;
  return [
    ...checks,
    ...(options.dcrName === undefined ? [] : [await checkStreams(options, context)]),
    ...(options.incidents === "rule" ? [] : await checkIncidents(options, context)),
  ];
}

async function checkIngestion(options: Config, access: Access, context: Context): Promise<readonly Check[]> {
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
  const whom = options.clientId === undefined ? "the machine's identity" : `client ${options.clientId}`;
  const checks: Check[] = [{ name: "token", ok: true, message: `Microsoft Entra ID gave a token for ${whom}` }];

  const reach = await failureOf(postRows(options, options.stream, undefined, NO_ROWS, context));
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

  const write = await failureOf(postRows(options, options.stream, token, NO_ROWS, context));
  if (write instanceof Failure) return [...checks, { name: "rule", ok: false, message: write.message, fix: "try again" }];
  const rule = ruleCheck(options, write.answer);
  return rule.ok ? [...checks, rule, await eventCheck(options, token, context)] : [...checks, rule];
}

/** An empty array is accepted, or refused for being empty: both come after the checks of access and stream. */
function isThere({ status }: Answer, code: string | undefined): boolean {
  return status === 204 || (status === 400 && code !== "InvalidStream");
}

function ruleCheck(options: Config, answer: Answer): Check {
  const { status } = answer;
  const code = errorCode(answer);
  const said = `the rule answers ${status}${code === undefined ? "" : ` (${code})`}`;
  const failed = (message: string, fix: string): Check => ({ name: "rule", ok: false, message, fix });
  if (isThere(answer, code)) return { name: "rule", ok: true, message: `${said}: access is granted and the stream exists` };
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

/** Supporting events are optional, so a rule without their streams is no fault; a request that cannot be answered is. */
async function eventCheck(options: Config, token: string, context: Context): Promise<Check> {
  const absent: string[] = [];
  for (const table of Object.keys(TABLES) as TableName[]) {
    if (table === "alert") continue;
    const stream = streamOf(table, options.stream);
    const probe = await failureOf(postRows(options, stream, token, NO_ROWS, context));
    if (probe instanceof Failure) return { name: "events", ok: false, message: probe.message, fix: "try again" };
    if (!isThere(probe.answer, errorCode(probe.answer))) absent.push(stream);
  }
  if (absent.length === 0) return { name: "events", ok: true, message: "the rule has the streams of all supporting events" };
  return { name: "events", ok: true, message: `events for ${absent.join(", ")} cannot be sent: the rule has no such stream (optional)` };
}

async function failureOf<T>(attempt: Promise<T>): Promise<T | Failure> {
  try {
    return await attempt;
  } catch (error) {
    if (error instanceof Failure) return error;
    throw error;
  }
}
