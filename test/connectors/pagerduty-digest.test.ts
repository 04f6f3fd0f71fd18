import { expect, it } from "vitest";
import { renderDigest } from "../../connectors/pagerduty/digest.ts";
import { startPagerdutySimulator, PAGERDUTY_DEMO_KEY } from "../../src/simulators/pagerduty.ts";
import pagerduty from "../../connectors/pagerduty/pagerduty.ts";
import type { Digest, DigestDelivery } from "../../src/ports/connector.ts";
import { testContext, testSecret } from "../fixtures/context.ts";
import { STORY_TIME } from "../fixtures/subjects.ts";

const OPTIONS = { minLevel: "high", maxAge: 3_600_000, minConfidence: 50, client: "Custodes", withinMs: 300_000 } as const;
const DIGEST: Digest = {
  id: "digest-0f343b0931126a20f133d67c2b018a3b",
  destination: "pagerduty/soc",
  openedTime: STORY_TIME,
  newestTime: STORY_TIME + 60_000,
  lastTime: STORY_TIME + 50_000,
  incidents: 37,
  open: 30,
  level: "high",
  levels: [
    { name: "high", count: 30 },
    { name: "medium", count: 7 },
  ],
  rules: [
    { name: "Agent credential used from two networks at once", count: 20 },
    { name: "Bulk read followed by upload to an unlisted host", count: 17 },
  ],
  agents: [{ name: "invoice-bot", count: 37 }],
};
const delivery = (changes: Partial<Digest> = {}, more: Partial<DigestDelivery> = {}): DigestDelivery => ({
  key: `pagerduty/soc:digest:${DIGEST.id}:2`,
  destination: "pagerduty/soc",
  createdTime: STORY_TIME + 70_000,
  attempts: 0,
  digest: { ...DIGEST, ...changes },
  ...more,
});
const eventOf = (
  changes: Partial<Digest>,
): { event_action: string; payload: { summary: string; severity: string; custom_details: object } } =>
  JSON.parse(renderDigest(delivery(changes), OPTIONS).body) as never;

it("looks like this", async () => {
  const text = `${JSON.stringify(JSON.parse(renderDigest(delivery(), OPTIONS).body), undefined, 2)}\n`;
  await expect(text).toMatchFileSnapshot("../../connectors/pagerduty/samples/digest.json.golden");
});

it("tells one incident from many, and names what is one", () => {
  expect(eventOf({ incidents: 1, open: 1, rules: DIGEST.rules.slice(0, 1) }).payload.summary).toBe(
    "[high] Storm: 1 more incident (1 open) of rule Agent credential used from two networks at once and agent invoice-bot",
  );
  expect(eventOf({}).payload.summary).toBe("[high] Storm: 37 more incidents (30 open) of 2 rules and agent invoice-bot");
});

it("shows hostile names harmless and within the limits", () => {
  const name = `a\u202eb\n${"x".repeat(5000)}`;
  const counts = Array.from({ length: 20 }, (_, index) => ({ name: `${index}${name}`, count: 1 }));
  const rendered = renderDigest(delivery({ rules: [{ name, count: 1 }], agents: counts }), OPTIONS);
  const { summary, custom_details } = (JSON.parse(rendered.body) as ReturnType<typeof eventOf>).payload;
  expect(summary.length).toBeLessThanOrEqual(1024);
  expect(rendered.body).not.toMatch(/\u202e|\\n/);
  expect(rendered.bytes).toBeLessThan(100_000);
  expect(custom_details).toMatchObject({ incidents: 37 });
});

it("opens no page when all of it is old, ends at any age, and is one alert from the first to the last", async () => {
  const late = { time: STORY_TIME + 50_000 + 3_600_001 };
  expect(renderDigest(delivery({}, late), OPTIONS).skip).toMatch(/maxAge/);
  expect(renderDigest(delivery({ open: 0 }, late), OPTIONS).skip).toBeUndefined();
  const simulator = await startPagerdutySimulator();
  try {
    const config = pagerduty.config.parse({ routingKey: testSecret(PAGERDUTY_DEMO_KEY), endpoint: simulator.url });
    const destination = pagerduty.destination!(config);
    const { storm } = destination;
    expect(storm).toMatchObject({ incidents: 20, withinMs: 300_000 });
    for (const changes of [{ incidents: 1 }, {}, { open: 0 }])
      expect((await destination.send([storm!.render(delivery(changes))], testContext().context))[0]?.status).toBe("delivered");
    expect(simulator.received().map(({ dedupKey, status, triggers }) => `${dedupKey} ${status} ${triggers}`)).toEqual([
      `${DIGEST.id} resolved 2`,
    ]);
  } finally {
    await simulator.close();
  }
});
