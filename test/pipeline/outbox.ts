/** Outbox and destinations for tests of delivering. */
import { afterAll, beforeAll, beforeEach } from "vitest";
import { Failure, type FailureKind } from "../../src/core/errors.ts";
import { deliverer } from "../../src/pipeline/deliver.ts";
import type { RunningDestination } from "../../src/pipeline/route.ts";
import { deliveryKey } from "../../src/pipeline/route.ts";
import type { Delivery, Destination, Outcome, Rendered, Ticket } from "../../src/ports/connector.ts";
import type { Store } from "../../src/ports/store.ts";
import { alertSubject, ruleInfo } from "../fixtures/subjects.ts";
import { directory } from "../../src/core/identity/directory.ts";
import { sha256 } from "../../src/adapters/system/system.ts";
import { EVERYTHING, fakeConnector, memoryStore, offline, START, testClock, testLog, testMeter } from "./world.ts";

/** The store of the test file that imports this, empty before each test. */
export let store: Store;
/** Empties the store. */
export let empty: () => Promise<void>;
beforeAll(async () => {
  const memory = await memoryStore();
  store = memory.store;
  empty = () => memory.empty();
});
afterAll(() => store.close());
beforeEach(() => empty());

const never = new AbortController().signal;
export const DELIVERED: Outcome = { status: "delivered", receipt: "ok" };
export type Send = (batch: readonly Rendered[], signal: AbortSignal) => readonly Outcome[] | Promise<readonly Outcome[]>;
export const all = (batch: readonly Rendered[]): Outcome[] => batch.map(() => DELIVERED);
export const failure = (kind: FailureKind, scope: "item" | "connector", more: { code?: Failure["code"]; retryAfterMs?: number } = {}) =>
  new Failure("no", {
    kind,
    scope,
    code: more.code ?? "HTTP_REJECTED",
    ...(more.retryAfterMs === undefined ? {} : { retryAfterMs: more.retryAfterMs }),
  });

export interface Setting {
  readonly send?: Send;
  readonly confirm?: (tickets: readonly Ticket[]) => readonly Outcome[] | Promise<readonly Outcome[]>;
  readonly render?: (delivery: Delivery) => Rendered;
  readonly limits?: Partial<Destination["limits"]>;
  readonly maxAttempts?: number;
  readonly concurrency?: number;
  readonly disableAfterMs?: number;
  readonly id?: string;
  readonly over?: Store;
}

export function setUp({
  send = all,
  confirm,
  render,
  limits,
  maxAttempts = 3,
  concurrency = 1,
  disableAfterMs = Infinity,
  id = "d/1",
  over = store,
}: Setting = {}) {
  const clock = testClock();
  const log = testLog();
  const meter = testMeter();
  const sent: string[][] = [];
  const to: RunningDestination = {
    id,
    connector: fakeConnector,
    when: EVERYTHING,
    maxAttempts,
    concurrency,
    disableAfterMs,
    context: offline(clock, log, () => 0),
    destination: {
      limits: { batchItems: 100, batchBytes: 1_000_000, itemBytes: 1000, ...limits },
      accepts: ["alert", "incident"],
      render: render ?? ((delivery) => ({ key: delivery.key, body: `body of ${delivery.key}`, bytes: 10 })),
      send: async (batch, context) => {
        sent.push(batch.map((item) => item.key.split(":")[2]!));
        return send(batch, context.signal);
      },
      ...(confirm === undefined ? {} : { confirm: async (tickets) => confirm(tickets) }),
    },
  };
  const delivery = deliverer({
    store: over,
    now: () => clock.now(),
    meter,
    context: to.context,
    sha256,
    rule: () => ruleInfo(),
    registry: () => directory([]),
  });
  return { clock, log, meter, sent, to, delivery, run: (signal = never) => delivery.run(to, signal) };
}

/** Puts alerts with these ids into the outbox. */
export async function put(ids: readonly string[], destination = "d/1"): Promise<void> {
  await store.transaction(async (tx) => {
    await tx.saveAlerts(ids.map((id) => ({ ...alertSubject().alert, id, revision: 1 })));
    await tx.addDeliveries(
      ids.map((id) => ({
        key: deliveryKey(destination, "alert", id, 1),
        destination,
        kind: "alert",
        subjectId: id,
        revision: 1,
        dueTime: START,
        createdTime: START,
      })),
    );
  });
}
export const ids = (count: number, prefix = "a") =>
  Array.from({ length: count }, (_, index) => `${prefix}${String(index).padStart(4, "0")}`);
export async function rows(): Promise<Record<string, { status: string; attempts: number; due: number; note: string | null }>> {
  const found = await store.deliveries();
  return Object.fromEntries(
    found.map((row) => [row.subjectId, { status: row.status, attempts: row.attempts, due: row.dueTime - START, note: row.note }]),
  );
}
