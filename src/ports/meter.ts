/** Metrics, by name; the adapter knows their help texts and buckets. */
export interface Meter {
  /** Adds to a counter. */
  count(name: CounterName, labels: Readonly<Record<string, string>>, by?: number): void;
  /** Sets a gauge. */
  gauge(name: GaugeName, labels: Readonly<Record<string, string>>, value: number): void;
  /** Adds to a histogram; seconds. */
  observe(name: HistogramName, labels: Readonly<Record<string, string>>, seconds: number): void;
}

/** Counters that the pipeline counts. */
export type CounterName =
  | "source_records_total"
  | "source_events_total"
  | "source_duplicates_total"
  | "source_quarantined_total"
  | "source_late_events_total"
  | "source_pulls_total"
  | "source_gaps_total"
  | "alerts_total"
  | "incidents_total"
  | "deliveries_total"
  | "dead_letters_total"
  | "rule_reloads_total"
  | "expired_total"
  | "incident_answers_total"
  | "registry_reloads_total";
/** Gauges that the pipeline sets. */
export type GaugeName =
  | "source_watermark_seconds"
  | "source_lag_seconds"
  | "source_paused"
  | "source_gaps_open"
  | "source_settle_lag_seconds"
  | "source_lateness_seconds"
  | "source_silent"
  | "engine_window_entries"
  | "resolver_waiting_events"
  | "resolver_forced_events"
  | "resolver_facts"
  | "resolver_evicted_facts"
  | "correlate_offset"
  | "correlate_watermark_seconds"
  | "outbox_pending"
  | "store_up"
  | "store_bytes"
  | "log_days"
  | "log_days_held"
  | "destination_held"
  | "rules_loaded"
  | "rules_rejected"
  | "rules_kept"
  | "rules_loaded_time_seconds"
  | "registry_agents"
  | "registry_problems"
  | "registry_loaded_time_seconds";
/** Histograms that the pipeline fills. */
export type HistogramName = "delivery_seconds" | "incident_time_to_siem_seconds" | "correlate_batch_seconds";
