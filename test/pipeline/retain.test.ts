import { expect, test } from "vitest";
import type { Expired, ExpireRequest, Retention } from "../../src/ports/retention.ts";
import { retainer } from "../../src/pipeline/retain.ts";
import { testLog } from "./world.ts";

const RETENTION: Retention = { log: 1, alerts: 2, incidents: 3, deliveries: 4, quarantine: 5, audit: 6 };
const ROWS = { facts: 0, attributions: 0, quarantine: 0, deliveries: 0, alerts: 0, incidents: 0, audit: 0 };
const NOTHING: Expired = { days: [], rows: ROWS, held: 0, parts: 3, bytes: 1000, more: false };

/** A retainer over a store that answers with `answers`, one per run. */
function retaining(given: {
  answers?: readonly (Expired | undefined)[];
  offset?: number | null;
  needed?: number | undefined;
  before?: number;
}) {
  const asked: ExpireRequest[] = [];
  const counted = new Map<string, number>();
  const log = testLog();
  const answers = [...(given.answers ?? [NOTHING])];
  const made = retainer({
    store: {
      offset: async () => (given.offset === undefined ? 100 : given.offset),
      sequenceBefore: async () => given.before ?? 40,
      expire: async (request: ExpireRequest) => {
        asked.push(request);
        return answers.shift();
      },
    } as never,
    retention: RETENTION,
    now: () => 5000,
    meter: {
      count: (name, labels, by = 1) => counted.set(`${name} ${labels["class"] ?? ""}`, by),
      gauge: (name, _, value) => counted.set(name, value),
      observe: () => undefined,
    },
    log,
    signal: new AbortController().signal,
    neededFrom: () => ("needed" in given ? given.needed : 3000.5),
    alertsReachMs: 2000,
  });
  return { run: () => made.run(), asked, counted, log };
}

test("nothing goes that correlation has not read, or may read again", async () => {
  const behind = retaining({ before: 40, offset: 100 });
  await behind.run();
  expect(behind.asked[0]).toMatchObject({ retention: RETENTION, now: 5000, logKeepFrom: 41, keepFrom: 3000, alertsKeepFrom: 1000 });
  const slow = retaining({ before: 400, offset: 100 });
  await slow.run();
  expect(slow.asked[0]).toMatchObject({ logKeepFrom: 101 });
});

test.each([{ offset: null }, { needed: undefined }])("nothing of the log goes while correlation has not run: %o", async (given) => {
  const { run, asked } = retaining(given);
  await run();
  expect(asked[0]).toMatchObject({ logKeepFrom: null, keepFrom: null, alertsKeepFrom: null });
});

test("a rule that needs everything is no number that a database does not know", async () => {
  const { run, asked } = retaining({ needed: Number.NEGATIVE_INFINITY });
  await run();
  expect(asked[0]).toMatchObject({ keepFrom: 0, alertsKeepFrom: 0 });
});

test("what went is told, counted, and measured; nothing is said about nothing", async () => {
  const day = { day: "2026-01-31", events: 7, bytes: 8192 };
  const { run, counted, log } = retaining({ answers: [{ ...NOTHING, days: [day], rows: { ...ROWS, alerts: 4 } }, NOTHING, undefined] });
  await run();
  await run();
  await run();
  expect(log.lines).toEqual([`info retention took out what was old ${JSON.stringify({ days: [day], ...ROWS, alerts: 4 })}`]);
  expect(Object.fromEntries(counted)).toEqual({
    "expired_total alerts": 4,
    "expired_total log": 1,
    log_days: 3,
    log_days_held: 0,
    store_bytes: 1000,
  });
});

test("days that are kept longer than configured are told once, and again when it was over in between", async () => {
  const held = { ...NOTHING, held: 2 };
  const { run, log, counted } = retaining({ answers: [held, held, NOTHING, held] });
  for (let times = 0; times < 4; times++) await run();
  expect(log.lines.filter((line) => line.startsWith("warn retention leaves days"))).toHaveLength(2);
  expect(counted.get("log_days_held")).toBe(2);
});
