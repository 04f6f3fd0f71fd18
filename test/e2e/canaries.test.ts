/**
 * Guards: a secret is never written anywhere. Every secret of a configuration with all connectors that have any is a canary; the
 * real service and its commands meet servers that fail and repeat what they were told; then all that was written is searched.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { connectors } from "../../connectors/index.ts";
import { STATE_QUERIES } from "../../src/state.ts";
import { custodes } from "../cli/command.ts";
import { testAuthority } from "../fixtures/certificates.ts";
import { startConnectProxy } from "../simulators/connect-proxy.ts";
import { startVaultSimulator } from "../simulators/vault.ts";
import { BEHAVIOURS, startHostile, type HostileServer } from "./hostile-server.ts";
import { endServices, freePort, runService, until, type Service } from "./service.ts";
import { makeDay } from "./world.ts";

/** Settings of an instance per connector that has secrets; `canary` gives a reference to a new one. A new connector belongs here. */
const INSTANCES: Readonly<Record<string, (url: string, canary: (form?: "key") => string) => readonly string[]>> = {
  elastic: (url, canary) => [`{ url: "${url}", apiKey: "${canary()}" }`],
  splunk: (url, canary) => [`{ url: "${url}", token: "${canary()}" }`],
  sentinel: (url, canary) => [
    `{ tenantId: example.com, clientId: 11111111-2222-4333-8444-555555555555, clientSecret: "${canary()}", endpoint: "${url}", authority: "${url}", dcrImmutableId: dcr-0123456789abcdef0123456789abcdef }`,
  ],
  pagerduty: (url, canary) => [
    `{ routingKey: "${canary("key")}", previousRoutingKey: "${canary("key")}", endpoint: "${url}", webhookSecret: "${canary()}", maxAge: 3d, minLevel: low }`,
  ],
  okta: (url, canary) => [`{ url: "${url}", apiToken: "${canary()}", every: "* * * * * *" }`],
  http: (url, canary) =>
    [
      `{ type: bearer, token: "${canary()}" }`,
      `{ type: basic, username: me, password: "${canary()}" }`,
      `{ type: header, name: X-Key, value: "${canary()}" }`,
      `{ type: oauth2, tokenUrl: "${url}/token", clientId: me, clientSecret: "${canary()}", send: header }`,
      `{ type: oauth2, tokenUrl: "${url}/token", clientId: me, clientSecret: "${canary()}", send: body }`,
    ].map(
      (auth) =>
        `{ url: "${url}/events", auth: ${auth}, headers: { X-More: "${canary()}" }, query: { key: "${canary()}" }, every: "* * * * * *", map: { category: agent_api, vendor: v, product: p, time: t } }`,
    ),
};

const canaries: { readonly name: string; readonly value: string }[] = [];
const environment: Record<string, string> = {};

/** Characters that change when they are written into a URL, into JSON and into a form. */
function canary(form?: "key"): string {
  const name = `CANARY_${canaries.length}`;
  const number = String(canaries.length).padStart(4, "0");
  const value = form === "key" ? `canary${number}`.padEnd(32, "q") : `Canary/${number}+"q&r=%41`;
  canaries.push({ name, value });
  environment[name] = value;
  return `\${env:${name}}`;
}

/** A value in every form in which it could have been written down. */
function formsOf(value: string): readonly string[] {
  const forms = [
    value,
    encodeURIComponent(value),
    encodeURI(value),
    JSON.stringify(value).slice(1, -1),
    value.split("").reverse().join(""),
  ];
  // Of base64 only what does not depend on the bytes before and after it.
  const within = [0, 1, 2].map((offset) => {
    const text = Buffer.from("x".repeat(offset) + value)
      .toString("base64")
      .replace(/=+$/, "");
    return text.slice(offset === 0 ? 0 : 4, -2);
  });
  return [...new Set([...forms, ...within, ...within.map((text) => text.replaceAll("+", "-").replaceAll("/", "_"))])];
}

/** Canaries that a text holds, by name. Escapes are taken off, so that JSON within JSON hides nothing. */
function found(text: string): readonly string[] {
  const plain = text.replaceAll("\\", "");
  const all = [...canaries, { name: "issued token", value: "CANARYissuedtoken1" }];
  return all.filter(({ value }) => formsOf(value).some((form) => text.includes(form) || plain.includes(form))).map(({ name }) => name);
}

/** What only a connector's authenticated request says. */
const WORDS = ["splunk canary", "apikey canary", "routing_key", "client_secret=", "ssws canary", "x-key"];

const written: Record<string, string> = {};
const hostile: HostileServer[] = [];
const closers: (() => Promise<void>)[] = [];
const directory = mkdtempSync(join(tmpdir(), "custodes-canaries-"));
const config = join(directory, "custodes.yaml");
let service: Service | undefined;

beforeAll(async () => {
  const tls = testAuthority().issue("localhost", ["IP:127.0.0.1"]);
  const [lines, sources]: [string[], string[]] = [[], []];
  const add = (name: string, url: string, more: string): void => {
    for (const [id, settings] of Object.entries(INSTANCES)) {
      const isSource = connectors.find((one) => one.id === id)?.destination === undefined;
      settings(url, canary).forEach((text, index) => {
        const keys = text.slice(0, -1) + (isSource ? more : `, maxAttempts: 1${more}`);
        (isSource ? sources : lines).push(`  ${id}/${name}-${index}: ${keys} }`);
      });
    }
  };
  for (const behaviour of BEHAVIOURS) {
    const server = await startHostile(behaviour);
    hostile.push(server);
    add(behaviour, server.url, "");
  }
  const secure = await startHostile("500", { key: tls.key, cert: tls.cert });
  closers.push(() => secure.close());
  const https = secure.url;
  add("tls", https.replace("127.0.0.1", "localhost"), "");
  add("key", https, `, tls: { cert: "${tls.certFile}", key: "${canary()}" }`);
  const proxy = await startConnectProxy({ credential: () => "nobody:knows" });
  closers.push(() => proxy.close());
  add("proxy", hostile[0]!.url, `, proxy: { url: "${proxy.url}", username: me, password: "${canary()}" }`);
  const vault = await startVaultSimulator({ secrets: new Map([["kv/siem", [{ data: { token: "x" } }]]]) });
  closers.push(() => vault.close());
  const [token, kept] = [canary(), canary()];
  vault.world.tokens.set(environment[token.slice(6, -1)]!, { end: Infinity, ttl: 0, renewable: false });
  vault.world.secrets.set("kv/siem", [{ data: { token: environment[kept.slice(6, -1)]! } }]);
  lines.push(`  splunk/vault: { url: "${hostile[1]!.url}", token: "\${vault:kv/siem#token}", maxAttempts: 1 }`);
  const receiver = canary();
  const findings = canary();
  const day = makeDay();
  writeFileSync(join(directory, "agents.yaml"), day.agents);
  // These take only their own hosts, or this machine over plain HTTP.
  const usable = lines.filter((line) => !(/^ {2}(?:sentinel|pagerduty)\//.test(line) && line.includes("https://")));
  writeFileSync(
    config,
    `data: ./data
agents: ./agents.yaml
log: { level: debug }
receiver: { listen: "127.0.0.1:${await freePort()}", token: "${receiver}" }
correlation: { every: "* * * * * *" }
vault: { address: "${vault.url}", auth: { type: token, token: "${token}" }, refresh: 10s }
sources:
  agent-findings/pushed: { token: "${findings}" }
${sources.join("\n")}
destinations:
${usable.join("\n")}
`,
  );
  service = runService(config, environment);
  const url = await service.url;
  // From now on Vault fails as well, and repeats the token that it was given.
  vault.fault({ status: 500, body: JSON.stringify({ errors: [environment[token.slice(6, -1)]] }), times: 1000 });
  const bearer = environment[receiver.slice(6, -1)]!;
  const pushed = day.agentFindings.join("\n");
  const push = async (authorization: string, body: string) => {
    const answer = await fetch(`${url}/push/agent-findings/pushed`, { method: "POST", headers: { authorization }, body });
    return `${answer.status} ${await answer.text()}`;
  };
  const secret = environment[findings.slice(6, -1)]!;
  written["pushes"] = [
    await push(`Bearer ${secret}`, pushed),
    await push(`Bearer ${secret}x`, pushed),
    await push(`Bearer ${secret}`, "{ broken"),
  ].join("\n");
  // Every server has been told its canaries: whoever says nothing of them has had the chance.
  const expected = ["400", "401", "403", "500", "redirect", "garbage"].map((name) =>
    BEHAVIOURS.indexOf(name as (typeof BEHAVIOURS)[number]),
  );
  await until("every kind of failure", async () => {
    const missing = expected.flatMap((index) => {
      const text = hostile[index]!.heard().toLowerCase();
      return WORDS.filter((word) => !text.includes(word)).map((word) => `${BEHAVIOURS[index]}: ${word}`);
    });
    const letters = (await (await fetch(`${url}/metrics`)).text()).match(/dead_letters_total/g)?.length ?? 0;
    return (missing.length === 0 && letters > 4) || { missing, letters };
  });
  const ask = async (name: string, path: string) => {
    const answer = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${bearer}` } });
    written[name] = `${answer.status} ${JSON.stringify([...answer.headers])} ${await answer.text()}`;
  };
  for (const path of ["/healthz", "/readyz", "/metrics"]) await ask(path, path);
  for (const query of STATE_QUERIES) await ask(query, `/state/${query}`);
  const commands = [
    ["check"],
    ["doctor"],
    ["doctor", "--json"],
    ["drill", "--wait", "1s"],
    ["sources"],
    ["destinations", "--json"],
    ["deliveries", "--json"],
    ["deadletters", "list", "--json"],
    ["incidents", "--json"],
    ["audit", "list", "--json"],
    ["quarantine", "list", "--json"],
    ["rules", "list"],
  ];
  const ran = await Promise.all(commands.map((command) => custodes([...command, "-c", config], { env: environment })));
  commands.forEach((command, index) => {
    const { code, stdout, stderr } = ran[index]!;
    written[command.join(" ")] = `${code} ${stdout}\n${stderr}`;
  });
  await service.stop();
  written["log"] = `${JSON.stringify(service.log())}\n${service.said()}`;
  for (const [name, text] of Object.entries(await dump(join(directory, "data")))) written[name] = text;
}, 240_000);

afterAll(async () => {
  await endServices(config);
  for (const one of [...hostile.map((server) => server.close), ...closers]) await one();
  rmSync(directory, { recursive: true, force: true });
});

/** Every table of the database, the queue's too, as text. */
async function dump(data: string): Promise<Record<string, string>> {
  const database = await PGlite.create(join(data, "database"));
  try {
    const { rows } = await database.query<{ name: string }>(
      `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname not in ('pg_catalog', 'information_schema')`,
    );
    const tables: Record<string, string> = {};
    for (const { name } of rows) {
      const { rows: lines } = await database.query<{ line: string }>(`select one::text as line from ${name} one`);
      tables[`table ${name}`] = lines.map(({ line }) => line + decodedBytes(line)).join("\n");
    }
    return tables;
  } finally {
    await database.close();
  }
}

/** Bytes are shown in hexadecimal. */
function decodedBytes(line: string): string {
  return [...line.matchAll(/\\\\?x([0-9a-f]{8,})/g)].map(([, hex = ""]) => Buffer.from(hex, "hex").toString("latin1")).join(" ");
}

test("every connector that has secrets has its canaries", () => {
  const withSecrets = connectors.filter(({ config: schema }) => {
    let has = false;
    z.toJSONSchema(schema, {
      io: "input",
      unrepresentable: "any",
      override: ({ zodSchema }) => {
        if (zodSchema._zod.def.type === "custom") has = true;
      },
    });
    return has;
  });
  expect(withSecrets.map(({ id }) => id).sort()).toEqual(Object.keys(INSTANCES).sort());
});

test("the search finds a canary in each form", () => {
  const { name, value } = canaries[0]!;
  const forms = [
    value,
    `?q=${encodeURIComponent(value)}`,
    Buffer.from(`me:${value}`).toString("base64"),
    Buffer.from(`user:${value}:x`).toString("base64url"),
    JSON.stringify({ inner: JSON.stringify({ value }) }),
  ];
  for (const form of forms) expect(found(`before ${form} after`)).toContain(name);
});

test("the servers were told the canaries", () => {
  const told = new Set(hostile.flatMap((server) => [...found(server.heard())]));
  expect(told.size).toBeGreaterThan(80);
  expect(told).toContain("issued token");
});

test("what was searched is all there is", () => {
  const dead = Object.entries(written).filter(([name]) => name.startsWith("table ") && name.includes("outbox"));
  expect(dead.length).toBeGreaterThan(0);
  expect(dead[0]![1]).toMatch(/HTTP_/);
  expect(Object.keys(written).filter((name) => name.startsWith("table ")).length).toBeGreaterThan(15);
  expect(Object.keys(written).some((name) => name.startsWith("table bullmq"))).toBe(true);
  expect(written["log"]).toMatch(/HTTP_DENIED/);
  expect(written["log"]).toMatch(/HTTP_UNTRUSTED/);
  expect(written["log"]).toMatch(/HTTP_PROXY/);
  expect(written["log"]).toMatch(/secrets could not be read anew/);
  expect(written["doctor"]).toMatch(/FAIL/);
  expect(written["/healthz"]).toMatch(/last good values/);
  expect(written["sources"]).toMatch(/HTTP_/);
  expect(written["deadletters list --json"]).toMatch(/"key"/);
});

test("no canary was written anywhere", () => {
  const leaks = Object.entries(written).flatMap(([name, text]) => found(text).map((one) => `${one} in ${name}`));
  expect(leaks).toEqual([]);
});

test("files of the data directory hold none in clear", () => {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter(
    (one) => one.isFile() && one.name !== "custodes.yaml",
  );
  expect(files.length).toBeGreaterThan(10);
  const leaks = files.filter((one) => {
    const bytes = readFileSync(join(one.parentPath, one.name));
    return canaries.some(({ value }) => bytes.includes(value));
  });
  expect(leaks.map(({ name }) => name)).toEqual([]);
});
