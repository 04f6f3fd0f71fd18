/** Every promise that `src/ports/store.ts` makes in prose, for any implementation of it. */
import { afterAll, beforeAll, beforeEach, describe } from "vitest";
import { Failure } from "../../src/core/errors.ts";
import type { Store } from "../../src/ports/store.ts";
import { auditPromises } from "./store-audit.ts";
import { forgedAuditPromises } from "./store-audit-forged.ts";
import { attributionPromises } from "./store-attributions.ts";
import { agentEventPromises } from "./store-agent-events.ts";
import { baselinePromises } from "./store-baselines.ts";
import { expirePromises } from "./store-expire.ts";
import { coveragePromises } from "./store-coverage.ts";
import { logPromises } from "./store-log.ts";
import { destinationPromises } from "./store-destinations.ts";
import { outboxPromises } from "./store-outbox.ts";
import { questionPromises } from "./store-questions.ts";
import { shownPromises } from "./store-shown.ts";
import { sourcePromises } from "./store-sources.ts";
import { subjectPromises } from "./store-subjects.ts";
import { transactionPromises } from "./store-transaction.ts";

/** A store under test, emptied before each test. */
export interface StoreUnderTest {
  readonly store: Store;
  /** The clock that tells the store on which day events are received; moved by tests. */
  readonly clock: { now: number };
  /** A statement behind the store's back. */
  query(sql: string): Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** Empties it. */
  reset(): Promise<void>;
  close(): Promise<void>;
}

/** Gives the store under test. */
export type TheStore = () => Store;

/** The code of the Failure that the promise ends with; anything else fails the test. */
export async function failureCode(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof Failure) return `${error.kind} ${error.code}`;
    throw error;
  }
  return "none";
}

/** Runs the contract; `open` is called once. */
export function storeContract(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(`the store on ${name}`, () => {
    let subject: StoreUnderTest;
    beforeAll(async () => {
      subject = await open();
    });
    beforeEach(() => subject.reset());
    afterAll(() => subject?.close());
    const store: TheStore = () => subject.store;
    transactionPromises(store);
    logPromises(store);
    agentEventPromises(store);
    sourcePromises(store);
    subjectPromises(store);
    outboxPromises(store);
    destinationPromises(store);
    shownPromises(store);
    baselinePromises(store);
    expirePromises(() => subject);
    auditPromises(() => subject);
    forgedAuditPromises(() => subject);
    questionPromises(() => subject);
    attributionPromises(store);
    coveragePromises(store);
  });
}
