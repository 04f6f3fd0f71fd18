import { describe, expect, test } from "vitest";
import { CLASS, type Event } from "../../src/core/event.ts";
import { newEvent } from "../../src/core/new-event.ts";
import { fieldsRead, fieldWatch, type FieldsRead } from "../../src/pipeline/gaps.ts";
import { BUILTIN_RULES, loadPack } from "../../src/rules.ts";

const read = fieldsRead(loadPack([BUILTIN_RULES]).rules);

function finding(fields: Partial<Event>): Event {
  return Object.assign(newEvent("f", 1, "agent_finding", CLASS.detectionFinding, 1), fields);
}

describe("coverage gaps", () => {
  test("name the fields that rules read and a source never supplies", () => {
    const watch = fieldWatch(read);
    watch.note("agent-findings/old", [finding({ findingThreat: "tool_abuse", findingSeverity: "critical" })]);
    expect(watch.gaps("agent-findings/old")).toEqual([{ category: "agent_finding", field: "approval.uid", events: 1 }]);
  });

  test("end with the first event that supplies the field, also when it says that there is none", () => {
    const watch = fieldWatch(read);
    watch.note("agent-findings/new", [finding({ findingThreat: "tool_abuse" }), finding({ findingSeverity: "high", approvalUid: "" })]);
    expect(watch.gaps("agent-findings/new")).toEqual([]);
  });

  test("of one source say nothing about another, and nothing is said about what was never seen", () => {
    const watch = fieldWatch(read);
    watch.note("agent-findings/old", [finding({})]);
    expect(watch.gaps("agent-findings/other")).toEqual([]);
    expect(watch.gaps("agent-findings/old").map((gap) => gap.field)).toEqual(["approval.uid", "finding.severity", "finding.threat"]);
  });

  test("follow the rules: a field is watched from when a rule reads it, and no longer than one does", () => {
    const only = (...fields: readonly (keyof Event)[]): FieldsRead =>
      new Map([["agent_finding", new Map(fields.map((field) => [field, field]))]]);
    const watch = fieldWatch(only("findingThreat", "findingSeverity"));
    const gaps = (): string[] => watch.gaps("s").map((gap) => `${gap.field} ${gap.events}`);
    watch.note("s", [finding({ findingThreat: "tool_abuse" }), finding({})]);
    expect(gaps()).toEqual(["findingSeverity 2"]);
    watch.expect(only("findingThreat", "approvalUid", "sessionUid"));
    // Nothing is known about the new ones yet, and what was supplied before stays supplied.
    expect(gaps()).toEqual([]);
    watch.note("s", [finding({ sessionUid: "x" })]);
    expect(gaps()).toEqual(["approvalUid 1"]);
    watch.note("other", [finding({})]);
    expect(watch.gaps("other").map((gap) => gap.field)).toEqual(["approvalUid", "findingThreat", "sessionUid"]);
  });

  test("leave out what the registry decides", () => {
    const fields = [...read.values()].flatMap((fields) => [...fields.keys()]);
    expect(fields).toContain("approvalUid");
    expect(
      fields.filter((field) => ["agentUid", "agentRole", "agentState", "srcRegistered", "dstAllowed", "actionDeclared"].includes(field)),
    ).toEqual([]);
  });
});
