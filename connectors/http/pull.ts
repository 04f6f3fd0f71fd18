/**
 * Generic pull: windows of time, pages within, or pages alone. A window is over when its pages are, and only then is time
 * proven; the next one reaches back by `overlap`, and records that it brings again are left out as far as they are remembered.
 */
import { linkOf, pageRecords, requestJson, vendorNow, withClock, type HttpAnswer } from "../../src/archetypes/http-pages.ts";
import { Failure } from "../../src/core/errors.ts";
import type { FoundGap } from "../../src/core/completeness/gap.ts";
import type { EpochMs } from "../../src/core/event.ts";
import { asObject, canonicalJson, recordTime } from "../../src/core/record.ts";
import type { Located, Page, Source } from "../../src/ports/connector.ts";
import type { Context } from "../../src/ports/context.ts";
import { authorizer, type Authorizer } from "./auth.ts";
import type { Config } from "./config.ts";
import { decodeState, encodeState, NEW_CHAIN, NEW_RUN, NEXT_MAX, SEEN_MAX, type PullState } from "./cursor.ts";
import { idOf } from "./normalize.ts";
import { valueAt } from "./path.ts";
import { callOf, storableLink } from "./request.ts";
import { addPage, dueRun, endRun } from "./runs.ts";
import { connect, rewound, type Numbered } from "./sequence.ts";

/** Pages of one window, or of one chain without windows: a vendor whose paging runs in circles must not run for ever. */
const PAGES_MAX = 10_000;

/** The source of a configuration. */
export function httpSource(config: Config): Source {
  const authorize = authorizer(config.auth);
  return {
    async pull(cursor, context) {
      const now = context.clock.now();
      const stored = cursor === null ? undefined : decodeState(cursor);
      // Stored before anything is asked: a first window that moved with the clock until the first answer would leave out
      // what an outage takes from the backfill.
      if (config.window !== undefined && (stored === undefined || stored.from === null))
        return { ...NOTHING, next: encodeState(firstState(config, now)), more: true };
      const { state, lost } = resumed(config, stored ?? firstState(config, now), now);
      if (lost !== undefined) return { ...NOTHING, next: encodeState({ ...state, to: null }), more: true, gaps: [lost] };
      // The window has not begun yet: the last one ended less than `lag` ago.
      if (state.from !== null && state.to !== null && state.to <= state.from) {
        const idle = { ...state, to: null };
        const due = config.window === undefined ? undefined : dueRun({ ...config, window: config.window }, idle, now - config.lag, now);
        return { ...NOTHING, next: encodeState(due ?? idle), more: due !== undefined };
      }
      const answer = await ask(config, authorize, state, context);
      return await pageOf(config, state, answer, now);
    },
  };
}

const NOTHING = { records: [], rejects: [], completeTo: null };

function firstState({ window, lag, check }: Config, now: EpochMs): PullState {
  const from = window === undefined ? null : now - lag - window.backfill;
  const to = window === undefined || from === null ? null : Math.min(from + window.max, now - lag);
  const checked = window === undefined || from === null ? null : ([from, now + window.recheck] as const);
  const chain = check?.sequence === undefined ? null : NEW_CHAIN;
  return { from, to, next: null, pages: 0, seen: [], run: NEW_RUN, again: [], checked, chain };
}

/** A window that waits for its end gets the end that is possible now; what the vendor has deleted meanwhile is lost. */
function resumed(config: Config, state: PullState, now: EpochMs): { readonly state: PullState; readonly lost: FoundGap | undefined } {
  const { window, lag, check } = config;
  const chain = check?.sequence === undefined ? null : (state.chain ?? NEW_CHAIN);
  if (window === undefined) return { state: { ...state, from: null, to: null, chain }, lost: undefined };
  if (state.to !== null || state.from === null) return { state, lost: undefined };
  const kept = window.retention === undefined ? -Infinity : now - window.retention;
  // The overlap reaches back into what has been read: only what lies after it is lost.
  const unread = state.from + window.overlap;
  const from = Math.max(state.from, kept);
  const checked = state.checked ?? ([from, now + window.recheck] as const);
  const next = { ...state, from, to: Math.min(from + window.max, now - lag), checked };
  if (kept <= unread) return { state: next, lost: undefined };
  const detail = "the vendor keeps records for a shorter time than the source was away";
  return { state: next, lost: { from: unread, to: kept, why: "retention", detail, state: "lost" } };
}

async function ask(config: Config, authorize: Authorizer, state: PullState, context: Context): Promise<HttpAnswer> {
  const call = callOf(config, state);
  const headers = { ...call.headers, ...(await authorize.headers(context)) };
  try {
    return await requestJson({ ...call, headers }, context);
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== "HTTP_DENIED" || !authorize.refused()) throw error;
    throw new Failure("the access token was refused; the next pull asks for a new one", {
      kind: "retryable",
      code: "HTTP_DENIED",
      scope: "connector",
    });
  }
}

async function pageOf(config: Config, state: PullState, answer: HttpAnswer, now: EpochMs): Promise<Page> {
  const items = itemsOf(config, answer.body);
  const place = `${new URL(config.url).pathname}#${state.from ?? ""}:${state.pages + 1}`;
  const { records, rejects } = pageRecords(items, answer.text, place);
  const following = nextOf(config, state, answer, items.length);
  // A record that changed between two pages is still one: what tells records apart is what makes them events.
  const hashes = await Promise.all(items.map(async (item) => await hashOf(idOf(item, config.map.uid) ?? item)));
  const { fresh, seen } = await withoutSeen(config, state, records);
  const connected = state.chain === null ? undefined : connect(state.chain, numbered(config, records), state.next, config.lag, now);
  const found = { ...(connected === undefined ? {} : { gaps: connected.gaps, covered: connected.covered }), records: fresh, rejects };
  const read = { ...state, seen, run: addPage(config, state.run, answer.body, hashes), chain: connected?.chain ?? null };
  // Some vendors give a new cursor with every answer: without a window an empty page is the end, and its cursor the next start.
  const caughtUp = config.window === undefined && items.length === 0;
  if (following !== undefined && !caughtUp) {
    if (state.pages + 1 >= PAGES_MAX) throw malformed(`paging goes on after ${PAGES_MAX} pages`);
    return { ...found, next: encodeState({ ...read, next: following, pages: state.pages + 1 }), more: true, completeTo: null };
  }
  const end = { ...read, next: lastOf(config, state, following, items.length) };
  const over = { ...found, ...ended(config, end, vendorNow(answer.headers, now) - config.lag, now) };
  return { ...over, ...withClock(over, answer.headers, now, config.lag) };
}

/** Records with their numbers, as far as they have one and a time. */
function numbered({ check, map }: Config, records: readonly Located[]): Numbered[] {
  return records.flatMap(({ record }) => {
    const number = Number(valueAt(record, check?.sequence ?? ""));
    const time = timeOf(record, map.time);
    return Number.isSafeInteger(number) && time !== undefined ? [{ number, time }] : [];
  });
}

/** Where a chain that ended goes on. */
function lastOf({ paging }: Config, state: PullState, following: string | number | undefined, count: number): string | number | null {
  if (paging.type !== "page") return following ?? state.next;
  // An empty page comes after one that may have been short: what is new joins that one first.
  const page = Number(state.next ?? paging.first);
  return count === 0 ? Math.max(page - 1, paging.first) : page;
}

/** What follows the last page of a window or chain. `proven`: up to there the vendor can have shown everything. */
function ended(
  config: Config,
  state: PullState,
  proven: EpochMs,
  now: EpochMs,
): Pick<Page, "next" | "more" | "completeTo" | "gaps" | "covered"> {
  const { window } = config;
  const { from, to } = state;
  if (window === undefined || from === null || to === null) {
    const again = state.chain === null ? undefined : rewound(state.chain, now);
    if (again !== undefined) return { next: encodeState({ ...state, ...again, pages: 0 }), more: true, completeTo: null };
    // A chain goes on where it ended: its last page is asked for again until it has a successor.
    // The page that had the last number: the cursor that it gave may lead past what comes next.
    const last = state.chain === null || state.chain.last === null ? state.next : state.chain.previous;
    const next = config.paging.type === "none" ? null : last;
    return { next: encodeState({ ...state, next, pages: 0, run: NEW_RUN }), more: false, completeTo: proven };
  }
  const { state: following, ...page } = endRun({ ...config, window }, { ...state, from, to }, proven, now);
  return { ...page, next: encodeState(following) };
}

function itemsOf({ records, emptyWhenMissing }: Config, body: unknown): readonly unknown[] {
  const found = valueAt(body, records);
  if (Array.isArray(found)) return found as readonly unknown[];
  if (found === null || (found === undefined && emptyWhenMissing)) return [];
  if (asObject(found) !== undefined && records !== "") return [found];
  throw malformed(records === "" ? "the answer is not a list" : `the answer has no list at ${records}`);
}

/** Where the next page is; undefined after the last one. */
function nextOf(config: Config, state: PullState, answer: HttpAnswer, count: number): string | number | undefined {
  const { paging } = config;
  switch (paging.type) {
    case "none":
      return undefined;
    case "cursor": {
      const next = valueAt(answer.body, paging.path);
      if ((typeof next !== "string" && typeof next !== "number") || next === "" || next === state.next) return undefined;
      if (String(next).length > NEXT_MAX) throw malformed(`the cursor is longer than ${NEXT_MAX} characters`);
      return next;
    }
    case "next_link": {
      const link = paging.path === undefined ? linkOf(answer.headers["link"], "next") : valueAt(answer.body, paging.path);
      if (typeof link !== "string" || link === "") return undefined;
      const stored = storableLink(link, config);
      if (stored.length > NEXT_MAX) throw malformed(`the link is longer than ${NEXT_MAX} characters`);
      return stored === state.next ? undefined : stored;
    }
    case "page":
      return count === 0 || (paging.size !== undefined && count < paging.size) ? undefined : Number(state.next ?? paging.first) + 1;
  }
}

/** Leaves out what the overlap or a page that is read again brings again, and remembers the newest records. */
async function withoutSeen(
  config: Config,
  state: PullState,
  records: readonly Located[],
): Promise<{ readonly fresh: readonly Located[]; readonly seen: readonly string[] }> {
  const known = new Set(state.seen);
  const keys = await Promise.all(records.map(async ({ record }) => await hashOf(record)));
  const fresh = records.filter((_, index) => !known.has(keys[index] ?? ""));
  if (state.run.kind !== "main") return { fresh, seen: state.seen };
  const remembered = config.window === undefined ? keys : keys.filter((_, index) => inOverlap(config, state, records[index]?.record));
  return { fresh, seen: [...new Set([...state.seen, ...remembered].toReversed())].slice(0, SEEN_MAX).toReversed() };
}

/** Only records of the window's end can come again. */
function inOverlap({ window, map }: Config, { to }: PullState, record: unknown): boolean {
  if (window === undefined || to === null) return false;
  // Without a usable time nothing is known; the normalizer says what is wrong with the record.
  return (timeOf(record, map.time) ?? Infinity) >= to - window.overlap;
}

function timeOf(record: unknown, path: string): EpochMs | undefined {
  try {
    return recordTime(valueAt(record, path), Number.MAX_SAFE_INTEGER / 2);
  } catch (error) {
    if (error instanceof Failure) return undefined;
    throw error;
  }
}

async function hashOf(record: unknown): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(canonicalJson(record)));
  return btoa(String.fromCharCode(...new Uint8Array(digest).subarray(0, 9)));
}

function malformed(message: string): Failure {
  return new Failure(message, { kind: "retryable", code: "HTTP_MALFORMED", scope: "connector" });
}
