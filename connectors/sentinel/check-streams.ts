/** Whether the data collection rule has what is sent: a column that it does not declare is dropped, and nobody is told. */
import { answerObject } from "../../src/archetypes/http-exchange.ts";
import { Failure } from "../../src/core/errors.ts";
import { asObject, type Json } from "../../src/core/record.ts";
import type { Check } from "../../src/ports/connector.ts";
import type { Context } from "../../src/ports/context.ts";
import { azureAccess } from "./access.ts";
import { CLOUDS, type Config } from "./config.ts";
import { askManagement, groupUrl } from "./incident-api.ts";
import { errorCode } from "./responses.ts";
import { streamOf, TABLES, type TableName } from "./tables.ts";

const VERSION = "2023-03-11";
/** As many columns are named; the rest is counted. */
const NAMED_MAX = 10;
const name = "streams";

/** Reads the rule; one that may not be read is no fault, since sending needs no such right. */
export async function checkStreams(options: Config, context: Context): Promise<Check> {
  try {
    const token = await azureAccess(options, `${CLOUDS[options.cloud].management}/.default`).token(context);
    const url = `${groupUrl(options) ?? ""}/providers/Microsoft.Insights/dataCollectionRules/${options.dcrName ?? ""}`;
    const answer = await askManagement("GET", { url, version: VERSION }, token, undefined, context);
    const said = `Azure answers ${answer.status}${errorCode(answer) === undefined ? "" : ` (${errorCode(answer)})`}`;
    if (answer.status === 401 || answer.status === 403)
      return { name, ok: true, message: `the rule cannot be read, so its columns were not compared: ${said}` };
    const rule = asObject(answerObject(answer)?.["properties"]);
    if (answer.status !== 200 || rule === undefined)
      return { name, ok: false, message: `the rule is not found: ${said}`, fix: "check dcrName and workspace.resourceGroup" };
    return compared(options, rule);
  } catch (error) {
    if (error instanceof Failure) return { name, ok: false, message: error.message, fix: "check managementEndpoint, cloud and firewall" };
    throw error;
  }
}

function compared(options: Config, rule: Json): Check {
  if (rule["immutableId"] !== options.dcrImmutableId)
    return { name, ok: false, message: "dcrName and dcrImmutableId are two different rules", fix: "take both from the same rule" };
  const streams = asObject(rule["streamDeclarations"]) ?? {};
  const missing = (Object.keys(TABLES) as TableName[]).flatMap((table) => {
    const stream = streamOf(table, options.stream);
    const declared = asObject(streams[stream])?.["columns"];
    // Streams of events are optional; one that is there must be whole.
    if (!Array.isArray(declared)) return [];
    const types = new Map(declared.map((column) => [asObject(column)?.["name"], asObject(column)?.["type"]]));
    return Object.entries(TABLES[table].columns)
      .filter(([column, type]) => types.get(column) !== type)
      .map(([column]) => `${stream}.${column}`);
  });
  if (missing.length === 0) return { name, ok: true, message: "the rule declares every column that is sent" };
  const rest = missing.length > NAMED_MAX ? ` and ${missing.length - NAMED_MAX} more` : "";
  return {
    name,
    ok: false,
    message: `the rule lacks columns, whose values are dropped, or has them with another type: ${missing.slice(0, NAMED_MAX).join(", ")}${rest}`,
    fix: "deploy the template of `custodes setup` again",
  };
}
