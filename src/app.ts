/** The only wiring of the service: everything is made here, and nowhere else does anything start. */
import { bullmqQueue } from "./adapters/bullmq/queue.ts";
import { localFiles } from "./adapters/files/local-files.ts";
import { httpClient } from "./adapters/http/client.ts";
import { log as pinoLog } from "./adapters/log/log.ts";
import { metrics as promMetrics, type Metrics } from "./adapters/metrics/metrics.ts";
import { openStore } from "./adapters/postgres/open.ts";
import { startReceiver, type InfoRoute, type PushRoute } from "./adapters/receiver/receiver.ts";
import { scheduler } from "./adapters/schedule/schedule.ts";
import { randomSecret, sha256, systemClock, uuid5 } from "./adapters/system/system.ts";
import type { Config, SourceConfig, DestinationConfig } from "./config/config.ts";
import { queueLocation, storeLocation } from "./config/places.ts";
import { directory } from "./core/identity/directory.ts";
import { resolver } from "./core/identity/resolver.ts";
import { engine } from "./core/correlation/engine.ts";
import { eventReader } from "./core/sigma/event-reader.ts";
import { analysis } from "./pipeline/analysis.ts";
import { correlator } from "./pipeline/correlate.ts";
import { coverage } from "./pipeline/coverage.ts";
import { deliverer } from "./pipeline/deliver.ts";
import { fieldsRead, fieldWatch, type FieldGap, type FieldWatch } from "./pipeline/gaps.ts";
import { health, type Health, type PartHealth } from "./pipeline/health.ts";
import type { IngestDeps, RunningSource } from "./pipeline/ingest.ts";
import { puller } from "./pipeline/pull.ts";
import { pusher } from "./pipeline/push.ts";
import type { RunningDestination } from "./pipeline/route.ts";
import { PULL_QUEUE, supervise } from "./pipeline/supervise.ts";
import type { Clock, Context, Log } from "./ports/context.ts";
import type { Queue } from "./ports/queue.ts";
import type { Store } from "./ports/store.ts";
import { VERSION } from "./package.ts";
import { loadPack, type Pack } from "./rules.ts";
import { queryState, STATE_QUERIES } from "./state.ts";

/** Longer than any working backend takes to count its jobs; probes of orchestrators wait a little longer. */
const QUEUE_ANSWER_MS = 2000;

/** What may be replaced in tests and by the demo. */
export interface World {
  readonly clock?: Clock;
  readonly log?: Log;
  readonly random?: () => number;
}

/** A running service. */
export interface Service {
  /** Base URL of the receiver. */
  readonly url: string;
  readonly store: Store;
  readonly queue: Queue;
  health(): Promise<Health>;
  /** Fields that rules read and the source has not supplied since the start. */
  fieldGaps(source: string): readonly FieldGap[];
  /** Stops schedules and the receiver, lets what is under way end, closes the store. Safe to call twice. */
  stop(): Promise<void>;
}

/** Starts the service. @throws {Failure} config (STORE_LOCKED, CONFIG_INVALID), retryable (STORE_UNAVAILABLE, QUEUE_UNAVAILABLE) */
export async function start(config: Config, world: World = {}): Promise<Service> {
  const clock = world.clock ?? systemClock;
  const log = world.log ?? pinoLog(config.log.level);
  const closers: (() => Promise<void>)[] = [];
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => (stopping ??= closeAll(closers, log));
  try {
    const service = await build(config, { clock, log, random: world.random ?? Math.random }, closers);
    return { ...service, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function build(
  config: Config,
  world: { readonly clock: Clock; readonly log: Log; readonly random: () => number },
  closers: (() => Promise<void>)[],
): Promise<Omit<Service, "stop">> {
  const { clock, log } = world;
  const now = () => clock.now();
  const pack = loadPack(config.rules);
  for (const one of pack.rejected) log.warn({ ...one }, "rule rejected");
  const { store, pool } = await openStore(storeLocation(config));
  closers.push(() => store.close());
  const queue = await bullmqQueue(queueLocation(config, pool), { log });
  closers.push(() => queue.close());
  // Nobody else works on an embedded store: a job that seems to run there is that of a process that was killed, and would
  // hold up the next one until its lock ends. The schedules and the relay fill the queue again.
  if (config.store === "embedded" && config.queue === "store") await queue.clear();

  const meter = promMetrics();
  const aborter = new AbortController();
  const http = httpClient(`custodes/${VERSION}`);
  const context: Context = { clock, http, files: localFiles(), log, random: world.random, signal: aborter.signal };
  const registry = directory(config.agents);
  const sources = config.sources.map(runSource);
  const destinations = config.destinations.map(runDestination);
  const watch = fieldWatch(fieldsRead(pack.rules));
  const ingestDeps: IngestDeps = { store, registry: () => registry, meter, now, sha256, watch };
  const startTime = now();
  const delivery = deliverer({ store, now, meter, context, rule: pack.rule });
  const correlation = correlator({
    store,
    now,
    meter,
    log,
    analysis(facts) {
      const names = resolver(registry);
      names.load(facts);
      const { lateness } = config.correlation;
      const options = { reader: eventReader, uuid5, latenessMs: lateness, distinct: true, baselines: true, secret: randomSecret() };
      return analysis(names, engine(pack.rules, options));
    },
    coverage: async () => coverage(sources, await store.sources(), now(), startTime),
    rule: pack.rule,
    registry: () => registry,
    destinations,
    uuid5,
    openAt: config.correlation.openAt,
    quietMs: config.correlation.quiet,
  });
  const schedules = scheduler(log);
  closers.push(() => schedules.close());
  const supervisor = await supervise({
    store,
    queue,
    log,
    now,
    schedule: (name, expression, tick) => schedules.add(name, expression, tick),
    sources,
    destinations,
    correlateEvery: config.correlation.every,
    pull: puller(ingestDeps, context),
    correlator: correlation,
    deliverer: delivery,
  });
  closers.push(async () => {
    aborter.abort();
    await supervisor.stop();
  });
  const checkHealth = async () => health(store, sources, destinations, delivery, now(), [await queueHealth(queue), ...rulesHealth(pack)]);
  const push = pusher(ingestDeps, () => supervisor.eventsStored());
  const receiver = await startReceiver({
    listen: config.receiver.listen,
    bodyBytesMax: config.receiver.bodyBytesMax,
    pushes: config.sources.flatMap((source, index) => pushRoutes(source, sources[index], config, push)),
    infos: infoRoutes(checkHealth, meter, store, config, now, watch),
    log,
  });
  closers.push(() => receiver.close());
  log.info({ url: receiver.url, sources: sources.length, destinations: destinations.length, rules: pack.alerting }, "custodes is running");
  return { url: receiver.url, store, queue, health: checkHealth, fieldGaps: (source) => watch.gaps(source) };
}

/** A rule that was not understood leaves the service blind for what it looks for: that shows until it is mended. */
function rulesHealth(pack: Pack): PartHealth[] {
  const count = pack.rejected.length;
  return count === 0 ? [] : [{ name: "rules", ok: false, message: `${count} rejected; the check command says why` }];
}

/** A queue whose backend is away loses nothing, but nothing runs: it shows, and heals by itself. */
async function queueHealth(queue: Queue): Promise<PartHealth> {
  const late = new Promise<PartHealth>((resolve) => {
    setTimeout(
      () => resolve({ name: "queue", ok: false, message: `does not answer within ${QUEUE_ANSWER_MS} ms` }),
      QUEUE_ANSWER_MS,
    ).unref();
  });
  const asked = queue.depth(PULL_QUEUE).then(
    (): PartHealth => ({ name: "queue", ok: true, message: "answers" }),
    (error: unknown): PartHealth => ({ name: "queue", ok: false, message: error instanceof Error ? error.message : String(error) }),
  );
  return Promise.race([asked, late]);
}

function runSource(source: SourceConfig): RunningSource & { readonly every: string } {
  const { connector, options } = source;
  const normalize = connector.normalize?.(options);
  if (normalize === undefined) throw new Error(`connector ${connector.id} has no normalizer`);
  const pulled = connector.source?.(options);
  return {
    id: source.id,
    connector,
    source: pulled?.idle === true ? undefined : pulled,
    receiver: connector.receiver?.(options),
    normalize,
    latenessMs: source.latenessMs,
    stallMs: source.stallMs,
    every: source.every,
  };
}

function runDestination(destination: DestinationConfig): RunningDestination {
  const made = destination.connector.destination?.(destination.options);
  if (made === undefined) throw new Error(`connector ${destination.connector.id} is no destination`);
  return {
    id: destination.id,
    connector: destination.connector,
    destination: made,
    when: destination.when,
    maxAttempts: destination.maxAttempts,
  };
}

function pushRoutes(
  source: SourceConfig,
  running: RunningSource | undefined,
  config: Config,
  push: ReturnType<typeof pusher>,
): PushRoute[] {
  if (running?.receiver === undefined) return [];
  return running.receiver.paths.map((path) => ({
    path: `/push/${source.id}${path}`,
    token: source.token ?? config.receiver.token,
    push: (request) => push.push(running, { ...request, path }),
  }));
}

function infoRoutes(
  checkHealth: () => Promise<Health>,
  meter: Metrics,
  store: Store,
  config: Config,
  now: () => number,
  watch: FieldWatch,
): InfoRoute[] {
  const json = (status: number, value: unknown) => ({ status, contentType: "application/json", body: JSON.stringify(value) });
  const open = { method: "GET", token: undefined } as const;
  return [
    // Alive: the process answers. A source or destination that is down is no reason to restart it.
    { ...open, path: "/healthz", answer: async () => json(200, await checkHealth()) },
    {
      ...open,
      path: "/readyz",
      answer: async () => {
        const state = await checkHealth();
        const ready = state.parts.find((part) => part.name === "store")?.ok === true;
        return json(ready ? 200 : 503, { ready, status: state.status });
      },
    },
    {
      ...open,
      path: "/metrics",
      answer: async () => {
        // A destination with nothing pending is not among them, and must not keep its last number.
        const pending = new Map((await store.dueDestinations(Number.MAX_SAFE_INTEGER)).map((row) => [row.destination, row.due]));
        for (const destination of new Set([...config.destinations.map((one) => one.id), ...pending.keys()]))
          meter.gauge("outbox_pending", { destination }, pending.get(destination) ?? 0);
        for (const state of await store.sources()) {
          if (state.watermark !== null) meter.gauge("source_lag_seconds", { source: state.source }, (now() - state.watermark) / 1000);
        }
        return { status: 200, ...(await meter.text()) };
      },
    },
    ...STATE_QUERIES.map((query): InfoRoute => ({
      method: query === "deadletters-replay" ? "POST" : "GET",
      path: `/state/${query}`,
      token: config.receiver.token,
      local: true,
      answer: async (parameters) =>
        json(
          200,
          await queryState(store, query, Object.fromEntries(parameters), now(), {
            configured: config.sources.map((source) => source.id),
            fieldGaps: (source) => watch.gaps(source),
          }),
        ),
    })),
  ];
}

/** Last made, first closed: the receiver and the workers end before the store does. */
async function closeAll(closers: readonly (() => Promise<void>)[], log: Log): Promise<void> {
  for (const close of [...closers].reverse()) {
    try {
      await close();
    } catch (error) {
      log.error({ error: String(error) }, "a part did not close cleanly");
    }
  }
}
