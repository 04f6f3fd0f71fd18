import { describe, expect, test } from "vitest";
import agentFindings from "../../connectors/agent-findings/agent-findings.ts";
import { agentFindingsNormalize, FINDINGS_MAX } from "../../connectors/agent-findings/normalize.ts";
import type { Event } from "../../src/core/event.ts";
import { normalizeContext, normalizerContract, testContext } from "../contract/source.ts";

normalizerContract({ connector: agentFindings, samples: "connectors/agent-findings/samples" });

const turn = {
  type: "agent.turn",
  agent_id: "bot",
  user_id: "u1",
  purpose: "support",
  latency_ms: 5,
  tools: [],
  findings: [],
  ts: 1774951200,
};
const events = (record: object): readonly Event[] => agentFindingsNormalize({ ...turn, ...record }, normalizeContext("agent-findings"));

describe("agent-findings normalizer", () => {
  test("one turn gives its event, one per finding and one for the host it called", () => {
    const findings = [
      { threat: "tool_abuse", signal: "shell", severity: "critical", args_hash: "ab" },
      { threat: "prompt_injection", signal: "you are now", severity: "high" },
    ];
    const all = events({ id: 7, findings, egress_host: "Files.Example.", session_id: "s1", approval_id: null });
    expect(all.map(({ uid, category }) => `${category} ${uid}`)).toEqual([
      "agent_api agent-findings:7",
      "agent_finding agent-findings:7#f0",
      "agent_finding agent-findings:7#f1",
      "egress agent-findings:7#egress",
    ]);
    for (const event of all)
      expect(event).toMatchObject({ agentNative: "bot", userUid: "u1", sessionUid: "s1", approvalUid: "", time: 1774951200000 });
    expect(all[1]).toMatchObject({
      findingThreat: "tool_abuse",
      toolName: "shell",
      argsHash: "ab",
      severityId: 5,
      findingSeverity: "critical",
    });
    expect(all[2]).toMatchObject({ findingThreat: "prompt_injection", toolName: undefined, severityId: 4 });
    expect(all[3]).toMatchObject({ dstHost: "files.example", directionId: 2 });
  });
  test.each([
    ["approval_id", "approvalUid"],
    ["consent_id", "consentUid"],
    ["purpose", "purpose"],
    ["user_id", "userUid"],
  ] as const)("%s: missing says nothing, null and empty say none", (key, field) => {
    const without = Object.fromEntries(Object.entries(turn).filter(([name]) => name !== key));
    const read = (record: object): unknown => agentFindingsNormalize(record, normalizeContext("agent-findings"))[0]?.[field];
    expect(read(without)).toBeUndefined();
    expect(read({ ...turn, [key]: null })).toBe("");
    expect(read({ ...turn, [key]: "" })).toBe("");
    expect(read({ ...turn, [key]: "x" })).toBe("x");
  });
  test("equal inputs in different turns are different events, the same turn twice is one", () => {
    const uid = (record: object): string | undefined => events({ input_sha256: "same", ...record })[0]?.uid;
    expect(uid({ ts: 1774951201 })).not.toBe(uid({ ts: 1774951202 }));
    expect(uid({ output_sha256: "a" })).not.toBe(uid({ output_sha256: "b" }));
    expect(uid({})).toBe(uid({}));
  });
  test("no more events than the limit, and the rest is said", () => {
    const findings = Array.from({ length: FINDINGS_MAX + 3 }, () => ({ threat: "prompt_injection" }));
    const all = events({ findings });
    expect(all).toHaveLength(FINDINGS_MAX + 1);
    expect(all[0]?.statusDetail).toBe(`3 of ${FINDINGS_MAX + 3} findings left out`);
  });
});

describe("agent-findings pushes", () => {
  const receive = (body: string): unknown => {
    const receiver = agentFindings.receiver?.({});
    const pushed = receiver?.receive({ path: "", contentType: "application/json", headers: {}, body: Buffer.from(body) });
    return { records: pushed?.records.length, rejects: pushed?.rejects.map(({ code }) => code), reply: pushed?.reply };
  };
  const reply = (accepted: number): object => ({ status: 202, contentType: "application/json", body: `{"accepted":${accepted}}` });
  test("the probe's own request, an array and lines are taken with 202", () => {
    const one = JSON.stringify(turn);
    expect(receive(one)).toEqual({ records: 1, rejects: [], reply: reply(1) });
    expect(receive(`[${one},${one}]`)).toEqual({ records: 2, rejects: [], reply: reply(2) });
    expect(receive(`${one}\n${one}\n`)).toEqual({ records: 2, rejects: [], reply: reply(2) });
  });
  test("garbage is taken, too: no agent fails over its probe", () => {
    expect(receive("<oops>")).toEqual({ records: 0, rejects: ["RECORD_NOT_JSON"], reply: reply(0) });
    expect(receive("")).toEqual({ records: 0, rejects: [], reply: reply(0) });
  });
});

test("without a path there is nothing to pull and nothing to check", async () => {
  const config = agentFindings.config.parse({});
  expect(await agentFindings.check(config, testContext())).toEqual([]);
  expect(await agentFindings.source?.(config).pull(null, testContext())).toMatchObject({ records: [], more: false, completeTo: null });
});
