import { describe, expect, it } from "vitest";
import { renderBulk, type IndexNames } from "../../src/archetypes/bulk/render.ts";
import { ecsMappings, ownMappings, type Dialect } from "../../src/archetypes/ecs/fields.ts";
import { ACTION, CLASS, type Event } from "../../src/core/event.ts";
import { newEvent } from "../../src/core/new-event.ts";
import { expectEcs, mappedType, referenceEcs, scalars, type Mapped } from "../fixtures/ecs.ts";
import { classEvents, eventDelivery, sampleEvents } from "../fixtures/events.ts";
import { STORY_TIME } from "../fixtures/subjects.ts";

const STREAM: IndexNames = {
  alertIndex: "custodes-alerts",
  incidentIndex: "custodes-incidents",
  eventIndex: "logs-custodes.event-default",
  stream: { dataset: "custodes.event", namespace: "default" },
};
/** What a document may take: any will do that is far from the largest. */
const ITEM_BYTES_MAX = 250_000;

interface Lines {
  readonly action: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  readonly document: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

function linesOf(event: Event, names: IndexNames = STREAM): Lines {
  const [action, document, end] = renderBulk(eventDelivery(event), names, ITEM_BYTES_MAX).body.split("\n");
  expect(end).toBe("");
  return { action: JSON.parse(action!) as Lines["action"], document: JSON.parse(document!) as Lines["document"] };
}

const event = (changes: Partial<Event> = {}): Event =>
  Object.assign(newEvent("acme:1", STORY_TIME, "egress", CLASS.networkActivity, 6), changes);

const NUMBERS =
  "severityId statusId actionId durationMs attributionId attributionConfidence agentPerMinuteMax agentBulkMbMax aiRoleId tokensIn tokensOut costUsd responseCode errorFlag userTypeId authProtocolId srcPort dstPort directionId bytesOut bytesIn dnsRcodeId";
const FLAGS =
  "srcRegistered dstAllowed regionDeclared actionDeclared dataClassAllowed refusal isMfa isChange privileged uid time endTime receivedTime category classUid activityId";
const LISTS = "agents toolNames dataClasses scopes dnsAnswers links";

/** Every text as hostile and every list as long as it can be, every number out of range. */
function hostileEvent(): Event {
  const hostile = event();
  const names = (list: string): ReadonlySet<string> => new Set(list.split(" "));
  const [numbers, flags, lists] = [names(NUMBERS), names(FLAGS), names(LISTS)];
  for (const key of Object.keys(hostile)) {
    if (flags.has(key)) continue;
    const text = "\u202e{{}}\n\u0000".repeat(900);
    const list = Array.from({ length: 900 }, (_, at) => `${"ü".repeat(2_000)}${at}`);
    Object.assign(hostile, { [key]: numbers.has(key) ? -1e300 : lists.has(key) ? list : text });
  }
  return hostile;
}

describe("an event as an ECS document", () => {
  it("uses only fields of ECS, with their types, for every sample of every connector and every class", () => {
    const ecs = referenceEcs();
    if (ecs === undefined) return;
    const events = [...sampleEvents(), ...classEvents().map(([, one]) => one), hostileEvent()];
    expect(events.length).toBeGreaterThan(150);
    for (const one of events) expectEcs(linesOf(one).document, ecs);
  });

  it.each(["elastic", "opensearch"] satisfies Dialect[])(
    "has a mapping for every field, with a type that takes the value: %s",
    (dialect) => {
      const mapped = { ...(ecsMappings(dialect, true)["properties"] as Mapped), ...(ownMappings(dialect)["properties"] as Mapped) };
      for (const one of [...sampleEvents(), ...classEvents().map(([, each]) => each)]) {
        for (const [path, value] of scalars(linesOf(one).document, "")) {
          const type = mappedType(mapped, path);
          if (typeof value === "number") expect(["long", "float", "integer"], path).toContain(type);
          else if (typeof value === "boolean") expect(type, path).toBe("boolean");
          else expect(["keyword", "date", "ip", "match_only_text", "text", "wildcard", "constant_keyword"], path).toContain(type);
        }
      }
    },
  );

  it("looks like the sample, one per class", async () => {
    const all = Object.fromEntries(classEvents().map(([name, one]) => [name, linesOf(one)]));
    await expect(`${JSON.stringify(all, null, 2)}\n`).toMatchFileSnapshot("../../connectors/elastic/samples/event.json.golden");
  });

  it("is never one that a detection rule promotes, and says which stream it is in", () => {
    for (const [, one] of classEvents()) {
      const { action, document } = linesOf(one);
      expect(document["event"]!["kind"]).toBe("event");
      expect(document["data_stream"]).toEqual({ type: "logs", dataset: "custodes.event", namespace: "default" });
      expect(document["event"]!["dataset"]).toBe("custodes.event");
      expect(action).toEqual({ create: { _index: "logs-custodes.event-default", _id: one.uid } });
    }
  });

  it("leaves the id to the server where it takes none of ours, and says the key", () => {
    const { action, document } = linesOf(event(), { ...STREAM, eventIndex: "custodes-events", stream: undefined, serverIds: true });
    expect(action).toEqual({ index: { _index: "custodes-events" } });
    expect(document).not.toHaveProperty("data_stream");
    expect(document["custodes"]!["key"]).toBe("elastic/main:event:acme:1:1");
  });

  it("makes ids that are plain and that no two uids share", () => {
    const uids = ["a:1", "a:%31", "a:ü", "a:%C3%BC", "a:1 ", "a:1\n", "a/1", "a:\u202e"];
    const ids = uids.map((uid) => linesOf(event({ uid })).action["create"]!["_id"] as string);
    expect(new Set(ids).size).toBe(uids.length);
    for (const id of ids) expect(id).toMatch(/^[\x21-\x7e]+$/);
    for (const uid of ["", "x".repeat(513), "ü".repeat(100), "\ud800"])
      expect(() => linesOf(event({ uid }))).toThrowError(expect.objectContaining({ kind: "poison", code: "RENDER_CONTRACT" }));
  });

  it("says what a control decided and how it ended", () => {
    const type = (changes: Partial<Event>): unknown => linesOf(event(changes)).document["event"]!["type"];
    expect(type({ actionId: ACTION.denied })).toEqual(["connection", "denied"]);
    expect(type({ actionId: ACTION.allowed, activityId: 1 })).toEqual(["connection", "start", "allowed"]);
    expect(type({ classUid: CLASS.apiActivity, category: "infra_change", activityId: 4 })).toEqual(["deletion"]);
    expect(linesOf(event({ statusId: 2, statusCode: "E7" })).document).toMatchObject({
      event: { outcome: "failure" },
      error: { code: "E7" },
    });
    expect(linesOf(event({ statusId: 1, statusCode: "OK" })).document).not.toHaveProperty("error");
    expect(linesOf(event()).document["event"]!["outcome"]).toBe("unknown");
    expect([0, 1, 2, 3, 4, 5, 6, 77].map((severityId) => linesOf(event({ severityId })).document["event"]!["severity"])).toEqual([
      21, 21, 21, 47, 73, 99, 99, 21,
    ]);
  });

  it("refuses a time that is none, and fits whatever the texts say", () => {
    expect(() => linesOf(event({ time: Number.NaN }))).toThrowError(expect.objectContaining({ code: "RENDER_CONTRACT" }));
    const rendered = renderBulk(eventDelivery(hostileEvent()), STREAM, ITEM_BYTES_MAX);
    expect(rendered.bytes).toBeLessThanOrEqual(ITEM_BYTES_MAX);
    expect(rendered.bytes).toBe(Buffer.byteLength(rendered.body));
    expect(/[\p{Cc}\p{Cf}]/u.test(rendered.body.replaceAll("\n", ""))).toBe(false);
    expect(() => renderBulk(eventDelivery(hostileEvent()), STREAM, 500)).toThrowError(expect.objectContaining({ code: "RENDER_CONTRACT" }));
  });
});
