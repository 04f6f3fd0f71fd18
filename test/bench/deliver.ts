/**
 * Incidents delivered per second by one worker, from the outbox (PGlite or --store) over rendering to the answer and its settlement,
 * against a bare keep-alive loop that sends the same bytes in the same requests to the same server, in the same minute.
 * Usage: node test/bench/deliver.ts [--n 4000] [--store URL] [--concurrency 4] [--only splunk]
 */
import { once } from "node:events";
import { Agent, createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { connectors } from "../../connectors/index.ts";
import { httpClient } from "../../src/adapters/http/client.ts";
import { silentLog } from "../../src/adapters/log/log.ts";
import { openStore } from "../../src/adapters/postgres/open.ts";
import { sha256, systemClock } from "../../src/adapters/system/system.ts";
import { fixedSecret } from "../../src/config/secrets.ts";
import { directory } from "../../src/core/identity/directory.ts";
import { deliverer } from "../../src/pipeline/deliver.ts";
import { deliveryKey, type RunningDestination } from "../../src/pipeline/route.ts";
import type { Context } from "../../src/ports/context.ts";
import { incidentSubject, ruleInfo } from "../fixtures/subjects.ts";
import { EVERYTHING, offline, testClock, testLog, testMeter } from "../pipeline/world.ts";

const { values } = parseArgs({
  options: {
    n: { type: "string", default: "4000" },
    store: { type: "string" },
    concurrency: { type: "string", default: "4" },
    only: { type: "string" },
  },
});
const n = Number(values.n);

/** Answers as each vendor does, and keeps what it was sent. */
const bodies: { readonly path: string; readonly body: Buffer; readonly headers: Record<string, string> }[] = [];
let keeps = false;
const server = createServer((incoming, response) => {
  const pieces: Buffer[] = [];
  incoming.on("data", (piece: Buffer) => pieces.push(piece));
  incoming.on("end", () => {
    const body = Buffer.concat(pieces);
    const path = incoming.url ?? "";
    if (keeps) {
      const type = incoming.headers["content-type"];
      bodies.push({ path, body, headers: type === undefined ? {} : { "content-type": type } });
    }
    response.setHeader("content-type", "application/json");
    if (path.includes("/v2/enqueue")) {
      const { dedup_key } = JSON.parse(body.toString()) as { dedup_key: string };
      response.statusCode = 202;
      return response.end(JSON.stringify({ status: "success", message: "Event processed", dedup_key }));
    }
    if (path.includes("_bulk")) {
      response.setHeader("x-elastic-product", "Elasticsearch");
      response.setHeader("content-type", "application/vnd.elasticsearch+json; compatible-with=9");
      const items = body
        .toString()
        .split("\n")
        .filter((_, index) => index % 2 === 0)
        .filter((line) => line !== "")
        .map((line) => ({ index: { _id: (JSON.parse(line) as { index: { _id: string } }).index._id, status: 201 } }));
      return response.end(JSON.stringify({ errors: false, took: 1, items }));
    }
    return response.end('{"text":"Success","code":0}');
  });
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

const SETTINGS: Readonly<Record<string, object>> = {
  splunk: { url, token: fixedSecret("11111111-2222-3333-4444-555555555555") },
  elastic: { url, apiKey: fixedSecret("key") },
  pagerduty: { endpoint: url, routingKey: fixedSecret("0".repeat(32)), maxAge: "99999d" },
};

const { store } = await openStore(values.store === undefined ? { kind: "pglite" } : { kind: "postgres", url: values.store });
const context: Context = { ...offline(testClock(), testLog()), clock: systemClock, http: httpClient("bench"), log: silentLog };

async function fill(destination: string): Promise<void> {
  const { incident, evidence } = incidentSubject();
  await store.transaction((tx) => tx.appendEvents("bench", evidence));
  for (let at = 0; at < n; at += 500) {
    const some = Array.from({ length: Math.min(500, n - at) }, (_, index) => ({
      ...incident,
      id: `${destination.replace("/", "-")}-${at + index}`,
      revision: 1,
    }));
    await store.transaction(async (tx) => {
      await tx.saveIncidents(some);
      const now = Date.now();
      const rows = some.map(({ id }) => ({
        key: deliveryKey(destination, "incident", id, 1),
        destination,
        kind: "incident" as const,
        subjectId: id,
        revision: 1,
        dueTime: now,
        createdTime: now,
      }));
      await tx.addDeliveries(rows);
    });
  }
}

/** One request after the other over one connection: what the server and the loop alone cost. */
async function bare(): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const started = performance.now();
  for (const { path, body, headers } of bodies) {
    const sent = request(`${url}${path}`, { method: "POST", agent, headers: { ...headers, "content-length": body.length } });
    sent.end(body);
    const [answer] = (await once(sent, "response")) as [import("node:http").IncomingMessage];
    answer.resume();
    await once(answer, "end");
  }
  const seconds = (performance.now() - started) / 1000;
  agent.destroy();
  return seconds;
}

for (const [name, given] of Object.entries(SETTINGS)) {
  if (values.only !== undefined && values.only !== name) continue;
  const connector = connectors.find(({ id }) => id === name)!;
  const id = `${name}/bench`;
  const made = connector.destination!(connector.config.parse(given));
  // What a routing key may get in a minute is the vendor's limit, not ours.
  const { perMinute: _, ...limits } = made.limits;
  const to: RunningDestination = {
    id,
    connector,
    destination: { ...made, limits },
    when: EVERYTHING,
    maxAttempts: 3,
    disableAfterMs: Infinity,
    concurrency: Number(values.concurrency),
    context,
  };
  await fill(id);
  const delivery = deliverer({
    store,
    now: Date.now,
    meter: testMeter(),
    context,
    sha256,
    rule: () => ruleInfo(),
    registry: () => directory([]),
  });
  bodies.length = 0;
  keeps = true;
  const cpuBefore = process.cpuUsage();
  const started = performance.now();
  while (await delivery.run(to, new AbortController().signal));
  const seconds = (performance.now() - started) / 1000;
  const used = process.cpuUsage(cpuBefore);
  keeps = false;
  const delivered = (await store.deliveries({ destination: id, status: "delivered", limit: n + 1 })).length;
  if (delivered !== n)
    throw new Error(`${delivered} of ${n} were delivered: ${JSON.stringify((await store.deliveries({ destination: id, limit: 1 }))[0])}`);
  const loop = await bare();
  const bytes = bodies.reduce((sum, { body }) => sum + body.length, 0);
  console.log(
    `${name}: ${n} incidents in ${bodies.length} requests, ${(bytes / 1e6).toFixed(1)} MB: ${Math.round(n / seconds)}/s; bare loop ${Math.round(n / loop)}/s; ` +
      `ratio ${(loop / seconds).toFixed(2)}; CPU ${(((used.user + used.system) / n) | 0).toFixed(0)} µs per incident`,
  );
}
await store.close();
server.close();
process.exit(0);
