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
import { INSTANCES } from "./canary-instances.ts";

const canaries: { readonly name: string; readonly value: string }[] = [];
const environment: Record<string, string> = {};

/** Begins every canary: what is looked for. Neither URLs nor JSON change it, and no other text has it. */
const MARK = "canaryqzx";

/** A reference to a new canary; its rest changes when it is written into a URL, into JSON and into a form. */
function canary(form?: "key" | "whsec"): string {
  const name = `CANARY_${canaries.length}`;
  const number = String(canaries.length).padStart(4, "0");
  const key = `${MARK}${number}`.padEnd(32, "q");
  const value = form === "key" ? key : form === "whsec" ? `whsec_${Buffer.from(key).toString("base64")}` : `${MARK}${number}/+"&r=%41`;
  canaries.push({ name, value });
  environment[name] = value;
  return `\${env:${name}}`;
}

/** The mark as it is, and of its base64 what does not depend on the bytes before and after it. */
const MARKS = [
  MARK,
  ...[0, 1, 2].map((offset) => {
    const text = Buffer.from("x".repeat(offset) + MARK)
      .toString("base64")
      .replace(/=+$/, "");
    return text.slice(offset === 0 ? 0 : 4, -2);
  }),
];

/** Canaries that a text holds, with some of what stands around them. */
function found(text: string): readonly string[] {
  return MARKS.flatMap((mark) => {
    const at = text.indexOf(mark);
    return at === -1 ? [] : [text.slice(Math.max(0, at - 60), at + 60)];
  });
}

/** What only a connector's authenticated request says. */
const WORDS = [`splunk ${MARK}`, `apikey ${MARK}`, "routing_key", "client_secret=", `ssws ${MARK}`, "x-key"];

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
      // What speaks no HTTP has settings of its own for this.
      if (more !== "" && ["syslog", "kafka"].includes(id)) continue;
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
  const usable = lines.filter((line) => !(/^ {2}(?:sentinel|pagerduty|slack)\//.test(line) && line.includes("https://")));
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
  // While Vault still works: without it doctor looks at nothing else.
  const doctor = await custodes(["doctor", "-c", config], { env: environment });
  written["doctor"] = `${doctor.stdout}\n${doctor.stderr}`;
  // From now on Vault fails as well, and repeats the token that it was given.
  vault.fault({ status: 500, body: JSON.stringify({ errors: [environment[token.slice(6, -1)]] }), times: 1000 });
  await until("Vault's failure", async () => (await (await fetch(`${url}/healthz`)).text()).includes("last good values"));
  const ask = async (name: string, path: string) => {
    const answer = await fetch(`${url}${path}`, { headers: { authorization: `Bearer ${bearer}` } });
    written[name] = `${answer.status} ${JSON.stringify([...answer.headers])} ${await answer.text()}`;
  };
  for (const path of ["/healthz", "/readyz", "/metrics"]) await ask(path, path);
  for (const query of STATE_QUERIES) await ask(query, `/state/${query}`);
  const commands = [
    ["check"],
    ["doctor", "--json"],
    ["drill", "--wait", "1s"],
    ["sources"],
    ["deliveries", "--json"],
    ["deadletters", "list", "--json"],
    ["audit", "list", "--json"],
    ["quarantine", "list", "--json"],
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
  for (const one of [...hostile.map((server) => () => server.close()), ...closers]) await one();
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
  const { value } = canaries[0]!;
  const encoded = ["me:", "user:", "", "x", "xy"].flatMap((before) =>
    (["base64", "base64url"] as const).map((encoding) => Buffer.from(`${before}${value}:x`).toString(encoding)),
  );
  const forms = [value, `?q=${encodeURIComponent(value)}`, JSON.stringify({ inner: JSON.stringify({ value }) }), ...encoded];
  for (const form of forms) expect(found(`before ${form} after`)).toHaveLength(1);
  expect(found("before canary after")).toEqual([]);
});

test("the servers were told the canaries", () => {
  const told = new Set(hostile.flatMap((server) => [...server.heard().matchAll(/canaryqzx(\d{4})/g)].map(([, number]) => number)));
  expect(told.size).toBeGreaterThan(60);
  // That of Entra ID, which whoever gets it sends as its credential.
  expect(hostile[BEHAVIOURS.indexOf("token")]!.heard()).toContain(`Bearer ${MARK}`);
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
  expect(written["doctor"]).toMatch(/FAIL splunk\/401-0/);
  expect(written["/healthz"]).toMatch(/last good values/);
  expect(written["sources"]).toMatch(/HTTP_/);
  expect(written["deadletters list --json"]).toMatch(/"key"/);
});

test("no canary was written anywhere", () => {
  const leaks = Object.entries(written).flatMap(([name, text]) => found(text).map((one) => `${name}: ${one}`));
  expect(leaks).toEqual([]);
});

test("files of the data directory hold none in clear", () => {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true }).filter(
    (one) => one.isFile() && one.name !== "custodes.yaml",
  );
  expect(files.length).toBeGreaterThan(10);
  const leaks = files.filter((one) => {
    const bytes = readFileSync(join(one.parentPath, one.name));
    return bytes.includes(MARK);
  });
  expect(leaks.map(({ name }) => name)).toEqual([]);
});
