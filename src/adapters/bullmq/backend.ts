/** Where BullMQ keeps its jobs: one shape for PostgreSQL (PGlite included) and Redis. */
import type { JobsOptions, Processor, WorkerOptions } from "bullmq";
import type { JobData } from "../../ports/queue.ts";

/** A queue of BullMQ, whatever its backend. */
export interface BullQueue {
  add(name: string, data: JobData, options: JobsOptions): Promise<unknown>;
  waitUntilReady(): Promise<unknown>;
  getJobCounts(...states: ("waiting" | "delayed")[]): Promise<Record<string, number>>;
  on(event: "error", listener: (error: Error) => void): unknown;
  close(): Promise<void>;
}

/** A worker of BullMQ, whatever its backend. */
export interface BullWorker {
  waitUntilReady(): Promise<unknown>;
  cancelJob(id: string, reason?: string): boolean;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "lockRenewalFailed", listener: (ids: string[]) => void): unknown;
  close(): Promise<void>;
}

/** What differs between the backends. Errors are the drivers' own. */
export interface Backend {
  queue(name: string): BullQueue;
  worker(name: string, processor: Processor<JobData, void>, options: Omit<WorkerOptions, "connection">): BullWorker;
  /** Removes everything that any queue holds, queues of other processes included. */
  clear(): Promise<void>;
  /** Ends its connections at once; called after all queues and workers are closed, or could not be in time. */
  close(): Promise<void>;
}
