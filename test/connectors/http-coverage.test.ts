/** What a generic pull proves missing, and how it gets it; histories at random are in test/property/vendor.test.ts. */
import { describe, expect, test } from "vitest";
import { config } from "../../connectors/http/config.ts";
import { decodeState, encodeState, NEW_CHAIN } from "../../connectors/http/cursor.ts";
import { httpSource } from "../../connectors/http/pull.ts";
import { connect, rewound } from "../../connectors/http/sequence.ts";
import { changeGaps, type SourceGap } from "../../src/core/completeness/gap.ts";
import type { Page } from "../../src/ports/connector.ts";
import { drain, RECEIVED, testContext, withServer, type Answer } from "../contract/source.ts";
import { configOf, vendor, type VendorEvent } from "./http-world.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const window = { fromParam: "since", toParam: "until", format: "epoch_ms", backfill: "2h", overlap: "5m", max: "30m" };
const paging = { type: "cursor", param: "after", path: "next" };
const ids = (pages: readonly Page[]): string[] => pages.flatMap((page) => page.records.map(({ record }) => (record as { id: string }).id));
const gapsOf = (pages: readonly Page[]) => pages.flatMap((page) => page.gaps ?? []);

describe("http, what is missing", () => {
  const run = async (list: VendorEvent[], more: object, steps: readonly ((now: number) => number)[], date?: (now: number) => number) => {
    let now = RECEIVED;
    const world = vendor(list, () => now);
    return await withServer(
      (request, response) => {
        if (date !== undefined) response.setHeader("date", new Date(date(now)).toUTCString());
        world.answer(request, response);
      },
      async (base) => {
        const source = httpSource(configOf(base, { paging, window, ...more }));
        const pages: Page[][] = [];
        for (const step of steps) {
          now = step(now);
          pages.push(await drain(source, testContext({ now: () => now }), pages.at(-1)?.at(-1)?.next ?? null));
        }
        return { pages, asked: world.asked.map(({ url }) => url) };
      },
    );
  };
  const at = (time: number, id: string, visible = time): VendorEvent => ({ id, time, visible });

  test("what became visible later than the overlap is found when everything is read once more", async () => {
    const late = at(RECEIVED - 20 * MINUTE, "late", RECEIVED + 10 * MINUTE);
    const steps = [(now: number) => now, ...Array.from({ length: 30 }, () => (now: number) => now + 5 * MINUTE)];
    const { pages } = await run([at(RECEIVED - HOUR, "a"), late], {}, steps);
    expect(ids(pages.flat())).toContain("late");
    const { pages: never } = await run([late], { window: { ...window, recheck: "0s" } }, steps);
    expect(ids(never.flat())).toEqual([]);
  });
  test("nothing is read once more before its time", async () => {
    const { asked } = await run([], {}, [(now) => now, (now) => now + 50 * MINUTE]);
    for (const [index, url] of asked.entries()) {
      const before = asked[index - 1]?.searchParams.get("until") ?? 0;
      expect(Number(url.searchParams.get("since"))).toBeGreaterThanOrEqual(Number(before) - 5 * MINUTE);
    }
  });
  test("what the vendor deleted during an outage is a gap for ever, and reading goes on after it", async () => {
    const { pages } = await run([], { window: { ...window, retention: "3h" } }, [(now) => now, (now) => now + 10 * HOUR]);
    expect(gapsOf(pages.flat())).toEqual([
      {
        from: RECEIVED - MINUTE,
        to: RECEIVED + 7 * HOUR,
        why: "retention",
        detail: "the vendor keeps records for a shorter time than the source was away",
        state: "lost",
      },
    ]);
    expect(pages[1]?.at(-1)?.completeTo ?? pages[1]?.findLast((page) => page.completeTo !== null)?.completeTo).toBe(
      RECEIVED + 10 * HOUR - MINUTE,
    );
  });
  test("an outage that the vendor outlasts is no gap", async () => {
    const { pages } = await run([], { window: { ...window, retention: "24h" } }, [(now) => now, (now) => now + 10 * HOUR]);
    expect(gapsOf(pages.flat())).toEqual([]);
  });
  test("nothing is complete beyond the clock of a vendor that is behind", async () => {
    const { pages } = await run([], {}, [(now) => now], (now) => now - 3 * MINUTE);
    expect(Math.max(...pages.flat().map((page) => page.completeTo ?? 0))).toBe(RECEIVED - 4 * MINUTE);
    const { pages: ahead } = await run([], {}, [(now) => now], (now) => now + 3 * MINUTE);
    expect(Math.max(...ahead.flat().map((page) => page.completeTo ?? 0))).toBe(RECEIVED - MINUTE);
    expect(gapsOf(ahead.flat())).toEqual([]);
    const { pages: wrong } = await run([], {}, [(now) => now], (now) => now - 24 * HOUR);
    expect(Math.max(...wrong.flat().map((page) => page.completeTo ?? 0))).toBe(RECEIVED - MINUTE);
  });
  test("a vendor's clock that is far behind is a gap while it lasts, healed by a later read of that time", async () => {
    const steps = Array.from({ length: 40 }, () => (now: number) => now + 5 * MINUTE);
    const wrongUntil = RECEIVED + 30 * MINUTE;
    const behind = (now: number) => (now <= wrongUntil ? now - 20 * MINUTE : now);
    const { pages } = await run([], {}, steps, behind);
    const [first] = gapsOf(pages.flat());
    const now = RECEIVED + 5 * MINUTE;
    expect(first).toEqual({ from: now - 21 * MINUTE, to: now, why: "clock", detail: "the vendor's clock is 20 minutes behind ours" });
    const open = pages.flat().reduce<SourceGap[]>((gaps, { gaps: found = [], covered = [] }) => {
      const { changed } = changeGaps("s", gaps, { found, covered, reached: undefined, now }, (text) => text);
      const ids = new Set(changed.map(({ id }) => id));
      const after = [...gaps.filter(({ id }) => !ids.has(id)), ...changed].filter(({ state }) => state === "open");
      for (const { from } of found) expect(Math.max(...covered.map(({ to }) => to))).toBeLessThanOrEqual(from);
      if (found.length > 0) expect(after).toMatchObject([{ why: "clock", from: RECEIVED - 16 * MINUTE }]);
      return after;
    }, []);
    expect(open).toEqual([]);
    expect(gapsOf(pages.flat()).every(({ to }) => (to ?? 0) <= wrongUntil)).toBe(true);
  });
  test("a vendor's clock that is far ahead is a gap of what it has dated and nobody asks for yet", async () => {
    const { pages } = await run([], {}, [(now) => now], (now) => now + 20 * MINUTE);
    expect(gapsOf(pages.flat()).at(-1)).toEqual({
      from: RECEIVED - MINUTE,
      to: RECEIVED + 20 * MINUTE,
      why: "clock",
      detail: "the vendor's clock is 20 minutes ahead of ours",
    });
  });
  test.each([
    ["its id", ["id"], 1],
    ["its content", [], 0],
  ])("a record that comes twice and has changed meanwhile counts once by %s", async (_, uid, gaps) => {
    let asked = 0;
    const item = (id: string) => ({ id, created_at: new Date(RECEIVED - HOUR).toISOString(), age: asked });
    await withServer(
      (_, response) => {
        const first = ++asked % 2 === 1;
        // The fourth of them is in no page.
        const items = first ? [item("a"), item("b")] : [item("b"), item("c")];
        response.end(JSON.stringify({ data: { items }, next: first ? "2" : null, total: 4 }));
      },
      async (base) => {
        const map = { category: "agent_api", vendor: "Acme", product: "Agent Cloud", time: "created_at", uid };
        const one = { ...window, backfill: "20m", recheck: "0s" };
        const source = httpSource(configOf(base, { paging, window: one, check: { total: "total" }, map }));
        const begin = await source.pull(null, testContext());
        const first = await source.pull(begin.next, testContext());
        const second = await source.pull(first.next, testContext());
        expect(second.gaps?.map(({ detail }) => detail) ?? []).toEqual(gaps === 0 ? [] : ["the vendor counts 4 records, its pages had 3"]);
      },
    );
  });
  test("what is read again has its turn also while every new window fails", async () => {
    const step = 4 * SECOND;
    const events = Array.from({ length: 400 }, (_, index) => ({ id: `e${index}`, time: RECEIVED - 10 * MINUTE + index * step }));
    let now = RECEIVED;
    const answer: Answer = (request, response) => {
      const query = new URL(request.url ?? "", "http://v").searchParams;
      const [since, until] = [Number(query.get("since")), Number(query.get("until"))];
      const all = events.filter(({ time }) => time <= now && time >= since && time <= until);
      const items = all.slice(-15).map(({ id, time }) => ({ id, created_at: new Date(time).toISOString() }));
      response.end(JSON.stringify({ data: { items }, next: null, truncated: all.length > 15 }));
    };
    await withServer(answer, async (base) => {
      const one = { ...window, backfill: "9m", recheck: "0s" };
      const source = httpSource(configOf(base, { paging, window: one, check: { truncated: "truncated" } }));
      const pages: Page[] = [];
      for (; now < RECEIVED + 15 * MINUTE; now += 30 * SECOND)
        pages.push(...(await drain(source, testContext({ now: () => now }), pages.at(-1)?.next ?? null)));
      const seen = new Set(ids(pages));
      const due = events.filter(({ time }) => time >= RECEIVED - 9 * MINUTE && time < RECEIVED + 10 * MINUTE);
      expect(due.filter(({ id }) => !seen.has(id))).toEqual([]);
    });
  });
  describe("a vendor whose every page takes so long that more has happened meanwhile", () => {
    const slow = async (pageMs: number, max: string, pulls: number, missing: number) => {
      let now = RECEIVED;
      const hidden = Array.from({ length: missing }, (_, index) => RECEIVED - 59 * MINUTE + index * 2 * MINUTE);
      const asked: (readonly [since: number, until: number])[] = [];
      const hiddenIn = ([since, until]: readonly [number, number]): number =>
        hidden.filter((time) => since <= time && until >= time).length;
      const answer: Answer = (request, response) => {
        const query = new URL(request.url ?? "", "http://v").searchParams;
        const span = [Number(query.get("since")), Number(query.get("until"))] as const;
        if (!query.has("after")) asked.push(span);
        now += pageMs;
        response.end(JSON.stringify({ data: { items: [] }, next: query.has("after") ? null : "2", total: hiddenIn(span) }));
      };
      return await withServer(answer, async (base) => {
        const one = { ...window, backfill: "60m", recheck: "0s", max };
        const source = httpSource(configOf(base, { paging, window: one, check: { total: "total" } }));
        const pages = [await source.pull(null, testContext({ now: () => now }))];
        while (pages.length < pulls) pages.push(await source.pull(pages.at(-1)!.next, testContext({ now: () => now })));
        return { pages, asked, located: asked.filter((span) => hiddenIn(span) > 0 && span[1] - span[0] <= SECOND).length };
      });
    };
    test("a main run that never catches up and what is read again take turns", async () => {
      // A window goes on by one minute, and takes more; of so many losses one is always due.
      const { pages, asked, located } = await slow(40 * SECOND, "6m", 400, 25);
      expect(pages.every(({ more }) => more)).toBe(true);
      expect(located).toBeGreaterThan(3);
      const main = pages.filter(({ completeTo }) => completeTo !== null).length;
      expect(main).toBeGreaterThanOrEqual(Math.floor(asked.length / 2) - 1);
    });
    test("is left alone once all is read that there was when a window began", async () => {
      const { pages } = await slow(10 * SECOND, "30m", 100, 0);
      expect(pages.some(({ more }) => !more)).toBe(true);
    });
  });
  test("what the vendor wrote with its slow clock after it was read is not missed", async () => {
    const slow = at(RECEIVED - 2 * MINUTE, "slow", RECEIVED + MINUTE);
    const { pages } = await run(
      [slow],
      { window: { ...window, overlap: "0s", recheck: "0s" } },
      [(now) => now, (now) => now + 2 * MINUTE],
      (now) => now - 3 * MINUTE,
    );
    expect(ids(pages.flat())).toEqual(["slow"]);
  });
});

describe("http, settings of what is missing", () => {
  const problems = (more: object): string[] => {
    const base = { url: "https://a.example/v1", map: { category: "dns", vendor: "v", product: "p", time: "t" } };
    return config.safeParse({ ...base, ...more }).error?.issues.map((issue) => issue.path.join(".")) ?? [];
  };
  test("a total needs a window, a number needs none", () => {
    expect(problems({ check: { total: "total" } })).toEqual(["check"]);
    expect(problems({ check: { truncated: "more" } })).toEqual(["check"]);
    expect(problems({ check: { total: "total" }, window })).toEqual([]);
    expect(problems({ check: { sequence: "n" }, window })).toEqual(["check.sequence"]);
    expect(problems({ check: { sequence: "n" } })).toEqual([]);
  });
  test("a cursor of before is read on", () => {
    const state = decodeState('[1,5,null,"c",2,["h"]]');
    expect(state).toMatchObject({ from: 5, to: null, next: "c", pages: 2, seen: ["h"], again: [], checked: null, chain: null });
    expect(decodeState(encodeState(state))).toEqual(state);
  });
  test("a cursor never grows over its limit", () => {
    const state = decodeState('[1,5,null,"c",2,["h"]]');
    const seen = Array.from({ length: 120 }, (_, index) => `hash${String(index).padStart(8, "0")}`);
    const again = Array.from({ length: 12 }, () => [1_798_675_200_000, 1_798_675_200_000, 1_798_675_200_000, 9, 99_999_999] as const);
    const full = { ...state, next: "n".repeat(2048), seen, again, run: { ...state.run, ids: "x".repeat(1600) } };
    const cursor = encodeState(full);
    expect(Buffer.byteLength(cursor)).toBeLessThanOrEqual(4096);
    expect(decodeState(cursor)).toMatchObject({ next: full.next, again });
  });
});

describe("http, numbered records", () => {
  const numbers = (...list: number[]) => list.map((number) => ({ number, time: number * 100 }));
  const after = (chain = NEW_CHAIN, ...list: number[]) => connect(chain, numbers(...list), "p", 50, 1000);
  test("a number that is left out is located between its neighbours, give or take the lag", () => {
    const { gaps, chain } = after(after(NEW_CHAIN, 1, 2).chain, 5, 6);
    expect(gaps).toEqual([{ from: 150, to: 550, why: "sequence", detail: "numbers 3 to 4 are missing" }]);
    expect(chain).toMatchObject({ last: 6, holes: [[3, 4, 150, 550]], rewind: "p" });
    expect(after(after(NEW_CHAIN, 1).chain, 3).gaps[0]?.detail).toBe("number 2 is missing");
  });
  test("what begins, repeats or comes again is no hole", () => {
    expect(after(NEW_CHAIN, 7, 8, 8, 7).gaps).toEqual([]);
    expect(after(after(NEW_CHAIN, 7, 8).chain, 7, 8, 9).gaps).toEqual([]);
  });
  test("reading again from the page before the hole fills it, and says of which time", () => {
    const holed = after(connect(NEW_CHAIN, numbers(1, 2), "first", 50, 1000).chain, 5, 6).chain;
    expect(rewound(holed, 1000)).toBeUndefined();
    const again = rewound(holed, 31_000);
    expect(again).toMatchObject({ next: "first", chain: { last: 2, tries: 1 } });
    const filled = connect(again!.chain, numbers(1, 2, 3, 4, 5), "first", 50, 31_000);
    expect(filled).toMatchObject({ covered: [{ from: 150, to: 550 }], chain: { holes: [], tries: 0, last: 5 } });
    const half = connect(again!.chain, numbers(1, 2, 3, 5), "first", 50, 31_000);
    expect(half).toMatchObject({ covered: [], chain: { holes: [[4, 4, 150, 550]] } });
  });
  test("waits longer and longer, up to an hour", () => {
    let chain = after(NEW_CHAIN, 1, 3).chain;
    const waits: number[] = [];
    for (let now = chain.due; waits.length < 12; now = chain.due) {
      chain = rewound(chain, now)!.chain;
      waits.push(chain.due - now);
    }
    expect(waits.slice(0, 3)).toEqual([60 * SECOND, 120 * SECOND, 240 * SECOND]);
    expect(waits.at(-1)).toBe(HOUR);
  });
  test("remembers a limited number of holes", () => {
    const odd = Array.from({ length: 30 }, (_, index) => index * 2 + 1);
    const { chain } = after(NEW_CHAIN, ...odd);
    expect(chain.holes).toHaveLength(8);
    expect(chain.holes.at(-1)?.[1]).toBe(58);
  });
});
