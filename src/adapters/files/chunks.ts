/** Bytes of one file, decompressed, chunk by chunk; what a broken archive gives before its fault is not lost. */
import { poison } from "../../core/errors.ts";
import { CHUNK_BYTES, filePool, type ByteSource } from "./byte-source.ts";
import { compressionIn, foreignIn, MAGIC_BYTES, type Compression } from "./compression.ts";
import { unpackedBytes } from "./unpack.ts";

const EMPTY = Buffer.alloc(0);

/** How archives are unpacked; another way than `unpackedBytes` where many are read side by side. */
export type Unpack = (source: ByteSource, compression: Compression) => AsyncIterable<Uint8Array>;

/**
 * The file's bytes, unpacked when its content is gzip or zstd, whatever its name. No handle is open between two chunks:
 * an archive that is followed may wait for hours for its next reader.
 * @throws {Failure} retryable SOURCE_UNREADABLE; poison RECORD_CORRUPT_FILE after the good part of a broken archive
 */
export function fileChunks(path: string): AsyncGenerator<Uint8Array> {
  return sourceChunks(filePool(0).source(path));
}

/** As `fileChunks`, for any bytes. They are closed at the end. A chunk that is done with may be recycled. */
export async function* sourceChunks(source: ByteSource, unpack: Unpack = unpackedBytes): AsyncGenerator<Uint8Array> {
  try {
    const head = await firstBytes(source);
    const compression = compressionIn(head.bytes);
    if (compression !== undefined) {
      yield* unpack(head.source, compression);
      return;
    }
    const foreign = foreignIn(head.bytes);
    if (foreign !== undefined) {
      const fix = `unpack it first, as in "${foreign.program} FILE | custodes … --in -"`;
      throw poison("RECORD_CORRUPT_FILE", `the file is packed with ${foreign.name}, which is not read; ${fix}`);
    }
    for (let position = 0; ;) {
      const chunk = await head.source.read(position, CHUNK_BYTES);
      if (chunk.length === 0) return;
      position += chunk.length;
      yield chunk;
    }
  } finally {
    await source.close();
  }
}

/** The start of a source, and the source as it was before: a pipe does not give its bytes twice. */
async function firstBytes(source: ByteSource): Promise<{ readonly bytes: Buffer; readonly source: ByteSource }> {
  let bytes = await source.read(0, CHUNK_BYTES);
  // A pipe may give its first bytes one by one.
  while (bytes.length > 0 && bytes.length < MAGIC_BYTES) {
    const more = await source.read(bytes.length, CHUNK_BYTES);
    if (more.length === 0) break;
    bytes = Buffer.concat([bytes, more]);
  }
  let waiting = bytes;
  const read = async (position: number, length: number): Promise<Buffer> => {
    if (position < waiting.length) return waiting.subarray(position, position + length);
    // Many streams wait for their turn with this in hand: a quarter of a megabyte each.
    waiting = EMPTY;
    return await source.read(position, length);
  };
  return { bytes: Buffer.from(bytes.subarray(0, MAGIC_BYTES)), source: { ...source, read } };
}
