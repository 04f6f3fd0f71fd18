/**
 * How fast `custodes trace` and `custodes touched` answer over many events: `N=10000000 node test/bench/questions.ts
 * [postgres-url]`. The events are appended as the service does it, over 30 days of receipt, in runs that show in several
 * sources under different ids. Loading ten million takes about five minutes and 20 GB; KEEP=<directory> keeps an embedded one.
 */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openPg } from "../../src/adapters/postgres/pg.ts";
import { openPglite } from "../../src/adapters/postgres/pglite.ts";
import { migrate } from "../../src/adapters/postgres/migrate.ts";
import { postgresStore } from "../../src/adapters/postgres/store.ts";
import type { Database } from "../../src/adapters/postgres/database.ts";
import type { Category, Event } from "../../src/core/event.ts";
import { newEvent } from "../../src/core/new-event.ts";
import { touched, trace } from "../../src/pipeline/questions.ts";

const EVENTS = Number(process.env["N"] ?? 1_000_000);
const DAYS = 30;
const DAY_MS = 86_400_000;
const START = 20_000 * DAY_MS;
const BATCH = 2000;
const AGENTS = 500;
/** One event in twenty is of one agent that does far more than all others. */
const BUSY = "agent-busy";
const RUN_EVENTS = 24;
/** Runs that go on at the same time, so that the events of one lie among those of many others. */
const RUNS_AT_ONCE = 400;
const ROUNDS = 20;

const { positionals } = parseArgs({ allowPositionals: true });
const url = positionals[0];
const directory = process.env["KEEP"] ?? mkdtempSync(join(tmpdir(), "custodes-questions-"));
const loaded = existsSync(join(directory, "database"));
const clock = { now: START };
const copied = new Map<string, number>();
const mix = numbers(42);
const database = timed(
  url === undefined ? await openPglite(directory) : openPg(url, { name: "bench", connectionsMax: 2, searchPath: "custodes" }),
);
await migrate(database);
const store = postgresStore(
  database,
  () => database.close(),
  () => clock.now,
);
if (!loaded) await load();
await sizes();
await ask();
await store.close();
if (process.env["KEEP"] === undefined) rmSync(directory, { recursive: true, force: true });

async function load(): Promise<void> {
  const started = performance.now();
  let made = 0;
  for (let first = 0; first < EVENTS; first += BATCH) {
    const before = performance.now();
    const events = Array.from({ length: Math.min(BATCH, EVENTS - first) }, (_, index) => sample(first + index));
    made += performance.now() - before;
    clock.now = events.at(-1)!.time + 1000;
    await store.transaction((tx) => tx.appendEvents("kong/main", events));
    if (first % 1_000_000 === 0) console.error(`${first} events, ${Math.round((performance.now() - started) / 1000)} s`);
  }
  const all = performance.now() - started - made;
  console.log(`loaded ${EVENTS} events: ${((all * 1000) / EVENTS).toFixed(1)} µs per event`);
  for (const [table, ms] of copied) console.log(`  of that COPY into ${table}: ${((ms * 1000) / EVENTS).toFixed(2)} µs per event`);
}

async function sizes(): Promise<void> {
  await database.session(async (session) => {
    await session.query("vacuum analyze");
    const { rows } = await session.query<{ what: string; bytes: number }>(
      `select 'log, rows' as what, sum(pg_table_size(inhrelid)) as bytes from pg_inherits where inhparent = 'custodes.log'::regclass
       union all select 'log, index on sequence', sum(pg_relation_size(inhrelid)) from pg_inherits where inhparent = 'custodes.log_pkey'::regclass
       union all select 'log, index on agent and time', sum(pg_relation_size(inhrelid)) from pg_inherits where inhparent = 'custodes.log_agent'::regclass
       union all select 'log_uid, rows', pg_table_size('custodes.log_uid')
       union all select 'log_uid, index', pg_indexes_size('custodes.log_uid')
       union all select 'log_refs, all', pg_total_relation_size('custodes.log_refs')`,
    );
    for (const { what, bytes } of rows)
      console.log(`${what}: ${(Number(bytes) / 1e6).toFixed(0)} MB, ${(Number(bytes) / EVENTS).toFixed(1)} bytes per event`);
  });
}

async function ask(): Promise<void> {
  const runs = Math.floor(EVENTS / RUN_EVENTS);
  const random = numbers(7);
  const run = (): number => random(runs - RUNS_AT_ONCE);
  const end = START + DAYS * DAY_MS;
  await measure(
    "trace, a run id",
    () => trace(store, `run-${run()}`),
    (found) => `${found?.steps.length} events, ${found?.followed.length} ids followed`,
  );
  await measure(
    "trace, a session id",
    () => trace(store, `session-${run()}`),
    (found) => `${found?.steps.length} events`,
  );
  await measure(
    "trace, a request id",
    () => trace(store, requestId(run(), 3)),
    (found) => `${found?.steps.length} events`,
  );
  await measure(
    "trace, an id that nobody has",
    () => trace(store, `nobody-${run()}`),
    (found) => String(found),
  );
  const agent = (): string => `agent-${random(AGENTS)}`;
  const from = (): number => START + random(DAYS - 1) * DAY_MS;
  const told = (found: Awaited<ReturnType<typeof touched>>): string => `${found?.direct.events} of ${found?.total} events`;
  await measure("touched, one agent, one day", () => ((start) => touched(store, agent(), start, start + DAY_MS))(from()), told);
  await measure("touched, one agent, all 30 days", () => touched(store, agent(), START, end), told);
  await measure("touched, the busy agent, one day", () => ((start) => touched(store, BUSY, start, start + DAY_MS))(from()), told);
  await measure("touched, the busy agent, all 30 days", () => touched(store, BUSY, START, end), told);
}

async function measure<T>(name: string, question: () => Promise<T>, tell: (answer: T) => string): Promise<void> {
  const times: number[] = [];
  let last = "";
  for (let round = 0; round < ROUNDS; round++) {
    const started = performance.now();
    const answer = await question();
    times.push(performance.now() - started);
    last = tell(answer);
  }
  const first = times[0]!;
  times.sort((a, b) => a - b);
  console.log(
    `${name}: first ${first.toFixed(0)} ms, p50 ${times[ROUNDS / 2]!.toFixed(0)} ms, max ${times.at(-1)!.toFixed(0)} ms (last: ${last})`,
  );
}

/** Adds up the time of every COPY by its table. */
function timed(inner: Database): Database {
  return {
    ...inner,
    session: (work) =>
      inner.session((session) =>
        work({
          query: (sql, params) => session.query(sql, params),
          async copy(target, text) {
            const started = performance.now();
            await session.copy(target, text);
            const table = target.slice(0, target.indexOf("("));
            copied.set(table, (copied.get(table) ?? 0) + performance.now() - started);
          },
        }),
      ),
  };
}

function requestId(run: number, step: number): string {
  return hex(run * RUN_EVENTS + step);
}

function hex(n: number): string {
  return (BigInt(n + 1) * 0x9e3779b97f4a7c15f39cc0605cedc835n).toString(16).slice(-32).padStart(32, "0");
}

function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/** The n-th event: a step of one of the runs that go on at its time. */
function sample(n: number): Event {
  const round = Math.floor(n / (RUNS_AT_ONCE * RUN_EVENTS));
  const run = round * RUNS_AT_ONCE + (n % RUNS_AT_ONCE);
  const step = Math.floor((n % (RUNS_AT_ONCE * RUN_EVENTS)) / RUNS_AT_ONCE);
  const category: Category =
    step < 16 ? "agent_api" : step < 20 ? "egress" : step < 22 ? "agent_finding" : step === 22 ? "authentication" : "dns";
  const event = newEvent(`kong:${hex(n)}`, START + Math.floor((n / EVENTS) * DAYS * DAY_MS), category, 6003, 2);
  event.source = "kong/main";
  event.vendor = "Kong";
  event.product = "Gateway";
  event.receivedTime = event.time + 900;
  event.agentUid = run % 20 === 0 ? BUSY : `agent-${run % AGENTS}`;
  event.agentName = "invoice agent";
  event.agentRole = "reader";
  event.attributionId = 1;
  event.attributionConfidence = 100;
  event.clientUid = `client-${run % AGENTS}`;
  event.srcIp = `10.0.${run % 8}.${run % 250}`;
  event.userAgent = "python-requests/2.31";
  event.region = "eu-west-1";
  if (category === "agent_api") fillCall(event, run, step, n);
  else if (category === "egress") Object.assign(event, { dstHost: `host-${mix(300)}.example.com`, bytesOut: mix(100_000), dstPort: 443 });
  else if (category === "dns") event.dnsQuery = `host-${mix(300)}.example.com`;
  else event.sessionUid = `session-${run}`;
  if (category === "agent_finding") event.runUid = `run-${run}`;
  return event;
}

/** Gateway calls know their trace and request; the first of a run also the session, as the runtime that began it. */
function fillCall(event: Event, run: number, step: number, n: number): void {
  event.operation = "POST /v1/invoices";
  event.service = "invoices";
  event.requestUid = requestId(run, step);
  event.traceUid = `trace-${run}-${step % 4}`;
  if (step < 4) event.sessionUid = `session-${run}`;
  event.responseCode = 200;
  event.errorFlag = 0;
  event.method = "POST";
  event.url = `/v1/invoices/${mix(100_000)}?page=${n}`;
  event.urlPath = `/v1/invoices/${mix(100_000)}`;
  event.bytesIn = n % 5000;
  event.bytesOut = 233;
  event.durationMs = n % 300;
  event.dataClasses = [["public", "internal", "pii", "finance"][mix(4)]!];
}
