/** A pipe, standard input above all, that can be read more than once: what was read is kept in a file that has no name. */
import { constants } from "node:fs";
import { open, unlink, type FileHandle } from "node:fs/promises";
import { randomUUID } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Failure } from "../../core/errors.ts";
import { unreadable, type ByteSource } from "./byte-source.ts";

/** What messages call standard input, and what names it on the command line. */
export const STDIN = "-";

/**
 * A stream's bytes as a source. With `keep` every byte goes into a temporary file as it is read (packed, if it is
 * packed); its name is removed as soon as it is open, so that nothing is left however the process ends.
 * @throws {Failure} (when read) retryable SOURCE_UNREADABLE
 */
export function pipeSource(
  stream: AsyncIterable<Uint8Array>,
  keep: boolean,
  told?: (bytes: number) => void,
  name: string = STDIN,
): ByteSource {
  const spoken = name === STDIN ? "standard input" : name;
  const chunks = stream[Symbol.asyncIterator]();
  let spool: FileHandle | undefined;
  /** Bytes read from the stream so far, and those of them that nobody has taken. */
  let end = 0;
  let rest: Buffer = Buffer.alloc(0);
  let ended = false;

  async function more(): Promise<void> {
    const next = await chunks.next().catch((error: unknown) => {
      throw unreadable(spoken, error);
    });
    if (next.done === true) {
      ended = true;
      return;
    }
    rest = Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength);
    told?.(rest.length);
    if (keep) await write(rest);
    end += rest.length;
  }

  async function write(bytes: Buffer): Promise<void> {
    const folder = tmpdir();
    try {
      spool ??= await namelessFile(folder);
      for (let done = 0; done < bytes.length;) done += (await spool.write(bytes, done, bytes.length - done, end + done)).bytesWritten;
    } catch (error) {
      const code = error instanceof Error && "code" in error ? String(error.code) : "unknown reason";
      const fix = "set TMPDIR to a directory with room for it, or name a file instead of -";
      const message = `${spoken} may be needed twice and cannot be kept in ${folder} (${code}); ${fix}`;
      throw new Failure(message, { kind: "retryable", code: "SOURCE_UNREADABLE", scope: "connector", cause: error });
    }
  }

  return {
    name,
    again: keep,
    async read(position, length) {
      while (rest.length === 0 && !ended && position >= end) await more();
      const start = end - rest.length;
      if (position >= start) {
        const part = rest.subarray(position - start, position - start + length);
        rest = rest.subarray(position - start + part.length);
        return part;
      }
      if (spool === undefined) throw new Error("a pipe was asked for bytes that it gave before");
      const { buffer, bytesRead } = await spool.read(Buffer.allocUnsafe(length), 0, Math.min(length, end - position), position);
      told?.(bytesRead);
      return buffer.subarray(0, bytesRead);
    },
    // The file stays for the next pass; it is gone with the process.
    close: () => Promise.resolve(),
  };
}

async function namelessFile(folder: string): Promise<FileHandle> {
  const path = join(folder, `custodes-${randomUUID()}`);
  const handle = await open(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
  await unlink(path);
  return handle;
}
