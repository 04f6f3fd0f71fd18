/** `custodes backtest --from-store` over what a service has stored, while it runs and after it has stopped. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { custodes, jsonLines, type AlertLine, type Ran } from "../cli/command.ts";
import { endServices, freePort, RECEIVER_TOKEN, runService, until, type Service } from "./service.ts";

const SAMPLES = resolve(import.meta.dirname, "../../src/demo/samples");
const FILES = [
  ["kong", "kong.ndjson.gz"],
  ["istio", "istio.ndjson"],
  ["kubernetes", "kubernetes.ndjson"],
  ["agent-findings", "agent-findings.ndjson"],
] as const;
const ENV = { E2E_RECEIVER: RECEIVER_TOKEN, E2E_KEY: "key" };

const directory = mkdtempSync(join(tmpdir(), "custodes-from-store-"));
const config = join(directory, "custodes.yaml");
const agents = join(SAMPLES, "agents.yaml");
/** What the shipped rules find in the files themselves. */
const byFiles = (...more: readonly string[]): Promise<Ran> =>
  custodes(["backtest", "--in", ...FILES.map(([connector, file]) => `${connector}=${join(SAMPLES, file)}`), "--agents", agents, ...more]);
const byStore = (...more: readonly string[]): Promise<Ran> => custodes(["backtest", "--from-store", "-c", config, ...more], { env: ENV });

describe("the log of a service", () => {
  let service: Service;
  let files: Ran;
  beforeAll(async () => {
    writeFileSync(
      config,
      `data: ./data
agents: ${agents}
receiver: { listen: "127.0.0.1:${await freePort()}", token: "\${env:E2E_RECEIVER}" }
sources:
${FILES.map(([connector, file]) => `  ${connector}/s: { path: ${join(SAMPLES, file)}, every: "*/1 * * * * *" }`).join("\n")}
destinations:
  elastic/soc: { url: "http://127.0.0.1:1", apiKey: "\${env:E2E_KEY}" }
`,
    );
    service = runService(config, ENV);
    files = await byFiles();
    const { events } = jsonLines<{ readonly events: number }>(files.stderr).at(-1)!;
    await until("all events are stored", async () => {
      const { stored } = await service.ask<{ readonly stored: number }>("progress");
      return stored === events || stored;
    });
  });
  afterAll(async () => {
    await endServices(config);
    rmSync(directory, { recursive: true, force: true });
  });
  const same = async (): Promise<void> => {
    const store = await byStore();
    expect(store.stderr).not.toContain("STORE_LOCKED");
    expect(store.code).toBe(0);
    expect(store.stdout).toBe(files.stdout);
    expect(jsonLines(store.stderr).at(-1)).toMatchObject({ quarantined: 0, duplicates: 0 });
  };

  test("the files raise alerts of several rules", () => {
    expect(new Set(jsonLines<AlertLine>(files.stdout).map((alert) => alert.rule_title)).size).toBeGreaterThan(5);
  });

  test("gives the same alerts as the files, while the service runs and has the store", same);

  test("is not given to who has no token", async () => {
    const answer = await fetch(`${await service.url}/state/log`);
    expect(answer.status).toBe(401);
    const page = await service.ask<{ readonly rows: readonly unknown[]; readonly last: number }>("log", { after: "5" });
    expect(page.rows[0]).toMatchObject({ sequence: 6 });
    expect(page.rows.length).toBeLessThanOrEqual(2000);
  });

  describe("of one that has stopped", () => {
    beforeAll(async () => {
      await service.stop();
    });

    test("gives the same alerts as the files", same);

    test("is attributed with the registry that is given: without agents no rule about one fires", async () => {
      const empty = join(directory, "none.yaml");
      writeFileSync(empty, "agents: []\n");
      const [store, without] = await Promise.all([byStore("--agents", empty), byFilesWithout(empty)]);
      expect(store.stdout).not.toBe(files.stdout);
      expect(store.stdout).toBe(without.stdout);
    });

    test("is looked at between two times only, where they are given", async () => {
      const times = jsonLines<AlertLine>(files.stdout).map((alert) => alert.first_time);
      const middle = times.sort((a, b) => a - b)[times.length >> 1]!;
      const range = ["--since", new Date(middle - 3_600_000).toISOString(), "--until", new Date(middle + 3_600_000).toISOString()];
      const [store, part] = await Promise.all([byStore(...range), byFiles(...range)]);
      expect(part.stdout).not.toBe(files.stdout);
      expect(jsonLines(part.stdout).length).toBeGreaterThan(2);
      expect(store.stdout).toBe(part.stdout);
      const ago = await byStore("--since", "1m");
      expect(jsonLines(ago.stderr).at(-1)).toMatchObject({ events: 0, alerts: 0 });
    });

    test("is tried with other rules, and other rules only", async () => {
      const rule = join(directory, "rule.yml");
      writeFileSync(
        rule,
        "title: Any call\nlogsource: { category: agent_api }\ndetection: { s: { api.operation|exists: true }, condition: s }\ncustodes: { suppress: 365d }\n",
      );
      const ran = await byStore("--rules", rule);
      expect(new Set(jsonLines<AlertLine>(ran.stdout).map((alert) => alert.rule_title))).toEqual(new Set(["Any call"]));
    });
  });

  const byFilesWithout = (registry: string): Promise<Ran> =>
    custodes(["backtest", "--in", ...FILES.map(([connector, file]) => `${connector}=${join(SAMPLES, file)}`), "--agents", registry]);
});

test.each([
  [["--in", "kong=x"], /--in does not go with --from-store/],
  [["--since", "yesterday"], /is no time/],
  [["--since", "2026-01-31"], /is no time/],
  [["--since", "1d", "--until", "2d"], /--since must lie before --until/],
])("%j is wrong usage", async (more, message) => {
  const ran = await custodes(["backtest", "--from-store", ...more]);
  expect(ran.code).toBe(64);
  expect(ran.stderr).toMatch(message);
});

test("a configuration whose service never ran is told so", async () => {
  const other = join(mkdtempSync(join(tmpdir(), "custodes-from-store-")), "custodes.yaml");
  writeFileSync(
    other,
    `data: ./data\nsources: { kong/a: { path: /var/log/kong.ndjson } }\ndestinations: { elastic/a: { url: "http://127.0.0.1:1", apiKey: "\${env:E2E_KEY}" } }\n`,
  );
  const ran = await custodes(["backtest", "--from-store", "-c", other], { env: ENV });
  expect(ran.stderr).toMatch(/there is no store in .*data: has the service run/);
  expect(ran.code).toBe(1);
});
