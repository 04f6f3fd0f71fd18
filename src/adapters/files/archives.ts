/**
 * Archives that are read side by side. Each costs memory for as long as it is in the middle, so beyond a number of them
 * one is put aside: it gives up its place, and is unpacked from its start again when its turn comes.
 */
import type { Unpack } from "./chunks.ts";
import type { Compression } from "./compression.ts";
import { unpackedBytes } from "./unpack.ts";

/** Memory of an unpacker in the middle of an archive, in units of a quarter of a megabyte: zstd keeps a window of megabytes. */
const COSTS: Readonly<Record<Compression, number>> = { gzip: 1, zstd: 8 };
/** Bytes that are given at once after an archive was put aside: at least, at most, and as a part of what was passed over. */
const RESUMED_BYTES_MIN = 256 * 1024;
const RESUMED_BYTES_MAX = 4 * 1024 * 1024;
const RESUMED_PART = 4;

interface Open {
  readonly cost: number;
  aside: boolean;
  release(): Promise<unknown>;
}

/** A way to unpack that keeps at most `costMax` quarters of a megabyte of unpackers. Each source must be readable again. */
export function sideBySide(costMax: number): Unpack {
  /** In the order of their last use. */
  const open = new Set<Open>();
  let cost = 0;

  function leave(one: Open): void {
    if (open.delete(one)) cost -= one.cost;
  }

  async function makeRoom(wanted: number): Promise<void> {
    while (cost + wanted > costMax && open.size > 0) {
      // The one that was read last is furthest ahead of the others by now: it will be needed last.
      const [last] = [...open].slice(-1);
      if (last === undefined) return;
      leave(last);
      last.aside = true;
      await last.release();
    }
  }

  return async function* unpack(source, compression) {
    // A pipe cannot start over, so it never gives up its place.
    if (!source.again) return yield* unpackedBytes(source, compression);
    let given = 0;
    for (;;) {
      const run = unpackedBytes(source, compression);
      await makeRoom(COSTS[compression]);
      const mine: Open = { cost: COSTS[compression], aside: false, release: () => run.return(undefined) };
      open.add(mine);
      cost += mine.cost;
      const atLeast = given === 0 ? 0 : Math.min(RESUMED_BYTES_MAX, Math.max(RESUMED_BYTES_MIN, given / RESUMED_PART));
      try {
        for await (const chunk of gathered(passing(run, given), atLeast)) {
          given += chunk.length;
          yield chunk;
          if (mine.aside) break;
          open.delete(mine);
          open.add(mine);
        }
      } finally {
        leave(mine);
        await run.return(undefined);
      }
      if (!mine.aside) return;
    }
  };
}

/** Without the first `skip` bytes. */
async function* passing(chunks: AsyncIterable<Buffer>, skip: number): AsyncGenerator<Buffer> {
  let left = skip;
  for await (const chunk of chunks) {
    const passed = Math.min(left, chunk.length);
    left -= passed;
    if (passed < chunk.length) yield chunk.subarray(passed);
  }
}

/** In pieces of at least so many bytes, so that what a restart costs is spread; what comes before a fault comes before it still. */
async function* gathered(chunks: AsyncIterable<Buffer>, atLeast: number): AsyncGenerator<Buffer> {
  let parts: Buffer[] = [];
  let length = 0;
  let fault: unknown;
  let faulty = false;
  try {
    for await (const chunk of chunks) {
      parts.push(chunk);
      length += chunk.length;
      if (length < atLeast) continue;
      yield parts.length === 1 ? chunk : Buffer.concat(parts);
      parts = [];
      length = 0;
    }
  } catch (error) {
    faulty = true;
    fault = error;
  }
  if (length > 0) yield Buffer.concat(parts);
  if (faulty) throw fault;
}
