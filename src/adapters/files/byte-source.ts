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
  /** Gives up what is held. Reading again is possible where `again` says so. */
  close(): Promise<void>;
}

/** Files that share a bounded number of open handles. */
export interface FilePool {
  /** `told` hears of the number of bytes of every read. */
  source(path: string, told?: (bytes: number) => void): ByteSource;
}

interface Held {
  readonly handle: FileHandle;
  /** Device and inode: a file that was replaced meanwhile is another one. */
  readonly id: string;
}

/** A pool of at most `openMax` handles; the one that was read longest ago is closed for another. With 0 none outlives its read. */
export function filePool(openMax: number): FilePool {
  const held = new Map<string, Held>();
  const known = new Map<string, string>();

  async function close(path: string): Promise<void> {
    const found = held.get(path);
    held.delete(path);
    await found?.handle.close();
  }

  async function take(path: string): Promise<FileHandle> {
    const found = held.get(path);
    if (found !== undefined) {
      // Its place in the order is that of its last use.
      held.delete(path);
      held.set(path, found);
      return found.handle;
    }
    const [oldest] = held.keys();
    if (held.size >= openMax && oldest !== undefined) await close(oldest);
    const handle = await open(path, "r");
    const { dev, ino } = await handle.stat();
    const id = `${dev}:${ino}`;
    held.set(path, { handle, id });
    if ((known.get(path) ?? id) !== id) throw replaced(path);
    known.set(path, id);
    return handle;
  }

  return {
    source: (path, told) => ({
      name: path,
      again: true,
      async read(position, length) {
        try {
          const handle = await take(path);
          const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(length), 0, length, position);
          told?.(bytesRead);
          return buffer.subarray(0, bytesRead);
        } catch (error) {
          throw error instanceof Failure ? error : unreadable(path, error);
        } finally {
          if (openMax === 0) await close(path);
        }
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
