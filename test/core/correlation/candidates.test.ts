import { expect, test } from "vitest";
import { regexEngine } from "../../../src/adapters/rules/re2.ts";
import { parseRuleFile } from "../../../src/adapters/rules/yaml.ts";
import { engine } from "../../../src/core/correlation/engine.ts";
import { eventSubject, membersOf } from "../../../src/core/correlation/explain-members.ts";
import { ATTRIBUTION, type Event } from "../../../src/core/event.ts";
import { compileRules } from "../../../src/core/sigma/compile.ts";
import { eventReader } from "../../../src/core/sigma/event-reader.ts";
import { event, NOON } from "../identity/agents.ts";
import { uuid5 } from "./build.ts";

const RULES = `title: A read
id: read
logsource: {product: agent, category: agent_api}
detection: {selection: {api.operation: read}, condition: selection}
---
title: An upload
id: upload
logsource: {product: agent, category: egress}
detection: {selection: {traffic.bytes_out|gte: 1}, condition: selection}
---
title: A read, then an upload that may be the reader's
id: leak
correlation: {type: temporal_ordered, rules: [read, upload], group-by: [agent.candidates], timespan: 10m}
---
title: The same, of one agent for sure
id: certain
correlation: {type: temporal_ordered, rules: [read, upload], group-by: [ai_agent.uid], timespan: 10m}
---
title: Tools may be several, and are missing then
id: tools
correlation: {type: event_count, rules: [upload], group-by: [tool.names], timespan: 10m, condition: {gte: 1}}
`;
const rules = compileRules(parseRuleFile("rules.yml", RULES), { reader: eventReader, regex: regexEngine, logsource: true });

const read = (agentUid: string, minute: number): Event =>
  event("agent_api", NOON + minute * 60_000, { operation: "read", agentUid, attributionId: ATTRIBUTION.direct });
const upload = (minute: number, changes: Partial<Event>): Event =>
  event("egress", NOON + minute * 60_000, { bytesOut: 9, toolNames: ["a", "b"], ...changes });

test.each([true, false])(
  "a rule by candidates sees a shared event once for each, and a certain one for its agent (shortcuts %s)",
  (shortcuts) => {
    const running = engine(rules, { reader: eventReader, uuid5, latenessMs: 0, distinct: true, shortcuts });
    const alerts = [
      ...running.push([
        read("a", 0),
        read("b", 1),
        read("c", 2),
        upload(3, { agents: ["a", "b", "z"], attributionId: ATTRIBUTION.shared }),
        upload(4, { agentUid: "c", attributionId: ATTRIBUTION.direct }),
        upload(5, {}),
      ]),
      ...running.finish(),
    ];
    const told = alerts
      .filter(({ final }) => final)
      .map(({ ruleId, group, agents, count }) => [ruleId, Object.values(group), agents, count]);
    expect(told.toSorted((x, y) => (String(x) < String(y) ? -1 : 1))).toEqual([
      ["certain", ["c"], ["c"], 2],
      ["leak", ["a"], ["a"], 2],
      ["leak", ["b"], ["b"], 2],
      ["leak", ["c"], ["c"], 2],
    ]);
  },
);

test("an explanation knows the group of each candidate", () => {
  const leak = rules.correlations.find(({ info }) => info.id === "leak")!;
  const detections = new Map(rules.detections.map((one) => [one.info.id, one]));
  const shared = upload(3, { agents: ["a", "b"], attributionId: ATTRIBUTION.shared });
  expect(membersOf(leak, eventSubject(leak, detections, shared, eventReader)).map(({ values }) => values)).toEqual([["a"], ["b"]]);
});
