import { describe, expect, it } from "vitest";
import { renderEvent } from "../../connectors/sentinel/event-render.ts";
import { ITEM_BYTES_MAX } from "../../connectors/sentinel/render.ts";
import sentinel from "../../connectors/sentinel/sentinel.ts";
import { streamOf, TABLES, type TableName } from "../../connectors/sentinel/tables.ts";
import { CATEGORIES } from "../../src/core/event.ts";
import { newEvent } from "../../src/core/new-event.ts";
import { SENTINEL_DEMO, startSentinelSimulator } from "../../src/simulators/sentinel.ts";
import { reactionOf } from "../contract/destination.ts";
import { testContext, testSecret } from "../fixtures/context.ts";
import { hostileAlert, hostileIncident } from "../fixtures/hostile.ts";
import { alertSubject, delivery, STORY_TIME } from "../fixtures/subjects.ts";
import { asimErrors, asimPresent, type Row } from "./sentinel-asim.ts";
import { event, eventDelivery, FULL, NAME, rendered, sampleEvents } from "./sentinel-event-cases.ts";

const NOW = STORY_TIME + 600_000;

describe("sentinel's rows of events", () => {
  it.skipIf(!asimPresent).each(Object.entries(FULL))("are valid rows of the table of their class: %s", (table, one) => {
    const { row, table: chosen } = rendered(one);
    expect(chosen).toBe(table);
    expect(asimErrors(row, TABLES[chosen].schema)).toEqual([]);
  });

  it.skipIf(!asimPresent)("are valid for every event that a connector's samples make", () => {
    const events = sampleEvents();
    expect(events.length).toBeGreaterThan(200);
    expect(new Set(events.map((one) => one.category)).size).toBeGreaterThanOrEqual(6);
    const wrong = events.flatMap((one) => {
      const { row, table } = rendered(one);
      return asimErrors(row, TABLES[table].schema).map((error) => `${one.uid}: ${error}`);
    });
    expect(wrong).toEqual([]);
  });

  it.skipIf(!asimPresent)("are valid for an event that says next to nothing, of each category", () => {
    for (const category of CATEGORIES) {
      const { row, table } = rendered(newEvent(`x:${category}`, STORY_TIME, category, 0, 0));
      expect(asimErrors(row, TABLES[table].schema), category).toEqual([]);
    }
  });

  it.skipIf(!asimPresent)("would be found invalid by this test's validator if they were", () => {
    const { Dvc: _, ...row } = rendered(FULL.network).row;
    const broken = {
      ...row,
      EventResult: "Maybe",
      EventType: "Session",
      DstDomainType: undefined,
      SrcAppType: undefined,
      SrcBytes: 1.5,
      EventSchemaVersion: "0.1",
      Dst: "x",
    };
    expect(asimErrors(broken, "NetworkSession").sort()).toEqual([
      "Dst is an alias, which a table does not store",
      "DstDomainType is required with DstDomain",
      "Dvc is mandatory",
      'EventResult must not be "Maybe"',
      "EventSchemaVersion must be 0.2.7",
      'EventType must not be "Session"',
      "SrcAppType goes with SrcApp",
      "SrcBytes must be of type Long, not 1.5",
    ]);
  });

  it("have only columns that their streams declare", () => {
    for (const one of [...Object.values(FULL), ...sampleEvents()]) {
      const { row, table } = rendered(one);
      expect(Object.keys(row).filter((name) => !Object.hasOwn(TABLES[table].columns, name))).toEqual([]);
    }
  });

  it("fill every column that their streams declare, in one of the cases", () => {
    const used = new Map<string, Set<string>>(Object.keys(TABLES).map((table) => [table, new Set<string>()]));
    const extra = [
      Object.assign(structuredClone(FULL.authentication), {
        activityId: 7,
        userUid: "u",
        targetUserUid: "t",
        targetUserName: "t@x.example",
        host: "a.b.example",
        actionId: 2,
        srcPort: 1,
        srcHost: "q.w.example",
      }),
      Object.assign(structuredClone(FULL.network), {
        host: "a.b.example",
        dstHost: "c.d.example",
        userUid: "u",
        userName: "n",
        userTypeId: 1,
        statusCode: "x",
        eventCode: "y",
        originalUid: "z",
      }),
      Object.assign(structuredClone(FULL.agent), {
        agentUid: "a",
        userName: "n",
        userUid: "u",
        srcHost: "q.w.example",
        originalUid: "z",
        srcPort: 4,
      }),
    ];
    for (const one of [...Object.values(FULL), ...extra, ...sampleEvents()]) {
      const { row, table } = rendered(one);
      for (const name of Object.keys(row)) used.get(table)!.add(name);
    }
    // Common columns that no event of a class happens to have are declared for all tables alike.
    const common = /^(Dvc|Src|Event|Actor|ActingApp|Target|Dst|Network)/;
    for (const [table, names] of used) {
      if (table === "alert") continue;
      const unused = Object.keys(TABLES[table as TableName].columns).filter((name) => !names.has(name) && !common.test(name));
      expect(unused, table).toEqual([]);
    }
  });

  it("keep hostile texts short, plain and below the limit of a field", () => {
    const hostile = [...hostileAlert().evidence, ...hostileIncident().evidence];
    for (const one of [...hostile, ...CATEGORIES.map((category) => ({ ...hostile[0]!, category }))]) {
      const { row } = rendered(one);
      for (const value of Object.values(row)) {
        const text = typeof value === "string" ? value : JSON.stringify(value);
        expect(Buffer.byteLength(text)).toBeLessThanOrEqual(32_000);
        expect(/[\p{Cc}\p{Cf}\p{Cs}]/u.test(text)).toBe(false);
      }
    }
  });

  it("are stamped with the event's time, or with that of sending where the service would replace it", () => {
    const at = (age: number) => JSON.parse(renderEvent(eventDelivery(FULL.dns, STORY_TIME + age), ITEM_BYTES_MAX).body) as Row;
    expect(at(3_600_000)["TimeGenerated"]).toBe(new Date(STORY_TIME).toISOString());
    expect(at(43 * 3_600_000)["TimeGenerated"]).toBe(new Date(STORY_TIME + 43 * 3_600_000).toISOString());
    expect(at(-19 * 3_600_000)["TimeGenerated"]).toBe(new Date(STORY_TIME - 19 * 3_600_000).toISOString());
    expect(at(43 * 3_600_000)["EventStartTime"]).toBe(new Date(STORY_TIME).toISOString());
  });

  it.each([
    ["authentication", { activityId: 7 }, { EventType: "Elevate", EventSubType: "AssumeRole" }],
    ["authentication", { activityId: 2 }, { EventType: "Logoff" }],
    ["authentication", { statusId: 1 }, { EventType: "Logon", EventResult: "Success" }],
    ["network", { actionId: 2, statusId: 2 }, { DvcAction: "Deny", EventResult: "Failure" }],
    [
      "web",
      { dstPort: 8443 },
      { Url: "https://files.unlisted.example:8443/up?name=x", EventResultDetails: "201", HttpRequestMethod: "PUT" },
    ],
    ["web", { dstHost: undefined, dstIp: "2001:db8::1", dstPort: 80 }, { Url: "http://[2001:db8::1]/up?name=x" }],
    ["dns", {}, { EventResultDetails: "NXDOMAIN", DnsResponseCode: 3, EventSubType: "response" }],
    ["dns", { dnsRcodeId: 99 }, { EventResultDetails: "NA" }],
    [
      "audit",
      { activityId: 4 },
      { EventType: "Delete", Operation: "aws:iam:CreateAccessKey", Object: "ci-user", ActorUserIdType: "AWSId" },
    ],
    [
      "file",
      { activityId: 2, filePath: "C:\\x\\y.txt" },
      { EventType: "FileAccessed", TargetFilePathType: "Windows Local", TargetFileName: "y.txt" },
    ],
    ["process", { activityId: 2 }, { EventType: "ProcessTerminated", TargetProcessName: "/usr/bin/nc" }],
    [
      "agent",
      {},
      { EventType: "ToolCall", SrcAgentId: "agent-invoice-bot", EventErrorDetails: "denied by policy", EventFinishReasons: ["tool_use"] },
    ],
  ] as const)("say of %s with %j what happened", (table, changes, expected) => {
    expect(rendered(Object.assign(structuredClone(FULL[table]), changes)).row).toMatchObject(expected);
  });

  it("go to the audit or the authentication table when they are about credentials, and to the network's without an address", () => {
    expect(rendered(event("credential", 3002, 3, {})).table).toBe("authentication");
    expect(rendered(event("credential", 6003, 2, {})).table).toBe("audit");
    expect(rendered(event("egress", 4002, 6, {})).table).toBe("network");
  });

  it.each(Object.entries(FULL))("look like this: %s", async (table, one) => {
    const text = `${JSON.stringify(rendered(one).row, undefined, 2)}\n`;
    await expect(text).toMatchFileSnapshot(`../../connectors/sentinel/samples/event-${table}.json.golden`);
  });
});

describe("sentinel's events on their way", () => {
  const streams = new Map(
    (Object.keys(TABLES) as TableName[])
      .filter((table) => table !== "alert")
      .map((table) => [streamOf(table, ""), new Map(Object.entries(TABLES[table].columns))]),
  );
  async function world() {
    const simulator = await startSentinelSimulator({ now: () => NOW, streams });
    const { tenantId, clientId, dcrImmutableId } = SENTINEL_DEMO;
    const { url: endpoint, authority } = simulator;
    const clientSecret = testSecret(SENTINEL_DEMO.clientSecret);
    const config = sentinel.config.parse({ tenantId, clientId, clientSecret, endpoint, authority, dcrImmutableId });
    return { simulator, destination: sentinel.destination!(config) };
  }

  it("arrive in the stream of their table without a loss", async () => {
    const { simulator, destination } = await world();
    try {
      for (const [table, one] of Object.entries(FULL)) {
        const item = destination.render(eventDelivery(one));
        expect(item.group).toBe(table);
        expect(await reactionOf(destination.send([item], testContext().context))).toBeUndefined();
        expect(simulator.received(streamOf(table as TableName, SENTINEL_DEMO.stream))).toEqual([JSON.parse(item.body)]);
      }
      expect(simulator.losses()).toEqual([]);
    } finally {
      await simulator.close();
    }
  });

  it("share a batch with others of their table only", async () => {
    const { simulator, destination } = await world();
    try {
      const items = [destination.render(eventDelivery(FULL.dns)), destination.render(delivery(alertSubject(), NAME))];
      expect(new Set(items.map((item) => item.group)).size).toBe(2);
      await expect(destination.send(items, testContext().context)).rejects.toMatchObject({ code: "RECORD_BUG" });
      expect(simulator.received()).toEqual([]);
    } finally {
      await simulator.close();
    }
  });
});
