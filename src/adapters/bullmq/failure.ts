import { Failure } from "../../core/errors.ts";
import { seldom } from "../../core/seldom.ts";
import type { Log } from "../../ports/context.ts";

/** A backend that does not answer is unavailable after this time; BullMQ itself would wait for it without end. */
const ANSWER_MS_MAX = 15_000;
/** While a backend is gone every connection fails every few seconds; one line a minute says it. */
const REPEAT_MS = 60_000;

/** A Failure QUEUE_UNAVAILABLE. The queue holds ids only, so its errors may be told. */
export function unavailable(reason: string, cause?: unknown): Failure {
  const options = { kind: "retryable", code: "QUEUE_UNAVAILABLE", scope: "connector" } as const;
  return new Failure(`the queue is unavailable: ${reason}`, cause === undefined ? options : { ...options, cause });
}

/** The backend's answer. @throws {Failure} retryable QUEUE_UNAVAILABLE when it fails or does not come in time */
export async function orUnavailable<T>(answer: Promise<T>): Promise<T> {
  const late = timeout(ANSWER_MS_MAX);
  try {
    const first = await Promise.race([answer, late.passed]);
    if (first === TIMEOUT) throw unavailable(`no answer within ${ANSWER_MS_MAX} ms`);
    return first;
  } catch (error) {
    if (error instanceof Failure) throw error;
    throw unavailable(error instanceof Error ? error.message : "the backend failed", error);
  } finally {
    late.cancel();
  }
}

/** What `timeout` resolves with. */
export const TIMEOUT: unique symbol = Symbol("timeout");

/** A promise that resolves after a time, and a way to forget it. */
export function timeout(ms: number): { readonly passed: Promise<typeof TIMEOUT>; cancel(): void } {
  let timer: NodeJS.Timeout | undefined;
  const passed = new Promise<typeof TIMEOUT>((resolve) => {
    timer = setTimeout(() => resolve(TIMEOUT), ms);
  });
  return { passed, cancel: () => clearTimeout(timer) };
}

/** Tells a backend's error, but not again within a minute; BullMQ reports each one several times. */
export type Report = (error: unknown) => void;

/** A report on the log. */
export function backendReport(log: Log): Report {
  const due = seldom(REPEAT_MS);
  return (error) => {
    if (due(performance.now())) log.warn({ err: error }, "the queue's backend failed; it is tried again");
  };
}
