/**
 * An hour of outage of each destination, in simulated time, while alerts go on: nothing is lost, revisions stay in order, the other
 * destination gets everything at once, and the one that fails is asked seldom. CUSTODES_OUTAGE=1000 for 1,000 alerts a minute.
 */
import axios, { AxiosError } from "axios";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { connectors } from "../../connectors/index.ts";
import { httpClient } from "../../src/adapters/http/client.ts";
import { sha256 } from "../../src/adapters/system/system.ts";
import { fixedSecret } from "../../src/config/secrets.ts";
import { directory } from "../../src/core/identity/directory.ts";
import { deliverer } from "../../src/pipeline/deliver.ts";
import { deliveryKey, type RunningDestination } from "../../src/pipeline/route.ts";
import type { Rendered } from "../../src/ports/connector.ts";
import { ELASTIC_DEMO_KEY, startElasticSimulator } from "../../src/simulators/elastic.ts";
import { PAGERDUTY_DEMO_KEY, startPagerdutySimulator } from "../../src/simulators/pagerduty.ts";
import { SENTINEL_DEMO, startSentinelSimulator } from "../../src/simulators/sentinel.ts";
import { SPLUNK_DEMO_TOKEN, startSplunkSimulator } from "../../src/simulators/splunk.ts";
import { alertSubject, incidentSubject, ruleInfo } from "../fixtures/subjects.ts";
import { EVERYTHING, memoryStore, offline, testClock, testLog, testMeter, type TestStore } from "./world.ts";

const PER_MINUTE = Number(process.env["CUSTODES_OUTAGE"] ?? 20);
const MINUTES = 60;
/** Every so many, one that came before changes. */
const REVISED_EVERY = 5;

interface Siem {
  readonly close: () => Promise<void>;
  readonly settings: object;
  /** Id and revision of everything that it took, in order. */
  readonly taken: () => readonly (readonly [id: string, revision: number])[];
}

const SIEMS: Readonly<Record<string, (now: () => number) => Promise<Siem>>> = {
  async elastic() {
    const one = await startElasticSimulator();
    const taken = () => one.documents().map(({ id, version }) => [id, version] as const);
    return { close: () => one.close(), settings: { url: one.url, apiKey: fixedSecret(ELASTIC_DEMO_KEY) }, taken };
  },
  async splunk() {
    const one = await startSplunkSimulator();
    const taken = () =>
      one.accepted().map(({ fields }) => [String(fields?.["custodes_id"]), Number(fields?.["custodes_revision"])] as const);
    return { close: () => one.close(), settings: { url: one.url, token: fixedSecret(SPLUNK_DEMO_TOKEN) }, taken };
  },
  async sentinel() {
    const one = await startSentinelSimulator();
    const { tenantId, clientId, clientSecret, dcrImmutableId } = SENTINEL_DEMO;
    const settings = {
      tenantId,
      clientId,
      clientSecret: fixedSecret(clientSecret),
      dcrImmutableId,
      endpoint: one.url,
      authority: one.authority,
    };
    const taken = () =>
      one.received().map((row) => {
        const fields = (
          typeof row["AdditionalFields"] === "string" ? JSON.parse(row["AdditionalFields"]) : row["AdditionalFields"]
        ) as Record<string, unknown>;
        return [String(row["EventUid"]), Number(fields["Revision"])] as const;
      });
    return { close: () => one.close(), settings, taken };
  },
  async pagerduty(now) {
    const one = await startPagerdutySimulator({ now });
    const taken = () =>
      one
        .events()
        .map(
          (event) =>
            [
              String(event["dedup_key"]),
              Number((event["payload"] as { custom_details?: { revision?: number } })?.custom_details?.revision),
            ] as const,
        );
    const settings = { endpoint: one.url, routingKey: fixedSecret(PAGERDUTY_DEMO_KEY), maxAge: "9999d" };
    return { close: () => one.close(), settings, taken };
  },
};

describe.each(Object.keys(SIEMS))("an hour without %s", (name) => {
  let memory: TestStore;
  let siem: Siem;
  const clock = testClock();
  beforeAll(async () => {
    memory = await memoryStore();
    siem = await SIEMS[name]!(() => clock.now());
  });
  beforeEach(() => memory.empty());
  afterAll(async () => {
    await siem.close();
    await memory.store.close();
  });

  test(
    "loses nothing, keeps order, and delays nobody else",
    async () => {
      const { store } = memory;
      const http = httpClient("test");
      const connect = axios.getAdapter(http.defaults.adapter);
      let down = true;
      let asked = 0;
      http.defaults.adapter = async (request) => {
        asked++;
        if (down) throw new AxiosError("refused", "ECONNREFUSED", request);
        return connect(request);
      };
      const context = { ...offline(clock, testLog()), http };
      const connector = connectors.find(({ id }) => id === name)!;
      const made = connector.destination!(connector.config.parse(siem.settings));
      const kind = made.accepts.includes("alert") ? ("alert" as const) : ("incident" as const);
      const to = (id: string, destination: RunningDestination["destination"]): RunningDestination => ({
        id,
        connector,
        destination,
        when: EVERYTHING,
        maxAttempts: 24,
        concurrency: 4,
        disableAfterMs: Infinity,
        context,
      });
      const other: (readonly [string, number])[] = [];
      const failing = to(`${name}/down`, made);
      const healthy = to("other/up", {
        limits: { batchItems: 500, batchBytes: 5_000_000, itemBytes: 1_000_000 },
        accepts: ["alert", "incident"],
        render: ({ key }) => ({ key, body: key, bytes: key.length }),
        send: async (batch: readonly Rendered[]) => {
          for (const { key } of batch) other.push([key.split(":")[2]!, Number(key.split(":")[3])]);
          return batch.map(() => ({ status: "delivered", receipt: "ok" }) as const);
        },
      });
      const delivery = deliverer({
        store,
        now: () => clock.now(),
        meter: testMeter(),
        context,
        sha256,
        rule: () => ruleInfo(),
        registry: () => directory([]),
      });
      const run = async (destination: RunningDestination): Promise<void> => {
        while (await delivery.run(destination, new AbortController().signal));
      };
      const revisions = new Map<string, number>();
      const told = async (minute: number): Promise<void> => {
        const ids = Array.from({ length: PER_MINUTE }, (_, index) =>
          index % REVISED_EVERY === 0 && minute > 0 ? idOf(minute - 1, index + 1) : idOf(minute, index),
        );
        await store.transaction(async (tx) => {
          const subjects = ids.map((id) => {
            const revision = (revisions.get(id) ?? 0) + 1;
            revisions.set(id, revision);
            return { id, revision };
          });
          if (kind === "alert") await tx.saveAlerts(subjects.map((one) => ({ ...alertSubject().alert, ...one, evidence: [] })));
          else await tx.saveIncidents(subjects.map((one) => ({ ...incidentSubject().incident, ...one, alerts: [] })));
          const now = clock.now();
          await tx.addDeliveries(
            [failing, healthy].flatMap(({ id: destination }) =>
              subjects.map(({ id, revision }) => ({
                key: deliveryKey(destination, kind, id, revision),
                destination,
                kind,
                subjectId: id,
                revision,
                dueTime: now,
                createdTime: now,
              })),
            ),
          );
        });
      };

      for (let minute = 0; minute < MINUTES; minute++) {
        await told(minute);
        for (let part = 0; part < 6; part++) {
          await run(failing);
          await run(healthy);
          clock.move(10_000);
        }
        expect(other.length).toBe((minute + 1) * PER_MINUTE);
      }
      expect(siem.taken()).toEqual([]);
      // It was asked with little, at 1, 2, 4 ... seconds and then every five minutes.
      expect(asked).toBeLessThan(40);
      down = false;
      for (
        let tries = 0;
        tries < 60 * MINUTES && (await store.deliveries({ destination: failing.id, status: "pending", limit: 1 })).length > 0;
        tries++
      ) {
        clock.move(60_000);
        await run(failing);
      }
      const settled = await store.deliveries({ destination: failing.id, limit: 1_000_000 });
      expect(settled.filter(({ status }) => status !== "delivered" && status !== "skipped")).toEqual([]);
      expect(settled).toHaveLength(MINUTES * PER_MINUTE);
      const newest = new Map<string, number>();
      for (const [id, revision] of siem.taken()) {
        expect(revision).toBeGreaterThanOrEqual(newest.get(id) ?? 0);
        newest.set(id, revision);
      }
      expect(newest).toEqual(revisions);
    },
    60_000 + PER_MINUTE * 600,
  );
});

function idOf(minute: number, index: number): string {
  const tail = String(minute * 100_000 + index).padStart(12, "0");
  return `0d8f2c7a-94b1-5a0e-8a55-${tail}`;
}
