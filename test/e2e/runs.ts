/** Whole runs of the service, and what must be true after each. */
import { expect } from "vitest";
import { runService, until, untilDone, type Service } from "./service.ts";
import type { Snapshot } from "./snapshot.ts";
import { push, SECRETS, type World } from "./world.ts";

/** Pushes until a reply says that the records are stored. */
export async function pushDurably(world: World, service: () => Service | undefined): Promise<void> {
  await until("a durable push", async () => {
    const url = await service()?.url.catch(() => undefined);
    return url !== undefined && (await push(url, "agent-findings/pushed", world.pushed)) === 202;
  });
}

/** Runs the service to the end of all work and stops it. */
export async function undisturbed(world: World, environment: Readonly<Record<string, string>> = {}): Promise<void> {
  const service = runService(world.config, { ...SECRETS, ...environment });
  await pushDurably(world, () => service);
  await untilDone(service, world.sources);
  expect(await service.stop()).toEqual({ code: 0, signal: null });
}

/** What the store says was delivered to a destination. */
export const deliveredRows = (snapshot: Snapshot, destination: string) =>
  snapshot.deliveries.filter((row) => row.destination === destination && row.status === "delivered");

/** Every destination holds what the store says was delivered to it: no more, and under the same keys. */
export function expectDelivered(snapshot: Snapshot, world: World): void {
  const { alertRevisions, newestIncidents } = snapshot;
  const documents = world.elastic.documents().map(({ index, id, version }) => `${index} ${id} ${version}`);
  const newest = [
    ...[...alertRevisions].map(([id, revision]) => `custodes-alerts ${id} ${revision}`),
    ...newestIncidents.map(({ id, revision }) => `custodes-incidents ${id} ${revision}`),
  ];
  expect([...documents].sort()).toEqual(newest.sort());

  const keys = (destination: string): string[] =>
    deliveredRows(snapshot, destination)
      .map((row) => row.key)
      .sort();
  const envelopes = world.splunk
    .accepted()
    .map((event) => ({ key: String(event.fields?.["custodes_dedup"]), body: JSON.stringify(event) }));
  expect([...new Set(envelopes.map(({ key }) => key))].sort()).toEqual(keys("splunk/soc"));
  expect(new Set(envelopes.map(({ body }) => body)).size, "what came twice is the same").toBe(keys("splunk/soc").length);
  const rows = world.sentinel.received().map((row) => (row["AdditionalFields"] as { readonly DedupKey: string }).DedupKey);
  expect([...new Set(rows)].sort()).toEqual(keys("sentinel/soc"));
  expect(world.sentinel.losses()).toEqual([]);

  const paged = new Set(deliveredRows(snapshot, "pagerduty/oncall").map((row) => row.subjectId));
  const pages = world.pagerduty.received();
  expect(pages.map((page) => page.dedupKey).sort(), "one page per incident").toEqual([...paged].sort());
  expect(paged.size).toBe(newestIncidents.filter(({ level }) => level === "high" || level === "critical").length);
  expect(new Set(pages.map((page) => page.status))).toEqual(new Set(["resolved"]));
}
