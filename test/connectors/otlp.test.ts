import { describe, expect, test } from "vitest";
import otlp from "../../connectors/otlp/otlp.ts";
import { millisOf } from "../../connectors/otlp/time.ts";
import type { Event } from "../../src/core/event.ts";
import { normalizeContext } from "../contract/normalizer.ts";

const context = normalizeContext("otlp");
type Config = NonNullable<Parameters<NonNullable<typeof otlp.normalize>>[0]>;
const config = (given: object = {}): Config => otlp.config.parse(given);

function normalize(record: unknown, given?: object): readonly Event[] {
  return otlp.normalize!(config(given))(record, context);
}

const value = (one: unknown): object =>
  typeof one === "number" ? { intValue: String(one) } : typeof one === "boolean" ? { boolValue: one } : { stringValue: one };
const attributes = (values: Record<string, unknown>): object[] => Object.entries(values).map(([key, one]) => ({ key, value: value(one) }));
const ids = { traceId: "5F1C2F4B0E6A47D58C3A90B1D2E3F405", spanId: "a1b2c3d4e5f60718" };

function log(values: Record<string, unknown>, more: object = {}, resource: Record<string, unknown> = {}): object {
  return {
    resource: { attributes: attributes(resource) },
    scope: { name: "s" },
    log: { timeUnixNano: "1774915519693810781", attributes: attributes(values), ...ids, ...more },
  };
}
function span(values: Record<string, unknown>, more: object = {}): object {
  const times = { startTimeUnixNano: "1774915519100999999", endTimeUnixNano: "1774915519900000001" };
  return { resource: {}, scope: {}, span: { name: "n", ...times, attributes: attributes(values), ...ids, ...more } };
}
const one = (record: object, given?: object): Event => {
  const events = normalize(record, given);
  expect(events).toHaveLength(1);
  return events[0]!;
};

test.each([
  ["1774915519693999999", 1_774_915_519_693],
  ["1774915519693000000", 1_774_915_519_693],
  [Number("1774915519693810781"), 1_774_915_519_693],
  ["999999", undefined],
  ["1000000", 1],
  ["0", undefined],
  [0, undefined],
  ["", undefined],
  ["-1774915519693810781", undefined],
  ["17749155196938107810000", undefined],
  ["1.7e18", undefined],
  [Number.NaN, undefined],
  [Number.POSITIVE_INFINITY, undefined],
  [null, undefined],
  [{}, undefined],
])("nanoseconds %j are floored to milliseconds", (nanos, millis) => {
  expect(millisOf(nanos)).toBe(millis);
});

describe("calls", () => {
  test("old and new names of the provider and the tokens mean the same", () => {
    const old = {
      "gen_ai.operation.name": "chat",
      "gen_ai.system": "openai",
      "gen_ai.usage.prompt_tokens": 5,
      "gen_ai.usage.completion_tokens": 6,
    };
    const now = {
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "openai",
      "gen_ai.usage.input_tokens": 5,
      "gen_ai.usage.output_tokens": 6,
    };
    const [first, second] = [one(span(old)), one(span(now))];
    expect(first).toEqual(second);
    expect(first).toMatchObject({ modelProvider: "openai", tokensIn: 5, tokensOut: 6, category: "agent_api", classUid: 6003, aiRoleId: 2 });
  });

  test("the present name wins over the old one", () => {
    expect(
      one(span({ "gen_ai.operation.name": "chat", "gen_ai.system": "az.ai.inference", "gen_ai.provider.name": "azure.ai.openai" }))
        .modelProvider,
    ).toBe("azure.ai.openai");
  });

  test("a span's time is its start, its duration comes from its end, both floored", () => {
    expect(one(span({ "gen_ai.operation.name": "chat" }))).toMatchObject({
      time: 1_774_915_519_100,
      endTime: 1_774_915_519_900,
      durationMs: 800,
    });
    const backwards = one(span({ "gen_ai.operation.name": "chat" }, { endTimeUnixNano: "1774915519000000000" }));
    expect(backwards).toMatchObject({ endTime: undefined, durationMs: undefined });
  });

  test("a log record without a time of its own happened when it was observed", () => {
    const record = log({ "gen_ai.operation.name": "chat" }, { timeUnixNano: "0", observedTimeUnixNano: "1774915519700000000" });
    expect(one(record).time).toBe(1_774_915_519_700);
  });

  test.each([
    [{ "error.type": "timeout" }, {}, 2, 1, "timeout"],
    [{}, { status: { code: 2, message: "secret text" } }, 2, 1, undefined],
    [{}, { status: { code: "STATUS_CODE_ERROR" } }, 2, 1, undefined],
    [{ "http.response.status_code": 429 }, {}, 2, 1, "429"],
    [{ "http.response.status_code": 200 }, { status: { code: 1 } }, 1, 0, "200"],
    [{}, {}, 1, 0, undefined],
  ])("a span with %j and %j has status %i", (values, more, statusId, errorFlag, statusCode) => {
    const event = one(span({ "gen_ai.operation.name": "chat", ...values }, more));
    expect(event).toMatchObject({ statusId, errorFlag, statusCode, statusDetail: undefined });
  });

  test("the model's own reasons to stop tell refusals from answers", () => {
    const stop = (reason: string): unknown =>
      one(span({ "gen_ai.operation.name": "chat", "gen_ai.response.finish_reasons": reason })).refusal;
    expect(stop("stop")).toBe(false);
    expect(stop("content_filter")).toBe(true);
    expect(one(span({ "gen_ai.operation.name": "chat" })).refusal).toBeUndefined();
  });

  test("arguments leave a hash that equal arguments share and different ones do not", () => {
    const call = (given: string): Event => one(span({ "gen_ai.operation.name": "execute_tool", "gen_ai.tool.call.arguments": given }));
    expect(call('{"a":1}').argsHash).toBe(context.sha256('{"a":1}'));
    expect(call('{"a":2}').argsHash).not.toBe(call('{"a":1}').argsHash);
    expect(one(span({ "gen_ai.operation.name": "execute_tool" })).argsHash).toBeUndefined();
  });

  test("the agent is its id, else its name, on the record or on its resource; attribution is left alone", () => {
    const both = { "gen_ai.operation.name": "chat", "gen_ai.agent.id": "urn:a", "gen_ai.agent.name": "A" };
    expect(one(span(both))).toMatchObject({ agentNative: "urn:a", agentName: undefined, agentUid: undefined });
    expect(one(span({ "gen_ai.operation.name": "chat", "gen_ai.agent.name": "A" })).agentNative).toBe("A");
    expect(one(log({ "gen_ai.operation.name": "chat" }, {}, { "gen_ai.agent.id": "urn:r" })).agentNative).toBe("urn:r");
  });

  test("the resource says where the agent runs, its service account as Kubernetes writes it", () => {
    const resource = {
      "k8s.namespace.name": "ns",
      "k8s.pod.uid": "u",
      "k8s.pod.name": "p",
      "k8s.serviceaccount.name": "sa",
      "cloud.region": "eu-1",
    };
    const event = one(log({ "gen_ai.operation.name": "chat" }, {}, { ...resource, "service.name": "bot", "host.name": "h" }));
    expect(event).toMatchObject({
      serviceAccount: "system:serviceaccount:ns:sa",
      namespace: "ns",
      podUid: "u",
      podName: "p",
      region: "eu-1",
      service: "bot",
      host: "h",
    });
  });

  test("an empty user says that there is none, a missing one says nothing", () => {
    expect(one(span({ "gen_ai.operation.name": "chat", "user.id": "" })).userUid).toBe("");
    expect(one(span({ "gen_ai.operation.name": "chat" })).userUid).toBeUndefined();
  });

  test("what follows the path of a resource's address is cut", () => {
    const event = one(span({ "mcp.method.name": "resources/read", "mcp.resource.uri": "https://x.example/a?token=t#f" }));
    expect(event).toMatchObject({
      operation: "resources/read",
      activityId: 2,
      resourceUid: "https://x.example/a",
      resourceType: "mcp_resource",
    });
  });

  test("records that say nothing about an agent give no event", () => {
    expect(normalize(log({}, { body: { stringValue: "started" } }))).toEqual([]);
    expect(normalize(span({ "http.request.method": "GET" }))).toEqual([]);
    expect(normalize(log({ "gen_ai.operation.name": "chat" }, { eventName: "gen_ai.user.message" }))).toEqual([]);
  });
});

describe("uids", () => {
  test("a span's uid is its trace and span, in lower case", () => {
    expect(one(span({ "gen_ai.operation.name": "chat" })).uid).toBe("otlp:5f1c2f4b0e6a47d58c3a90b1d2e3f405/a1b2c3d4e5f60718");
  });

  test("log records of one span have uids of their own, which a second sending repeats", () => {
    const first = one(log({ "gen_ai.operation.name": "chat" }, { observedTimeUnixNano: "1774915519700000000" }));
    const again = one(log({ "gen_ai.operation.name": "chat" }, { observedTimeUnixNano: "1774915519999000000" }));
    const other = one(log({ "gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 1 }));
    const later = one(log({ "gen_ai.operation.name": "chat" }, { timeUnixNano: "1774915519693810782" }));
    expect(again.uid).toBe(first.uid);
    expect(new Set([first.uid, other.uid, later.uid]).size).toBe(3);
    expect(first.uid).toMatch(/^otlp:5f1c2f4b0e6a47d58c3a90b1d2e3f405\/a1b2c3d4e5f60718\/[0-9a-f]{16}$/);
  });

  test("the order of attributes and the spelling of numbers do not change a uid", () => {
    const record = log({ "gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 7 });
    const turned = structuredClone(record) as { log: { attributes: { key: string; value: { intValue?: unknown } }[] } };
    turned.log.attributes.reverse();
    turned.log.attributes[0]!.value.intValue = 7;
    expect(one(turned).uid).toBe(one(record).uid);
  });

  test("records without usable ids are told apart by content and by where they come from", () => {
    const bare = { traceId: "00000000000000000000000000000000", spanId: "xyz" };
    const here = one(log({ "gen_ai.operation.name": "chat" }, bare, { "k8s.pod.uid": "1" }));
    const there = one(log({ "gen_ai.operation.name": "chat" }, bare, { "k8s.pod.uid": "2" }));
    expect(here.uid).toMatch(/^otlp:sha256:[0-9a-f]{32}$/);
    expect(here.uid).not.toBe(there.uid);
    expect(here.traceUid).toBeUndefined();
  });
});

describe("content", () => {
  test("a secret in a prompt is the person's, not the agent's", () => {
    const key = `sk-ant-api03-${"Zx9".repeat(12)}`;
    expect(one(span({ "gen_ai.operation.name": "chat", "gen_ai.input.messages": key })).category).toBe("agent_api");
    expect(normalize(span({ "gen_ai.operation.name": "chat", "gen_ai.output.messages": key }))).toHaveLength(2);
  });
});

describe("configuration", () => {
  test("calls may be counted from one signal only; findings come from both", () => {
    const chat = { "gen_ai.operation.name": "chat", "gen_ai.completion": `AKIA${"QWERTYUIOPASDFGH"}` };
    const categories = (record: object, operations: string): string[] => normalize(record, { operations }).map((event) => event.category);
    expect(categories(log(chat), "traces")).toEqual(["agent_finding"]);
    expect(categories(span(chat), "traces")).toEqual(["agent_api", "agent_finding"]);
    expect(categories(span(chat), "logs")).toEqual(["agent_finding"]);
    expect(categories(log(chat), "logs")).toEqual(["agent_api", "agent_finding"]);
  });

  test("fields may be read from attributes of the record or of its resource", () => {
    const given = { fields: { purpose: "app.purpose", consentUid: "app.consent", agentNative: "service.name" } };
    const event = one(
      log(
        { "gen_ai.operation.name": "chat", "app.purpose": "", "gen_ai.agent.id": "x" },
        {},
        { "app.consent": "c-1", "service.name": "bot" },
      ),
      given,
    );
    expect(event).toMatchObject({ purpose: "", consentUid: "c-1", agentNative: "bot" });
  });

  test("fields that belong to attribution cannot be set", () => {
    expect(otlp.config.safeParse({ fields: { agentUid: "x" } }).success).toBe(false);
    expect(otlp.config.safeParse({ unknown: 1 }).success).toBe(false);
  });
});
