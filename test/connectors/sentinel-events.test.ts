import { globSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { renderEvent } from "../../connectors/sentinel/event-render.ts";
import { ITEM_BYTES_MAX } from "../../connectors/sentinel/render.ts";
import sentinel from "../../connectors/sentinel/sentinel.ts";
import { streamOf, TABLES, type TableName } from "../../connectors/sentinel/tables.ts";
import { CATEGORIES, type Category, type Event } from "../../src/core/event.ts";
import { newEvent } from "../../src/core/new-event.ts";
import type { Delivery, EventSubject } from "../../src/ports/connector.ts";
import { SENTINEL_DEMO, startSentinelSimulator } from "../../src/simulators/sentinel.ts";
import { reactionOf } from "../contract/destination.ts";
import { testContext, testSecret } from "../fixtures/context.ts";
import { hostileAlert, hostileIncident } from "../fixtures/hostile.ts";
import { alertSubject, delivery, storyEvents, STORY_TIME } from "../fixtures/subjects.ts";
import { asimErrors, asimPresent, type Row } from "./sentinel-asim.ts";

const NAME = "sentinel/soc";
const NOW = STORY_TIME + 600_000;

function eventDelivery(event: Event, createdTime = STORY_TIME + 130_000): Delivery<EventSubject> {
  return { key: `${NAME}:event:${event.uid}:1`, destination: NAME, subject: { kind: "event", event }, createdTime, attempts: 0 };
}

function rendered(event: Event): { readonly row: Row; readonly table: TableName } {
  const one = renderEvent(eventDelivery(event), ITEM_BYTES_MAX);
  return { row: JSON.parse(one.body) as Row, table: one.meta!["table"] as TableName };
}

/** An event of a category with what the changes say, as the agent's. */
function event(category: Category, classUid: number, activityId: number, changes: Partial<Event>): Event {
  const one = newEvent(`test:${category}:${classUid}:${activityId}`, STORY_TIME, category, classUid, activityId);
  return Object.assign(one, {
    source: "zeek/main",
    vendor: "Zeek",
    product: "Zeek",
    agentUid: "agent-invoice-bot",
    agentName: "invoice-bot",
    ...changes,
  });
}

const [login, read, upload] = storyEvents() as [Event, Event, Event];
/** One event per table, with as many fields as its class has. */
const FULL: Readonly<Record<TableName, Event>> = {
  alert: event("agent_finding", 2004, 1, {
    findingThreat: "prompt_injection",
    findingSeverity: "high",
    severityId: 4,
    statusDetail: "an instruction in a document",
  }),
  agent: Object.assign(structuredClone(read), {
    ...{
      model: "claude-x",
      modelProvider: "anthropic",
      toolName: "crm.search",
      tokensIn: 1200,
      tokensOut: 80,
      finishReason: "tool_use",
      statusId: 2,
    },
    ...{
      statusDetail: "denied by policy",
      statusCode: "403",
      conversationUid: "conv-1",
      requestUid: "req-1",
      clientUid: "client-1",
      argsHash: "sha256:00",
    },
    ...{ onBehalfOf: "ann@example.com", dataClasses: ["customer"], scopes: ["crm.read"], costUsd: 0.012 },
  }),
  authentication: Object.assign(structuredClone(login), {
    statusId: 2,
    statusDetail: "invalid_client",
    userTypeId: 4,
    authProtocolId: 6,
    isMfa: true,
    service: "Okta",
    userAgent: "x/1",
    sessionUid: "s-1",
  }),
  network: Object.assign(structuredClone(upload), {
    protocol: "tcp",
    appProtocol: "tls",
    directionId: 2,
    bytesIn: 4100,
    durationMs: 312,
    srcPort: 40111,
    srcHost: "node-7.prod.example",
    actionId: 1,
    srcCountry: "NL",
  }),
  web: Object.assign(structuredClone(upload), {
    classUid: 4002,
    method: "put",
    url: "/up?name=x",
    responseCode: 201,
    userAgent: "curl/8",
    host: "gw-1.prod.example",
  }),
  dns: event("dns", 4003, 2, {
    srcIp: "10.4.7.19",
    dstIp: "10.0.0.2",
    dstPort: 53,
    dnsQuery: "x9.exfil.example",
    dnsType: "TXT",
    dnsRcodeId: 3,
    dnsAnswers: ["192.0.2.1"],
    protocol: "udp",
    durationMs: 3,
  }),
  audit: event("infra_change", 6003, 1, {
    ...{
      source: "aws-cloudtrail/main",
      vendor: "AWS",
      product: "CloudTrail",
      infraAction: "aws:iam:CreateAccessKey",
      resourceName: "ci-user",
      resourceUid: "arn:aws:iam::1:user/ci",
    },
    ...{
      resourceType: "AWS::IAM::User",
      service: "iam",
      userUid: "AIDA1",
      userName: "ci",
      grant: "AdministratorAccess",
      srcIp: "203.0.113.4",
      userAgent: "aws-cli",
      cloudAccount: "1",
    },
  }),
  process: event("process", 1007, 1, { process: "/usr/bin/nc", userName: "root", userUid: "0", host: "node-7" }),
  file: event("file", 1001, 4, { filePath: "/etc/shadow", userName: "root", srcIp: "10.0.0.4" }),
};

/** Every event that the connectors' own samples make, as their golden files have it. */
function sampleEvents(): Event[] {
  const files = globSync(resolve(import.meta.dirname, "../../connectors/*/samples/*.golden.ndjson")).sort();
  return files.flatMap((file) =>
    readFileSync(file, "utf8")
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line) => JSON.parse(line) as Partial<Event>)
      .filter((given) => given.uid !== undefined && given.category !== undefined)
      .map((given) => Object.assign(newEvent(given.uid!, given.time!, given.category!, given.classUid!, given.activityId!), given)),
  );
}

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
