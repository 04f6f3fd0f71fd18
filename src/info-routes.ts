import type { Metrics } from "./adapters/metrics/metrics.ts";
import type { InfoRoute } from "./adapters/receiver/receiver.ts";
import type { Config } from "./config/config.ts";
import type { Directory } from "./core/identity/directory.ts";
import type { LiveRules } from "./live-rules.ts";
import type { FieldWatch } from "./pipeline/gaps.ts";
import type { Health, PartHealth } from "./pipeline/health.ts";
import { PULL_QUEUE } from "./pipeline/supervise.ts";
import type { Queue } from "./ports/queue.ts";
import type { Store } from "./ports/store.ts";
import { quantile } from "./core/completeness/lateness.ts";
import { LATENESS_DAYS_MS, QUANTILES } from "./source-state.ts";
import type { DrillStart } from "./pipeline/drill.ts";
import { answerIncident, type CloseDeps } from "./pipeline/close.ts";
import { CHANGES, queryState, STATE_QUERIES } from "./state.ts";

/** Longer than any working backend takes to count its jobs; probes of orchestrators wait a little longer. */
const QUEUE_ANSWER_MS = 2000;

/** What the receiver answers about the service itself: health, metrics, state. */
export function infoRoutes(
  checkHealth: () => Promise<Health>,
  meter: Metrics,
  store: Store,
  config: Config,
  now: () => number,
  live: {
    readonly watch: FieldWatch;
    readonly rules: LiveRules;
    readonly registry: () => Directory;
    readonly closing: CloseDeps;
    readonly drill: () => Promise<DrillStart>;
  },
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
        // While the store is away, that and what the process counted itself are all the more worth knowing.
        const answers = await readGauges(meter, store, config, now).then(
          () => true,
          () => false,
        );
        meter.gauge("store_up", {}, answers ? 1 : 0);
        return { status: 200, ...(await meter.text()) };
      },
    },
    ...STATE_QUERIES.map((query): InfoRoute => ({
      method: CHANGES.has(query) ? "POST" : "GET",
      path: `/state/${query}`,
      token: config.receiver.token,
      local: true,
      answer: async (parameters) =>
        json(
          200,
          await queryState(store, query, Object.fromEntries(parameters), now(), {
            configured: config.sources.map((source) => source.id),
            destinations: config.destinations.map((destination) => destination.id),
            fieldGaps: (source) => live.watch.gaps(source),
            rules: () => live.rules.status(),
            registry: live.registry,
            auditRetention: config.retention.audit,
            drill: live.drill,
            close: (id, ask) => answerIncident(live.closing, id, ask),
          }),
        ),
    })),
  ];
}

/** Sets the gauges that only the store knows. @throws {Failure} of the store */
async function readGauges(meter: Metrics, store: Store, config: Config, now: () => number): Promise<void> {
  // A destination with nothing pending is not among them, and must not keep its last number.
  const pending = new Map((await store.dueDestinations(Number.MAX_SAFE_INTEGER)).map((row) => [row.destination, row.due]));
  for (const destination of new Set([...config.destinations.map((one) => one.id), ...pending.keys()]))
    meter.gauge("outbox_pending", { destination }, pending.get(destination) ?? 0);
  for (const { source, lag, late } of await store.lateness(now() - LATENESS_DAYS_MS)) {
    for (const [name, q] of Object.entries(QUANTILES)) {
      meter.gauge("source_settle_lag_seconds", { source, quantile: name }, (quantile(lag, q) ?? 0) / 1000);
      meter.gauge("source_lateness_seconds", { source, quantile: name }, (quantile(late, q) ?? 0) / 1000);
    }
  }
  for (const { source, watermark } of await store.sources()) {
    if (watermark === null) continue;
    // After a restart a source that is stalled proves nothing that would set it.
    meter.gauge("source_watermark_seconds", { source }, watermark / 1000);
    meter.gauge("source_lag_seconds", { source }, (now() - watermark) / 1000);
  }
}

/** A queue whose backend is away loses nothing, but nothing runs: it shows, and heals by itself. */
export async function queueHealth(queue: Queue): Promise<PartHealth> {
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
