/** The only wiring of the service: everything is made here, and nowhere else does anything start. */
import { bullmqQueue } from "./adapters/bullmq/queue.ts";
import { localFiles } from "./adapters/files/local-files.ts";
import { closeClient, httpClient } from "./adapters/http/client.ts";
import { log as pinoLog } from "./adapters/log/log.ts";
import { metrics as promMetrics } from "./adapters/metrics/metrics.ts";
import { openStore } from "./adapters/postgres/open.ts";
import { stampRules } from "./adapters/rules/stamp.ts";
import { startReceiver, type PushRoute } from "./adapters/receiver/receiver.ts";
import { scheduler } from "./adapters/schedule/schedule.ts";
import { connectBy } from "./adapters/http/connect.ts";
import { hmacSha256, sha256, systemClock, uuid } from "./adapters/system/system.ts";
import type { Config, SourceConfig } from "./config/config.ts";
import { queueLocation, storeLocation } from "./config/places.ts";
import { auditTrail, TELL_HEAD_EVERY } from "./pipeline/audit-trail.ts";
import type { CloseDeps } from "./pipeline/close.ts";
import { startDrill } from "./pipeline/drill.ts";
import { fieldsRead, fieldWatch, type FieldGap } from "./pipeline/gaps.ts";
import { health, type Health } from "./pipeline/health.ts";
import type { IngestDeps, RunningSource } from "./pipeline/ingest.ts";
import { RETAIN_EVERY, retainer } from "./pipeline/retain.ts";
import { puller } from "./pipeline/pull.ts";
import { pusher } from "./pipeline/push.ts";
import { supervise } from "./pipeline/supervise.ts";
import type { EpochMs } from "./core/event.ts";
import type { Clock, Context, Log } from "./ports/context.ts";
import type { Network } from "./ports/network.ts";
import type { Queue } from "./ports/queue.ts";
import type { Store } from "./ports/store.ts";
import { answerRoutes, retentionSettings } from "./incident-routes.ts";
import { infoRoutes, queueHealth } from "./info-routes.ts";
import { judges } from "./judges.ts";
import { liveRules, type LiveRules, type LiveRulesDeps } from "./live-rules.ts";
import { followRegistry } from "./live-registry.ts";
import { VERSION } from "./package.ts";
import { loadPack, reloadPack } from "./rules.ts";
import { deadRoutes } from "./routes.ts";
import { runDestination, runSource } from "./running.ts";
import { openSecrets } from "./secrets.ts";

/** How often rule files and the agent registry are looked at. A poll sees changes on network mounts and of every editor; it costs one stat per file. */
const FILES_LOOK_EVERY = "*/3 * * * * *";

/** How often it is looked whether secrets are to be read anew: at their interval, and soon after a server refused one. */
const SECRETS_LOOK_EVERY = "*/5 * * * * *";

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
  /** Takes the rule files and the agent registry as they are now, without waiting for the next look. */
  reload(): Promise<void>;
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

/** What everything else stands on. */
async function foundation(config: Config, world: Required<World>, closers: (() => Promise<void>)[]) {
  const { clock, log } = world;
  const secrets = await openSecrets(config, world);
  closers.push(async () => secrets?.close());
  const now = (): EpochMs => clock.now();
  const { store, pool } = await openStore(storeLocation(config), { log, now });
  closers.push(() => store.close());
  const trail = auditTrail({ store, now, log });
  closers.push(() => trail.stopped());
  const queue = await bullmqQueue(queueLocation(config, pool), { log });
  closers.push(() => queue.close());
  // Nobody else works on an embedded store: a job that seems to run there is that of a process that was killed, and would
  // hold up the next one until its lock ends. The schedules and the relay fill the queue again.
  if (config.store === "embedded" && config.queue === "store") await queue.clear();
  const schedules = scheduler(log);
  closers.push(() => schedules.close());
  if (secrets !== undefined) schedules.add("secrets", SECRETS_LOOK_EVERY, () => secrets.look());
  const aborter = new AbortController();
  return { secrets, store, trail, queue, schedules, aborter, context: contextOf(world, aborter.signal), now, log, meter: promMetrics() };
}

/** What runs by the clock beside the work itself. */
function keepHouse(
  base: Awaited<ReturnType<typeof foundation>>,
  config: Config,
  { rules, agents, correlation }: HouseParts,
): ReturnType<typeof retainer> {
  const { schedules, trail } = base;
  schedules.add("rules", FILES_LOOK_EVERY, () => rules.look());
  schedules.add("registry", FILES_LOOK_EVERY, () => agents.look());
  schedules.add("audit head", TELL_HEAD_EVERY, () => trail.tellHead());
  const retain = retainer({
    ...base,
    ...retentionSettings(config),
    signal: base.aborter.signal,
    neededFrom: () => correlation.neededFrom(),
  });
  schedules.add("retention", RETAIN_EVERY, () => retain.run());
  return retain;
}

interface HouseParts {
  readonly rules: LiveRules;
  readonly agents: Awaited<ReturnType<typeof followRegistry>>;
  readonly correlation: ReturnType<typeof judges>["correlation"];
}

async function build(config: Config, world: Required<World>, closers: (() => Promise<void>)[]): Promise<Omit<Service, "stop">> {
  const base = await foundation(config, world, closers);
  const { store, trail, queue, schedules, context, now, log, meter } = base;
  const noted = (action: string) => (change: object) => void trail.note(action, "", { ...change });
  const agents = await followRegistry(config, { now, log, meter, changed: noted("registry.reloaded") }, (take) => {
    correlation.between(take);
    supervisor.eventsStored();
  });
  const registry = agents.directory;
  const sources = config.sources.map((one) => runSource(one, reach(base, one.network, closers)));
  const destinations = config.destinations.map((one) => runDestination(one, reach(base, one.network, closers)));
  const rules = await followRules(config, { now, log, meter, changed: noted("rules.reloaded") }, (take) => {
    correlation.reload(() => {
      const next = take();
      watch.expect(fieldsRead(next.rules));
      return next.rules;
    });
    supervisor.eventsStored();
  });
  const watch = fieldWatch(fieldsRead(rules.pack().rules));
  const ingestDeps: IngestDeps = { store, registry: () => registry, meter, now, sha256, watch };
  const { delivery, watching, correlation } = judges(config, { store, now, meter, log, rules, registry, sources, destinations }, context);
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
    watch: () => watching.look(),
  });
  const retain = keepHouse(base, config, { rules, agents, correlation });
  closers.push(async () => {
    base.aborter.abort();
    await retain.ended();
    await supervisor.stop();
  });
  const kept = base.secrets === undefined ? [] : [base.secrets];
  const parts = async () => [await queueHealth(queue), ...[correlation, rules, ...kept].map((one) => one.health()), ...agents.health()];
  const checkHealth = async () => health(store, sources, destinations, delivery, now(), await parts());
  const push = pusher(ingestDeps, () => supervisor.eventsStored());
  const closing: CloseDeps = { store, now, destinations, look: { rule: (id) => rules.rule(id), agent: (id) => registry.byId(id) } };
  const receiver = await startReceiver({
    listen: config.receiver.listen,
    bodyBytesMax: config.receiver.bodyBytesMax,
    pushes: [...allPushRoutes(config, sources, push), ...answerRoutes(config, { ...closing, meter, log })],
    infos: infoRoutes(checkHealth, meter, store, config, now, {
      watch,
      rules,
      closing,
      registry: () => registry,
      drill: () => startDrill({ store, now, uuid, stored: () => supervisor.eventsStored() }),
    }),
    log,
  });
  closers.push(() => receiver.close());
  const { alerting, version } = rules.pack();
  await trail.started({ version: VERSION, config: config.hash, rules: alerting, pack: version });
  log.info(
    { url: receiver.url, sources: sources.length, destinations: destinations.length, rules: alerting, version },
    "custodes is running",
  );
  return {
    url: receiver.url,
    store,
    queue,
    health: checkHealth,
    fieldGaps: (source) => watch.gaps(source),
    reload: () => Promise.all([rules.reload(), agents.reload()]).then(() => undefined),
  };
}

function contextOf({ clock, log, random }: Required<World>, signal: AbortSignal): Context {
  const http = httpClient(`custodes/${VERSION}`);
  return { clock, http, files: localFiles(), digest: { sha256, hmacSha256 }, connect: connectBy(undefined), log, random, signal };
}

/** What one instance gets: its own connections, by its own settings. */
function reach(base: Awaited<ReturnType<typeof foundation>>, network: Network, closers: (() => Promise<void>)[]): Context {
  const http = httpClient(`custodes/${VERSION}`, network, { refused: () => base.secrets?.refused() });
  closers.push(async () => closeClient(http));
  return { ...base.context, http, connect: connectBy(network) };
}

/** The rules of the configured files, now and as they change. `between` has them taken between two steps of correlation. */
async function followRules(
  config: Config,
  deps: Pick<LiveRulesDeps, "now" | "log" | "meter" | "changed">,
  between: LiveRulesDeps["between"],
): Promise<LiveRules> {
  const { placeholders } = config;
  const destinations = new Set(config.destinations.map(({ id }) => id));
  // Looked at before they are read: what changes in between is seen by the next look.
  const stamp = await stampRules(config.rules);
  const first = loadPack(config.rules, placeholders);
  for (const one of first.rejected) deps.log.warn({ ...one }, "rule rejected");
  return liveRules({
    ...deps,
    first,
    stamp,
    look: () => stampRules(config.rules),
    read: (before, lost) => reloadPack(config.rules, before, { placeholders, destinations, lost }),
    between,
    deadRoutes: (pack) => deadRoutes(config, pack.rules),
  });
}

function allPushRoutes(config: Config, sources: readonly RunningSource[], push: ReturnType<typeof pusher>): PushRoute[] {
  return config.sources.flatMap((source, index) => pushRoutes(source, sources[index], config, push));
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
