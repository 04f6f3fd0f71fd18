/**
 * The System Log in polling mode: ascending, without `until`. Okta then follows the order in which it stored the
 * events, so that one stored late is not skipped, and gives a next link for ever.
 * https://developer.okta.com/docs/reference/system-log-query/#polling-requests
 */
import { linkOf, pageRecords, pinnedUrl, requestJson, vendorNow, withClock } from "../../src/archetypes/http-pages.ts";
import { Failure } from "../../src/core/errors.ts";
import type { EpochMs } from "../../src/core/event.ts";
import { asObject, parseTime } from "../../src/core/record.ts";
import type { Page, Source } from "../../src/ports/connector.ts";
import type { Context } from "../../src/ports/context.ts";
import type { Config } from "./config.ts";
import { decodeState, encodeState, isLink, PATH, type LogState } from "./cursor.ts";

/** Okta's largest page: https://developer.okta.com/docs/api/openapi/okta-management/management/tag/SystemLog/ */
const PAGE_MAX = 1000;
/** So much of the log is read once more at a time. */
const STRETCH_MS = 3_600_000;

/** A source that follows the next links of the System Log. */
export function oktaSource(config: Config): Source {
  return {
    async pull(cursor, context) {
      const asked = context.clock.now();
      // Stored before anything is asked: a start that moved with the clock until the first answer would leave out what an
      // outage takes from the backfill.
      if (cursor === null) return { records: [], rejects: [], next: encodeState(firstState(config, asked)), more: true, completeTo: null };
      const state = decodeState(cursor, asked, config.recheck);
      const current = state.again?.link ?? state.link;
      const answer = await requestJson(
        { url: new URL(current, config.url).href, headers: authorization(config), retryAfterMs: rateLimitWait },
        context,
      );
      if (!Array.isArray(answer.body)) {
        throw new Failure("the answer is not a list of events", { kind: "retryable", code: "HTTP_MALFORMED", scope: "connector" });
      }
      const items = answer.body as readonly unknown[];
      const { records, rejects } = pageRecords(items, answer.text, place(current));
      const next = linkOf(answer.headers["link"], "next");
      const link = next === undefined ? undefined : nextLink(next, config.url);
      const { headers } = answer;
      const read = { items, link, headers, asked, now: vendorNow(headers, asked) };
      return { records, rejects, ...(state.again === null ? live(config, state, read) : again(config, state, state.again, read)) };
    },
  };
}

/** One answer, as far as it decides how to go on. */
interface Read {
  readonly items: readonly unknown[];
  readonly link: string | undefined;
  readonly headers: Parameters<typeof withClock>[1];
  readonly asked: EpochMs;
  /** The present of Okta's clock. */
  readonly now: EpochMs;
}

type Following = Omit<Page, "records" | "rejects">;

/** After a page of the live log. */
function live(config: Config, state: LogState, { items, link, headers, asked, now }: Read): Following {
  // A full page means that more waits. A page that is not full is the present: asking once more would only cost quota.
  const full = items.length >= PAGE_MAX;
  const newest = newestOf(items);
  if (full && (link === undefined || link === state.link)) {
    const from = state.stuck ?? newest ?? asked;
    const gaps = [{ from, to: asked, why: "paging" as const, detail: "a full page has no link to the next one" }];
    return { next: encodeState({ ...state, stuck: from }), more: false, completeTo: null, gaps };
  }
  // What lies far back and is read only now is read once more as long after as everything else.
  const due = oldestOf(items) < asked - config.recheck ? asked + config.recheck : state.due;
  const moved = { ...state, link: link ?? state.link, due };
  if (full) return { next: encodeState(moved), more: true, completeTo: null };
  const completeTo = (items.length === 0 ? now : Math.min(newest ?? 0, now)) - config.settle;
  const read = state.stuck === null ? {} : { covered: [{ from: state.stuck, to: Math.max(asked, completeTo) }] };
  const proven = withClock(read, headers, asked, config.settle);
  // Of what a wrong clock has not dated yet, a page under a right one tells that it is read.
  const following = startAgain(config, { ...moved, stuck: proven.gaps?.at(-1)?.from ?? null }, asked);
  return { next: encodeState(following), more: following.again !== null, completeTo, ...proven };
}

/** After a page of a stretch that is read once more. */
function again(config: Config, state: LogState, { to }: NonNullable<LogState["again"]>, read: Read): Following {
  const { items, link, headers, asked } = read;
  if (items.length >= PAGE_MAX && link !== undefined)
    return { next: encodeState({ ...state, again: { link, to } }), more: true, completeTo: null };
  const following = startAgain(config, { ...state, done: to, again: null }, asked);
  const proven = withClock({ covered: [{ from: state.done, to }] }, headers, asked, config.settle);
  return { next: encodeState(following), more: following.again !== null, completeTo: null, ...proven };
}

/** Begins to read the next stretch once more when it is due. */
function startAgain({ recheck }: Config, state: LogState, now: EpochMs): LogState {
  const to = state.done + STRETCH_MS;
  if (recheck === 0 || state.due > now || to > now - recheck) return state;
  const text = (time: EpochMs): string => encodeURIComponent(new Date(time).toISOString());
  // `until` is exclusive: https://developer.okta.com/docs/reference/system-log-query/#request-parameters
  const link = `${PATH}?since=${text(state.done)}&until=${text(to + 1)}&sortOrder=ASCENDING&limit=${PAGE_MAX}`;
  return { ...state, again: { link, to } };
}

/** The newest time of a page. Nothing in Okta's contract says that a short page is the last: it proves only so much. */
function newestOf(items: readonly unknown[]): EpochMs | undefined {
  const newest = timesOf(items).reduce((most, time) => Math.max(most, time), -Infinity);
  return newest === -Infinity ? undefined : newest;
}

function oldestOf(items: readonly unknown[]): EpochMs {
  return timesOf(items).reduce((least, time) => Math.min(least, time), Infinity);
}

function timesOf(items: readonly unknown[]): EpochMs[] {
  return items.flatMap((item) => parseTime(asObject(item)?.["published"]) ?? []);
}

/** The header that carries the credential, read anew at each request. */
function authorization(config: Config): Readonly<Record<string, string>> {
  return { authorization: `${config.scheme} ${config.apiToken.reveal()}` };
}

/**
 * Okta says in X-Rate-Limit-Reset, in epoch seconds of its own clock, when the budget is whole again; its Date header
 * is that clock. https://developer.okta.com/docs/reference/rl-best-practices/
 */
export function rateLimitWait(headers: Readonly<Record<string, string | undefined>>, now: EpochMs): number | undefined {
  const reset = headers["x-rate-limit-reset"]?.trim();
  if (reset === undefined || !/^\d{9,11}$/.test(reset)) return undefined;
  const sent = Date.parse(headers["date"] ?? "");
  const wait = Number(reset) * 1000 - (Number.isNaN(sent) ? now : sent);
  // The reset is in whole seconds and may name the one that has just begun.
  return Math.max(1000, wait);
}

function firstState(config: Config, now: EpochMs): LogState {
  const from = now - config.backfill;
  const since = encodeURIComponent(new Date(from).toISOString());
  const link = `${PATH}?since=${since}&sortOrder=ASCENDING&limit=${PAGE_MAX}`;
  return { link, done: from, due: now + config.recheck, again: null, stuck: null };
}

function nextLink(link: string, base: string): string {
  const url = new URL(pinnedUrl(link, base));
  const next = `${PATH}${url.search}`;
  if (url.pathname !== PATH || !isLink(next)) {
    throw new Failure("the link to the next page leaves the System Log", { kind: "permanent", code: "HTTP_MALFORMED", scope: "connector" });
  }
  return next;
}

/** A page's place for the quarantine: its query, which holds times and Okta's own position. */
function place(cursor: string): string {
  return cursor.slice(PATH.length + 1, PATH.length + 301);
}

/** Asks for one event, to see whether the credential is good. @throws {Failure} as a pull */
export async function probe(config: Config, context: Context): Promise<number> {
  const url = new URL(`${PATH}?limit=1`, config.url).href;
  const answer = await requestJson({ url, headers: authorization(config), retryAfterMs: rateLimitWait }, context);
  return Array.isArray(answer.body) ? answer.body.length : -1;
}
