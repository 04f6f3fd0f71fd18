import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, test } from "vitest";
import otlp from "../../connectors/otlp/otlp.ts";
import type { Event } from "../../src/core/event.ts";
import { newBatch, readLine } from "../../src/core/framing.ts";
import { normalizeContext, normalizerContract } from "../contract/normalizer.ts";

normalizerContract({
  connector: otlp,
  samples: "connectors/otlp/samples",
  secrets: [
    "Prompt text",
    "Completion text",
    "Result text",
    "R-204711",
    "DE02120300000000202051",
    "hunter2-secret",
    "someone@example.com",
    "rm -rf",
    "sk-ant-api03",
    "AKIAQWERTY",
    "glpat-",
    "PRIVATE KEY",
  ],
});

/** Events of the records of one sample. */
function sample(name: string): readonly Event[] {
  const batch = newBatch(name);
  const read = otlp.format!().open();
  const text = readFileSync(resolve(import.meta.dirname, "../../connectors/otlp/samples", name), "utf8");
  text.split("\n").forEach((line, index) => readLine(read, line, index + 1, batch));
  const normalize = otlp.normalize!(otlp.config.parse({}));
  return batch.records.flatMap((record) => normalize(record, normalizeContext("otlp")));
}

describe("findings", () => {
  test("every kind of secret in an answer is a finding of its own beside the call", () => {
    const events = sample("findings.ndjson");
    const secrets = events.filter((event) => event.eventCode === "secret_in_output");
    expect(secrets.map((event) => event.findingSignal)).toEqual([
      "anthropic_api_key",
      "aws_access_key",
      "private_key",
      "gitlab_token",
      "aws_access_key",
    ]);
    for (const event of secrets) {
      expect(event).toMatchObject({
        category: "agent_finding",
        classUid: 2004,
        findingThreat: "data_exfiltration",
        findingSeverity: "critical",
        severityId: 5,
      });
    }
    expect(secrets[0]).toMatchObject({
      agentNative: "urn:agent:finance:invoice",
      podName: "invoice-bot-7c9d-x2",
      conversationUid: "conv_81",
    });
  });

  test("a detection that a guardrail put on a record is a finding", () => {
    const detections = sample("findings.ndjson").filter((event) => event.eventCode === "agent.threat.detection");
    expect(detections).toHaveLength(2);
    expect(detections[0]).toMatchObject({ findingSignal: "ATR-2026-00012", findingSeverity: "high", severityId: 4, actionId: 2 });
    expect(detections[1]).toMatchObject({
      findingSignal: "instruction-override",
      findingThreat: "prompt_injection",
      severityId: 3,
      actionId: 3,
    });
  });
});

describe("coding agents", () => {
  const events = sample("coding-agents.ndjson");
  const by = (product: string, operation: string): readonly Event[] =>
    events.filter((event) => event.product === product && event.operation === operation);

  test("Claude Code's cached tokens are part of what it read", () => {
    expect(by("Claude Code", "chat")[0]).toMatchObject({
      tokensIn: 18_712,
      tokensOut: 300,
      costUsd: 0.0421,
      durationMs: 3120,
      userUid: "acct-2",
    });
  });

  test("an approval by a person is evidence, one by configuration says that nobody approved", () => {
    const tools = by("Claude Code", "execute_tool");
    expect(tools.map((event) => event.approvalUid)).toEqual(["toolu_1", "", "p-1/4"]);
    expect(tools.map((event) => event.actionId)).toEqual([1, 1, 1]);
    expect(by("Claude Code", "tool_decision").map((event) => [event.actionId, event.approvalUid])).toEqual([
      [1, "toolu_1"],
      [2, ""],
    ]);
    expect(by("Gemini CLI", "execute_tool").map((event) => event.approvalUid)).toEqual(["", "g-1########3/1774915519300"]);
  });

  test("one call of Codex is one event, failed or with its tokens", () => {
    expect(by("Codex", "chat").map((event) => [event.statusId, event.tokensIn, event.responseCode])).toEqual([
      [1, 900, undefined],
      [2, undefined, 429],
    ]);
    expect(by("Codex", "tool_decision")[0]).toMatchObject({ toolName: "shell", actionId: 2, requestUid: "call_1" });
  });

  test("the same command has the same hash, so that loops show", () => {
    const [first, second] = by("Claude Code", "execute_tool");
    expect(first!.argsHash).toBe(second!.argsHash);
  });
});
