import type { AxiosInstance } from "axios";
import type { EpochMs } from "../core/event.ts";

/** Structured log; fields never hold record content or secrets. */
export interface Log {
  debug(fields: Readonly<Record<string, unknown>>, message: string): void;
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/** The only clock. Tests pass one that they move. */
export interface Clock {
  now(): EpochMs;
}

/** A secret that prints as `[secret]` everywhere; `reveal` reads its present value (rotation without restart). */
export interface Secret {
  reveal(): string;
}

/** Reading access to local files, for sources that read directories. All paths are absolute. */
export interface Files {
  /** Paths that match a glob (`*`, `**`, `?`) or lie in a directory, sorted. */
  list(pattern: string): Promise<readonly FileInfo[]>;
  /**
   * Bytes of a file from an offset, at most `bytesMax`. A `.gz` file is read through decompression and
   * `offset` counts decompressed bytes.
   * @throws {Failure} retryable SOURCE_UNREADABLE; poison RECORD_CORRUPT_FILE for a broken archive
   */
  read(path: string, offset: number, bytesMax: number): Promise<FileSlice>;
}
/** What identifies one incarnation of a file: rotation changes `fileId`, truncation shrinks `size`. */
export interface FileInfo {
  readonly path: string;
  /** `<device>:<inode>`. */
  readonly fileId: string;
  readonly size: number;
  readonly modifiedTime: EpochMs;
  /** When its content, name or place last changed, so that a file copied in with an old date is still new; absent: `modifiedTime`. */
  readonly changedTime?: EpochMs;
}
/** Part of a file. */
export interface FileSlice {
  readonly bytes: Uint8Array;
  /** The slice reaches the end of the file as it is now. */
  readonly end: boolean;
}

/** Everything ambient that a connector may touch comes in here; a simulated world passes its own. */
export interface Context {
  readonly clock: Clock;
  /** Redirects off, time-out set, no retries; answers of every status resolve (`validateStatus` is off). */
  readonly http: AxiosInstance;
  readonly files: Files;
  readonly log: Log;
  /** 0 <= x < 1. */
  random(): number;
  /** Aborted at shutdown. */
  readonly signal: AbortSignal;
}
