import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from "prom-client";
import type { CounterName, GaugeName, HistogramName, Meter } from "../../ports/meter.ts";

const COUNTERS: Readonly<Record<CounterName, readonly [string, readonly string[]]>> = {
  source_records_total: ["Records received from a source", ["source"]],
  source_events_total: ["Events stored", ["source"]],
  source_duplicates_total: ["Events that were stored before", ["source"]],
  source_quarantined_total: ["Records that could not be normalized", ["source"]],
  source_late_events_total: ["Events later than the source's lateness", ["source"]],
  source_pulls_total: ["Pull jobs by result", ["source", "result"]],
  source_gaps_total: ["Gaps of a source: proven, healed", ["source", "result"]],
  alerts_total: ["Alert revisions", ["rule", "level", "revision"]],
  incidents_total: ["Incident revisions", ["level", "revision"]],
  deliveries_total: ["Deliveries by result", ["destination", "result"]],
  dead_letters_total: ["Deliveries refused for good", ["destination", "code"]],
  expired_total: ["Rows that retention took out; of the log, days", ["class"]],
  rule_reloads_total: ["Changes of rule files by result", ["result"]],
  incident_answers_total: ["What people said of incidents at a destination, by outcome", ["destination", "to", "outcome"]],
  registry_reloads_total: ["Changes of the agent registry by result", ["result"]],
};
const GAUGES: Readonly<Record<GaugeName, readonly [string, readonly string[]]>> = {
  source_watermark_seconds: ["Event time up to which a source is complete, seconds since the epoch", ["source"]],
  source_lag_seconds: ["How far a source's watermark lies behind the clock", ["source"]],
  source_paused: ["1 while a source needs a human", ["source"]],
  source_gaps_open: ["Stretches of event time of which records are missing", ["source"]],
  source_settle_lag_seconds: ["From an event to its receipt, by quantile over a week", ["source", "quantile"]],
  source_lateness_seconds: ["How far behind their order records came, by quantile over a week", ["source", "quantile"]],
  source_silent: ["1 while nothing was heard of a source for its stall budget", ["source"]],
  engine_window_entries: ["Window entries held in memory", []],
  resolver_waiting_events: ["Events that wait for an observation", []],
  resolver_forced_events: ["Events that went on unresolved because too many waited", []],
  resolver_facts: ["Identity bindings and names in memory", []],
  resolver_evicted_facts: ["Identity bindings and names forgotten because there were too many", []],
  correlate_offset: ["Sequence up to which the log is correlated", []],
  correlate_watermark_seconds: ["Event time up to which correlation is final", []],
  store_up: ["1 while the store answers", []],
  store_bytes: ["Size of the database, when retention last looked", []],
  log_days: ["Days that the log is kept in, when retention last looked", []],
  log_days_held: ["Days whose retention is over and that correlation still needs", []],
  outbox_pending: ["Deliveries that wait", ["destination"]],
  destination_held: ["1 while a destination is left alone after a failure", ["destination"]],
  rules_loaded: ["Rules that raise alerts", []],
  rules_rejected: ["Rule documents that were rejected", []],
  rules_kept: ["Rules that work as they were before their file became wrong", []],
  rules_loaded_time_seconds: ["When the rules at work were loaded, seconds since the epoch", []],
  registry_agents: ["Agents of the registry at work", []],
  registry_problems: ["Problems in files of the registry, which keep them from work", []],
  registry_loaded_time_seconds: ["When the registry at work was loaded, seconds since the epoch", []],
};
const HISTOGRAMS: Readonly<Record<HistogramName, readonly [string, readonly string[]]>> = {
  delivery_seconds: ["Time of one request to a destination", ["destination"]],
  incident_time_to_siem_seconds: ["Time from the outbox to the destination's receipt", ["destination"]],
  correlate_batch_seconds: ["Time of one correlation step", []],
};
/** From one millisecond to two minutes: a page must leave within seconds, an outage shows at the top. */
const BUCKETS = [0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120];

/** A meter with its text form for `/metrics`. Names are prefixed with `custodes_`. */
export interface Metrics extends Meter {
  text(): Promise<{ readonly contentType: string; readonly body: string }>;
}

/** A fresh registry of all metrics; the process's own (CPU, memory, event loop) are included. */
export function metrics(): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const make = <T>(
    table: Readonly<Record<string, readonly [string, readonly string[]]>>,
    one: (name: string, help: string, labels: string[]) => T,
  ) => new Map(Object.entries(table).map(([name, [help, labels]]) => [name, one(`custodes_${name}`, help, [...labels])]));
  const registers = [registry];
  const counters = make(COUNTERS, (name, help, labelNames) => new Counter({ name, help, labelNames, registers }));
  const gauges = make(GAUGES, (name, help, labelNames) => new Gauge({ name, help, labelNames, registers }));
  const histograms = make(HISTOGRAMS, (name, help, labelNames) => new Histogram({ name, help, labelNames, registers, buckets: BUCKETS }));
  return {
    count: (name, labels, by = 1) => counters.get(name)?.inc({ ...labels }, by),
    gauge: (name, labels, value) => gauges.get(name)?.set({ ...labels }, value),
    observe: (name, labels, seconds) => histograms.get(name)?.observe({ ...labels }, seconds),
    text: async () => ({ contentType: registry.contentType, body: await registry.metrics() }),
  };
}
