import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { Ajv } from "ajv";
import addFormats from "ajv-formats";
import { describe, expect, it } from "vitest";
import { GIVEN_UP_FIRST } from "../../connectors/pagerduty/details.ts";
import pagerduty from "../../connectors/pagerduty/pagerduty.ts";
import { ITEM_BYTES_MAX, render, ROUTING_KEY_BYTES, type PageOptions } from "../../connectors/pagerduty/render.ts";
import { LEVELS } from "../../src/core/alert.ts";
import type { Incident } from "../../src/core/incident.ts";
import type { FindingDelivery } from "../../src/ports/connector.ts";
import { PAGERDUTY_DEMO_KEY, startPagerdutySimulator } from "../../src/simulators/pagerduty.ts";
import { testContext, testSecret } from "../fixtures/context.ts";
import { hostileIncident, hugeIncident } from "../fixtures/hostile.ts";
import { alertSubject, delivery, incidentSubject, STORY_TIME, type IncidentSubject } from "../fixtures/subjects.ts";

const NAME = "pagerduty/soc";
const HOUR = 3_600_000;
const OPTIONS: PageOptions = {
  minLevel: "high",
  maxAge: HOUR,
  minConfidence: 50,
  client: "Custodes",
  incidentUrl: "https://soc.example.com/incidents/{id}",
};

interface PagerdutyEvent {
  readonly event_action: string;
  readonly dedup_key: string;
  readonly links?: readonly { readonly href: string; readonly text: string }[];
  readonly client_url?: string;
  readonly payload: {
    readonly summary: string;
    readonly severity: string;
    readonly source: string;
    readonly component?: string;
    readonly custom_details: Readonly<Record<string, unknown>>;
  };
}
const rendered = (subject: IncidentSubject, changes: Partial<FindingDelivery> = {}, options: Partial<PageOptions> = {}) =>
  render({ ...delivery(subject, NAME), ...changes }, { ...OPTIONS, ...options });
const eventOf = (subject: IncidentSubject, options: Partial<PageOptions> = {}): PagerdutyEvent =>
  JSON.parse(rendered(subject, {}, options).body) as PagerdutyEvent;

const schemaFile = (name: string) => resolve(import.meta.dirname, `../../../shared/contracts/data/derived/${name}.schema.json`);
const schemasPresent = existsSync(schemaFile("pagerduty-enqueue"));
if (!schemasPresent && process.env["CI"] === "true") throw new Error("../shared/contracts/data/derived is missing");

/** Complaints of the vendor's published schema about a body as it is sent. */
function schemaErrors(name: string, value: unknown): string[] {
  const ajv = new Ajv({ strict: false, allErrors: true });
  addFormats.default(ajv);
  const validate = ajv.compile(JSON.parse(readFileSync(schemaFile(name), "utf8")) as object);
  return validate(value) ? [] : (validate.errors ?? []).map((error) => `${error.instancePath} ${error.message}`);
}

const lives: readonly (readonly [string, IncidentSubject])[] = [
  ["a new incident", incidentSubject()],
  ["an incident without agent, evidence and lists", bare()],
  ["an incident in progress", incidentSubject({ status: 2 })],
  ["a closed incident", incidentSubject({ status: 5 })],
  ["a hostile incident", hostileIncident()],
  ["a huge incident", hugeIncident()],
];

function bare(): IncidentSubject {
  const none = { hosts: [], ips: [], users: [], credentials: [], runbooks: [], actions: [], tags: [], maps: [], timeline: [] };
  return {
    ...incidentSubject({ agentUid: undefined, agentName: undefined, agentOwner: undefined, title: "", story: "", ...none }),
    evidence: [],
  };
}

describe("pagerduty's events", () => {
  it.skipIf(!schemasPresent).each(lives)("are valid by the published schema: %s", (_, subject) => {
    const event = JSON.parse(rendered(subject).body) as object;
    expect(schemaErrors("pagerduty-enqueue", { routing_key: PAGERDUTY_DEMO_KEY, ...event })).toEqual([]);
  });

  it.each(lives)("are accepted by the strict simulator: %s", async (_, subject) => {
    const simulator = await startPagerdutySimulator();
    try {
      const config = pagerduty.config.parse({ routingKey: testSecret(PAGERDUTY_DEMO_KEY), endpoint: simulator.url });
      const batch = [rendered(subject)];
      expect((await pagerduty.destination!(config).send(batch, testContext().context))[0]?.status).toBe("delivered");
      expect(simulator.events()).toEqual([{ routing_key: PAGERDUTY_DEMO_KEY, ...(JSON.parse(batch[0]!.body) as object) }]);
    } finally {
      await simulator.close();
    }
  });

  it.each([
    ["critical", "critical"],
    ["high", "error"],
    ["medium", "warning"],
    ["low", "info"],
    ["informational", "info"],
  ] as const)("show level %s as severity %s", (level, severity) => {
    expect(eventOf(incidentSubject({ level }), { minLevel: "informational" }).payload.severity).toBe(severity);
  });

  it.each([
    [1, "trigger"],
    [2, "acknowledge"],
    [3, "acknowledge"],
    [4, "resolve"],
    [5, "resolve"],
  ])("of status %i %s, always under the incident's id", (status, action) => {
    expect(eventOf(incidentSubject({ status }))).toMatchObject({ event_action: action, dedup_key: incidentSubject().incident.id });
  });

  it("carry nothing but key and action when they end something", () => {
    expect(Object.keys(eventOf(incidentSubject({ status: 5 })))).toEqual(["event_action", "dedup_key"]);
  });

  it("keep the number of alerts in a summary that had to be cut", () => {
    const { summary } = eventOf(incidentSubject({ title: "x".repeat(3_000) })).payload;
    expect(summary.length).toBeLessThanOrEqual(1024);
    expect(summary).toMatch(/^\[critical\] x+… \(2 alerts\)$/);
  });

  it("link only to web addresses", () => {
    const runbooks = [
      "javascript:alert(1)",
      "file:///etc/passwd",
      "https://u:p@runbooks.example.com/",
      "docs/runbook.md",
      "https://runbooks.example.com/a\u202eb",
    ];
    const event = eventOf(incidentSubject({ runbooks }));
    expect(event.links?.map((link) => link.href)).toEqual([
      `https://soc.example.com/incidents/${incidentSubject().incident.id}`,
      "https://runbooks.example.com/a%E2%80%AEb",
    ]);
    expect(eventOf(incidentSubject({ runbooks: [] }), { incidentUrl: undefined })).not.toHaveProperty("links");
  });

  it("show an image of the incident where there is one, over HTTPS", () => {
    const imageUrl = "https://soc.example.com/{id}.png";
    const { id } = incidentSubject().incident;
    expect(eventOf(incidentSubject(), { imageUrl })).toMatchObject({
      images: [
        {
          src: `https://soc.example.com/${id}.png`,
          href: `https://soc.example.com/incidents/${id}`,
          alt: incidentSubject().incident.title,
        },
      ],
    });
    expect(eventOf(incidentSubject())).not.toHaveProperty("images");
  });

  it("never hold the routing key, whose room is set aside", () => {
    expect(`"routing_key":"${PAGERDUTY_DEMO_KEY}",`).toHaveLength(ROUTING_KEY_BYTES);
    expect(JSON.stringify(rendered(incidentSubject()))).not.toContain("routing_key");
  });

  it("give up their lists in the documented order when they are too large", () => {
    const wide = (prefix: string) => Array.from({ length: 100 }, (_, index) => `${prefix}${index}${"語".repeat(450)}`);
    const subject = incidentSubject({ users: wide("u"), hosts: wide("h"), ips: wide("i"), credentials: wide("c"), tags: wide("t") });
    const event = rendered(subject);
    expect(event.bytes).toBeLessThanOrEqual(ITEM_BYTES_MAX);
    const { custom_details: shown } = (JSON.parse(event.body) as PagerdutyEvent).payload;
    expect(shown["truncated"]).toEqual(GIVEN_UP_FIRST.slice(0, GIVEN_UP_FIRST.indexOf("hosts") + 1));
    expect(shown["hosts"]).toHaveLength(10);
    expect(shown["users"]).toHaveLength(100);
    expect(eventOf(incidentSubject()).payload.custom_details).not.toHaveProperty("truncated");
  });

  it("shorten every list there is before they would be refused", () => {
    const { custom_details: shown } = eventOf(incidentSubject()).payload;
    const lists = Object.keys(shown).filter((name) => Array.isArray(shown[name]));
    expect([...GIVEN_UP_FIRST].sort()).toEqual(lists.sort());
  });

  it("refuse an id that cannot be a dedup_key", () => {
    for (const id of ["", "x".repeat(256)])
      expect(() => rendered(incidentSubject({ id }))).toThrow(
        expect.objectContaining({ kind: "poison", code: "RENDER_CONTRACT" }) as Error,
      );
  });

  it.each([
    ["incident", incidentSubject()],
    ["incident-closed", incidentSubject({ status: 5, revision: 4, final: true })],
  ] as const)("look like this: %s", async (name, subject) => {
    const text = `${JSON.stringify(JSON.parse(rendered(subject).body), undefined, 2)}\n`;
    await expect(text).toMatchFileSnapshot(`../../connectors/pagerduty/samples/${name}.json.golden`);
  });
});

describe("pagerduty pages", () => {
  const skipOf = (changes: Partial<Incident>, createdTime: number, options: Partial<PageOptions> = {}) =>
    rendered(incidentSubject(changes), { createdTime }, options).skip;

  it("never for an alert", () => {
    expect(render(delivery(alertSubject({ level: "critical" }), NAME), OPTIONS)).toMatchObject({
      body: "",
      bytes: 0,
      skip: expect.any(String) as string,
    });
  });

  it.each(LEVELS)("for level %s only from minLevel up", (level) => {
    for (const minLevel of LEVELS) {
      const skip = skipOf({ level, status: 5 }, STORY_TIME, { minLevel });
      expect(skip === undefined, minLevel).toBe(LEVELS.indexOf(level) >= LEVELS.indexOf(minLevel));
    }
  });

  it("nobody for what is older than maxAge, to the millisecond", () => {
    const changes = { lastTime: STORY_TIME };
    expect(skipOf(changes, STORY_TIME + HOUR)).toBeUndefined();
    expect(skipOf(changes, STORY_TIME + HOUR + 1)).toMatch(/maxAge/);
    expect(skipOf(changes, STORY_TIME + HOUR + 1, { maxAge: 2 * HOUR })).toBeUndefined();
  });

  it("nobody for an incident from a backfill, also when it was opened just now", () => {
    expect(skipOf({}, STORY_TIME + 30 * 24 * HOUR)).toMatch(/maxAge/);
    expect(skipOf({ openedTime: STORY_TIME + 30 * 24 * HOUR }, STORY_TIME + 30 * 24 * HOUR)).toMatch(/maxAge/);
  });

  it("nobody for a delivery that lay in a restored store: what counts is the incident's last evidence, not the row", () => {
    const fresh = { ...delivery(incidentSubject({ lastTime: STORY_TIME }), NAME), createdTime: STORY_TIME + 1000 };
    expect(render({ ...fresh, time: STORY_TIME + HOUR }, OPTIONS).skip).toBeUndefined();
    expect(render({ ...fresh, time: STORY_TIME + HOUR + 1 }, OPTIONS).skip).toMatch(/maxAge/);
    const closed = { ...fresh, subject: incidentSubject({ lastTime: STORY_TIME, status: 5 }), time: STORY_TIME + 24 * HOUR };
    expect(render(closed, OPTIONS).skip).toBeUndefined();
  });

  it("somebody for what goes on: its newest evidence is new", () => {
    expect(skipOf({ openedTime: STORY_TIME, lastTime: STORY_TIME + 3 * HOUR }, STORY_TIME + 3 * HOUR)).toBeUndefined();
  });

  it("by what opens them, and by nothing else", () => {
    expect([1, 2, 5].map((status) => rendered(incidentSubject({ status })).opens)).toEqual([true, undefined, undefined]);
  });

  it("are closed whatever their age", () => {
    expect(skipOf({ status: 5 }, STORY_TIME + 30 * 24 * HOUR)).toBeUndefined();
    expect(skipOf({ status: 2 }, STORY_TIME + 30 * 24 * HOUR)).toBeUndefined();
  });
});
