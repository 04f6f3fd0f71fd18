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

/** Hashes, so that connectors need none of Node's modules. */
export interface Hashing {
  /** Lower-case hex SHA-256 of the UTF-8 text. */
  sha256(text: string): string;
  /** Lower-case hex HMAC-SHA-256 of bytes. */
  hmacSha256(key: string | Uint8Array, body: Uint8Array): string;
}

/** Where a connection goes. */
export interface Endpoint {
  /** A name or an address, without brackets. */
  readonly host: string;
  readonly port: number;
  /** Undefined: plain TCP. The other side's certificate is always verified, also its name. */
  readonly tls?: {
    /** PEM of the authorities to trust instead of the usual ones. */
    readonly ca?: string;
    /** PEM of our own certificate with its chain, and of its key, for a server that asks for them. */
    readonly certificate?: string;
    readonly key?: string;
    /** Name that the certificate must be for; default the host. */
    readonly serverName?: string;
  };
  /** Longest wait until the connection stands, and for each write. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** A stream of bytes to a server, for protocols other than HTTP. What the server sends is thrown away. */
export interface Connection {
  /**
   * Resolves once the operating system has taken all of the bytes, which does not mean that anybody has read them.
   * @throws {Failure} retryable, scope connector: HTTP_UNREACHABLE (broken, or ended by the other side), HTTP_TIMEOUT
   */
  write(bytes: Uint8Array): Promise<void>;
  /**
   * Ends our side in order and waits until the other side has ended its own: `closed`; or `open`, it has
   * not within `waitMs`, and nothing went wrong until then. An end of theirs that comes before ours is a failure. Nothing is left open after it.
   * @throws {Failure} retryable, scope connector: HTTP_UNREACHABLE when the other side broke the connection instead
   */
  end(waitMs: number): Promise<"closed" | "open">;
  /** Lets go of it at once; harmless when it is closed. */
  destroy(): void;
}

/** Everything ambient that a connector may touch comes in here; a simulated world passes its own. */
export interface Context {
  readonly clock: Clock;
  /** Redirects off, time-out set, no retries; answers of every status resolve (`validateStatus` is off). */
  readonly http: AxiosInstance;
  readonly files: Files;
  readonly digest: Hashing;
  /** @throws {Failure} retryable, scope connector: HTTP_UNREACHABLE, HTTP_TIMEOUT; permanent HTTP_DENIED for a certificate that is not trusted */
  connect(endpoint: Endpoint): Promise<Connection>;
  readonly log: Log;
  /** 0 <= x < 1. */
  random(): number;
  /** Aborted at shutdown. */
  readonly signal: AbortSignal;
}
