import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CATEGORIES, CLASS, type Event } from "../../src/core/event.ts";
import { FIELD_PATHS } from "../../src/core/fields.ts";
import { newEvent } from "../../src/core/new-event.ts";
import { eventToOcsf, type OcsfVersion } from "../../src/core/ocsf.ts";
import { ocsfErrors, profileAttributes, schemasPresent } from "./ocsf-validator.ts";

const VERSIONS: readonly OcsfVersion[] = ["1.8.0", "1.9.0"];
const CLASSES: readonly number[] = Object.values(CLASS);
type Tree = Record<string, unknown>;
const render = (event: Event, version: OcsfVersion = "1.8.0"): Tree => eventToOcsf(event, { version }) as Tree;

function sample(classUid: number, fields: Partial<Event> = {}): Event {
  const event = newEvent("test:1", 1_774_915_519_693, "agent_api", classUid, 1);
  return Object.assign(event, { vendor: "Vendor", product: "Product", source: "test/one" }, fields);
}

const words = fc.oneof(
  fc.constant(""),
  fc.constantFrom(
    "10.0.0.7",
    "2001:db8::1",
    "fe80::1%eth0",
    "999.1.1.1",
    "GET",
    "BREW",
    "PROPFIND",
    "db1.internal",
    "__proto__",
    "a\u202eb\u0000c",
    "\ud800",
  ),
  fc.string({ maxLength: 12 }),
);
const numbers = fc.oneof(fc.integer({ min: -1, max: 100 }), fc.integer(), fc.double(), fc.constantFrom(0, 443, 65_535, 65_536, 2 ** 53));
const fieldValue = fc.oneof(
  { weight: 3, arbitrary: fc.constant(undefined) },
  { weight: 4, arbitrary: words },
  { weight: 3, arbitrary: numbers },
  { weight: 1, arbitrary: fc.boolean() },
);

/** Which kind of value a field takes, from an event where the kinds are visible. */
const LISTS = new Set<string>(["agents", "toolNames", "dataClasses", "scopes", "dnsAnswers"]);
const BOOLEANS = /^(refusal|isMfa|isChange|privileged|srcRegistered|dstAllowed|regionDeclared|actionDeclared|dataClassAllowed)$/;
const NUMBERS =
  /^(endTime|receivedTime|actionId|durationMs|attributionConfidence|agentPerMinuteMax|agentBulkMbMax|aiRoleId|tokensIn|tokensOut|costUsd|responseCode|errorFlag|userTypeId|authProtocolId|srcPort|dstPort|directionId|bytesOut|bytesIn|dnsRcodeId)$/;
const FIXED = new Set([
  "uid",
  "time",
  "classUid",
  "activityId",
  "severityId",
  "statusId",
  "attributionId",
  "category",
  "vendor",
  "product",
  "source",
]);

const anyEvent = fc
  .tuple(
    fc.constantFrom(...CLASSES, 0, 9999),
    fc.constantFrom(...CATEGORIES),
    fc.array(fieldValue, { minLength: 160, maxLength: 160 }),
    fc.integer({ min: -1, max: 100 }),
    fc.integer({ min: -1, max: 100 }),
    fc.array(words, { maxLength: 3 }),
  )
  .map(([classUid, category, values, activityId, small, list]) => {
    const event = newEvent("test:1", 1_774_915_519_693, category, classUid, activityId) as unknown as Tree;
    Object.keys(event).forEach((field, index) => {
      const value = values[index];
      if (FIXED.has(field)) return;
      if (LISTS.has(field)) event[field] = typeof value === "number" ? list : undefined;
      else if (BOOLEANS.test(field)) event[field] = value === undefined ? undefined : value === true;
      else if (NUMBERS.test(field)) event[field] = typeof value === "number" ? value : undefined;
      else event[field] = typeof value === "string" ? value : undefined;
    });
    event["severityId"] = small;
    event["statusId"] = small % 4;
    for (const [index, field] of (["vendor", "product", "source"] as const).entries()) {
      const value = values[150 + index];
      event[field] = typeof value === "string" ? value : "";
    }
    return event as unknown as Event;
  });

describe.skipIf(!schemasPresent)("events as OCSF (needs ../shared/reference/ocsf)", () => {
  test.each(VERSIONS)("an event of any class with any field values is a valid %s object", (version) => {
    fc.assert(
      fc.property(anyEvent, (event) => {
        expect(ocsfErrors(eventToOcsf(event, { version }), version)).toEqual([]);
      }),
      { numRuns: 1500 },
    );
  });

  test.each(VERSIONS.flatMap((version) => CLASSES.map((classUid) => [classUid, version] as const)))(
    "an event of class %i that says nothing else is a valid %s object",
    (classUid, version) => {
      for (let activity = 0; activity <= 41; activity++) {
        const event = newEvent("test:1", 1, "agent_api", classUid, activity);
        expect(ocsfErrors(eventToOcsf(event, { version }), version)).toEqual([]);
      }
    },
  );

  test.each(VERSIONS)("attributes of a profile appear only when %s metadata names one of its profiles", (version) => {
    const byClass = new Map(CLASSES.map((classUid) => [classUid, profileAttributes(classUid, version)]));
    fc.assert(
      fc.property(anyEvent, (event) => {
        const object = render(event, version);
        const named = new Set((object["metadata"] as { profiles?: string[] }).profiles);
        for (const [attribute, profiles] of byClass.get(event.classUid) ?? []) {
          if (object[attribute] === undefined) continue;
          expect(
            profiles.some((profile) => named.has(profile)),
            `${attribute} of ${event.classUid} wants ${profiles.join("|")}`,
          ).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });
});

/** The value at a dotted path; arrays give their first element. */
function at(tree: unknown, path: string): unknown {
  let node: unknown = tree;
  for (const step of path.split(".")) {
    if (Array.isArray(node)) node = node[0];
    if (typeof node !== "object" || node === null) return undefined;
    node = (node as Tree)[step];
  }
  return node;
}

test.each(VERSIONS.flatMap((version) => CLASSES.map((classUid) => [classUid, version] as const)))(
  "every field of an event of class %i can be found in its %s object",
  (classUid, version) => {
    const written = new Set(["uid", "time", "classUid", "activityId", "severityId", "statusId"]);
    for (const field of new Set(Object.values(FIELD_PATHS))) {
      if (written.has(field)) continue;
      const value = LISTS.has(field)
        ? ["one-value"]
        : BOOLEANS.test(field)
          ? true
          : NUMBERS.test(field) || field === "attributionId"
            ? 3
            : "one-value";
      const event = sample(classUid, { [field]: value });
      const text = JSON.stringify(render(event, version));
      const without = JSON.stringify(render(sample(classUid), version));
      expect(text, `${field} left no trace`).not.toBe(without);
      if (value !== true && value !== 3) expect(text, field).toContain("one-value");
    }
  },
);

test("no name of a field is the beginning of another one's, so that all fit into one tree", () => {
  const paths = Object.keys(FIELD_PATHS);
  for (const path of paths) expect(paths.filter((other) => other.startsWith(`${path}.`))).toEqual([]);
});

test("what OCSF has no place for stands under unmapped, by the names that rules use", () => {
  const object = render(
    sample(CLASS.apiActivity, { purpose: "invoicing", agentRole: "bookkeeper", agents: ["a", "b"], costUsd: 0.25, refusal: false }),
  );
  expect(object["unmapped"]).toEqual({
    category: "agent_api",
    purpose: "invoicing",
    refusal: false,
    cost: { usd: 0.25 },
    agent: { role: "bookkeeper", candidates: ["a", "b"] },
  });
});

test("a text that the source supplied empty is never an OCSF name, but can still be told from a missing one", () => {
  const object = render(sample(CLASS.apiActivity, { userUid: "", userName: "ann", purpose: "", statusCode: "", tenant: "" }));
  expect(at(object, "actor.user")).toEqual({ name: "ann" });
  expect(object["status_code"]).toBeUndefined();
  expect(at(object, "unmapped.actor.user.uid")).toBe("");
  expect(at(object, "unmapped.purpose")).toBe("");
  expect(at(object, "unmapped.status_code")).toBe("");
  expect(at(render(sample(CLASS.apiActivity)), "unmapped.purpose")).toBeUndefined();
});

test("in 1.8.0 the agent is the acting application and stands in full under unmapped", () => {
  const fields = { agentUid: "agent-1", agentName: "Ledger", agentVersion: "2", onBehalfOf: "boss" };
  const object = render(sample(CLASS.apiActivity, fields), "1.8.0");
  expect(object["actor"]).toEqual({ app_uid: "agent-1", app_name: "Ledger" });
  expect(at(object, "unmapped.ai_agent")).toEqual({ uid: "agent-1", name: "Ledger", version: "2" });
  expect(at(object, "unmapped.delegation")).toEqual({ issuer_uid: "boss" });
  expect(at(render(sample(CLASS.apiActivity, { ...fields, clientUid: "client-9" })), "actor.app_uid")).toBe("client-9");
});

test("in 1.9.0 the agent, its model and the delegation have their own objects", () => {
  const fields = {
    agentUid: "agent-1",
    agentName: "Ledger",
    clientUid: "client-9",
    onBehalfOf: "boss",
    model: "m1",
    modelProvider: "anthropic",
  };
  const object = render(sample(CLASS.networkActivity, { ...fields, dstHost: "db.example" }), "1.9.0");
  expect(object["ai_agent"]).toEqual({ uid: "agent-1", name: "Ledger" });
  expect(object["ai_model"]).toEqual({ name: "m1", ai_provider: "anthropic" });
  expect(object["delegation"]).toEqual({ uid: "unknown", issuer_uid: "boss" });
  expect(object["actor"]).toEqual({ application: { uid: "client-9" } });
  expect(at(object, "metadata.profiles.0") ?? (object["metadata"] as Tree)["profiles"]).toEqual(["ai_operation", "host"]);
});

test("values that a schema would refuse go to unmapped instead of being dropped or bent", () => {
  const object = render(
    sample(CLASS.networkActivity, { srcIp: "fe80::1%eth0", srcPort: 70_000, bytesOut: 1.5, dstHost: "db.example", region: "eu-1" }),
  );
  expect(object["src_endpoint"]).toBeUndefined();
  expect(at(object, "unmapped.src_endpoint")).toEqual({ ip: "fe80::1%eth0", port: 70_000 });
  expect(at(object, "unmapped.traffic.bytes_out")).toBe(1.5);
  expect(at(object, "unmapped.cloud.region")).toBe("eu-1");
  expect(object["cloud"]).toBeUndefined();
});

test("an activity outside the class's list is Other and says its number", () => {
  expect(render(sample(CLASS.apiActivity, { activityId: 7 }))).toMatchObject({
    activity_id: 99,
    activity_name: "Activity 7",
    type_uid: 600_399,
  });
  expect(render(sample(CLASS.userAccess, { activityId: 3 }), "1.8.0")).toMatchObject({ activity_id: 99, activity_name: "Assign Role" });
  expect(render(sample(CLASS.userAccess, { activityId: 3 }), "1.9.0")).toMatchObject({ activity_id: 3, type_uid: 300_503 });
});

test("a tool is a resource of its own type beside the resource that was touched", () => {
  const object = render(sample(CLASS.apiActivity, { toolName: "transfer_funds", resourceUid: "acct-1", operation: "execute_tool" }));
  expect(object["resources"]).toEqual([{ uid: "acct-1" }, { name: "transfer_funds", type: "ai_tool" }]);
  expect(at(object, "unmapped.tool.name")).toBe("transfer_funds");
});

test("an agent finding is new, names its threat and carries its evidence", () => {
  const fields = { findingThreat: "data_exfiltration", findingSignal: "aws_access_key", agentUid: "agent-1", userName: "ann", statusId: 2 };
  const object = render(sample(CLASS.detectionFinding, fields), "1.9.0");
  expect(object["finding_info"]).toMatchObject({ title: "data_exfiltration: aws_access_key", types: ["data_exfiltration"] });
  expect(object).toMatchObject({ status_id: 1, is_alert: true, unmapped: { status_id: 2 } });
  expect(at(object, "evidences.ai_agent.uid")).toBe("agent-1");
  expect(at(object, "evidences.actor.user.name")).toBe("ann");
});

test("text that could hide or reorder what a person reads is written out", () => {
  const object = render(sample(CLASS.apiActivity, { toolName: "rm\u202etxt.exe", userName: "a\u0007b\u200b", operation: "é漢字 ok" }));
  expect(at(object, "unmapped.tool.name")).toBe("rm\\u{202e}txt.exe");
  expect(at(object, "actor.user.name")).toBe("a\\u{7}b\\u{200b}");
  expect(at(object, "api.operation")).toBe("é漢字 ok");
});

test.runIf(schemasPresent)("every address that is placed as an address is one for OCSF too", () => {
  const texts = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.constantFrom(
      "::",
      "::1",
      "1::",
      "::ffff:1.2.3.4",
      "1::2.3.4.5",
      "1:2:3:4:5:6:1.2.3.4",
      "010.0.0.1",
      "1.2.3.04",
      "::1.2.3.04",
      "::01.2.3.4",
      "1111:2222:3333:4444:5555:6666:1.2.30.40",
      "1111:2222:3333:4444:5555:6666:1.2.30.240",
      "0:0000:0000:0000:0000:0000:100.100.10.100",
    ),
    fc.constantFrom("1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8::", "1.2.3", "1.2.3.256", " 1.2.3.4", "a::g"),
  );
  fc.assert(
    fc.property(texts, (text) => {
      const object = render(sample(CLASS.networkActivity, { srcIp: text, dstHost: "x.example" }));
      expect(ocsfErrors(object, "1.8.0")).toEqual([]);
      expect(at(object, "src_endpoint.ip") ?? at(object, "unmapped.src_endpoint.ip")).toBe(text);
    }),
    { numRuns: 500 },
  );
  expect(at(render(sample(CLASS.networkActivity, { srcIp: "2001:db8::7" })), "src_endpoint.ip")).toBe("2001:db8::7");
});

test("rendering changes neither the event nor a second rendering", () => {
  const event = sample(CLASS.dnsActivity, { dnsQuery: "x.example", dnsAnswers: ["10.0.0.1"], agents: ["a"] });
  const before = JSON.stringify(event);
  const first = JSON.stringify(render(event));
  expect(JSON.stringify(render(event))).toBe(first);
  expect(JSON.stringify(event)).toBe(before);
});
