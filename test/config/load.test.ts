import { basename } from "node:path";
import util, { inspect } from "node:util";
import { expect, test } from "vitest";
import { connectors as shipped } from "../../connectors/index.ts";
import { configJsonSchema } from "../../src/config/json-schema.ts";
import { loadConfig, parseConfig } from "../../src/config/load.ts";
import { formatProblem } from "../../src/config/yaml.ts";
import { connectors, directoryOf, environment, load, problems } from "./build.ts";

test("an empty map is a configuration with defaults, and its paths are absolute", () => {
  const { config } = load("{}");
  expect(config).toMatchObject({ store: "embedded", queue: "store", sources: [], destinations: [], agents: [] });
  expect(config?.data).toMatch(/^\/.*\/data$/);
  expect(config?.correlation).toEqual({
    every: "*/5 * * * * *",
    lateness: 60_000,
    openAt: "medium",
    quiet: 3_600_000,
    reopen: 86_400_000,
    riskOpen: 100,
    riskDecay: 86_400_000,
    minConfidence: 50,
    recordUrls: {},
  });
});

test("sources take their lateness from themselves, else their connector, else the correlation", () => {
  const text =
    "correlation: {lateness: 2m}\nsources:\n  log/own: {url: https://x.example, lateness: 1s}\n  log/its: {url: https://x.example}\n  plain/none:\n";
  expect(load(text).config?.sources.map((one) => [one.id, one.latenessMs, one.stallMs, one.every])).toEqual([
    ["log/own", 1000, 900_000, "*/10 * * * * *"],
    ["log/its", 5000, 900_000, "*/10 * * * * *"],
    ["plain/none", 120_000, 900_000, "*/10 * * * * *"],
  ]);
});

test("every problem is found at once, each on the line of its key", () => {
  const text = `sorces: {}
log:
  level: loud
receiver:
  listen: 0.0.0.0:8480
agents: nowhere.yaml
rules:
  - builtin
  - missing.yml
correlation:
  every: sometimes
  quiet: 5 minutes
sources:
  log/one:
    url: not a url
    every: never
    lateness: soon
    token: plain-text
    urll: x
  logg/two: {}
  "Log Three": {}
  log/four: just text
  siem/five: {}
destinations:
  siem/one:
    url: https://x.example
    when:
      minLevel: hgh
      kinds: [alarm]
    maxAttempts: 0
`;
  const found = problems(text);
  const expected: [number, string][] = [
    [1, "sorces"],
    [3, "log.level"],
    [4, "receiver.token"],
    [6, "agents"],
    [9, "rules.1"],
    [11, "correlation.every"],
    [12, "correlation.quiet"],
    [15, "sources.log/one.url"],
    [16, "sources.log/one.every"],
    [17, "sources.log/one.lateness"],
    [18, "sources.log/one.token"],
    [19, "sources.log/one.urll"],
    [20, "sources.logg/two"],
    [21, "sources.Log Three"],
    [22, "sources.log/four"],
    [23, "sources.siem/five"],
    [25, "destinations.siem/one.apiKey"],
    [28, "destinations.siem/one.when.minLevel"],
    [29, "destinations.siem/one.when.kinds.0"],
    [30, "destinations.siem/one.maxAttempts"],
  ];
  const places = found.map((one) => one.slice(0, one.indexOf(": ")));
  expect(places.sort()).toEqual(expected.map(([line, key]) => `${line} ${key}`).sort());
  expect(load(text).config).toBeUndefined();
});

test("names that are nearly right get the right one named", () => {
  expect(problems("sorces: {}")[0]).toContain('did you mean "sources"?');
  expect(problems("sources: {logg/x: {}}")[0]).toContain('did you mean "log"?');
  expect(problems("sources: {log/x: {url: https://x.example, evry: x}}")[0]).toContain('did you mean "every"?');
  expect(problems("sources: {log/x: {urll: https://x.example}}").join()).toContain('did you mean "url"?');
  expect(problems("sources: {zzzzzz/x: {}}")[0]).toContain("known: log, plain");
});

test("an unknown key whose value is a map is reported on its own line", () => {
  expect(problems("data: x\nfoo:\n  bar: 1\n")[0]).toMatch(/^2 foo: unknown key/);
  expect(problems("data: x\n\nfoo:\n\n  - 1\n")[0]).toMatch(/^3 foo: unknown key/);
});

test("a port that does not exist is a problem of the configuration, not of the start", () => {
  expect(problems("receiver: {listen: 127.0.0.1:99999}")).toHaveLength(1);
  expect(problems("receiver: {listen: 127.0.0.1:65535}")).toEqual([]);
  expect(problems("receiver: {listen: nowhere}")).toHaveLength(1);
});

test.each(["127.0.0.1:1", "localhost:1", "'[::1]:1'"])("%s needs no token", (listen) => {
  expect(problems(`receiver: {listen: ${listen}}`)).toEqual([]);
});
test.each(["0.0.0.0:1", "'[::]:1'", "192.168.0.1:1", "localhost.example:1", "127.0.0.1.example:1"])("%s needs a token", (listen) => {
  expect(problems(`receiver: {listen: ${listen}}`)[0]).toContain("without a token");
  expect(problems(`receiver: {listen: ${listen}, token: "\${env:TOKEN}"}`)).toEqual([]);
});

test("a reference in a place that is no secret is revealed, wherever it stands", () => {
  const registry = { "agents.yaml": "version: 1\nagents: [{id: a}]\n" };
  const text = 'agents: "${env:AGENTS}"\nsources:\n  log/x: {url: "${env:URL_OF_LOG}", tags: [a, "${env:TOKEN}"]}\n';
  const { config, problems: none } = load(text, registry);
  expect(none).toEqual([]);
  expect(config?.agents.map((one) => one.id)).toEqual(["a"]);
  expect(config?.sources[0]?.options).toMatchObject({ url: environment.URL_OF_LOG, tags: ["a", environment.TOKEN] });
  expect(problems('receiver: {listen: "${env:LISTEN}"}')[0]).toContain("without a token");
});

test("a reference to what does not exist is named where its value is needed at once", () => {
  const [problem] = problems('sources:\n  log/x:\n    url: "${env:NO_SUCH}"\n');
  expect(problem).toMatch(/^3 sources\.log\/x\.url: .*\$\{env:NO_SUCH\}.*missing/);
});

test("a text in the place of a secret is refused without being printed", () => {
  const found = problems("destinations:\n  siem/x:\n    url: https://x.example\n    apiKey: hunter2hunter2\n");
  expect(found).toEqual([expect.stringMatching(/^4 destinations\.siem\/x\.apiKey: must be a reference/)]);
  expect(found.join()).not.toContain("hunter2");
});

test("no secret shows when a configuration is printed in any way", () => {
  const { config } = load(
    'destinations: {siem/x: {url: https://x.example, apiKey: "${env:TOKEN}"}}\nreceiver: {token: "${env:TOKEN}"}\nstore: "${env:TOKEN}"',
  );
  const options = config?.destinations[0]?.options as { apiKey: { reveal(): string; toString(): string } };
  expect(options.apiKey.reveal()).toBe(environment.TOKEN);
  const printed = [
    inspect(config, { depth: 20, showHidden: true }),
    inspect(options, { customInspect: false, showHidden: true }),
    JSON.stringify(config),
    `${String(options.apiKey)}`,
    util.format("%s %o %j %O", options.apiKey, options, options, config),
    JSON.stringify(structuredClone(options)),
  ];
  for (const text of printed) expect(text).not.toContain(environment.TOKEN);
});

test("a registry that is missing, a directory, or broken is a problem, not a crash", () => {
  expect(problems("data: x\nagents: nowhere.yaml")[0]).toMatch(/^2 agents: .*does not exist/);
  expect(problems("data: x\nagents: .")[0]).toMatch(/^2 agents: .* is a directory without/);
  const { problems: found } = load("agents: agents.yaml", { "agents.yaml": "version: 1\nagents:\n  - id: a\n    owner: [x]\n" });
  expect(found.map((one) => [basename(one.file), one.line])).toEqual([["agents.yaml", 4]]);
});

test("keys that could change a prototype are refused like any unknown key", () => {
  expect(problems("data: x\n__proto__: {store: evil}")).toEqual([expect.stringMatching(/^2 __proto__: unknown key/)]);
  expect(problems("sources:\n  __proto__: {}\n")).toHaveLength(1);
  expect(problems("sources:\n  log/x:\n    url: https://x.example\n    __proto__: {every: x}\n")).toEqual([
    expect.stringMatching(/^4 sources\.log\/x\.__proto__: unknown key/),
  ]);
  expect(problems("constructor: {prototype: {x: 1}}")).toHaveLength(1);
  expect(({} as Record<string, unknown>)["store"]).toBeUndefined();
});

test("aliases that unfold to very much are refused", () => {
  const levels = Array.from(
    { length: 12 },
    (_, level) =>
      `l${level}: &l${level} [${Array(10)
        .fill(level === 0 ? "x" : `*l${level - 1}`)
        .join(", ")}]`,
  );
  expect(problems(levels.join("\n"))).toEqual([expect.stringContaining("alias")]);
});

test("a file that is nested very deeply is refused, not a crash", () => {
  expect(problems("[".repeat(100_000))).not.toEqual([]);
  expect(problems(`data: ${"[".repeat(20_000)}${"]".repeat(20_000)}`)).not.toEqual([]);
});

test("a key that stands twice is a problem on the second line", () => {
  expect(problems("data: a\nqueue: store\ndata: b\n")).toEqual([expect.stringMatching(/^3 .*unique/i)]);
});

test("a second document, a syntax error and a file that holds no map are problems with their line", () => {
  expect(problems("data: a\n---\ndata: b\n")).toEqual([expect.stringMatching(/^2 .*more than one/)]);
  expect(problems("data: a\n  bad: [\n")[0]).toMatch(/^[1-3] /);
  expect(problems("- a\n- b\n")).toHaveLength(1);
  expect(problems("just text")).toHaveLength(1);
  expect(problems("")).toHaveLength(1);
});

test("a file that cannot be read is a problem that says what to do", () => {
  const { config, problems: found } = loadConfig("/nowhere/custodes.yaml", { connectors, environment, builtinRules: "/" });
  expect(config).toBeUndefined();
  expect(formatProblem(found[0]!)).toBe("/nowhere/custodes.yaml:0: cannot be read (ENOENT); give the path with -c");
});

test.each(["* * * * *", "*/5 * * * * *", "0 9 * * 1-5"])("the schedule %s is good", (every) => {
  expect(problems(`correlation: {every: "${every}"}`)).toEqual([]);
});
test.each(["", "* * * *", "61 * * * *", "@weekly please", "* * * * * * *"])("the schedule '%s' is refused", (every) => {
  expect(problems(`correlation: {every: "${every}"}`)).toHaveLength(1);
});

test.each([
  ["500ms", 500],
  ["30s", 30_000],
  ["5m", 300_000],
  ["1h", 3_600_000],
  ["7d", 604_800_000],
])("a quiet time of %s is %d milliseconds", (quiet, expected) => {
  expect(load(`correlation: {quiet: ${quiet}}`).config?.correlation.quiet).toBe(expected);
});
test.each(["5", "-5m", "5 m", "5M", "1.5h", "m", "9999999999999d"])("a quiet time of %s is refused", (quiet) => {
  expect(problems(`correlation: {quiet: "${quiet}"}`)).toHaveLength(1);
});

test("a shipped connector's configuration without anything gives problems, never a crash, and each has a line", () => {
  for (const connector of shipped) {
    const section = connector.destination === undefined ? "sources" : "destinations";
    const directory = directoryOf({});
    const { problems: found } = parseConfig(`${directory}/c.yaml`, `${section}:\n  ${connector.id}/x:\n`, {
      connectors: shipped,
      environment,
      builtinRules: directory,
    });
    for (const problem of found) expect(problem.line).toBe(2);
  }
});

test("the schema for editors is JSON, names every connector, and asks for secrets as references", () => {
  const schema = JSON.parse(JSON.stringify(configJsonSchema(shipped))) as { properties: Record<string, { patternProperties?: object }> };
  const names = [
    ...Object.keys(schema.properties["sources"]?.patternProperties ?? {}),
    ...Object.keys(schema.properties["destinations"]?.patternProperties ?? {}),
  ];
  for (const connector of shipped) expect(names.some((name) => name.startsWith(`^${connector.id}/`))).toBe(true);
  expect(JSON.stringify(schema)).toContain("(env|file|vault)");
});

test.each([
  ["retention: {alerts: 1d}", "1 retention.alerts: 1d is too short: correlation looks back 2d, for twice correlation.riskDecay (1d)"],
  [
    "retention: {alerts: 9d}\ncorrelation: {riskDecay: 5d}",
    "1 retention.alerts: 9d is too short: correlation looks back 10d, for twice correlation.riskDecay (5d)",
  ],
  [
    "retention: {alerts: 3d}\ncorrelation: {quiet: 2d, riskDecay: 1h}",
    "1 retention.alerts: 3d is too short: correlation looks back 4d, for twice correlation.quiet (2d)",
  ],
  [
    "correlation: {reopen: 100d}",
    "1 retention.alerts: 90d is too short: correlation looks back 2401h, for correlation.quiet and correlation.reopen (1h and 100d)",
  ],
  [
    "retention: {incidents: 1d}",
    "1 retention.incidents: 1d is too short: correlation looks back 25h, for correlation.quiet and correlation.reopen (1h and 1d)",
  ],
])("what is forgotten sooner than correlation looks back is a problem: %s", (text, problem) => {
  expect(problems(text)).toEqual([`${problem}; keep them for at least that`]);
});

test.each([
  "retention: {alerts: 2d, incidents: 2d}",
  "retention: {alerts: 10d}\ncorrelation: {riskDecay: 5d}",
  "retention: {alerts: forever, incidents: forever}\ncorrelation: {reopen: 900d}",
])("what is kept for as long as correlation looks back is none: %s", (text) => {
  expect(problems(text)).toEqual([]);
});
