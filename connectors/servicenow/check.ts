/** What can be found out by reading. */
import { Failure } from "../../src/core/errors.ts";
import type { Check } from "../../src/ports/connector.ts";
import type { Context } from "../../src/ports/context.ts";
import { resultsOf } from "./answers.ts";
import type { Config } from "./config.ts";
import { request } from "./request.ts";

/** The credential by a look at its own user, and the table by a look at one record of it. */
export async function check(options: Config, context: Context): Promise<readonly Check[]> {
  const me = options.username === undefined ? "" : `&sysparm_query=${encodeURIComponent(`user_name=${options.username}`)}`;
  const user = await look("credential", `/api/now/table/sys_user?sysparm_limit=1&sysparm_fields=sys_id${me}`, options, context);
  if (!user.ok) return [user];
  if (options.api === "incidents") {
    const table = await look(
      "table",
      `/api/now/table/${options.table}?sysparm_limit=1&sysparm_fields=sys_id,correlation_id`,
      options,
      context,
    );
    return [user, table];
  }
  return [
    user,
    { name: "role", ok: true, message: "not checked: whether the user has evt_mgmt_integration shows only when an event is sent" },
  ];
}

async function look(name: string, path: string, options: Config, context: Context): Promise<Check> {
  try {
    const found = resultsOf(await request("GET", path, undefined, options, context), context.clock.now());
    return { name, ok: true, message: found.length > 0 ? "can be read" : "is answered; nothing there can be read" };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { name, ok: false, message: error.message, fix: fixFor(error, name) };
  }
}

function fixFor({ code }: Failure, name: string): string {
  switch (code) {
    case "HTTP_UNREACHABLE":
    case "HTTP_TIMEOUT":
      return "check url, DNS, firewall and proxy";
    case "HTTP_DENIED":
      return name === "table"
        ? "give the user a role that reads and writes the table, e.g. itil"
        : "check username and password, or renew the token";
    case "HTTP_THROTTLED":
    case "HTTP_UNAVAILABLE":
      return "try again in a minute";
    case "HTTP_MALFORMED":
      return "open the instance in a browser: one that hibernates wakes up; look for a proxy that answers instead";
    default:
      return name === "table" ? "check the table's name and that its plugin is active" : "check url";
  }
}
