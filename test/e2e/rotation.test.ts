/** Secrets that change while the service runs, for each way to keep them: nothing is restarted. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { connectors } from "../../connectors/index.ts";
import { start, type Service } from "../../src/app.ts";
import { parseConfig } from "../../src/config/load.ts";
import { BUILTIN_RULES } from "../../src/rules.ts";
import { silentLog } from "../../src/adapters/log/log.ts";
import { startLoopback } from "../../src/simulators/http-server.ts";
import { startVaultSimulator } from "../simulators/vault.ts";
import { until } from "./service.ts";

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** Longer than any wait before a probe. */
const PROBE_MS = 360_000;

/** One way to keep a secret: its reference, and how its value is changed. */
interface Way {
  readonly reference: string;
  /** Top-level keys of the configuration. */
  readonly more: string;
  set(value: string): void;
  /** How often the place was asked, where the service asks by itself. */
  readonly asked?: () => number;
}
type Ways = (directory: string, environment: Record<string, string>) => Promise<Way>;

const WAYS: Readonly<Record<string, Ways>> = {
  env: async (_, environment) => ({ reference: "${env:KEY}", more: "", set: (value) => void (environment["KEY"] = value) }),
  file: async (directory) => {
    const path = join(directory, "key");
    return { reference: `\${file:${path}}`, more: "", set: (value) => writeFileSync(path, `${value}\n`) };
  },
  vault: async (_, environment) => {
    environment["VAULT"] = "hvs.token";
    const tokens = new Map([["hvs.token", { end: Infinity, ttl: 0, renewable: false }]]);
    const vault = await startVaultSimulator({ tokens });
    closers.push(() => vault.close());
    return {
      reference: "${vault:secret/siem#key}",
      // So long that only a refusal can have it read within this test.
      more: `vault: { address: "${vault.url}", auth: { type: token, token: "\${env:VAULT}" }, refresh: 30d }\n`,
      set: (key) => void vault.world.secrets.set("secret/siem", [...(vault.world.secrets.get("secret/siem") ?? []), { data: { key } }]),
      asked: () => vault.asked.filter((request) => request.endsWith("/data/siem")).length,
    };
  },
};

/** A source and a destination that want the same secret. */
async function world(ways: Ways) {
  const directory = mkdtempSync(join(tmpdir(), "custodes-rotation-"));
  closers.push(() => rmSync(directory, { recursive: true, force: true }));
  const environment: Record<string, string> = {};
  const way = await ways(directory, environment);
  const state = { expected: "first", skipMs: 0, pulled: [] as string[], delivered: [] as string[] };
  const server = await startLoopback({
    handle({ path, headers }) {
      const source = path === "/events";
      const given = String(headers["authorization"]).replace(/^(Bearer|Splunk) /, "");
      (source ? state.pulled : state.delivered).push(given);
      if (given !== state.expected) return { status: source ? 401 : 403, body: { text: "Invalid token", code: 4 } };
      return { status: 200, body: source ? [] : { text: "Success", code: 0 } };
    },
  });
  closers.push(() => server.close());
  way.set("first");
  const text = `data: ./data
receiver: { listen: "127.0.0.1:0" }
correlation: { every: "* * * * * *" }
${way.more}sources:
  http/a: { url: "${server.url}/events", auth: { type: bearer, token: "${way.reference}" }, every: "* * * * * *", map: { category: agent_api, vendor: v, product: p, time: t } }
destinations:
  splunk/a: { url: "${server.url}", token: "${way.reference}" }
`;
  const { config, problems } = parseConfig(join(directory, "custodes.yaml"), text, {
    connectors,
    environment,
    builtinRules: BUILTIN_RULES,
  });
  expect(problems).toEqual([]);
  const service = await start(config!, { clock: { now: () => Date.now() + state.skipMs }, log: silentLog, random: () => 0.5 });
  closers.push(() => service.stop());
  return { way, state, service };
}

const drill = async ({ url }: Service) => expect((await fetch(`${url}/state/drill`, { method: "POST" })).status).toBe(200);
const last = (values: readonly string[]): string | undefined => values.at(-1);

test.each(Object.entries(WAYS))(
  "%s: a refused secret is read again before the next probe, which uses it",
  async (_, ways) => {
    const { way, state, service } = await world(ways);
    await drill(service);
    await until("the first secret", async () => (last(state.pulled) === "first" && last(state.delivered) === "first") || state);
    state.expected = "second";
    await drill(service);
    const healthy = async (ok: boolean) => {
      const parts = (await service.health()).parts.filter((part) => /^(source|destination) /.test(part.name));
      return parts.every((part) => part.ok === ok) || parts;
    };
    await until("the refusals", () => healthy(false));
    way.set("second");
    const asked = state.pulled.length + state.delivered.length;
    const { asked: reads } = way;
    if (reads !== undefined) {
      const before = reads();
      state.skipMs += 61_000;
      await until("Vault being read", async () => reads() > before || reads());
    }
    expect([...state.pulled, ...state.delivered].filter((value) => value === "second")).toEqual([]);
    expect(state.pulled.length + state.delivered.length - asked).toBeLessThanOrEqual(1);
    state.skipMs += PROBE_MS;
    await until("the second secret", async () => (await healthy(true)) === true || (await service.health()).parts);
    expect([last(state.pulled), last(state.delivered)]).toEqual(["second", "second"]);
    // After the change the first secret was never tried again.
    expect(state.pulled.slice(state.pulled.indexOf("second")).every((value) => value === "second")).toBe(true);
  },
  60_000,
);

test("env and file: the next request uses the new value", async () => {
  for (const ways of [WAYS["env"]!, WAYS["file"]!]) {
    const { way, state } = await world(ways);
    await until("the first pull", async () => last(state.pulled) === "first" || state);
    [state.expected] = ["second"];
    way.set("second");
    const before = state.pulled.length;
    await until("the next pull", async () => state.pulled.length > before + 1 || state);
    // One request may have been under way.
    expect(state.pulled.slice(before + 1).every((value) => value === "second")).toBe(true);
  }
}, 60_000);
