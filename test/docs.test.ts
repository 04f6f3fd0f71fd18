/** Documentation is held to the code: links, commands, configurations and tables. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import { connectors } from "../connectors/index.ts";
import { metrics } from "../src/adapters/metrics/metrics.ts";
import { regexEngine } from "../src/adapters/rules/re2.ts";
import { parseRuleFile } from "../src/adapters/rules/yaml.ts";
import { parseRuleCases } from "../src/cli/rule-cases.ts";
import { configJsonSchema } from "../src/config/json-schema.ts";
import { parseConfig } from "../src/config/load.ts";
import { parseRegistry, registrySchema } from "../src/config/registry.ts";
import { formatProblem } from "../src/config/yaml.ts";
import { GAP_REASONS } from "../src/core/completeness/gap.ts";
import { HEALTH_RULES, healthRule } from "../src/core/completeness/health-rules.ts";
import { FIELD_PATHS } from "../src/core/fields.ts";
import { compileRules } from "../src/core/sigma/compile.ts";
import { eventReader } from "../src/core/sigma/event-reader.ts";
import { BUILTIN_RULES, loadPack } from "../src/rules.ts";
import { blocks, commandsIn, headingsOf, linksIn, tableRows } from "./docs.ts";
import { custodes } from "./cli/command.ts";

const ROOT = resolve(import.meta.dirname, "..");
const read = (path: string): string => readFileSync(resolve(ROOT, path), "utf8");
const markdownIn = (folder: string): string[] =>
  readdirSync(resolve(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".md"))
    .map((name) => join(folder, name));
const files = ["README.md", "CHANGELOG.md", ...markdownIn("docs"), ...markdownIn("connectors")].sort();

/** Every secret that a document refers to. */
const ENVIRONMENT = new Proxy<Record<string, string>>({}, { get: (_, name) => (name === "DATABASE_URL" ? "postgres://db/x" : "set") });
/** A registry that exists, in the place of the one that a reader writes. */
const REGISTRY = resolve(ROOT, "src/demo/samples/agents.yaml");
const problemsOf = (name: string, text: string): string[] => {
  const given = text.replace(/^agents: .*$/m, `agents: ${REGISTRY}`).replace("${env:REDIS_URL}", "redis://redis:6379");
  return parseConfig(resolve(ROOT, name), given, { connectors, environment: ENVIRONMENT, builtinRules: BUILTIN_RULES }).problems.map(
    formatProblem,
  );
};

describe("links", () => {
  test("lead somewhere, in every document", () => {
    const all = files.flatMap((file) => linksIn(read(file)).map((link) => ({ file, link })));
    expect(all.length).toBeGreaterThan(30);
    const broken = all.filter(({ file, link }) => {
      const [path = "", anchor] = link.split("#");
      const target = path === "" ? resolve(ROOT, file) : resolve(ROOT, dirname(file), path);
      if (!existsSync(target)) return true;
      return anchor !== undefined && !headingsOf(readFileSync(target, "utf8")).includes(anchor);
    });
    expect(broken).toEqual([]);
  });
  test("of rules to runbooks lead to a section", () => {
    const { rules } = loadPack([BUILTIN_RULES]);
    const runbooks = [...rules.detections, ...rules.correlations].flatMap(({ info }) => info.runbook ?? []);
    expect(runbooks.length).toBeGreaterThan(0);
    const sections = headingsOf(read("docs/runbooks.md"));
    expect(runbooks.filter((one) => !one.startsWith("docs/runbooks.md#") || !sections.includes(one.split("#")[1] ?? ""))).toEqual([]);
  });
});

describe("commands", () => {
  const help = new Map<string, Promise<string>>();
  const helpOf = (path: readonly string[]): Promise<string> => {
    const key = path.join(" ");
    let text = help.get(key);
    if (text === undefined) help.set(key, (text = usage(path)));
    return text;
  };
  const usage = async (path: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await custodes([...path, "--help"]);
    if (code !== 0 || !stdout.startsWith("Usage:")) throw new Error(`custodes ${path.join(" ")} --help ended with ${code}: ${stderr}`);
    return stdout;
  };
  /** What is wrong with a command as it stands in a document; undefined when nothing is. */
  const wrong = async (words: readonly string[]): Promise<string | undefined> => {
    const path: string[] = [];
    for (let at = 0; at < words.length; at++) {
      const word = words[at] ?? "";
      const text = await helpOf(path);
      if (word.startsWith("-")) {
        const option = new RegExp(`(?:^|[ ,])${word}(?=[ ,])( <[^>]+>)?`, "m").exec(text);
        if (option === null) return `${path.join(" ")} has no option ${word}`;
        const takes = new RegExp(`${word}[^\n]*? <`, "m").test(text.split("\n").find((line) => line.includes(word)) ?? "");
        if (takes) at++;
      } else if (new RegExp(`^ {2}${word} `, "m").test(text.split("Commands:")[1] ?? "")) path.push(word);
      else if (!/^Usage: .*(<|\[(?!options|command))/m.test(text)) return `${path.join(" ")} knows no ${word}`;
    }
    return undefined;
  };
  test("are known by the command line, with their options", { timeout: 240_000 }, async () => {
    const all = files.flatMap((file) => commandsIn(read(file)).map((words) => ({ file, words })));
    expect(all.length).toBeGreaterThan(40);
    const found: string[] = [];
    for (const { file, words } of all) {
      const reason = await wrong(words);
      if (reason !== undefined) found.push(`${file}: custodes ${words.join(" ")}: ${reason}`);
    }
    expect(found).toEqual([]);
  });
  test("that are wrong are found", { timeout: 60_000 }, async () => {
    expect(await wrong(["demmo"])).toBeDefined();
    expect(await wrong(["check", "--conect"])).toBeDefined();
    expect(await wrong(["rules", "tests"])).toBeDefined();
    expect(await wrong(["deadletters", "replay", "key", "--destination", "elastic/soc"])).toBeUndefined();
  });
  test("of npm exist", () => {
    const scripts = Object.keys((JSON.parse(read("package.json")) as { scripts: object }).scripts);
    const named = files.flatMap((file) => [...read(file).matchAll(/npm run (?:-s )?([a-z:]+)/g)].map((match) => match[1] ?? ""));
    expect(named.filter((name) => !scripts.includes(name))).toEqual([]);
  });
});

describe("configurations", () => {
  test("the example is valid", () => {
    expect(problemsOf("custodes.example.yaml", read("custodes.example.yaml"))).toEqual([]);
  });
  test("the example shows every connector but the generic one, and every key of the root", () => {
    const text = read("custodes.example.yaml");
    expect(connectors.map((one) => one.id).filter((id) => id !== "http" && !text.includes(`\n  ${id}/`))).toEqual([]);
    const keys = Object.keys((configJsonSchema(connectors) as { properties: object }).properties);
    expect(keys.filter((key) => !new RegExp(`^${key}:`, "m").test(text))).toEqual([]);
  });
  test("the JSON Schema is that of the code", () => {
    expect(JSON.parse(read("custodes.schema.json"))).toEqual(configJsonSchema(connectors));
  });
  test("in the README are valid, and one for each destination", () => {
    const configs = blocks(read("README.md"), "yaml");
    expect(configs.flatMap((text) => problemsOf("README.md", text))).toEqual([]);
    const destinations = connectors.filter((one) => one.destination !== undefined).map((one) => one.id);
    expect(destinations.filter((id) => !configs.some((text) => text.includes(`\n  ${id}/`)))).toEqual([]);
  });
  test.each(connectors.map((one) => one.id))("the README of %s has one that is valid", (id) => {
    const configs = blocks(read(`connectors/${id}/README.md`), "yaml").filter((text) => new RegExp(`^ +${id}/`, "m").test(text));
    expect(configs.length).toBeGreaterThan(0);
    expect(configs.flatMap((text) => problemsOf(`connectors/${id}/README.md`, text))).toEqual([]);
  });
  test("the agent registry in docs/agents.md is valid, and its tables have every key", () => {
    const text = read("docs/agents.md");
    const [registry = ""] = blocks(text, "yaml");
    const parsed = parseRegistry("agents.yaml", registry);
    expect(parsed.problems).toEqual([]);
    expect(parsed.agents).toHaveLength(1);
    const agent = registrySchema.shape.agents.element.shape;
    expect(namesIn(tableRows(text, "registry")).sort()).toEqual(Object.keys(agent).sort());
    const identities = Object.keys(agent.identities.unwrap().unwrap().shape).filter((key) => key !== "egress" && !key.startsWith("nat_"));
    expect(namesIn(tableRows(text, "identities")).sort()).toEqual(identities.sort());
  });
  test("the rules and rule tests in docs/writing-correlations.md are understood", () => {
    const yaml = blocks(read("docs/writing-correlations.md"), "yaml");
    const rules = yaml.filter((text) => /^detection:/m.test(text)).flatMap((text) => parseRuleFile("doc.yml", text));
    const { rejected, detections } = compileRules(rules, { reader: eventReader, regex: regexEngine, logsource: true });
    expect(rejected).toEqual([]);
    expect(detections.length).toBeGreaterThan(0);
    const cases = yaml.filter((text) => /^cases:/m.test(text)).map((text) => parseRuleCases("doc.test.yml", text));
    expect(cases.flatMap(({ problems }) => problems)).toEqual([]);
    expect(cases.flatMap((one) => one.cases).length).toBeGreaterThan(1);
  });
});

/** Names in backquotes in the first cells. */
function namesIn(rows: readonly (readonly string[])[]): string[] {
  return rows.flatMap(([first = ""]) => [...first.matchAll(/`([^`]+)`/g)].map((match) => match[1] ?? ""));
}

describe("tables", () => {
  test("the fields of rules are all there, with their types", () => {
    const rows = tableRows(read("docs/writing-correlations.md"), "fields");
    expect(namesIn(rows).sort()).toEqual(Object.keys(FIELD_PATHS).sort());
    const source = read("src/core/event.ts");
    const words = new Map(
      [...source.matchAll(/^ {2}(\w+): (EpochMs|number|string|boolean|readonly string\[\])/gm)].map((m) => [m[1], m[2]]),
    );
    const shown = new Map([
      ["EpochMs", "number"],
      ["string", "text"],
      ["readonly string[]", "texts"],
    ]);
    for (const row of rows) {
      for (const path of namesIn([row])) {
        const type = words.get(FIELD_PATHS[path]) ?? "";
        expect(`${path}: ${row[1]}`).toBe(`${path}: ${shown.get(type) ?? type}`);
      }
    }
  });
  test("a field's sources supply it in their samples", () => {
    const wrong: string[] = [];
    for (const row of tableRows(read("docs/writing-correlations.md"), "fields")) {
      const [path = ""] = namesIn([row]);
      const ids = (row[3] ?? "").split(", ").filter((id) => connectors.some((one) => one.id === id));
      for (const id of ids) if (!goldenOf(id).includes(`"${FIELD_PATHS[path]}":`)) wrong.push(`${path} of ${id}`);
    }
    expect(wrong).toEqual([]);
  });
  test("categories name the connectors that have them", () => {
    const rows = tableRows(read("docs/writing-correlations.md"), "categories");
    for (const [category = "", , sources = ""] of rows) {
      const having = connectors.filter((one) => one.id !== "http" && one.categories?.includes(category.replaceAll("`", "") as "egress"));
      expect(`${category} ${sources}`).toBe(`${category} ${having.map((one) => one.id).join(", ") || "none yet"}`);
    }
  });
  test("connectors are all in the README, with their roles", () => {
    const rows = tableRows(read("README.md"), "connectors");
    expect(namesIn(rows).sort()).toEqual(connectors.map((one) => one.id).sort());
    for (const row of rows) {
      const connector = connectors.find((one) => one.id === namesIn([row])[0]);
      expect(row[1]).toBe(connector?.destination === undefined ? "source" : "destination");
    }
  });
  test("rules are all in the README, with code and level", () => {
    const { rules } = loadPack([BUILTIN_RULES]);
    const infos = [...rules.detections, ...rules.correlations].filter((one) => one.alerts).map((one) => one.info);
    const codeOf = (tags: readonly string[]): string =>
      (tags.find((tag) => tag.startsWith("custodes.")) ?? "").replace("custodes.", "").toUpperCase();
    const rows = tableRows(read("README.md"), "rules");
    const wanted = [...new Set(infos.map((info) => `${codeOf(info.tags)} ${info.level}`))].sort();
    expect([...new Set(rows.map(([code, level]) => `${code} ${level}`))].sort()).toEqual(wanted);
    expect(rows.map((row) => row[2]).filter((title) => !infos.some((info) => info.title === title))).toEqual([]);
  });
  test("metrics are all there, with their labels", async () => {
    const source = read("src/adapters/metrics/metrics.ts");
    const rows = tableRows(read("docs/operations.md"), "metrics");
    const names = [...(await metrics().text()).body.matchAll(/^# TYPE (custodes_\w+) (\w+)$/gm)].map(([, name, kind]) => `${name} ${kind}`);
    expect(rows.map((row) => `${namesIn([row])[0]} ${row[1]}`).sort()).toEqual(names.sort());
    for (const row of rows) {
      const own = namesIn([row])[0]?.replace("custodes_", "") ?? "";
      const labels = new RegExp(`^ {2}${own}: \\[".*?", \\[(.*?)\\]\\]`, "m").exec(source)?.[1] ?? "?";
      expect(`${own}: ${(row[2] ?? "").replaceAll("`", '"')}`).toBe(`${own}: ${labels}`);
    }
  });
  test("reasons of gaps and the service's own rules are all there, with their levels and runbooks", () => {
    const text = read("docs/operations.md");
    expect(namesIn(tableRows(text, "gap-reasons")).sort()).toEqual([...GAP_REASONS].sort());
    const rows = tableRows(text, "health-rules").map(([id = "", level]) => `${namesIn([[id]])[0]} ${level}`);
    expect(rows.sort()).toEqual(HEALTH_RULES.map((id) => `${id} ${healthRule(id)?.level}`).sort());
    expect(headingsOf(read("docs/runbooks.md"))).toEqual(expect.arrayContaining([...HEALTH_RULES]));
  });
  test("limits have the values of their constants", () => {
    const rows = tableRows(read("docs/operations.md"), "limits");
    expect(rows.length).toBeGreaterThan(30);
    for (const [limit = "", value = "", , place = ""] of rows) {
      const [name = "", file = ""] = namesIn([[place]]);
      const expression = new RegExp(`const ${name}(?:: \\w+)? = ([\\d_* ]+);`).exec(read(file))?.[1] ?? "missing";
      const number = expression.split("*").reduce((product, factor) => product * Number(factor.replaceAll("_", "")), 1);
      expect(`${limit}: ${Number.parseInt(value.replaceAll(",", ""), 10)}`).toBe(`${limit}: ${number}`);
    }
  });
  test("log lines are those of the code", () => {
    const code = ["src", "connectors"].flatMap((folder) =>
      readdirSync(resolve(ROOT, folder), { recursive: true, encoding: "utf8" })
        .filter((name) => name.endsWith(".ts"))
        .map((name) => read(join(folder, name))),
    );
    const lines = namesIn(tableRows(read("docs/operations.md"), "log-lines"));
    expect(lines.length).toBeGreaterThan(10);
    expect(lines.filter((line) => !code.some((text) => text.includes(`"${line}"`)))).toEqual([]);
  });
  test("TypeScript in docs/adding-a-connector.md imports what there is", () => {
    const missing: string[] = [];
    for (const text of blocks(read("docs/adding-a-connector.md"), "ts")) {
      for (const [, names = "", path = ""] of text.matchAll(/^import (?:type )?\{([^}]+)\} from "((?:\.\.\/)+[^"]+)";/gm)) {
        const target = resolve(ROOT, "connectors/acme", path.startsWith("../contract") ? join("../../test/connectors", path) : path);
        const source = existsSync(target) ? readFileSync(target, "utf8") : "";
        for (const name of names.split(",").map((one) => one.replace("type ", "").trim()))
          if (!new RegExp(`export .*\\b${name}\\b`).test(source)) missing.push(`${name} of ${relative(ROOT, target)}`);
      }
    }
    expect(missing).toEqual([]);
  });
});

/** All golden events of a connector, as text. */
function goldenOf(id: string): string {
  const folder = `connectors/${id}/samples`;
  const names = readdirSync(resolve(ROOT, folder), { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".golden.ndjson"));
  return names.map((name) => read(join(folder, name))).join("\n");
}
