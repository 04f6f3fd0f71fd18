import { expect, test } from "vitest";
import type { Level } from "../../src/core/alert.ts";
import { INCIDENT_STATUS, type Incident } from "../../src/core/incident.ts";
import { route, type RunningDestination } from "../../src/pipeline/route.ts";
import type { Delivery, DigestDelivery, Rendered } from "../../src/ports/connector.ts";
import type { Store } from "../../src/ports/store.ts";
import { incidentSubject } from "../fixtures/subjects.ts";
import { DELIVERED, empty, failure, setUp, store, type Send } from "./outbox.ts";
import { EVERYTHING, faulty, NOTHING_KNOWN, START } from "./world.ts";

const MINUTE = 60_000;
const never = new AbortController().signal;
/** Of the incidents of a mixed storm, by their place in it; the rest is high. */
const LEVELS: Readonly<Record<number, Level>> = { 2: "medium", 3: "critical", 5: "low", 11: "low", 17: "medium" };

interface Page {
  readonly id: string;
  readonly what: string;
}

/** Renders `open` and `close`, and a digest as its counts. */
function pager({ over = store, send, storm = { incidents: 3, withinMs: 5 * MINUTE } }: { over?: Store; send?: Send; storm?: object } = {}) {
  const pages: Page[] = [];
  const world = setUp({ over, limits: { batchItems: 1 } });
  const render = ({ key, subject }: Delivery): Rendered => {
    if (subject.kind !== "incident") throw new Error("incidents only");
    const { id, status, level } = subject.incident;
    if (level === "low") return { key, body: "", bytes: 0, skip: "too low" };
    const opens = status === INCIDENT_STATUS.new;
    return { key, body: JSON.stringify({ id, what: opens ? "open" : "close" }), bytes: 10, opens };
  };
  const to: RunningDestination = {
    ...world.to,
    destination: {
      ...world.to.destination,
      accepts: ["incident"],
      render,
      storm: {
        incidents: 3,
        withinMs: 5 * MINUTE,
        render: ({ key, digest: { id, incidents, open, level } }: DigestDelivery) => ({
          key,
          body: JSON.stringify({ id, what: `${open} of ${incidents}, ${level}` }),
          bytes: 10,
        }),
        ...storm,
      },
      send: async (batch, context) => {
        const outcomes = send === undefined ? batch.map(() => DELIVERED) : await send(batch, context.signal);
        pages.push(...batch.map((one) => JSON.parse(one.body) as Page));
        return outcomes;
      },
    },
  };
  return { ...world, to, pages, run: () => world.delivery.run(to, never) };
}

const incident = (id: string, changes: Partial<Incident> = {}): Incident => ({
  ...incidentSubject().incident,
  id,
  revision: 1,
  level: "high",
  ...changes,
});
async function happen(list: readonly Incident[], now = START): Promise<void> {
  const to = {
    id: "d/1",
    when: EVERYTHING,
    destination: { accepts: ["incident" as const] },
  };
  await store.transaction(async (tx) => {
    await tx.saveIncidents(list);
    await tx.addDeliveries(route([to], { alerts: [], incidents: list, events: new Map() }, NOTHING_KNOWN, now));
  });
}
const open = (count: number, prefix = "i") => Array.from({ length: count }, (_, index) => incident(`${prefix}${index}`));
const closed = (one: Incident): Incident => ({ ...one, revision: one.revision + 1, status: INCIDENT_STATUS.closed });
const digestPages = (pages: readonly Page[]) => pages.filter(({ id }) => id.startsWith("digest-")).map(({ what }) => what);
const ownPages = (pages: readonly Page[]) => pages.filter(({ id }) => !id.startsWith("digest-")).map(({ id, what }) => `${what} ${id}`);
const notes = async () => new Map((await store.deliveries()).map((row) => [row.key, `${row.status} ${row.note}`]));

test("up to the limit each incident opens a page; what is beyond becomes one digest, which grows and ends", async () => {
  const world = pager();
  await happen(open(6));
  await world.run();
  // The digest was not there when the run claimed what is due.
  await world.run();
  expect(ownPages(world.pages)).toEqual(["open i0", "open i1", "open i2"]);
  expect(digestPages(world.pages)).toEqual(["3 of 3, high"]);
  const found = await notes();
  const digest = world.pages.find(({ id }) => id.startsWith("digest-"))!.id;
  expect(found.get("d/1:incident:i3:1")).toBe(`delivered folded into ${digest}`);
  expect(found.get(`d/1:digest:${digest}:1`)).toBe("delivered ok");

  await happen(open(2, "j"));
  await world.run();
  expect(digestPages(world.pages), "it waits for more before it is sent again").toHaveLength(1);
  world.clock.move(10_000);
  await world.run();
  expect(digestPages(world.pages)).toEqual(["3 of 3, high", "5 of 5, high"]);

  await happen([...open(6), ...open(2, "j")].map(closed), START + 20_000);
  world.clock.move(10_000);
  await world.run();
  world.clock.move(10_000);
  await world.run();
  expect(ownPages(world.pages).slice(3)).toEqual(["close i0", "close i1", "close i2"]);
  expect(digestPages(world.pages).at(-1)).toBe("0 of 5, high");
});

test("a critical incident is never folded, and one that rises leaves the digest and opens a page", async () => {
  const world = pager();
  await happen([...open(4), incident("worst", { level: "critical" })]);
  await world.run();
  expect(ownPages(world.pages)).toEqual(["open worst", "open i0", "open i1"]);
  await world.run();
  await happen([incident("i3", { revision: 2, level: "critical" })]);
  await world.run();
  world.clock.move(10_000);
  await world.run();
  expect(ownPages(world.pages).at(-1)).toBe("open i3");
  expect(digestPages(world.pages)).toEqual(["2 of 2, high", "1 of 1, high"]);
  await happen([closed(incident("i3", { revision: 2, level: "critical" }))], START + 2);
  world.clock.move(20_000);
  await world.run();
  expect(ownPages(world.pages).at(-1)).toBe("close i3");
});

test("what opens no page does not count", async () => {
  const world = pager();
  await happen([...open(2), incident("low0", { level: "low" }), incident("low1", { level: "low" }), ...open(1, "j")]);
  await world.run();
  expect(ownPages(world.pages)).toHaveLength(3);
  expect(digestPages(world.pages)).toEqual([]);
});

test("incidents that come one by one over a longer time are never folded", async () => {
  const world = pager();
  for (let index = 0; index < 10; index++) {
    await happen([incident(`i${index}`)], START + index * 2 * MINUTE);
    world.clock.move(2 * MINUTE);
    await world.run();
  }
  expect(ownPages(world.pages)).toHaveLength(10);
});

/** What was sent of a mixed storm, and how every incident was settled. */
async function outcome(run: (happened: readonly Incident[]) => Promise<readonly Page[]>) {
  await empty();
  const list = Array.from({ length: 21 }, (_, index) => incident(`i${String(index).padStart(2, "0")}`, { level: LEVELS[index] ?? "high" }));
  for (const [index, one] of list.entries()) await happen([one], START + index * 1000);
  const pages = await run(list);
  const found = [...(await notes())].filter(([key]) => key.includes(":incident:")).sort(([one], [other]) => (one < other ? -1 : 1));
  return { own: new Set(ownPages(pages)), found };
}

test("the same incidents are folded after restarts, on replicas, and whatever fails in between", async () => {
  const settle = async (world: ReturnType<typeof pager>) => {
    for (let round = 0; round < 6; round++) {
      world.clock.move(130_000);
      await world.run().catch(() => undefined);
    }
    return world.pages;
  };
  const expected = await outcome(() => settle(pager()));
  expect(expected.own.size, "three, of which one is critical").toBe(3);
  expect(expected.found.filter(([, note]) => note.includes("folded into digest-"))).toHaveLength(16);

  // Each run is another process that knows nothing but the store, and few are claimed at a time.
  const one = (id: string, _: number, now: number, until: number) => store.claimDeliveries(id, 1, now, until);
  const few = new Proxy(store, { get: (target, name) => (name === "claimDeliveries" ? one : (Reflect.get(target, name) as unknown)) });
  const restarted = async (together: number) => {
    const pages: Page[] = [];
    for (let round = 0; round * together < 36; round++) {
      const worlds = Array.from({ length: together }, () => pager({ over: few }));
      for (const world of worlds) world.clock.move(round * 20_000);
      await Promise.all(worlds.map((world) => world.run()));
      pages.push(...worlds.flatMap((world) => world.pages));
    }
    return pages;
  };
  const alone = await outcome(() => restarted(1));
  expect(alone.own).toEqual(expected.own);
  expect(alone.found).toEqual(expected.found);
  const three = await outcome(() => restarted(3));
  expect(three.own.size).toBe(3);
  expect(three.found.map(([key, note]) => `${key} ${note.split(" ")[0]}`)).toEqual(
    expected.found.map(([key, note]) => `${key} ${note.split(" ")[0]}`),
  );

  for (let at = 2; at <= 44; at += 7) {
    for (const where of ["before", "after"] as const) {
      const broken = await outcome(() =>
        settle(
          pager({ over: faulty(store, { at, where, error: () => failure("retryable", "connector", { code: "STORE_UNAVAILABLE" }) }) }),
        ),
      );
      expect(broken.own, `${where} call ${at}`).toEqual(expected.own);
      expect(broken.found, `${where} call ${at}`).toEqual(expected.found);
    }
  }
});

test("a digest that cannot be sent is tried again like every delivery, and says then what is so then", async () => {
  let down = true;
  const send: Send = (batch) => {
    if (down && batch[0]!.body.includes("digest-")) throw failure("retryable", "connector", { code: "HTTP_UNAVAILABLE" });
    return batch.map(() => DELIVERED);
  };
  const world = pager({ send });
  await happen(open(5));
  await world.run();
  expect(digestPages(world.pages)).toEqual([]);
  down = false;
  await happen(open(2, "j"), START + 1);
  world.clock.move(30_000);
  await world.run();
  world.clock.move(30_000);
  await world.run();
  expect(digestPages(world.pages).at(-1)).toBe("4 of 4, high");
});

test("a delivery is told when it is sent and what its last revision left; nothing of it before", async () => {
  const seen: (readonly [string, number | undefined, string | undefined])[] = [];
  const world = setUp({
    render: ({ key, time, memory }) => {
      seen.push([key, time === undefined ? undefined : time - START, memory]);
      return { key, body: "{}", bytes: 2 };
    },
    send: (batch) => batch.map((one) => ({ status: "delivered", receipt: "ok", memory: `left by ${one.key}${"x".repeat(500)}` })),
  });
  await happen([incident("a")]);
  world.clock.move(5);
  await world.run();
  await happen([incident("a", { revision: 2 })]);
  world.clock.move(5);
  await world.run();
  expect(seen.map(([key, time]) => `${key} ${time}`)).toEqual(["d/1:incident:a:1 5", "d/1:incident:a:2 10"]);
  expect(seen[0]![2]).toBeUndefined();
  expect(seen[1]![2]).toMatch(/^left by d\/1:incident:a:1x+$/);
  expect(seen[1]![2]).toHaveLength(400);
});

test("ends and critical incidents are urgent, alerts and the rest are not", () => {
  const to = {
    id: "d/1",
    when: EVERYTHING,
    destination: { accepts: ["incident" as const] },
  };
  const list = [incident("a"), incident("b", { level: "critical" }), closed(incident("c"))];
  expect(
    route([to], { alerts: [], incidents: list, events: new Map() }, NOTHING_KNOWN, START).map(
      ({ subjectId, urgency }) => `${subjectId} ${urgency}`,
    ),
  ).toEqual(["a undefined", "b first", "c first"]);
});
