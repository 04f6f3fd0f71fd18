/**
 * What every destination promises, run against its simulator. A destination's own test calls
 * `destinationContract` once and adds what only its vendor has.
 */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Failure, type FailureCode, type FailureKind } from "../../src/core/errors.ts";
import { safeText } from "../../src/core/safe-text.ts";
import type { Delivery, Destination, Outcome, Rendered, FindingSubject } from "../../src/ports/connector.ts";
import type { HttpFault } from "../../src/simulators/http-server.ts";
import { everythingIn, testContext } from "../fixtures/context.ts";
import { hostileAlert, hostileIncident, hugeIncident } from "../fixtures/hostile.ts";
import { alertDeliveries, alertSubject, delivery, incidentSubject } from "../fixtures/subjects.ts";

/** A destination together with the simulator that it talks to. */
interface DestinationWorld {
  /** Base URL of the simulator, for redirects to another one. */
  readonly url: string;
  readonly destination: Destination;
  /** What the simulator accepted, in the form in which it keeps it. */
  received(): readonly unknown[];
  /** HTTP requests that the simulator saw, of every kind. */
  requests(): number;
  /** Spoils the next data requests, one fault each. */
  fail(...faults: readonly HttpFault[]): void;
  close(): Promise<void>;
}

/** How the pipeline sees a failure, thrown or returned. */
export interface Reaction {
  readonly kind: FailureKind;
  readonly code: FailureCode;
  /** Compared only when `send` threw: an outcome has no scope. */
  readonly scope?: "item" | "connector";
  readonly retryAfterMs?: number;
}

/** A reaction to a failure of the destination as a whole. */
export const connectorWide = (kind: Reaction["kind"], code: Reaction["code"]): Reaction => ({ kind, code, scope: "connector" });

/** Deliveries of `count` alerts to the instance `name`, rendered. */
export function renderedAlerts(destination: Destination, name: string, count: number): Rendered[] {
  return alertDeliveries(count, name).map((one) => destination.render(one));
}

/** What a destination's author tells the suite. */
export interface DestinationContract {
  /** Instance name, `<connector>/<name>`. */
  readonly name: string;
  /** Secrets that `start` plants in the configuration; none may ever show. Long enough to be unmistakable. */
  readonly secrets: readonly string[];
  /** A fresh simulator and a destination that is configured for it. */
  start(): Promise<DestinationWorld>;
  /** Every documented status, code and body with the reaction it must cause when one item is sent. */
  readonly reactions: readonly { readonly fault: HttpFault; readonly expect: Reaction; readonly title: string }[];
  /** Success statuses with a body that cannot be understood; each must be retryable HTTP_MALFORMED. */
  readonly malformed: readonly HttpFault[];
  /**
   * The delivery key or document id in what the simulator received. After a lost answer and a second attempt
   * all copies must have the same one, and with `idempotent` there is one copy only.
   */
  identity(received: unknown): string;
  readonly idempotent: boolean;
}

/** Sends and gives the failure of the first item, thrown or returned; undefined when all is delivered. */
export async function reactionOf(send: Promise<readonly Outcome[]>): Promise<Reaction | undefined> {
  try {
    const failed = (await send).find((outcome) => outcome.status === "failed");
    if (failed === undefined) return undefined;
    const { kind, code, retryAfterMs } = failed as Extract<Outcome, { status: "failed" }>;
    return { kind, code, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const { kind, code, scope, retryAfterMs } = error;
    return { kind, code, scope, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
  }
}

/** Controls, invisible and bidirectional characters (Cf), unpaired surrogates. */
const hidden = /[\p{Cc}\p{Cf}\p{Cs}]/u;

/** Registers the suite. */
export function destinationContract(contract: DestinationContract): void {
  describe(`${contract.name} as a destination`, () => {
    let world: DestinationWorld;
    beforeEach(async () => {
      world = await contract.start();
    });
    afterEach(() => world.close());

    const subjects = (): FindingSubject[] =>
      [alertSubject(), incidentSubject()].filter((subject) => world.destination.accepts.includes(subject.kind));
    const one = (): Delivery => delivery(subjects()[0]!, contract.name);
    const render = (subject: FindingSubject): Rendered => world.destination.render(delivery(subject, contract.name));

    it("renders each kind it accepts, the same bytes each time, within its limits", () => {
      const { limits, accepts } = world.destination;
      expect(accepts.length).toBeGreaterThan(0);
      expect(limits.batchItems).toBeGreaterThanOrEqual(1);
      expect(limits.itemBytes).toBeLessThanOrEqual(limits.batchBytes);
      for (const subject of subjects()) {
        const first = render(subject);
        expect(first).toEqual(render(subject));
        expect(first.key).toBe(delivery(subject, contract.name).key);
        expect(first.bytes).toBe(Buffer.byteLength(first.body));
        expect(first.bytes).toBeLessThanOrEqual(limits.itemBytes);
      }
    });

    it("renders hostile text harmless, and never refuses because of it", () => {
      for (const subject of [hostileAlert(), hostileIncident()].filter((item) => world.destination.accepts.includes(item.kind))) {
        const rendered = render(subject);
        expect(rendered.bytes).toBeLessThanOrEqual(world.destination.limits.itemBytes);
        for (const line of rendered.body.split("\n").filter((text) => text !== "")) {
          for (const text of textsOf(JSON.parse(line))) {
            expect(hidden.test(text), JSON.stringify(text.slice(0, 200))).toBe(false);
            expect(text.isWellFormed()).toBe(true);
            expect(text.length).toBeLessThanOrEqual(10_000);
          }
        }
      }
    });

    it("shortens an incident that is too large, or refuses it as RENDER_CONTRACT", () => {
      if (!world.destination.accepts.includes("incident")) return;
      try {
        expect(render(hugeIncident()).bytes).toBeLessThanOrEqual(world.destination.limits.itemBytes);
      } catch (error) {
        expect(error).toMatchObject({ kind: "poison", code: "RENDER_CONTRACT" });
      }
    });

    it("sends nothing for an empty batch", async () => {
      expect(await world.destination.send([], testContext().context)).toEqual([]);
      expect(world.requests()).toBe(0);
    });

    it("delivers a batch with one outcome per item, in order", async () => {
      const batch = subjects().map(render);
      const outcomes = await world.destination.send(batch, testContext().context);
      expect(outcomes.map((outcome) => outcome.status)).toEqual(batch.map(() => "delivered"));
      expect(world.received()).toHaveLength(batch.length);
    });

    it("keeps batches that are sent at the same time apart", async () => {
      const batches = subjects().map((subject) => [render(subject)]);
      const results = await Promise.all(batches.map((batch) => world.destination.send(batch, testContext().context)));
      expect(results.flat().map((outcome) => outcome.status)).toEqual(batches.map(() => "delivered"));
      expect(new Set(world.received().map((item) => contract.identity(item))).size).toBe(batches.length);
    });

    it.each(contract.reactions)("reacts to $title", async ({ fault, expect: expected }) => {
      world.fail(fault);
      const before = world.requests();
      const reaction = await reactionOf(world.destination.send([world.destination.render(one())], testContext().context));
      const { scope, ...rest } = expected;
      expect(reaction).toMatchObject(rest);
      if (scope !== undefined && reaction?.scope !== undefined) expect(reaction.scope).toBe(scope);
      if (expected.retryAfterMs === undefined && fault.headers?.["retry-after"] === undefined && expected.kind !== "retryable")
        expect(reaction?.retryAfterMs).toBeUndefined();
      expect(world.requests() - before, "a connector never tries again by itself").toBe(1);
    });

    it.each(contract.malformed)("takes a success with an unreadable body for a failure: %j", async (fault) => {
      world.fail(fault);
      const reaction = await reactionOf(world.destination.send([world.destination.render(one())], testContext().context));
      expect(reaction).toMatchObject({ kind: "retryable", code: "HTTP_MALFORMED" });
    });

    it.each([
      ["seconds", "17", 17_000],
      ["an HTTP date", new Date(testContext().context.clock.now() + 42_000).toUTCString(), undefined],
      ["a day", "86400", undefined],
    ])("honours Retry-After in %s, within bounds", async (_, value, exact) => {
      world.fail({ status: 429, headers: { "retry-after": value } });
      const reaction = await reactionOf(world.destination.send([world.destination.render(one())], testContext().context));
      expect(reaction).toMatchObject({ kind: "retryable", code: "HTTP_THROTTLED" });
      if (exact !== undefined) expect(reaction?.retryAfterMs).toBe(exact);
      else expect(reaction?.retryAfterMs).toBeGreaterThan(0);
      expect(reaction?.retryAfterMs).toBeLessThanOrEqual(86_400_000);
    });

    it("follows no redirect and sends no secret to where it points", async () => {
      const other = await contract.start();
      try {
        const before = other.requests();
        world.fail({ status: 307, headers: { location: `${other.url}/elsewhere` } });
        const reaction = await reactionOf(world.destination.send([world.destination.render(one())], testContext().context));
        expect(reaction?.kind).toBe("permanent");
        expect(world.received()).toEqual([]);
        expect(other.requests()).toBe(before);
      } finally {
        await other.close();
      }
    });

    it("gives up on a server that does not answer, as retryable", async () => {
      world.fail({ connection: "hang" });
      const context = testContext({ timeoutMs: 150 }).context;
      const reaction = await reactionOf(world.destination.send([world.destination.render(one())], context));
      expect(reaction).toMatchObject({ kind: "retryable", code: "HTTP_TIMEOUT" });
    });

    it("stops waiting when the service shuts down", async () => {
      world.fail({ connection: "hang" });
      const { context, abort } = testContext();
      const sending = reactionOf(world.destination.send([world.destination.render(one())], context));
      abort();
      const reaction = await sending;
      expect(reaction?.kind).toBe("retryable");
      expect(reaction?.code, "it did not wait for a time-out").not.toBe("HTTP_TIMEOUT");
    });

    it.each(["reset", "cut"] as const)("takes a connection that is %s for an unknown result", async (connection) => {
      world.fail({ connection });
      const reaction = await reactionOf(world.destination.send([world.destination.render(one())], testContext().context));
      expect(reaction?.kind).toBe("retryable");
      expect(["HTTP_UNREACHABLE", "HTTP_MALFORMED"]).toContain(reaction?.code);
    });

    it("takes a server that is not there for retryable", async () => {
      await world.close();
      const reaction = await reactionOf(world.destination.send([world.destination.render(one())], testContext().context));
      expect(reaction).toMatchObject({ kind: "retryable", code: "HTTP_UNREACHABLE" });
    });

    it("can be sent again after a lost answer without a second identity", async () => {
      const batch = [world.destination.render(one())];
      world.fail({ connection: "reset", stored: true });
      expect((await reactionOf(world.destination.send(batch, testContext().context)))?.kind).toBe("retryable");
      const again = await world.destination.send(batch, testContext().context);
      expect(again.map((outcome) => outcome.status)).toEqual(["delivered"]);
      const identities = world.received().map((item) => contract.identity(item));
      expect(identities.length).toBeGreaterThan(0);
      expect(new Set(identities).size).toBe(1);
      if (contract.idempotent) expect(identities).toHaveLength(1);
    });

    it("never shows a secret: not in what it renders, not in errors, outcomes or logs", async () => {
      const { context, logged } = testContext({ timeoutMs: 150 });
      const batch = subjects().map(render);
      const seen: string[] = [everythingIn(batch)];
      const echo = contract.secrets.join(" ");
      const faults: HttpFault[] = [
        ...contract.reactions.map((reaction) => reaction.fault),
        ...contract.malformed,
        // A hostile or careless server that gives our own credential back to us.
        { status: 400, body: JSON.stringify({ error: echo, text: echo, message: echo }), headers: { "content-type": "application/json" } },
        { status: 500, body: echo },
        { status: 302, headers: { location: `https://example.com/?token=${encodeURIComponent(echo)}` } },
        { connection: "hang" },
        { connection: "reset" },
        { connection: "cut" },
      ];
      for (const fault of faults) {
        world.fail(fault);
        seen.push(await world.destination.send(batch.slice(0, 1), context).then(everythingIn, everythingIn));
      }
      await world.close();
      seen.push(await world.destination.send(batch.slice(0, 1), context).then(everythingIn, everythingIn));
      expect(contract.secrets.length).toBeGreaterThan(0);
      for (const text of [...seen, ...logged]) {
        for (const secret of contract.secrets) expect(text.includes(secret), text.slice(0, 2_000)).toBe(false);
      }
    });

    it("puts no record content into errors and outcomes", async () => {
      const { context, logged } = testContext();
      const batch = [world.destination.render(one())];
      const content = safeText(one().subject.kind === "alert" ? "cred-4471" : "files.unlisted.example", 64);
      expect(batch[0]!.body).toContain(content);
      for (const { fault } of contract.reactions) {
        world.fail({ ...fault, body: fault.body ?? batch[0]!.body });
        const text = await world.destination.send(batch, context).then(everythingIn, everythingIn);
        expect(text).not.toContain(content);
      }
      expect(logged.join("\n")).not.toContain(content);
    });
  });
}

/** Every text in a JSON value, keys included. */
export function textsOf(value: unknown): string[] {
  if (typeof value === "string") return [value];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => [...(Array.isArray(value) ? [] : [key]), ...textsOf(item)]);
}
