/** What `rules list` says about rules of every state, with and without a configuration. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { RuleRow } from "../../src/cli/rule-rows.ts";
import { tableRows } from "../docs.ts";
import { custodes } from "./command.ts";

const directory = mkdtempSync(join(tmpdir(), "custodes-list-"));
const pack = join(directory, "pack.yml");
const config = join(directory, "custodes.yaml");
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const head = (id: string, more = ""): string =>
  `title: Title of ${id}\nid: ${id}\nlogsource: { category: agent_api, product: agent }\n${more}`;
const ID = (digit: number): string =>
  `${String(digit).repeat(8)}-${String(digit).repeat(4)}-4${String(digit).repeat(3)}-8${String(digit).repeat(3)}-${String(digit).repeat(12)}`;
const DOCUMENTS = [
  `${head(ID(1))}detection: { s: { refusal: true }, condition: s }\n`,
  `title: Refusals\nid: ${ID(2)}\nlevel: high\ntags: [custodes.b99]\ncorrelation: { type: event_count, rules: [${ID(1)}], group-by: [ai_agent.uid], timespan: 90m, condition: { gte: 3 } }\ncustodes: { suppress: 1d, threat: D1, lateness: 5m, schedule: "0 6 * * *", timezone: Europe/Berlin, destinations: [elastic/soc], maps: [{ framework: F, version: "1", id: X1 }] }\n`,
  `${head(ID(3), "level: low\n")}detection: { s: { api.operation: yes }, condition: s }\n`,
  `${head(ID(4))}detection: { s: { no.such.field: 1 }, condition: s }\n`,
  `title: Filter\nid: ${ID(5)}\nlogsource: { category: agent_api, product: agent }\nfilter: { rules: any, s: { api.operation: x }, condition: not s }\n`,
  `${head(ID(6), "level: medium\n")}detection: { s: { "api.operation|expand": "%danger%" }, condition: s }\n`,
];

beforeAll(() => {
  writeFileSync(pack, DOCUMENTS.join("---\n"));
  writeFileSync(
    config,
    `rules: [./pack.yml]
placeholders: { danger: [erase, "drop*"] }
correlation: { lateness: 2m }
sources: { kong/a: {} }
destinations:
  elastic/soc: { url: "https://elastic.example.com", apiKey: "\${env:KEY}", when: { minLevel: medium } }
  splunk/soc: { url: "https://splunk.example.com", token: "\${env:KEY}", when: { rules: [custodes.b99] } }
  pagerduty/oncall: { routingKey: "\${env:KEY}" }
`,
  );
});

const rows = async (...more: readonly string[]): Promise<RuleRow[]> =>
  JSON.parse((await custodes(["rules", "list", "--json", ...more])).stdout) as RuleRow[];
const byDigit = (list: readonly RuleRow[], digit: number): RuleRow | undefined => list.find((row) => row.id === ID(digit));

describe("without a configuration", () => {
  test("every document has its state, a rejected one its reason and place, and the answer is no", async () => {
    const ran = await custodes(["rules", "list", pack, "--all", "--json"]);
    expect(ran.code).toBe(1);
    const list = JSON.parse(ran.stdout) as RuleRow[];
    expect(list.map((row) => [row.id, row.state, row.kind])).toEqual([
      [ID(1), "muted", "detection"],
      [ID(2), "loaded", "correlation"],
      [ID(3), "warning", "detection"],
      [ID(4), "rejected", null],
      [ID(5), "loaded", "filter"],
      [ID(6), "rejected", null],
    ]);
    expect(byDigit(list, 1)?.referenced_by).toEqual([ID(2)]);
    expect(byDigit(list, 3)?.warnings).toMatchObject([{ message: expect.stringContaining("YAML 1.1") }]);
    expect(byDigit(list, 4)).toMatchObject({ path: pack, reason: expect.stringContaining("no.such.field"), level: null, routes: null });
    expect(byDigit(list, 6)?.reason).toContain('the placeholder "danger" is not configured');
    expect(ran.stderr).toMatch(/pack\.yml:\d+: 4{8}-\S+ is rejected: unknown field/);
  });

  test("what only correlations use, and filters, are listed on demand", async () => {
    expect((await rows(pack)).map((row) => row.state)).toEqual(["loaded", "warning", "rejected", "rejected"]);
    expect((await rows(pack, "--status", "muted")).map((row) => row.id)).toEqual([ID(1)]);
  });

  test("type, windows, horizon, mappings and how it runs are told as they are", async () => {
    const row = byDigit(await rows(pack), 2);
    expect(row).toMatchObject({
      type: "event_count",
      timespan_ms: 5_400_000,
      suppress_ms: 86_400_000,
      // The windows of all buckets that are not final, and the lateness of the rule.
      horizon_ms: 5_400_000 + 2 * 86_400_000 + 300_000,
      codes: ["B99"],
      threat: "D1",
      schedule: "0 6 * * *",
      timezone: "Europe/Berlin",
      runs: "continuously",
      maps: [{ framework: "F", version: "1", id: "X1" }],
      routes: null,
    });
    const wide = await custodes(["rules", "list", pack, "--wide"]);
    expect(wide.stdout).toMatch(
      /event_count +1h30m +2d1h35m +continuously \(schedule "0 6 \* \* \*" Europe\/Berlin is not used\) +X1 +unknown without -c +Refusals/,
    );
  });

  test("filters are combined, and a word that is none is wrong usage", async () => {
    expect((await rows(pack, "--level", "high")).map((row) => row.id)).toEqual([ID(2)]);
    expect((await rows(pack, "--code", "b99")).map((row) => row.id)).toEqual([ID(2)]);
    expect(await rows(pack, "--code", "b99", "--level", "low")).toEqual([]);
    expect(await custodes(["rules", "list", pack, "--status", "good"])).toMatchObject({ code: 64 });
    expect(await custodes(["rules", "list", pack, "--level", "worst"])).toMatchObject({ code: 64 });
  });

  test("placeholders may come from a file", async () => {
    const file = join(directory, "placeholders.yaml");
    writeFileSync(file, "danger: erase\n");
    expect(byDigit(await rows(pack, "--placeholders", file), 6)?.state).toBe("loaded");
    writeFileSync(file, "danger: { not: a value }\n");
    const wrong = await custodes(["rules", "list", pack, "--placeholders", file]);
    expect(wrong.code).toBe(78);
    expect(wrong.stderr).toMatch(/placeholders\.yaml:1: danger: /);
  });
});

describe("with a configuration", () => {
  test("its rules, lateness and placeholders are used, and routes say where alerts go and why", async () => {
    const list = await rows("-c", config);
    expect(byDigit(list, 6)).toMatchObject({ state: "loaded", horizon_ms: 15 * 60_000 + 120_000 });
    expect(byDigit(list, 2)?.routes).toEqual([
      { destination: "elastic/soc", alerts: true, incidents: true, why: "the rule's own list; at least medium" },
      { destination: "splunk/soc", alerts: false, incidents: false, why: "not in the rule's own list; named there as custodes.b99" },
      { destination: "pagerduty/oncall", alerts: false, incidents: false, why: "not in the rule's own list" },
    ]);
    expect(byDigit(list, 3)?.routes).toEqual([
      { destination: "elastic/soc", alerts: false, incidents: false, why: "below medium" },
      { destination: "splunk/soc", alerts: false, incidents: false, why: "not named there" },
      { destination: "pagerduty/oncall", alerts: false, incidents: true, why: "gets everything that it accepts" },
    ]);
    const wide = await custodes(["rules", "list", "-c", config, "--wide"]);
    expect(wide.stdout).toMatch(/pagerduty\/oncall \(incidents\): gets everything that it accepts +Title of 3{8}/);
  });

  test("a running service is asked what it has, and that none answers is told", async () => {
    const ran = await custodes(["rules", "list", "-c", config, "--running"]);
    expect(ran.code).toBe(1);
    expect(ran.stderr).toMatch(/no service answers on 127\.0\.0\.1:8480/);
    expect(await custodes(["rules", "list", pack, "--running"])).toMatchObject({ code: 64 });
  });
});

test("every key that --json prints is documented, and no other", async () => {
  const documented = tableRows(readFileSync("docs/writing-correlations.md", "utf8"), "list-keys").flatMap(([first = ""]) =>
    [...first.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? ""),
  );
  const printed = await rows(pack, "--all");
  for (const row of printed) expect(Object.keys(row).sort()).toEqual(documented.toSorted());
});
