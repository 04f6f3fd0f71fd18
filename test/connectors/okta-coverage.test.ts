/** What the pull of a System Log can prove missing, and how it gets it. */
import { expect, test } from "vitest";
import okta from "../../connectors/okta/okta.ts";
import { fixedSecret } from "../../src/config/secrets.ts";
import type { Page } from "../../src/ports/connector.ts";
import { drain, RECEIVED, testContext, withServer } from "../contract/source.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const PAGE = 1000;

interface Asked {
  readonly since: number;
  readonly until: number;
  readonly after: number | undefined;
}

/** Runs a source against answers by hand: events of a page, and whether there is a next link. */
async function run(
  steps: readonly number[],
  answer: (
    asked: Asked,
    now: number,
  ) => { readonly events: readonly { readonly id: string; readonly time: number }[]; readonly next: boolean },
  more: { readonly recheck?: string; readonly skewMs?: (now: number) => number; readonly from?: string } = {},
): Promise<{ readonly pages: Page[][]; readonly asked: Asked[] }> {
  let now = RECEIVED;
  const asked: Asked[] = [];
  return await withServer(
    (request, response) => {
      const url = new URL(request.url ?? "", `http://${request.headers.host}`);
      const time = (name: string): number => Date.parse(url.searchParams.get(name) ?? "");
      const after = url.searchParams.get("after");
      const one = { since: time("since"), until: time("until"), after: after === null ? undefined : Number(after) };
      asked.push(one);
      const { events, next } = answer(one, now);
      url.searchParams.set("after", String(asked.length));
      if (next) response.setHeader("link", `<${url.href}>; rel="next"`);
      response.setHeader("date", new Date(now + (more.skewMs?.(now) ?? 0)).toUTCString());
      response.end(JSON.stringify(events.map(({ id, time: published }) => ({ uuid: id, published: new Date(published).toISOString() }))));
    },
    async (base) => {
      const options = {
        url: base,
        apiToken: fixedSecret("t"),
        backfill: "1h",
        ...(more.recheck === undefined ? {} : { recheck: more.recheck }),
      };
      const source = okta.source!(okta.config.parse(options));
      const pages: Page[][] = [];
      for (const step of steps) {
        now += step;
        pages.push(await drain(source, testContext({ now: () => now }), pages.at(-1)?.at(-1)?.next ?? more.from ?? null));
      }
      return { pages, asked };
    },
  );
}
const full = Array.from({ length: PAGE }, (_, index) => ({ id: `f${index}`, time: RECEIVED - HOUR + index }));
const ids = (pages: readonly Page[]): string[] =>
  pages.flatMap((page) => page.records.map(({ record }) => (record as { uuid: string }).uuid));

test("every hour is read once more, an hour after it was over, and what was left out is found", async () => {
  const hidden = { id: "hidden", time: RECEIVED + 10 * MINUTE };
  const steps = [0, ...Array.from({ length: 20 }, () => 10 * MINUTE)];
  const answer = ({ since, until }: Asked) => ({
    events: Number.isNaN(until) || hidden.time < since ? [] : hidden.time < until ? [hidden] : [],
    next: true,
  });
  const { pages, asked } = await run(steps, answer);
  expect(ids(pages.flat())).toEqual(["hidden"]);
  const again = asked.filter(({ until }) => !Number.isNaN(until));
  // Where one ends, the next begins: the moment at the border is asked for twice.
  expect(again.map(({ since, until }) => [since - RECEIVED, until - RECEIVED])).toEqual([
    [-HOUR, 1],
    [0, HOUR + 1],
    [HOUR, 2 * HOUR + 1],
  ]);
  const covered = pages.flat().flatMap((page) => page.covered ?? []);
  expect(covered[1]).toEqual({ from: RECEIVED, to: RECEIVED + HOUR });
  expect(
    pages
      .flat()
      .filter((page) => page.covered !== undefined)
      .every((page) => page.completeTo === null),
  ).toBe(true);
  expect((await run(steps, answer, { recheck: "0s" })).pages.flatMap(ids)).toEqual([]);
});

test("a stretch of several pages is over with its last one", async () => {
  const answer = ({ until, after }: Asked) => ({
    events: Number.isNaN(until) ? [] : after === undefined ? full : [{ id: "last", time: RECEIVED - 1 }],
    next: true,
  });
  const { pages } = await run([0, 90 * MINUTE], answer);
  expect(ids(pages[1] ?? [])).toHaveLength(PAGE + 1);
  expect(pages[1]?.map((page) => page.covered?.length ?? 0)).toEqual([0, 0, 1]);
});

test("a full page without a link to the next is a gap from its newest event on, until pages connect again", async () => {
  let well = false;
  const answer = ({ after }: Asked) => (well && after !== undefined ? { events: [], next: true } : { events: full, next: well });
  const { pages } = await run([0, MINUTE, MINUTE], (asked, now) => {
    well = now >= RECEIVED + 2 * MINUTE;
    return answer(asked);
  });
  const newest = RECEIVED - HOUR + PAGE - 1;
  expect(pages[0]?.at(-1)?.gaps).toMatchObject([{ from: newest, to: RECEIVED, why: "paging" }]);
  expect(pages[1]?.at(-1)).toMatchObject({ more: false, completeTo: null, gaps: [{ from: newest, to: RECEIVED + MINUTE }] });
  const last = pages[2]?.at(-1);
  expect(last?.covered).toEqual([{ from: newest, to: RECEIVED + 2 * MINUTE }]);
  expect(last?.completeTo).toBe(RECEIVED + MINUTE);
});

test("an empty page proves no more than the clock of an Okta that is behind", async () => {
  const { pages } = await run([0], () => ({ events: [], next: true }), { skewMs: () => -3 * MINUTE });
  expect(pages[0]?.at(-1)?.completeTo).toBe(RECEIVED - 4 * MINUTE);
});

test("a clock of Okta's that is far off is a gap while it lasts, and what is read under a right one heals it", async () => {
  const skewMs = (now: number): number => (now < RECEIVED + 10 * MINUTE ? -20 * MINUTE : 0);
  const { pages } = await run([0, 5 * MINUTE, 5 * MINUTE, 5 * MINUTE], () => ({ events: [], next: true }), { skewMs, recheck: "0s" });
  const detail = "the vendor's clock is 20 minutes behind ours";
  const [first, second, third, fourth] = pages.map((list) => list.at(-1));
  const begin = RECEIVED - 21 * MINUTE;
  expect(first).toMatchObject({ gaps: [{ from: begin, to: RECEIVED, why: "clock", detail }], completeTo: RECEIVED - MINUTE });
  expect(first?.covered).toEqual([]);
  expect(second?.gaps).toEqual([{ from: begin + 5 * MINUTE, to: RECEIVED + 5 * MINUTE, why: "clock", detail }]);
  expect(second?.covered).toEqual([{ from: begin, to: begin + 5 * MINUTE }]);
  expect(third?.gaps).toBeUndefined();
  expect(third?.covered).toEqual([{ from: begin + 5 * MINUTE, to: RECEIVED + 10 * MINUTE }]);
  expect(fourth?.covered).toBeUndefined();
});

test("what is read once more under a wrong clock covers nothing that Okta has not dated yet", async () => {
  const { pages } = await run([0, 70 * MINUTE], () => ({ events: [], next: true }), { skewMs: () => -80 * MINUTE });
  const again = pages[1]?.findLast((page) => page.completeTo === null);
  expect(again?.covered).toEqual([{ from: RECEIVED - HOUR, to: RECEIVED - 11 * MINUTE }]);
  expect(again?.gaps).toMatchObject([{ why: "clock", from: RECEIVED - 11 * MINUTE }]);
});

test("a cursor of before, the link alone, is read on", async () => {
  const from = "/api/v1/logs?after=77&sortOrder=ASCENDING&limit=1000";
  const { asked } = await run([0, 10 * MINUTE], () => ({ events: [], next: true }), { from });
  expect(asked.map(({ after }) => after)).toEqual([77, 1]);
});
