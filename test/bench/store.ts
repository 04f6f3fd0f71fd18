/**
 * How fast events get into the log and out again: `node test/bench/store.ts [postgres-url]`. Prints events/s for
 * each batch size, beside a bare COPY of the same rows into a table with the same columns and unique index.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openPg } from "../../src/adapters/postgres/pg.ts";
import { openPglite } from "../../src/adapters/postgres/pglite.ts";
import { migrate } from "../../src/adapters/postgres/migrate.ts";
import { postgresStore } from "../../src/adapters/postgres/store.ts";
import { copyText, uidHash } from "../../src/adapters/postgres/text.ts";
import type { Database } from "../../src/adapters/postgres/database.ts";
import { encodeEvent } from "../../src/core/event-codec.ts";
import type { Event } from "../../src/core/event.ts";
import { newEvent } from "../../src/core/new-event.ts";

const EVENTS = 40_000;
const BATCHES = [500, 1000, 2000];
const READ_PAGE = 2000;
const COLUMNS = "(uid_hash, time, category, agent_uid, body)";

const { positionals } = parseArgs({ allowPositionals: true });
const url = positionals[0];
const directory = mkdtempSync(join(tmpdir(), "custodes-bench-"));
const database =
  url === undefined ? await openPglite(directory) : openPg(url, { name: "bench", connectionsMax: 2, searchPath: "custodes" });
const store = postgresStore(database, () => database.close());
await migrate(database);
await database.session((session) =>
  session.query(`
    drop table if exists custodes.bench_copy;
    create table custodes.bench_copy (like custodes.log);
    alter table custodes.bench_copy add primary key (sequence);
    alter table custodes.bench_copy alter column sequence add generated always as identity;
    create unique index on custodes.bench_copy (uid_hash);
  `),
);
let uids = 0;
for (const size of BATCHES) {
  const bare = await rate(size, (events) => bareCopy(database, events));
  const append = await rate(size, async (events) => {
    const { stored } = await store.transaction((tx) => tx.appendEvents("kong/main", events));
    if (stored !== events.length) throw new Error("an event of the batch was not new");
  });
  const told = ({ perSecond, cpuUs }: Rate): string => `${perSecond} events/s, ${cpuUs.toFixed(1)} µs of CPU per event`;
  console.log(`append, batches of ${size}: ${told(append)}; bare COPY: ${told(bare)}; ratio ${(append.cpuUs / bare.cpuUs).toFixed(2)}`);
}
console.log(`read, pages of ${READ_PAGE}: ${await readRate()} events/s`);
await database.session((session) => session.query("drop table custodes.bench_copy"));
await store.close();
rmSync(directory, { recursive: true, force: true });

interface Rate {
  /** Of wall time. */
  readonly perSecond: number;
  /** Of this process, an embedded database included: it hardly depends on what else the machine does. */
  readonly cpuUs: number;
}

/** Over EVENTS events; they are made beforehand. */
async function rate(size: number, work: (events: readonly Event[]) => Promise<void>): Promise<Rate> {
  const batches = Array.from({ length: Math.ceil(EVENTS / size) }, () => Array.from({ length: size }, sample));
  const start = performance.now();
  const before = process.cpuUsage();
  for (const events of batches) await work(events);
  const { user, system } = process.cpuUsage(before);
  const count = batches.length * size;
  return { perSecond: Math.round((count * 1000) / (performance.now() - start)), cpuUs: (user + system) / count };
}

async function readRate(): Promise<number> {
  const start = performance.now();
  let after = 0;
  let count = 0;
  for (;;) {
    const page = await store.readLog(after, READ_PAGE);
    const last = page.at(-1);
    if (last === undefined) return Math.round((count * 1000) / (performance.now() - start));
    count += page.length;
    after = last.sequence;
  }
}

/** The same rows, encoded the same way, without looking for duplicates and without the append's lock. */
async function bareCopy(target: Database, events: readonly Event[]): Promise<void> {
  let text = "";
  for (const event of events) {
    text += `${uidHash(event.uid)}\t${event.time}\t${event.category}\t${copyText(event.agentUid)}\t${copyText(encodeEvent(event))}\n`;
  }
  await target.session((session) => session.copy(`custodes.bench_copy${COLUMNS}`, text));
}

/** An API call with about 25 fields set, 700 bytes of JSON. */
function sample(): Event {
  const n = uids++;
  const event = newEvent(`kong:${uidHash(String(n))}`, 1_700_000_000_000 + n, "agent_api", 6003, 2);
  event.source = "kong/main";
  event.vendor = "Kong";
  event.product = "Gateway";
  event.receivedTime = event.time + 900;
  event.agentUid = `agent-${n % 50}`;
  event.agentName = "invoice agent";
  event.agentRole = "reader";
  event.attributionId = 1;
  event.attributionConfidence = 100;
  event.clientUid = `client-${n % 50}`;
  event.operation = "POST /v1/invoices";
  event.service = "invoices";
  event.requestUid = uidHash(`r${n}`);
  event.responseCode = 200;
  event.errorFlag = 0;
  event.srcIp = `10.0.${n % 8}.${n % 250}`;
  event.srcPort = 40_000 + (n % 1000);
  event.dstHost = "api.internal.example";
  event.method = "POST";
  event.url = `/v1/invoices?page=${n}`;
  event.urlPath = "/v1/invoices";
  event.userAgent = "python-requests/2.31";
  event.bytesIn = n % 5000;
  event.bytesOut = 233;
  event.durationMs = n % 300;
  event.region = "eu-west-1";
  return event;
}
