/** Health, token, acknowledgement and index, as far as they can be known without writing. */
import { exchangeWithin } from "../../src/archetypes/deadline.ts";
import { answerObject, type Answer } from "../../src/archetypes/http-exchange.ts";
import type { Check } from "../../src/ports/connector.ts";
import type { Context } from "../../src/ports/context.ts";
import { askAcks, channelAt } from "./acks.ts";
import { CODE_VERDICTS, codeOf } from "./answers.ts";
import type { Config } from "./config.ts";
import { post } from "./post.ts";

/** Of 1970: a channel that no event was ever sent through, so that asking takes nobody's answer away. */
const CHECK_TIME = 0;

const TOKEN_FIX = "create or enable a HEC token (Settings, Data inputs, HTTP Event Collector) and put it into the referenced secret";

/** Health needs no credential; the rest is asked only where something answers. */
export async function check(settings: Config, context: Context): Promise<readonly Check[]> {
  const health = await exchangeWithin(
    { peer: "Splunk", method: "GET", url: `${settings.url}/services/collector/health`, headers: {} },
    context,
    settings.timeoutMs,
  ).catch(messageOf);
  if (typeof health === "string")
    return [
      {
        name: "reach",
        ok: false,
        message: health,
        fix: "check host, port and firewall; for a certificate of your own set tls: { ca: FILE } to that of its authority",
      },
    ];
  const channel = channelAt(settings.channel, CHECK_TIME);
  // HEC checks the token before it misses the data.
  const token = tokenCheck(await post("", channel, settings, context).catch(messageOf));
  const acks = token.ok ? [ackCheck(await askAcks(channel, undefined, [0], settings, context).catch(messageOf), settings)] : [];
  return [healthCheck(health), token, ...acks, await indexCheck(settings, context)];
}

function healthCheck(answer: Answer): Check {
  const code = answerObject(answer)?.["code"];
  if (answer.status === 200 && code === 17) return { name: "reach", ok: true, message: "HEC is up (code 17)" };
  if (answer.status === 200 && (code === 24 || code === 25))
    return { name: "reach", ok: true, message: `HEC is up and fills up (code ${code}): deliveries slow down` };
  if (answer.status === 503 && typeof code === "number")
    return {
      name: "reach",
      ok: false,
      message: `HEC says that it is unhealthy (code ${code}: ${CODE_VERDICTS.get(code)?.[2] ?? "unknown"})`,
      fix: "look at the indexer's queues; deliveries wait until it recovers",
    };
  const known = codeOf(answer);
  if (known === 21 || known === 22) return { name: "reach", ok: false, message: told(known), fix: TOKEN_FIX };
  return {
    name: "reach",
    ok: false,
    message: `HTTP ${answer.status}: this is not the HTTP Event Collector`,
    fix: "use the collector's own port (8088, Splunk Cloud 443 on http-inputs-…), not Splunk Web or the management port, and enable HEC in its global settings",
  };
}

function tokenCheck(answer: Answer | string): Check {
  if (typeof answer === "string")
    return { name: "token", ok: false, message: answer, fix: "check the connection; the health endpoint did answer" };
  const code = codeOf(answer);
  if (code === 5) return { name: "token", ok: true, message: "the token is valid (an empty request was refused for being empty)" };
  return {
    name: "token",
    ok: false,
    message: code === undefined ? `HTTP ${answer.status} to an empty request` : told(code),
    fix: TOKEN_FIX,
  };
}

function ackCheck(answer: Answer | string, { acknowledge }: Config): Check {
  const name = "acknowledgement";
  const code = typeof answer === "string" ? undefined : codeOf(answer);
  if (code === 14)
    return acknowledge
      ? {
          name,
          ok: false,
          message: "the token has no indexer acknowledgement: what is taken counts as delivered",
          fix: "enable indexer acknowledgement for the token (useACK=true), or set acknowledge: false",
        }
      : { name, ok: true, message: "not enabled for the token and not asked for: what is taken counts as delivered" };
  if (typeof answer !== "string" && answer.status === 200 && typeof answerObject(answer)?.["acks"] === "object")
    return acknowledge
      ? { name, ok: true, message: "enabled for the token" }
      : { name, ok: true, message: "enabled for the token and not used: acknowledge: true would wait for the indexers" };
  const message = typeof answer === "string" ? answer : code === undefined ? `HTTP ${answer.status} to a question about it` : told(code);
  if (!acknowledge) return { name, ok: true, message: `not asked for; whether the token has it is not known (${message})` };
  return { name, ok: false, message, fix: "let /services/collector/ack through to the collector, as /services/collector/event is" };
}

/** An index can only be asked for at the management port: HEC tells when something is written, and a token without a list never. */
async function indexCheck(settings: Config, context: Context): Promise<Check> {
  const name = "index";
  const { index, management } = settings;
  if (management === undefined || index === undefined)
    return {
      name,
      ok: true,
      message:
        index === undefined
          ? "not checked: the token's default index is used"
          : "not checked: HEC tells whether a token may write to an index only when something is written (management would tell whether it exists)",
    };
  const answer = await exchangeWithin(
    {
      peer: "Splunk",
      method: "GET",
      url: `${management.url}/services/data/indexes/${index}?output_mode=json`,
      headers: { authorization: `Bearer ${management.token.reveal()}` },
    },
    context,
    settings.timeoutMs,
  ).catch(messageOf);
  if (typeof answer === "string") return { name, ok: false, message: answer, fix: "check management.url: host and management port (8089)" };
  if (answer.status === 401 || answer.status === 403)
    return {
      name,
      ok: false,
      message: `HTTP ${answer.status}: the management token was refused`,
      fix: "give management.token a valid authentication token of a user that may list indexes, or remove management",
    };
  if (answer.status === 404)
    return { name, ok: false, message: `the index ${index} does not exist`, fix: "create the index, or name one that exists" };
  const entry = (answerObject(answer)?.["entry"] as readonly { readonly content?: { readonly disabled?: unknown } }[] | undefined)?.[0];
  if (answer.status !== 200 || entry === undefined)
    return {
      name,
      ok: false,
      message: `HTTP ${answer.status}: this is not the management port`,
      fix: "check management.url: host and management port (8089)",
    };
  if (entry.content?.disabled === true) return { name, ok: false, message: `the index ${index} is disabled`, fix: "enable the index" };
  return { name, ok: true, message: `the index ${index} exists; whether the token may write to it shows when something is written` };
}

function told(code: number): string {
  const [status, , meaning] = CODE_VERDICTS.get(code)!;
  return `HEC ${status}/${code}: ${meaning}`;
}

function messageOf(error: unknown): string {
  if (error instanceof Error && error.name === "Failure") return error.message;
  throw error;
}
