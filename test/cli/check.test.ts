import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ELASTIC_DEMO_KEY, startElasticSimulator, type ElasticSimulator } from "../../src/simulators/elastic.ts";
import { oktaSimulator, type OktaSimulator } from "../../src/simulators/okta.ts";
import { custodes } from "./command.ts";

const directory = mkdtempSync(join(tmpdir(), "custodes-check-"));
let elastic: ElasticSimulator;
let okta: OktaSimulator;
beforeAll(async () => {
  [elastic, okta] = await Promise.all([startElasticSimulator(), oktaSimulator({ authorization: "SSWS check-token", events: [] })]);
});
afterAll(async () => {
  await Promise.all([elastic.close(), okta.close()]);
  rmSync(directory, { recursive: true, force: true });
});

function config(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}
const good = () => `
data: ./data
sources:
  okta/corp: { url: "${okta.url}", apiToken: "\${env:CHECK_OKTA}" }
  kong/main: { path: ${join(directory, "kong.log")} }
destinations:
  elastic/soc: { url: "${elastic.url}", apiKey: "\${env:CHECK_ELASTIC}" }
`;
const secrets = { CHECK_OKTA: "check-token", CHECK_ELASTIC: ELASTIC_DEMO_KEY };

describe("custodes check", () => {
  test("a good configuration is said to be good", async () => {
    const ran = await custodes(["check", "-c", config("good.yaml", good())], { env: secrets });
    expect([ran.code, ran.stderr]).toEqual([0, ""]);
    expect(ran.stdout).toMatch(/2 sources, 1 destinations, 0 agents: good/);
  });

  test("the example configuration has nothing wrong but what the machine lacks", async () => {
    const env = Object.fromEntries(
      "VAULT_SECRET_ID SLACK_BOT_TOKEN SERVICENOW_PASSWORD WEBHOOK_SIGNING_KEY KAFKA_PASSWORD OTLP_AUTHORIZATION CUSTODES_RECEIVER_TOKEN OKTA_API_TOKEN ELASTIC_API_KEY OPENSEARCH_PASSWORD SPLUNK_HEC_TOKEN AZURE_CLIENT_SECRET PAGERDUTY_ROUTING_KEY PAGERDUTY_WEBHOOK_SECRET"
        .split(" ")
        .map((name) => [name, "x"]),
    );
    const ran = await custodes(["check", "-c", "custodes.example.yaml"], { env });
    const problems = ran.stderr.split("\n").filter((line) => /:\d+: /.test(line));
    expect(problems.filter((line) => !/agents: the agent registry .* does not exist/.test(line))).toEqual([]);
  });

  test("all problems are told at once, each with file, line and key, and the exit code is 78", async () => {
    const path = config(
      "bad.yaml",
      `receiver: { listen: "0.0.0.0:8480" }
correlation: { every: "never" }
sources:
  kong/main: { pathh: /var/log/kong.log }
  okta/corp: { url: "https://acme.okta.com", apiToken: "plain-text-secret" }
  nagios/main: {}
destinations:
  elastic/soc: { url: "ftp://x", apiKey: "\${env:CHECK_ELASTIC}" }
  Elastic: {}
agents: ./none.yaml
colour: red
`,
    );
    const ran = await custodes(["check", "-c", path], { env: secrets });
    expect(ran.code).toBe(78);
    expect(ran.stdout).toBe("");
    const expected: readonly (readonly [number, RegExp])[] = [
      [1, /token/],
      [2, /cron/],
      [4, /pathh.*did you mean "path"|did you mean "path"/],
      [5, /apiToken.*reference/],
      [6, /nagios/],
      [8, /url/],
      [9, /Elastic/],
      [10, /none\.yaml/],
      [11, /colour/],
    ];
    const lines = ran.stderr.trimEnd().split("\n");
    for (const [line, what] of expected) {
      const told = lines.filter((one) => one.includes(`bad.yaml:${line}:`));
      expect(told.join("\n"), `line ${line}`).toMatch(what);
    }
    expect(ran.stderr).not.toContain("plain-text-secret");
    expect(lines.at(-1)).toMatch(/^\d+ problems/);
  });

  test("a missing file, and one that is no YAML, are bad configuration", async () => {
    const none = await custodes(["check", "-c", join(directory, "none")]);
    expect(none.code).toBe(78);
    expect(none.stderr).toContain("none");
    const broken = await custodes(["check", "-c", config("broken.yaml", "sources:\n  a: [\n")]);
    expect(broken.code).toBe(78);
    expect(broken.stderr).toMatch(/broken\.yaml:\d+/);
  });

  test("a secret that does not exist, a rejected rule and a destination that a rule names in vain are problems", async () => {
    const rule = config(
      "rule.yml",
      `title: Own
id: 88888888-8888-4888-8888-888888888888
logsource: { category: agent_api, product: agent }
detection: { selection: { refusal: true }, condition: selection }
custodes: { destinations: [splunk/none] }
---
title: Half
`,
    );
    const path = config("more.yaml", `${good()}rules: [${rule}]\n`);
    const ran = await custodes(["check", "-c", path], { env: { CHECK_OKTA: "check-token" } });
    expect(ran.code).toBe(78);
    expect(ran.stderr).toMatch(/CHECK_ELASTIC/);
    expect(ran.stderr).toMatch(/rule\.yml:\d+: .*splunk\/none/);
    expect(ran.stderr).toMatch(/rule\.yml:\d+: /);
    expect(ran.stderr).toContain("3 problems");
  });
});

test("a destination that names a rule in vain, a key that stands twice, and all else are told at once", async () => {
  const text = good().replace("apiKey:", "when: { rules: [custodes.c1, custodes.c99] }, apiKey:");
  const vain = await custodes(["check", "-c", config("vain.yaml", text)], { env: secrets });
  expect(vain.code).toBe(1);
  expect(vain.stderr).toMatch(/vain\.yaml:7: destinations\.elastic\/soc\.when\.rules: .*"custodes\.c99"/);
  expect(vain.stderr).toContain("1 problem");
  const twice = await custodes(["check", "-c", config("twice.yaml", `${good()}data: ./other\nnosuch: 1\n`)], { env: secrets });
  expect(twice.code).toBe(78);
  expect(twice.stderr).toMatch(/twice\.yaml:8: .*unique/);
  expect(twice.stderr).toMatch(/twice\.yaml:9: nosuch: unknown key/);
});

test("a required key that is missing is called that", async () => {
  const ran = await custodes(["check", "-c", config("missing.yaml", "sources:\n  okta/corp: { apiToken: '${env:CHECK_OKTA}' }\n")], {
    env: secrets,
  });
  expect(ran.stderr).toMatch(/missing\.yaml:2: sources\.okta\/corp\.url: is required and missing/);
});

test("looking at the state of a store that does not exist makes none", async () => {
  const data = join(directory, "mistyped");
  const ran = await custodes(["sources", "-c", config("state.yaml", good().replace("./data", data))], { env: secrets });
  expect([ran.code, ran.stdout]).toEqual([1, ""]);
  expect(ran.stderr).toContain(`there is no store in ${data}`);
  expect(existsSync(data)).toBe(false);
});

describe("custodes check --connect", () => {
  const kong = join(directory, "kong.log");

  test("tries every credential and path", async () => {
    writeFileSync(kong, "{}\n");
    const ran = await custodes(["check", "-c", config("connect.yaml", good()), "--connect"], { env: secrets });
    expect([ran.code, ran.stderr]).toEqual([0, ""]);
    for (const instance of ["store", "queue", "okta/corp", "kong/main", "elastic/soc"])
      expect(ran.stdout).toMatch(new RegExp(`^ok +${instance}: `, "m"));
    expect(ran.stdout).not.toContain("FAIL");
  });

  test("says what to do about what fails, shows no secret, and the answer is no", async () => {
    const env = { CHECK_OKTA: "wrong-secret-1", CHECK_ELASTIC: Buffer.from("wrong:secret-2").toString("base64") };
    rmSync(kong, { force: true });
    const ran = await custodes(["check", "-c", config("refused.yaml", good()), "--connect"], { env });
    expect(ran.code).toBe(1);
    for (const instance of ["okta/corp", "elastic/soc"]) expect(ran.stdout).toMatch(new RegExp(`^FAIL ${instance}: .*\n +fix: \\S`, "m"));
    for (const secret of Object.values(env)) expect(ran.stdout + ran.stderr).not.toContain(secret);
  });

  test("tells a host that is not there from a credential that is wrong", async () => {
    const path = config("away.yaml", good().replace(okta.url, "http://127.0.0.1:9"));
    const ran = await custodes(["check", "-c", path, "--connect"], { env: secrets });
    expect(ran.code).toBe(1);
    expect(ran.stdout).toMatch(/FAIL okta\/corp: .*HTTP_UNREACHABLE/);
    expect(ran.stdout).toMatch(/ok +elastic\/soc/);
  });
});

test("a secret file that cannot be read is told without its content", async () => {
  const secret = join(directory, "secret");
  writeFileSync(secret, "file-secret");
  const path = config("file.yaml", good().replace("${env:CHECK_OKTA}", `\${file:${secret}.none}`));
  const ran = await custodes(["check", "-c", path], { env: secrets });
  expect(ran.code).toBe(78);
  expect(ran.stderr).toContain("secret.none");
  chmodSync(secret, 0o600);
  const fine = await custodes(["check", "-c", config("file.yaml", good().replace("${env:CHECK_OKTA}", `\${file:${secret}}`))], {
    env: secrets,
  });
  expect([fine.code, fine.stderr]).toEqual([0, ""]);
});
