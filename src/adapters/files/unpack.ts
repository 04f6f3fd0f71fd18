/**
 * Unpacks gzip and zstd with back-pressure: however far a few bytes unfold, one step of them is in memory. Everything
 * that a damaged archive holds before the place of its damage comes out before the failure is thrown.
 */
import { createGunzip, createZstdDecompress, gunzipSync } from "node:zlib";
import { poison, type Failure } from "../../core/errors.ts";
import type { ByteSource } from "./byte-source.ts";
import { compressionIn, type Compression } from "./compression.ts";

/** Compressed bytes that are handed over at a time. */
const COMPRESSED_BYTES = 64 * 1024;
/** Decompressed bytes that come out at a time, at most. */
const UNPACKED_BYTES = 64 * 1024;
/** Unpacked at once up to this size. */
const SMALL_BYTES = 1024 * 1024;
/** The same of a pipe, of which a step cannot be repeated: so much is lost before the damage. */
const PIPE_BYTES = 4 * 1024;
/** Compressed bytes per step when what lies just before the damage is looked for. */
const CAREFUL_BYTES = 64;

/** Where the unpacking stands, for who goes on after a fault. */
interface Place {
  /** Compressed bytes handed over so far, and decompressed ones given. */
  taken: number;
  given: number;
}

/**
 * The unpacked bytes. A chunk stays valid.
 * @throws {Failure} poison RECORD_CORRUPT_FILE after the good part; what `source` throws
 */
export async function* unpackedBytes(source: ByteSource, compression: Compression): AsyncGenerator<Buffer> {
  const small = source.again && compression === "gzip" ? await smallArchive(source) : undefined;
  if (small !== undefined) {
    yield small;
    return;
  }
  const place: Place = { taken: 0, given: 0 };
  let fault: Failure | undefined;
  try {
    for await (const chunk of straight(source, compression, source.again ? COMPRESSED_BYTES : PIPE_BYTES, place)) {
      place.given += chunk.length;
      yield chunk;
    }
  } catch (error) {
    fault = faultOf(error);
  }
  if (fault === undefined) return;
  // The unpacker drops the output of the step in which it fails: the same bytes again, in steps that lose next to nothing.
  if (source.again) yield* again(source, compression, place);
  throw fault;
}

/**
 * An archive that is small, packed and unpacked, at once: a stream for each of thousands of small files costs more than
 * what is in them. Undefined for any other, and for one that is damaged.
 */
async function smallArchive(source: ByteSource): Promise<Buffer | undefined> {
  const packed = await source.read(0, COMPRESSED_BYTES);
  if (packed.length === COMPRESSED_BYTES || (await source.read(packed.length, 1)).length > 0) return undefined;
  try {
    return gunzipSync(packed, { maxOutputLength: SMALL_BYTES });
  } catch {
    // What is wrong with it, and what is good of it, is for the stream to find out.
    return undefined;
  }
}

/** From the start once more: passes over what was given, and gives what comes between that and the damage. */
async function* again(source: ByteSource, compression: Compression, failed: Place): AsyncGenerator<Buffer> {
  const place: Place = { taken: 0, given: 0 };
  const careful = (): number => (place.taken + 2 * COMPRESSED_BYTES < failed.taken ? COMPRESSED_BYTES : CAREFUL_BYTES);
  try {
    for await (const chunk of straight(source, compression, careful, place)) {
      const fresh = chunk.subarray(Math.max(0, Math.min(chunk.length, failed.given - place.given)));
      place.given += chunk.length;
      if (fresh.length > 0) yield fresh;
    }
  } catch (error) {
    faultOf(error);
  }
}

/** A fault of the archive; anything else goes on as it is. */
function faultOf(error: unknown): Failure {
  if (error instanceof Error && "code" in error && error.code === "RECORD_CORRUPT_FILE") return error as Failure;
  throw error;
}

/** Frame after frame, to the end or the first fault. */
async function* straight(
  source: ByteSource,
  compression: Compression,
  step: number | (() => number),
  place: Place,
): AsyncGenerator<Buffer> {
  const stepBytes = typeof step === "number" ? (): number => step : step;
  let rest = Buffer.alloc(0);
  for (let frame = 0; ; frame++) {
    if (frame > 0 && !startsFrame(rest)) {
      if (rest.every((byte) => byte === 0)) return;
      throw poison("RECORD_CORRUPT_FILE", "something that is no archive follows the end of the archive");
    }
    const unpacker = openUnpacker(compression);
    try {
      for (;;) {
        const packed = rest.length > 0 ? rest : await source.read(place.taken, stepBytes());
        if (rest.length === 0) place.taken += packed.length;
        rest = Buffer.alloc(0);
        if (packed.length === 0) {
          yield* unpacker.end();
          return;
        }
        const used = unpacker.used();
        yield* unpacker.write(packed);
        const left = packed.subarray(unpacker.used() - used);
        // Node joins the members of gzip itself, but stops at the end of a zstd frame.
        if (left.length === 0 || compression === "gzip") continue;
        const more = left.length < 4 ? await source.read(place.taken, COMPRESSED_BYTES) : Buffer.alloc(0);
        place.taken += more.length;
        rest = Buffer.concat([left, more]);
        break;
      }
    } finally {
      unpacker.destroy();
    }
  }
}

function startsFrame(head: Buffer): boolean {
  return compressionIn(head) === "zstd";
}

/** One stream of node:zlib, driven step by step. */
interface Unpacker {
  /** What comes out of these bytes. @throws {Failure} poison */
  write(packed: Buffer): AsyncGenerator<Buffer>;
  /** What comes out at the end of the input. @throws {Failure} poison */
  end(): AsyncGenerator<Buffer>;
  /** Compressed bytes that were used. */
  used(): number;
  destroy(): void;
}

function openUnpacker(compression: Compression): Unpacker {
  const options = { chunkSize: UNPACKED_BYTES, readableHighWaterMark: UNPACKED_BYTES };
  const stream = compression === "zstd" ? createZstdDecompress(options) : createGunzip(options);
  let failed = false;
  let wake: () => void = () => undefined;
  stream.on("readable", () => wake());
  stream.on("end", () => wake());
  stream.on("error", () => {
    failed = true;
    wake();
  });

  async function* drive(start: (done: () => void) => void, message: string): AsyncGenerator<Buffer> {
    let done = false;
    start(() => {
      done = true;
      wake();
    });
    for (;;) {
      // Made before looking, so that nothing that happens in between is missed.
      const woken = new Promise<void>((resolve) => (wake = resolve));
      for (let chunk = next(); chunk !== null; chunk = next()) yield chunk;
      if (failed) throw poison("RECORD_CORRUPT_FILE", message);
      if (done) return;
      await woken;
    }
  }
  function next(): Buffer | null {
    return stream.read() as Buffer | null;
  }

  return {
    write: (packed) => drive((done) => stream.write(packed, () => done()), "the archive is damaged"),
    end: () =>
      drive((done) => {
        stream.once("end", done);
        stream.end();
      }, "the archive is cut off or damaged at its end"),
    used: () => stream.bytesWritten,
    destroy: () => stream.destroy(),
  };
}
