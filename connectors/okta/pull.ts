/**
 * The System Log in polling mode: ascending, without `until`. Okta then follows the order in which it stored the
 * events, so that one stored late is not skipped, and gives a next link for ever.
 * https://developer.okta.com/docs/reference/system-log-query/#polling-requests
 */
import { linkOf, pageRecords, pinnedUrl, requestJson } from "../../src/archetypes/http-pages.ts";
import { Failure } from "../../src/core/errors.ts";
import type { EpochMs } from "../../src/core/event.ts";
import { asObject, parseTime } from "../../src/core/record.ts";
import type { Cursor, Page, Source } from "../../src/ports/connector.ts";
import type { Context } from "../../src/ports/context.ts";
import type { Config } from "./config.ts";

/** The one path that is asked, and that links may lead to. */
const PATH = "/api/v1/logs";
/** Okta's largest page: https://developer.okta.com/docs/api/openapi/okta-management/management/tag/SystemLog/ */
const PAGE_MAX = 1000;
/** Longest cursor that is kept: the contract of cursors has 4096 bytes, and a link is ASCII. */
const CURSOR_MAX = 4000;

/** A source that follows the next links of the System Log; the cursor is the link's path and query. */
export function oktaSource(config: Config): Source {
  return {
    async pull(cursor, context) {
      const asked = context.clock.now();
      // Stored before anything is asked: a start that moved with the clock until the first answer would leave out what an
      // outage takes from the backfill.
      if (cursor === null) return { records: [], rejects: [], next: firstCursor(config, asked), more: true, completeTo: null };
      const current = checked(cursor);
      const answer = await requestJson(
        { url: new URL(current, config.url).href, headers: authorization(config), retryAfterMs: rateLimitWait },
        context,
      );
      if (!Array.isArray(answer.body)) {
        throw new Failure("the answer is not a list of events", { kind: "retryable", code: "HTTP_MALFORMED", scope: "connector" });
      }
      const items = answer.body as readonly unknown[];
      const { records, rejects } = pageRecords(items, answer.text, place(current));
      const link = linkOf(answer.headers["link"], "next");
      // A full page means that more waits. A page that is not full is the present: asking once more would only cost quota.
      const full = items.length >= PAGE_MAX;
      return {
        records,
        rejects,
        next: link === undefined ? current : nextCursor(link, config.url),
        more: full && link !== undefined,
        completeTo: full ? null : completeTo(items, asked) - config.settle,
      } satisfies Page;
    },
  };
}

/**
 * An empty page proves the present. A short one proves only its newest event: nothing in Okta's contract says that
 * a short page is the last.
 */
function completeTo(items: readonly unknown[], asked: EpochMs): EpochMs {
  let newest = items.length === 0 ? asked : 0;
  for (const item of items) newest = Math.max(newest, parseTime(asObject(item)?.["published"]) ?? 0);
  return Math.min(newest, asked);
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

function firstCursor(config: Config, now: EpochMs): Cursor {
  const since = new Date(now - config.backfill).toISOString();
  return `${PATH}?since=${encodeURIComponent(since)}&sortOrder=ASCENDING&limit=${PAGE_MAX}`;
}

/** Only what this source itself made: a cursor decides where the credential goes. */
function checked(cursor: Cursor): Cursor {
  if (cursor.startsWith(`${PATH}?`) && cursor.length <= CURSOR_MAX && /^[\x21-\x7e]+$/.test(cursor)) return cursor;
  throw new Failure("the stored cursor is not a link of the System Log; remove the source's state to start again", {
    kind: "permanent",
    code: "CURSOR_INVALID",
    scope: "connector",
  });
}

function nextCursor(link: string, base: string): Cursor {
  const url = new URL(pinnedUrl(link, base));
  if (url.pathname !== PATH) {
    throw new Failure("the link to the next page leaves the System Log", { kind: "permanent", code: "HTTP_MALFORMED", scope: "connector" });
  }
  return `${PATH}${url.search}`;
}

/** A page's place for the quarantine: its query, which holds times and Okta's own position. */
function place(cursor: Cursor): string {
  return cursor.slice(PATH.length + 1, PATH.length + 301);
}

/** Asks for one event, to see whether the credential is good. @throws {Failure} as a pull */
export async function probe(config: Config, context: Context): Promise<number> {
  const url = new URL(`${PATH}?limit=1`, config.url).href;
  const answer = await requestJson({ url, headers: authorization(config), retryAfterMs: rateLimitWait }, context);
  return Array.isArray(answer.body) ? answer.body.length : -1;
}
