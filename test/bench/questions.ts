/**
 * How fast `custodes trace` and `custodes touched` answer over many events: `N=10000000 node test/bench/questions.ts
 * [postgres-url]`. The events lie as the service stores them, over 30 days of receipt, in runs that show in several
 * sources under different ids. Ten million take minutes and 12 GB; KEEP=<directory> keeps an embedded store,
 * and LOADED=1 takes a server that a former run has loaded.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openPg } from "../../src/adapters/postgres/pg.ts";
import { openPglite } from "../../src/adapters/postgres/pglite.ts";
import { migrate } from "../../src/adapters/postgres/migrate.ts";
import { postgresStore } from "../../src/adapters/postgres/store.ts";
import type { Category, Event } from "../../src/core/event.ts";
import { decodeEvent } from "../../src/core/event-codec.ts";
import { refRows, SAVE_REFS } from "../../src/adapters/postgres/log-refs.ts";
import { touched, trace } from "../../src/pipeline/questions.ts";

const EVENTS = Number(process.env["N"] ?? 1_000_000);
const DAYS = 30;
const DAY_MS = 86_400_000;
const START = 20_000 * DAY_MS;
const BATCH = 10_000;
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
const loaded = existsSync(join(directory, "database")) || process.env["LOADED"] !== undefined;
const clock = { now: START };
const mix = numbers(42);
/** What all events have. */
const COMMON = `"severityId":1,"statusId":1,"source":"kong/main","vendor":"Kong","product":"Gateway","agentName":"invoice agent","agentRole":"reader","attributionId":1,"attributionConfidence":100,"userAgent":"python-requests/2.31","region":"eu-west-1"`;
const CLASSES = ["public", "internal", "pii", "finance"];
const database =
  url === undefined ? await openPglite(directory) : openPg(url, { name: "bench", connectionsMax: 1, searchPath: "custodes" });
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

/** Of each day the first events as the service appends them, which begins its part; the rest as the rows that this would write. */
async function load(): Promise<void> {
  const started = performance.now();
  await database.session((session) => session.query("alter table custodes.log_uid drop constraint log_uid_pkey"));
  const perDay = Math.ceil(EVENTS / DAYS);
  for (let day = 0; day < DAYS; day++) {
    const [first, end] = [day * perDay, Math.min(EVENTS, (day + 1) * perDay)];
    clock.now = START + day * DAY_MS;
    const { stored } = await store.transaction((tx) => tx.appendEvents("kong/main", [decodeEvent(sample(first).body)]));
    if (stored !== 1) throw new Error("the first event of a day was not new");
    for (let at = first + 1; at < end; at += BATCH) await write(at, Math.min(end, at + BATCH), await store.lastSequence());
    console.error(`${end} events, ${Math.round((performance.now() - started) / 1000)} s`);
  }
  await database.session((session) => session.query("set statement_timeout = 0; alter table custodes.log_uid add primary key (hash)"));
  console.log(`loaded ${EVENTS} events in ${Math.round((performance.now() - started) / 1000)} s`);
}

async function write(from: number, to: number, last: number): Promise<void> {
  let [rows, uids, sequence] = ["", "", last];
  const refs = refRows();
  for (let n = from; n < to; n++) {
    const { body, agent, category, time, ids } = sample(n);
    sequence++;
    const hash = hex(n, 1);
    rows += `${sequence}\t${hash}\t${time}\t${category}\t${agent}\t${body}\n`;
    uids += `${hash}\t${sequence}\n`;
    refs.add(ids, sequence);
  }
  await database.session(async (session) => {
    await session.copy("custodes.log(sequence, uid_hash, time, category, agent_uid, body)", rows);
    await session.copy("custodes.log_uid(hash, sequence)", uids);
    await session.query(
      `with refs as (${SAVE_REFS("$4")}) insert into custodes.log_batch (first_sequence, last_sequence, time_max) values ($1, $2, $3)`,
      [last + 1, sequence, timeOf(to), refs.end()],
    );
  });
}

async function sizes(): Promise<void> {
  await database.session(async (session) => {
    if (!loaded) await session.query("vacuum analyze");
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
    (found) => (found === null ? "nothing" : "something"),
  );
  const agent = (): string => `agent-${random(AGENTS)}`;
  const from = (): number => START + random(DAYS - 1) * DAY_MS;
  const told = (found: Awaited<ReturnType<typeof touched>>): string => `${found?.direct.events} of ${found?.total} events`;
  await measure("touched, one agent, one day", () => ((start) => touched(store, agent(), start, start + DAY_MS))(from()), told);
  await measure("touched, one agent, all 30 days", () => touched(store, agent(), START, end), told);
  await measure("touched, the busy agent, one day", () => ((start) => touched(store, BUSY, start, start + DAY_MS))(from()), told);
  await measure("touched, the busy agent, all 30 days", () => touched(store, BUSY, START, end), told);
}

/** Wall time, and the CPU that this process and the server's session took: the latter hardly depends on what else the machine does. */
async function measure<T>(name: string, question: () => Promise<T>, tell: (answer: T) => string): Promise<void> {
  const times: number[] = [];
  let last = "";
  const before = await cpuMs();
  for (let round = 0; round < ROUNDS; round++) {
    const started = performance.now();
    const answer = await question();
    times.push(performance.now() - started);
    last = tell(answer);
  }
  const cpu = ((await cpuMs()) - before) / ROUNDS;
  times.sort((a, b) => a - b);
  console.log(
    `${name}: p50 ${times[ROUNDS / 2]!.toFixed(0)} ms, max ${times.at(-1)!.toFixed(0)} ms, CPU ${cpu.toFixed(0)} ms on average (last: ${last})`,
  );
}

/** Of a server on this machine, Linux counts its session's CPU in hundredths of a second. */
async function cpuMs(): Promise<number> {
  const { user, system } = process.cpuUsage();
  const own = (user + system) / 1000;
  if (url === undefined) return own;
  const pid = await database.session(
    async (session) => (await session.query<{ pid: number }>("select pg_backend_pid() as pid")).rows[0]?.pid,
  );
  const file = `/proc/${pid}/stat`;
  if (!existsSync(file)) return own;
  const fields = readFileSync(file, "utf8").split(") ")[1]?.split(" ") ?? [];
  return own + (Number(fields[11]) + Number(fields[12])) * 10;
}

function requestId(run: number, step: number): string {
  return hex(run * RUN_EVENTS + step, 2);
}

/** 32 digits that look like any others and are the same for the same number. */
function hex(n: number, kind: number): string {
  let text = "";
  for (let part = 0; part < 4; part++) {
    let state = Math.imul(n + 1, 0x9e3779b1) ^ Math.imul(part * 4 + kind, 0x85ebca6b);
    state = Math.imul(state ^ (state >>> 15), 0xc2b2ae35);
    text += ((state ^ (state >>> 13)) >>> 0).toString(16).padStart(8, "0");
  }
  return text;
}

function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

function timeOf(n: number): number {
  return START + Math.floor((n / EVENTS) * DAYS * DAY_MS);
}

interface Sample {
  readonly time: number;
  readonly category: Category;
  readonly agent: string;
  /** As `encodeEvent` writes it: about 700 bytes. */
  readonly body: string;
  readonly ids: Event;
}

/** The n-th event: a step of one of the runs that go on at its time. Two in three are gateway calls. */
function sample(n: number): Sample {
  const round = Math.floor(n / (RUNS_AT_ONCE * RUN_EVENTS));
  const run = round * RUNS_AT_ONCE + (n % RUNS_AT_ONCE);
  const step = Math.floor((n % (RUNS_AT_ONCE * RUN_EVENTS)) / RUNS_AT_ONCE);
  const category: Category =
    step < 16 ? "agent_api" : step < 20 ? "egress" : step < 22 ? "agent_finding" : step === 22 ? "authentication" : "dns";
  const agent = run % 20 === 0 ? BUSY : `agent-${run % AGENTS}`;
  const time = timeOf(n);
  const ids: { requestUid?: string; traceUid?: string; sessionUid?: string; runUid?: string } = {};
  let own = "";
  if (category === "agent_api") {
    // Gateway calls know their trace and request; the first of a run also the session, as the runtime that began it.
    ids.requestUid = requestId(run, step);
    ids.traceUid = `trace-${run}-${step % 4}`;
    if (step < 4) ids.sessionUid = `session-${run}`;
    const invoice = mix(100_000);
    own = `,"operation":"POST /v1/invoices","service":"invoices","responseCode":200,"errorFlag":0,"method":"POST","url":"/v1/invoices/${invoice}?page=${n}","urlPath":"/v1/invoices/${invoice}","bytesIn":${n % 5000},"bytesOut":233,"durationMs":${n % 300},"dataClasses":["${CLASSES[mix(4)]!}"]`;
  } else if (category === "egress") own = `,"dstHost":"host-${mix(300)}.example.com","bytesOut":${mix(100_000)},"dstPort":443`;
  else if (category === "dns") own = `,"dnsQuery":"host-${mix(300)}.example.com"`;
  else ids.sessionUid = `session-${run}`;
  if (category === "agent_finding") ids.runUid = `run-${run}`;
  const body = `{"uid":"kong:${hex(n, 3)}","time":${time},"receivedTime":${time + 900},"classUid":6003,"activityId":2,"category":"${category}",${COMMON},"agentUid":"${agent}","clientUid":"client-${run % AGENTS}","srcIp":"10.0.${run % 8}.${run % 250}"${own},${JSON.stringify(ids).slice(1)}`;
  return { time, category, agent, body: body.replace(/,}$/, "}"), ids: ids as Event };
}
