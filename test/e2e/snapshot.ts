/** What a run left behind, in the store and in the simulated SIEMs, in a form that two runs can be compared by. */
import { join } from "node:path";
import { openStore } from "../../src/adapters/postgres/open.ts";
import type { Incident } from "../../src/core/incident.ts";
import type { Alert } from "../../src/core/alert.ts";
import type { OutboxRow, SourceState, Store } from "../../src/ports/store.ts";

/** A stopped service's state. */
export interface Snapshot {
  /** Uids of all events, sorted. */
  readonly uids: readonly string[];
  /** Final alerts without their revision, by id. */
  readonly alerts: readonly Omit<Alert, "revision">[];
  /** Newest revision of each alert. */
  readonly alertRevisions: ReadonlyMap<string, number>;
  /** `<entity>: <ids of its alerts>`, sorted. */
  readonly incidents: readonly string[];
  readonly newestIncidents: readonly Incident[];
  readonly deliveries: readonly OutboxRow[];
  /** Counts of each source. */
  readonly sources: ReadonlyMap<string, SourceState>;
  /** `<source> <position> <code>` of each quarantined record, sorted. */
  readonly quarantine: readonly string[];
}

const ALL = 1_000_000;

/** Reads the embedded store of a directory whose service has ended. */
export async function snapshotOf(directory: string): Promise<Snapshot> {
  const { store } = await openStore({ kind: "pglite", dataDir: join(directory, "data") });
  try {
    return await snapshotStore(store);
  } finally {
    await store.close();
  }
}

/** Reads a store. */
export async function snapshotStore(store: Store): Promise<Snapshot> {
  const alerts = [...(await store.alerts({ limit: ALL }))].sort((a, b) => (a.id < b.id ? -1 : 1));
  const incidents = await store.incidents({ limit: ALL });
  return {
    uids: (await store.readLog(0, ALL)).map((row) => row.event.uid).sort(),
    alerts: alerts.map(({ revision: _revision, ...alert }) => alert),
    alertRevisions: new Map(alerts.map((alert) => [alert.id, alert.revision])),
    incidents: incidents
      .map(
        (one) =>
          `${one.entity}: ${one.alerts
            .map((alert) => alert.id)
            .sort()
            .join(" ")}`,
      )
      .sort(),
    newestIncidents: incidents,
    deliveries: await store.deliveries({ limit: ALL }),
    sources: new Map((await store.sources()).map((state) => [state.source, state])),
    quarantine: (await store.quarantine({ limit: ALL }))
      .map((row) => `${row.source} ${row.position.replace(/^.*\//, "")} ${row.code}`)
      .sort(),
  };
}
