/** Data of a job: ids only, never bodies. At most 1 KiB as JSON. */
export type JobData = Readonly<Record<string, string | number>>;

/** What the queue tells a handler. */
export interface Job {
  readonly data: JobData;
  /** 1 for the first. */
  readonly attempt: number;
}

/** Stops a worker; resolves when its running jobs have ended. */
export interface Worker {
  close(): Promise<void>;
}

/** Carries "there is work"; losing all of it loses nothing but time. */
export interface Queue {
  /**
   * Asks for one run. While a job with the same `deduplicate` key waits, another add does nothing; while one is
   * running, one more may wait (so work that arrives during a run is not missed).
   * @throws {Failure} retryable QUEUE_UNAVAILABLE
   */
  add(queue: string, data: JobData, options: { readonly deduplicate: string; readonly delayMs?: number }): Promise<void>;
  /**
   * Runs jobs of a queue. A handler that throws is logged and not retried by the queue: the schedules and the
   * relay ask again. A job whose worker died is given to another within the lock time.
   */
  work(
    queue: string,
    handler: (job: Job, signal: AbortSignal) => Promise<void>,
    options: { readonly concurrency: number },
  ): Promise<Worker>;
  /** Waiting and delayed jobs. */
  depth(queue: string): Promise<number>;
  /** Removes every job of every queue: for tests of losing it. */
  clear(): Promise<void>;
  close(): Promise<void>;
}
