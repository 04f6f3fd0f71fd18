/** What can be found out without a message. */
import { exchangeWithin } from "../../src/archetypes/deadline.ts";
import { answerObject } from "../../src/archetypes/http-exchange.ts";
import { Failure } from "../../src/core/errors.ts";
import { asObject, type Json } from "../../src/core/record.ts";
import { safeText } from "../../src/core/safe-text.ts";
import type { Check } from "../../src/ports/connector.ts";
import type { Context } from "../../src/ports/context.ts";
import { webhookAddress } from "./address.ts";
import { PEER } from "./answers.ts";
import { HOSTS, type Config } from "./config.ts";

const ANSWER_MS = 30_000;
const NAME_MAX = 100;

/** Token, scope and channel; of a webhook that it is there, by an empty message that it refuses. */
export async function check(options: Config, context: Context): Promise<readonly Check[]> {
  return options.webhookUrl === undefined ? await botChecks(options, context) : [await webhookCheck(options, context)];
}

interface Asked {
  readonly body: Json;
  readonly scopes: string | undefined;
}

async function ask(path: string, options: Config, context: Context): Promise<Asked | string> {
  const url = `${options.endpoint ?? HOSTS[options.workspace].api}/api/${path}`;
  const headers = { authorization: `Bearer ${options.token?.reveal() ?? ""}` };
  try {
    const answer = await exchangeWithin({ peer: PEER, method: "GET", url, headers }, context, ANSWER_MS);
    const body = answer.status === 200 ? answerObject(answer) : undefined;
    return body === undefined ? `${PEER} answered ${answer.status}` : { body, scopes: answer.header("x-oauth-scopes") };
  } catch (error) {
    if (error instanceof Failure) return error.message;
    throw error;
  }
}

const short = (value: unknown): string => (typeof value === "string" ? safeText(value, NAME_MAX) : "unknown");

async function botChecks(options: Config, context: Context): Promise<readonly Check[]> {
  const auth = await ask("auth.test", options, context);
  if (typeof auth === "string")
    return [{ name: "token", ok: false, message: auth, fix: "check DNS, firewall and proxy for slack.com, port 443" }];
  if (auth.body["ok"] !== true)
    return [
      {
        name: "token",
        ok: false,
        message: `${PEER} answered ${short(auth.body["error"])}`,
        fix: "install the app in the workspace and copy its Bot User OAuth Token (xoxb-…)",
      },
    ];
  const scopes = auth.scopes?.split(",").map((one) => one.trim());
  const may = scopes === undefined || scopes.includes("chat:write");
  const token: Check = may
    ? { name: "token", ok: true, message: `${short(auth.body["user"])} in ${short(auth.body["team"])}` }
    : {
        name: "token",
        ok: false,
        message: "the token lacks the scope chat:write",
        fix: "add the bot token scope chat:write and install the app again",
      };
  return [token, await channelCheck(options, context)];
}

async function channelCheck(options: Config, context: Context): Promise<Check> {
  const name = "channel";
  const info = await ask(`conversations.info?channel=${options.channel ?? ""}`, options, context);
  const no = (message: string, fix: string): Check => ({ name, ok: false, message, fix });
  if (typeof info === "string") return no(info, "try again in a minute");
  const error = info.body["error"];
  if (error === "missing_scope") return { name, ok: true, message: "not checked: that would need the scope channels:read or groups:read" };
  if (info.body["ok"] !== true)
    return no(`${PEER} answered ${short(error)}`, "copy the channel's id from its details, and invite the bot: /invite @name");
  const channel = asObject(info.body["channel"]);
  if (channel?.["is_archived"] === true) return no("the channel is archived", "unarchive it or choose another one");
  if (channel?.["is_member"] === false) return no("the bot is not in the channel", "invite it: /invite @name");
  return { name, ok: true, message: `#${short(channel?.["name"])}` };
}

/** An empty message is refused before anything is posted; a webhook that is gone says so first (observed, not documented). */
async function webhookCheck(options: Config, context: Context): Promise<Check> {
  const name = "webhook";
  try {
    const url = webhookAddress(options);
    const answer = await exchangeWithin(
      { peer: PEER, url, headers: { "content-type": "application/json" }, body: "{}" },
      context,
      ANSWER_MS,
    );
    const text = answer.text.trim();
    if (answer.status === 400 && (text === "no_text" || text === "invalid_payload"))
      return { name, ok: true, message: "the webhook is there; which channel it posts to cannot be asked" };
    return {
      name,
      ok: false,
      message: `${PEER} answered ${answer.status}`,
      fix: "make a new incoming webhook for the channel and put its address into the referenced secret",
    };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return {
      name,
      ok: false,
      message: error.message,
      fix: "check what the secret holds, and DNS, firewall and proxy for hooks.slack.com, port 443",
    };
  }
}
