/**
 * Indexer acknowledgement (help.splunk.com, "About HTTP Event Collector Indexer Acknowledgment"): a request gets an id, unique within
 * the node and the channel; whether it is indexed is asked for later. A true answer is given once, and false may mean "not yet",
 * "unknown", "expired" or "failed", so only time tells these apart: the pipeline sends again what stays unconfirmed.
 */
import { exchangeWithin } from "../../src/archetypes/deadline.ts";
import { answerObject, connectorFailure, type Answer } from "../../src/archetypes/http-exchange.ts";
import { Failure } from "../../src/core/errors.ts";
import type { EpochMs } from "../../src/core/event.ts";
import { asObject } from "../../src/core/record.ts";
import { TICKET_MAX, type Outcome, type Ticket } from "../../src/ports/connector.ts";
import type { Context } from "../../src/ports/context.ts";
import { codeFailure, codeOf, statusFailure } from "./answers.ts";
import type { Config } from "./config.ts";

/** Channels and nodes that are asked at once; others are asked next time. Five minutes have 31 channels. */
const ASKED_AT_ONCE_MAX = 32;
/** A cookie that fits into a ticket beside channel and id. */
const COOKIE_MAX = TICKET_MAX - 100;
/** How long requests share a channel: less than any Splunk needs to start again. */
const CHANNEL_MS = 10_000;
/** What RFC 6265 lets a cookie's value be. */
const COOKIE_VALUE = /^[!#-+\--:<-[\]-~]+$/;
const TICKET = /^([0-9a-f-]{36}) (\d{1,16})(?: (\S+))?$/;
const ACK_DISABLED = 14;

/** Where a request went and what it is asked for by. */
interface Question {
  readonly channel: string;
  readonly id: number;
  readonly cookie: string | undefined;
}

/**
 * The channel of requests at a time: the configured one, its last group the number of the ten seconds since 1970. A node that lost its
 * memory counts ids from zero again, and a true for a later request's id would pass for an earlier one's that is lost: so the two must
 * not share a channel. Channels that nobody uses are removed by Splunk after ten minutes (`maxIdleTime`).
 */
export function channelAt(base: string, now: EpochMs): string {
  return `${base.slice(0, -12)}${Math.floor(now / CHANNEL_MS)
    .toString(16)
    .padStart(12, "0")}`.toLowerCase();
}

/** The ticket of a request that was taken. `cookieName`: the load balancer's, whose value in the answer leads back to the node. */
export function ticketFor(answer: Answer, channel: string, id: number, cookieName: string | undefined): string {
  const cookie = cookieName === undefined ? undefined : cookieIn(answer.header("set-cookie") ?? "", cookieName);
  return cookie === undefined ? `${channel} ${id}` : `${channel} ${id} ${cookie}`;
}

function cookieIn(header: string, name: string): string | undefined {
  for (const line of header.split("\n")) {
    const [pair = ""] = line.split(";");
    const at = pair.indexOf("=");
    const value = pair.slice(at + 1).trim();
    if (at > 0 && pair.slice(0, at).trim() === name && value.length <= COOKIE_MAX && COOKIE_VALUE.test(value)) return value;
  }
  return undefined;
}

/** What became of tickets: one request for each channel and node. @throws {Failure} scope connector, when none could be asked */
export async function confirm(tickets: readonly Ticket[], settings: Config, context: Context): Promise<readonly Outcome[]> {
  const waits: Outcome[] = tickets.map(({ ticket }) => ({ status: "accepted", ticket, askAfterMs: settings.ackEveryMs }));
  const outcomes = [...waits];
  const groups = new Map<string, { readonly question: Question; readonly places: { readonly id: number; readonly index: number }[] }>();
  for (const [index, { ticket }] of tickets.entries()) {
    const question = questionOf(ticket);
    if (question === undefined) outcomes[index] = lost("its ticket is not one of the collector's");
    else {
      const key = `${question.channel} ${question.cookie ?? ""}`;
      const group = groups.get(key) ?? { question, places: [] };
      group.places.push({ id: question.id, index });
      groups.set(key, group);
    }
  }
  const asked = [...groups.values()].slice(0, ASKED_AT_ONCE_MAX);
  const failures: unknown[] = [];
  const ask = async ({ question, places }: (typeof asked)[number]): Promise<void> => {
    try {
      const acks = await ackStatus(question, [...new Set(places.map(({ id }) => id))], settings, context);
      for (const { id, index } of places) outcomes[index] = outcomeOf(acks, id, waits[index]!);
    } catch (error) {
      failures.push(error);
    }
  };
  await Promise.all(asked.map(ask));
  if (failures.length === 0) return outcomes;
  if (failures.length === asked.length) throw failures[0];
  // What the others said is said once: it must not be lost with those that said nothing.
  const [first] = failures;
  context.log.warn(
    { failed: failures.length, of: asked.length, error: first instanceof Failure ? first.message : "unexpected" },
    "acknowledgements not read",
  );
  return outcomes;
}

function outcomeOf(acks: ReadonlyMap<string, boolean> | undefined, id: number, wait: Outcome): Outcome {
  if (acks === undefined) return lost("acknowledgement was disabled for the token before it was given");
  return acks.get(String(id)) === true ? { status: "delivered", receipt: `hec:ack:${id}` } : wait;
}

function lost(message: string): Outcome {
  return { status: "failed", kind: "retryable", code: "DESTINATION_CONFIG", message: `not confirmed: ${message}` };
}

function questionOf(ticket: string): Question | undefined {
  const [, channel, id, cookie] = TICKET.exec(ticket) ?? [];
  if (channel === undefined || id === undefined || !Number.isSafeInteger(Number(id))) return undefined;
  return cookie !== undefined && !COOKIE_VALUE.test(cookie) ? undefined : { channel, id: Number(id), cookie };
}

/** By id; undefined when the token has no acknowledgement. @throws {Failure} scope connector */
async function ackStatus(
  { channel, cookie }: Question,
  acks: readonly number[],
  settings: Config,
  context: Context,
): Promise<ReadonlyMap<string, boolean> | undefined> {
  const answer = await askAcks(channel, cookie, acks, settings, context);
  const told = asObject(answerObject(answer)?.["acks"]);
  if (answer.status === 200 && told !== undefined) return new Map(Object.entries(told).map(([id, is]) => [id, is === true]));
  const code = codeOf(answer);
  if (code === ACK_DISABLED) return undefined;
  const now = context.clock.now();
  if (answer.status === 200) throw connectorFailure("retryable", "HTTP_MALFORMED", "HTTP 200 without the acknowledgements asked for");
  const failure = code === undefined ? statusFailure(answer, settings.url, now) : codeFailure(answer, code, now);
  // No delivery is at fault when a question is refused.
  throw failure.scope === "connector" ? failure : connectorFailure("permanent", failure.code, failure.message);
}

/** Asks a channel about ids, once. */
export async function askAcks(
  channel: string,
  cookie: string | undefined,
  acks: readonly number[],
  settings: Config,
  context: Context,
): Promise<Answer> {
  return await exchangeWithin(
    {
      peer: "Splunk",
      url: `${settings.url}/services/collector/ack?channel=${channel}`,
      headers: {
        authorization: `Splunk ${settings.token.reveal()}`,
        "content-type": "application/json",
        ...(cookie === undefined || settings.stickyCookie === undefined ? {} : { cookie: `${settings.stickyCookie}=${cookie}` }),
      },
      body: JSON.stringify({ acks }),
    },
    context,
    settings.timeoutMs,
  );
}
