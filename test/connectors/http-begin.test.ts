import { describe, expect, test } from "vitest";
import { httpSource } from "../../connectors/http/pull.ts";
import type { Page } from "../../src/ports/connector.ts";
import { drain, RECEIVED, testContext, withServer, type Answer } from "../contract/source.ts";
import { configOf, vendor, type VendorEvent } from "./http-world.ts";

const MINUTE = 60_000;
const window = { fromParam: "since", toParam: "until", format: "epoch_ms", backfill: "2h", overlap: "5m", max: "30m" };
const events = (count: number): VendorEvent[] =>
  Array.from({ length: count }, (_, index) => {
    const time = RECEIVED - (count - index) * MINUTE;
    return { id: `e${index}`, time, visible: time };
  });
const ids = (pages: readonly Page[]): string[] => pages.flatMap((page) => page.records.map(({ record }) => (record as { id: string }).id));

describe("http, where it begins", () => {
  test("is stored before the first answer, so that a long outage at the first start takes nothing from the backfill", async () => {
    let now = RECEIVED;
    let down = true;
    const world = vendor(events(3), () => now);
    const answer: Answer = (request, response) => (down ? response.writeHead(503).end() : world.answer(request, response));
    await withServer(answer, async (base) => {
      const source = httpSource(configOf(base, { paging: { type: "page" }, window }));
      const context = testContext({ now: () => now });
      const begin = await source.pull(null, context);
      expect(begin).toMatchObject({ records: [], rejects: [], more: true, completeTo: null });
      now += 600 * MINUTE;
      await expect(source.pull(begin.next, context)).rejects.toMatchObject({ kind: "retryable" });
      down = false;
      expect(ids(await drain(source, context, begin.next))).toEqual(["e0", "e1", "e2"]);
    });
  });
  test("of windows that were configured later is stored, too", async () => {
    const world = vendor(events(3), () => RECEIVED);
    await withServer(world.answer, async (base) => {
      const before = await drain(httpSource(configOf(base, { paging: { type: "page" } })), testContext());
      const asked = world.asked.length;
      const begin = await httpSource(configOf(base, { paging: { type: "page" }, window })).pull(before.at(-1)?.next ?? null, testContext());
      expect(begin).toMatchObject({ records: [], more: true, completeTo: null });
      expect(world.asked).toHaveLength(asked);
    });
  });
});
