/** What counts as the same rule when an engine takes other rules: documents in, whether their windows were kept out. */
import { describe, expect, it } from "vitest";
import { parseRuleFile } from "../../../src/adapters/rules/yaml.ts";
import { regexEngine } from "../../../src/adapters/rules/re2.ts";
import { sha256 } from "../../../src/adapters/system/system.ts";
import { engine } from "../../../src/core/correlation/engine.ts";
import { compileRules } from "../../../src/core/sigma/compile.ts";
import { plainReader, type PlainEvent } from "../../../src/core/sigma/plain-reader.ts";
import { uuid5 } from "./build.ts";

const READER = plainReader();
const PACK = `
title: Login
id: login
name: login
logsource: { category: x }
detection: { selection: { action: login }, condition: selection }
---
title: Upload
id: upload
logsource: { category: x }
detection: { selection: { "host|expand": "%bad%" }, condition: selection }
---
title: Logins
id: logins
correlation: { type: event_count, rules: [login], group-by: [user], timespan: 10m, condition: { gte: 2 } }
level: low
---
title: Logins, then an upload
id: chain
correlation: { type: temporal_ordered, rules: [logins, upload], group-by: [who], timespan: 10m, aliases: { who: { logins: user, upload: owner } } }
level: high
---
title: Alone
id: alone
logsource: { category: x }
detection: { selection: { action: erase }, condition: selection }
`;

function compile(text: string, bad: readonly string[] = ["evil.example"]) {
  const rules = compileRules(parseRuleFile("pack.yml", text), {
    reader: READER,
    regex: regexEngine,
    logsource: false,
    placeholders: new Map([["bad", bad]]),
    digest: sha256,
  });
  expect(rules.rejected).toEqual([]);
  return rules;
}

/** Ids of the rules that alert from events after a reload, when what they need came before: their windows were kept. */
function kept(next: string, bad?: readonly string[]): string[] {
  const running = engine(compile(PACK), { reader: READER, uuid5, latenessMs: 0 });
  let uid = 0;
  const event = (value: PlainEvent["value"]): PlainEvent => ({ uid: `e${uid++}`, time: uid * 1000, value });
  running.push([event({ action: "login", user: "a" }), event({ action: "erase" })]);
  const more = running.reload(compile(next, bad));
  more.finish();
  const after = [
    ...running.push([event({ action: "login", user: "a" }), event({ action: "erase" })]),
    ...running.push([event({ host: "evil.example", owner: "a" })]),
    ...running.finish(),
  ];
  // Alone, one event is an alert, and only the kept window counts two.
  const told = after.filter((alert) => alert.ruleId !== "alone" || alert.count > 1);
  return [...new Set(told.map((alert) => alert.ruleId))].sort();
}

describe("a rule keeps its windows", () => {
  it("when nothing changed", () => expect(kept(PACK)).toEqual(["alone", "chain"]));
  it("when it moved in its file or another came before it", () =>
    expect(kept(`title: New\nid: new\nlogsource: { category: x }\ndetection: { s: { a: 1 }, condition: s }\n---${PACK}`)).toEqual([
      "alone",
      "chain",
    ]));
  it("when only what describes it changed", () => {
    const described = PACK.replaceAll("\nlevel: low", "\ndescription: other\ntags: [custodes.b01]\ncustodes: { risk: 3 }\nlevel: low");
    expect(kept(described)).toEqual(["alone", "chain"]);
  });
});

describe("a rule starts anew", () => {
  it("when its own condition changed", () => expect(kept(PACK.replace("action: erase", "action: [erase, wipe]"))).toEqual(["chain"]));
  it("when its level changed", () => expect(kept(PACK.replace("level: high", "level: critical"))).toEqual(["alone"]));
  it("when a detection that it refers to changed, also through another rule", () =>
    expect(kept(PACK.replace("action: login", "action: [login, sso]"))).toEqual(["alone"]));
  it("when a rule that its alerts feed changed", () => expect(kept(PACK.replace("then an upload", "then a send"))).toEqual(["alone"]));
  it("when an alias changed", () =>
    expect(kept(PACK.replace("logins: user, upload: owner", "upload: owner, logins: user"))).toEqual(["alone", "chain"]));
  it("when a placeholder that it reads has other values", () => expect(kept(PACK, ["evil.example", "bad.example"])).toEqual(["alone"]));
  it("when a filter that applies to it came, changed or went", () => {
    const filter = `---\ntitle: Not the robot\nid: robot\nlogsource: { category: x }\nfilter: { rules: [alone], robot: { user: robot }, condition: not robot }\n`;
    expect(kept(PACK + filter)).toEqual(["chain"]);
  });
  it("when it alerts on its own and did not before", () => {
    const outer = "---\ntitle: Twice\nid: twice\ncorrelation: { type: event_count, rules: [alone], timespan: 1h, condition: { gte: 9 } }\n";
    expect(kept(PACK + outer)).toEqual(["chain"]);
  });
});

describe("rules that hang together", () => {
  it("start anew together, so that their alerts go on to reach each other", () => {
    const second = (title: string): string =>
      `${PACK}---\ntitle: ${title}\nid: second\ncorrelation: { type: event_count, rules: [logins], group-by: [user], timespan: 1h, condition: { gte: 1 } }\n`;
    const running = engine(compile(second("Second")), { reader: READER, uuid5, latenessMs: 0 });
    running.reload(compile(second("Other"))).finish();
    const values = [
      { action: "login", user: "a" },
      { action: "login", user: "a" },
      { host: "evil.example", owner: "a" },
    ];
    const told = [...running.push(values.map((value, at) => ({ uid: `e${at}`, time: at * 1000, value }))), ...running.finish()];
    expect([...new Set(told.map((alert) => alert.ruleId))].sort()).toEqual(["chain", "second"]);
  });

  it("start anew when two of them exchange their names", () => {
    const named = (first: string, other: string): string => `
title: One
id: one
name: ${first}
logsource: { category: x }
detection: { s: { a: 1 }, condition: s }
---
title: Two
id: two
name: ${other}
logsource: { category: x }
detection: { s: { b: 1 }, condition: s }
---
title: Both
id: both
correlation: { type: temporal, rules: [one, two], group-by: [who], timespan: 1h, aliases: { who: { x: left, y: right } } }
`;
    const running = engine(compile(named("x", "y")), { reader: READER, uuid5, latenessMs: 0 });
    running.reload(compile(named("y", "x"))).finish();
    const values = [
      { a: 1, left: "l", right: "r" },
      { b: 1, left: "r", right: "q" },
    ];
    const told = running.push(values.map((value, at) => ({ uid: `e${at}`, time: at * 1000, value })));
    expect(told.map((alert) => alert.group)).toEqual([{ who: "r" }]);
  });
});
