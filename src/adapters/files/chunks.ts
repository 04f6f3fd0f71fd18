/** Bytes of one file, decompressed, chunk by chunk; what a broken archive gives before its fault is not lost. */
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { createGunzip, createZstdDecompress } from "node:zlib";
import { Failure, poison } from "../../core/errors.ts";

/** Bytes of one chunk: large enough that the work per chunk disappears, small enough to stay in the cache of one core. */
const CHUNK_BYTES = 256 * 1024;
/** Compressed bytes that are handed over at a time: one of them may grow a thousandfold in memory. */
const COMPRESSED_BYTES = 64 * 1024;
/** Decompressed bytes that come out at a time: so much is lost before the place where an archive is damaged. */
const UNPACKED_BYTES = 64 * 1024;

/** Whether the path's name says that the file is compressed, and how. */
export function compressionOf(path: string): "gzip" | "zstd" | undefined {
  if (path.endsWith(".gz")) return "gzip";
  return path.endsWith(".zst") ? "zstd" : undefined;
}

/**
 * The file's bytes. A chunk is valid until the next one is asked for.
 * @throws {Failure} retryable SOURCE_UNREADABLE; poison RECORD_CORRUPT_FILE after the good part of a broken archive
 */
export function fileChunks(path: string): AsyncIterable<Uint8Array> {
  return compressionOf(path) === undefined ? plainChunks(path) : unpackedChunks(path);
}

async function* plainChunks(path: string): AsyncGenerator<Uint8Array> {
  const file = await open(path, "r").catch((error: unknown) => {
    throw unreadable(path, error);
  });
  try {
    const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES, null).catch((error: unknown) => {
        throw unreadable(path, error);
      });
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

async function* unpackedChunks(path: string): AsyncGenerator<Uint8Array> {
  const unpack =
    compressionOf(path) === "zstd" ? createZstdDecompress({ chunkSize: UNPACKED_BYTES }) : createGunzip({ chunkSize: UNPACKED_BYTES });
  // Data is taken as it comes: the stream's own iterator drops what it holds when the archive turns out broken.
  let ready: Buffer[] = [];
  unpack.on("data", (chunk: Buffer) => ready.push(chunk));
  const failed = new Promise<Error>((resolve) => unpack.once("error", resolve));
  const ended = new Promise<undefined>((resolve) => unpack.once("end", () => resolve(undefined)));
  const source = createReadStream(path, { highWaterMark: COMPRESSED_BYTES });
  try {
    let empty = true;
    for await (const packed of source) {
      empty = false;
      const written = new Promise<undefined>((resolve) => unpack.write(packed, () => resolve(undefined)));
      const error = await Promise.race([failed, written]);
      const taken = ready;
      ready = [];
      yield* taken;
      if (error !== undefined) throw poison("RECORD_CORRUPT_FILE", "the archive is damaged");
    }
    if (empty) return;
    unpack.end();
    const error = await Promise.race([failed, ended]);
    yield* ready;
    if (error !== undefined) throw poison("RECORD_CORRUPT_FILE", "the archive is cut off or damaged at its end");
  } catch (error) {
    throw error instanceof Failure ? error : unreadable(path, error);
  } finally {
    source.destroy();
    unpack.destroy();
  }
}

/** A Failure for what node:fs threw; its message names the path and the system's code only. */
export function unreadable(path: string, error: unknown): Failure {
  const code = (error as { code?: unknown } | null)?.code;
  return new Failure(`${path} cannot be read (${typeof code === "string" ? code : "unknown reason"})`, {
    kind: "retryable",
    code: "SOURCE_UNREADABLE",
    scope: "connector",
    cause: error,
  });
}
