/** Bytes of files, read by position through a bounded number of open handles. */
import { open, type FileHandle } from "node:fs/promises";
import { Failure } from "../../core/errors.ts";

/** Something that has bytes from a start to an end. */
export interface ByteSource {
  /** What messages call it: a path, or `-`. */
  readonly name: string;
  /** False for a pipe: what was read once is gone. */
  readonly again: boolean;
  /**
   * At most `length` bytes from `position` on; none at the end. They are the caller's.
   * @throws {Failure} retryable SOURCE_UNREADABLE
   */
  read(position: number, length: number): Promise<Buffer>;
  /** Takes a buffer that `read` gave, or a part of it, for the next one: making them anew costs more than reading. */
  recycle?(bytes: Uint8Array): void;
  /** Gives up what is held. Reading again is possible where `again` says so. */
  close(): Promise<void>;
}

/** Files that share a bounded number of open handles. */
export interface FilePool {
  /** `told` hears of the number of bytes of every read. */
  source(path: string, told?: (bytes: number) => void): ByteSource;
}

/** Buffers of one length that wait to be used again. */
const RECYCLED_MAX = 4;
/** What is read at a time: large enough that the work per chunk disappears, small enough to stay in the cache of one core. */
export const CHUNK_BYTES = 256 * 1024;
/** The least that a buffer is made for: a small file needs no large one, but it may have grown since it was opened. */
const BUFFER_BYTES_MIN = 4096;

interface Held {
  readonly handle: FileHandle;
  /** When it was opened. */
  readonly size: number;
  /** Device and inode: a file that was replaced meanwhile is another one. */
  readonly id: string;
}

/** A pool of at most `openMax` handles; the one that was read longest ago is closed for another. With 0 none outlives its read. */
export function filePool(openMax: number): FilePool {
  const held = new Map<string, Held>();
  const known = new Map<string, string>();
  const recycled: Buffer[] = [];

  async function close(path: string): Promise<void> {
    const found = held.get(path);
    held.delete(path);
    await found?.handle.close();
  }

  async function take(path: string): Promise<Held> {
    const found = held.get(path);
    if (found !== undefined) {
      // Its place in the order is that of its last use.
      held.delete(path);
      held.set(path, found);
      return found;
    }
    const [oldest] = held.keys();
    if (held.size >= openMax && oldest !== undefined) await close(oldest);
    const handle = await open(path, "r");
    const { dev, ino, size } = await handle.stat();
    const id = `${dev}:${ino}`;
    const made = { handle, id, size };
    held.set(path, made);
    if ((known.get(path) ?? id) !== id) throw replaced(path);
    known.set(path, id);
    return made;
  }

  return {
    source: (path, told) => ({
      name: path,
      again: true,
      async read(position, length) {
        try {
          const { handle, size } = await take(path);
          const wanted = Math.min(length, Math.max(BUFFER_BYTES_MIN, size - position));
          const into = (wanted === CHUNK_BYTES ? recycled.pop() : undefined) ?? Buffer.allocUnsafe(wanted);
          const { bytesRead } = await handle.read(into, 0, wanted, position);
          told?.(bytesRead);
          return into.subarray(0, bytesRead);
        } catch (error) {
          throw error instanceof Failure ? error : unreadable(path, error);
        } finally {
          if (openMax === 0) await close(path);
        }
      },
      recycle({ buffer }) {
        // A buffer of that length has its memory to itself.
        if (recycled.length < RECYCLED_MAX && buffer.byteLength === CHUNK_BYTES) recycled.push(Buffer.from(buffer));
      },
      close: () => close(path),
    }),
  };
}

/** A Failure for what node:fs threw; its message names the path and the system's code only. */
export function unreadable(path: string, error: unknown): Failure {
  const code = (error as { code?: unknown } | null)?.code;
  return failed(`${path} cannot be read (${typeof code === "string" ? code : "unknown reason"})`, error);
}

function replaced(path: string): Failure {
  return failed(`${path} was replaced by another file while it was read; read it again when it is at rest`, undefined);
}

function failed(message: string, cause: unknown): Failure {
  return new Failure(message, { kind: "retryable", code: "SOURCE_UNREADABLE", scope: "connector", cause });
}
