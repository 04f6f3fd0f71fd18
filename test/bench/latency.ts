/**
 * From a pushed event's acknowledgement to its incident on the wire to Splunk and PagerDuty, durable, under load. The service is a
 * process of its own, as `custodes run`; the pushes and two bare HTTP servers that note arrivals are this one. Prints a histogram.
 * Usage: node test/bench/latency.ts [--rate 2000] [--seconds 60] [--attacks 4] [--store URL] [--queue URL]
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { Agent, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import axios from "axios";
import { generate } from "../workload/run.ts";

const { values } = parseArgs({
  options: {
    rate: { type: "string", default: "2000" },
    seconds: { type: "string", default: "60" },
    attacks: { type: "string", default: "4" },
    store: { type: "string", default: "embedded" },
    queue: { type: "string", default: "store" },
  },
});
const [rate, seconds, attacksPerSecond] = [values.rate, values.seconds, values.attacks].map(Number) as [number, number, number];
/** The first seconds fill caches and compile code: they do not count. */
const WARM_MS = 10_000;
/** One push; a gateway's log forwarder flushes about as often. */
const PUSH_EVERY_MS = 50;
const EDGES_MS = [5, 10, 20, 50, 100, 150, 250, 500, 1000, 5000];

const directory = mkdtempSync(join(tmpdir(), "custodes-latency-"));
const workload = join(directory, "workload");
generate(workload, 100_000, 160);
const arrivals = { splunk: new Map<string, number>(), pagerduty: new Map<string, number>() };
const MARK = /attack-\d+/g;

/** A server that notes when it first heard of each attack, and answers as the vendor does. */
async function siem(kind: keyof typeof arrivals): Promise<string> {
  const server = createServer((request, response) => {
    let body = "";
    request.setEncoding("utf8").on("data", (piece: string) => (body += piece));
    request.on("end", () => {
      const now = performance.now();
      for (const [mark] of body.matchAll(MARK)) if (!arrivals[kind].has(mark)) arrivals[kind].set(mark, now);
      response.setHeader("content-type", "application/json");
      if (kind === "splunk") return response.end('{"text":"Success","code":0}');
      const { dedup_key } = JSON.parse(body) as { dedup_key: string };
      response.statusCode = 202;
      return response.end(JSON.stringify({ status: "success", message: "Event processed", dedup_key }));
    });
  });
  server.keepAliveTimeout = 120_000;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const config = join(directory, "custodes.yaml");
writeFileSync(
  join(directory, "rule.yml"),
  `title: An attack of the bench, one call
id: 3b0f0f5e-7f1c-4a56-9a6c-0b8a4b0f1d10
name: bench_call
status: test
description: Building block.
logsource: { product: agent, category: agent_api }
detection: { attack: { http_request.url.path|startswith: /attack- }, condition: attack }
level: informational
---
title: An attack of the bench
id: 3b0f0f5e-7f1c-4a56-9a6c-0b8a4b0f1d11
name: bench_attack
status: test
description: One call is enough.
correlation: { type: event_count, rules: [bench_call], group-by: [http_request.url.path], timespan: 1m, condition: { gte: 1 } }
level: critical
custodes: { entity: http_request.url.path }
`,
);
writeFileSync(
  config,
  `data: ./data
store: ${JSON.stringify(values.store)}
queue: ${JSON.stringify(values.queue)}
receiver: { listen: "127.0.0.1:0" }
agents: ${JSON.stringify(join(workload, "agents.yaml"))}
rules: [builtin, rule.yml]
sources:
  kong/bench: { }
destinations:
  splunk/bench: { url: "${await siem("splunk")}", token: "\${env:BENCH_TOKEN}", when: { kinds: [incident] } }
  pagerduty/bench: { routingKey: "\${env:BENCH_KEY}", endpoint: "${await siem("pagerduty")}", perMinute: 10000 }
`,
);
const root = join(import.meta.dirname, "../..");
const child = spawn(
  process.execPath,
  ["--min-semi-space-size=32", "--max-semi-space-size=32", join(root, "src/cli.ts"), "run", "-c", config],
  {
    env: { ...process.env, BENCH_TOKEN: "11111111-2222-3333-4444-555555555555", BENCH_KEY: "0".repeat(32) },
    stdio: ["ignore", "ignore", "pipe"],
  },
);
const url = await new Promise<string>((resolve, reject) => {
  createInterface({ input: child.stderr }).on("line", (line) => {
    if (line.includes("custodes is running")) resolve((JSON.parse(line) as { url: string }).url);
    else if (line.includes('"level":50')) console.error(line);
  });
  child.once("exit", (code) => reject(new Error(`the service ended with ${code}`)));
});

/** Calls of the workload; its broken lines are for other benches. */
const lines = readFileSync(join(workload, "kong.ndjson"), "utf8").split("\n").filter(isCall);
let sent = 0;
function isCall(line: string): boolean {
  try {
    const entry = JSON.parse(line) as { request?: { id?: unknown }; started_at?: unknown } | null;
    return typeof entry?.request?.id === "string" && typeof entry.started_at === "number";
  } catch {
    return false;
  }
}
/** The next call of the workload as if it happened now; the timestamp and the ids are all that is changed. */
function call(mark?: string): string {
  const entry = JSON.parse(lines[sent % lines.length]!) as { request: { id: string; uri: string }; started_at: number };
  entry.request.id = `bench-${sent++}`;
  entry.started_at = Date.now();
  if (mark !== undefined) entry.request.uri = `/${mark}`;
  return JSON.stringify(entry);
}

const http = axios.create({ headers: { "content-type": "application/json" }, httpAgent: new Agent({ keepAlive: true }) });
const accepted = new Map<string, number>();
const push = async (records: string[], mark?: string): Promise<void> => {
  await http.post(`${url}/push/kong/bench`, `[${records.join(",")}]`);
  if (mark !== undefined) accepted.set(mark, performance.now());
};

const begun = performance.now();
const pushes: Promise<void>[] = [];
let attacks = 0;
let late = 0;
for (let n = 0; performance.now() - begun < WARM_MS + seconds * 1000; n++) {
  const due = begun + n * PUSH_EVERY_MS;
  const wait = due - performance.now();
  if (wait > 0) await sleep(wait);
  else if (wait < -PUSH_EVERY_MS) late++;
  const records = Array.from({ length: Math.round((rate * PUSH_EVERY_MS) / 1000) }, () => call());
  const elapsed = performance.now() - begun - WARM_MS;
  const isAttack = elapsed > 0 && attacks < (elapsed / 1000) * attacksPerSecond;
  const mark = isAttack ? `attack-${attacks++}` : undefined;
  if (mark !== undefined) records.push(call(mark));
  pushes.push(push(records, mark));
}
await Promise.all(pushes);
const end = performance.now() + 30_000;
const missing = (): number => Object.values(arrivals).reduce((sum, map) => sum + accepted.size - map.size, 0);
while (missing() > 0 && performance.now() < end) await sleep(100);
child.kill("SIGTERM");
await once(child, "exit");

console.log(
  `${sent} events pushed at ${Math.round(sent / ((performance.now() - begun) / 1000))}/s on average, ${late} pushes began late; ${attacks} attacks, ${missing()} never arrived`,
);
for (const [kind, map] of Object.entries(arrivals)) {
  const took = [...map].map(([mark, time]) => time - accepted.get(mark)!).sort((a, b) => a - b);
  const at = (q: number): string => (took[Math.min(took.length - 1, Math.floor(q * took.length))] ?? Number.NaN).toFixed(1);
  console.log(
    `${kind}: ${took.length} incidents; ms from acknowledged to on the wire: p50 ${at(0.5)}, p90 ${at(0.9)}, p99 ${at(0.99)}, max ${at(1)}`,
  );
  for (const edge of EDGES_MS) {
    const below = took.filter((ms) => ms <= edge).length;
    console.log(
      `  <= ${String(edge).padStart(5)} ms ${String(below).padStart(6)} ${"#".repeat(Math.round((40 * below) / Math.max(1, took.length)))}`,
    );
  }
}
rmSync(directory, { recursive: true, force: true });
process.exit(0);
