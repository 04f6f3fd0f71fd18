import { mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { sideBySide } from "../../../src/adapters/files/archives.ts";
import { filePool } from "../../../src/adapters/files/byte-source.ts";
import { sourceChunks } from "../../../src/adapters/files/chunks.ts";
import { unpackedBytes } from "../../../src/adapters/files/unpack.ts";

const folder = mkdtempSync(join(tmpdir(), "custodes-archives-"));
afterAll(() => rmSync(folder, { recursive: true }));

const contents = Array.from({ length: 12 }, (_, at) =>
  Buffer.from(Array.from({ length: 40_000 }, (__, line) => `${(line * 7919 * (at + 1)).toString(36)}\n`).join("")),
);
const paths = contents.map((content, at) => {
  const path = join(folder, `${at}.log`);
  writeFileSync(path, at % 2 === 0 ? gzipSync(content) : zstdCompressSync(content));
  return path;
});

describe("archives that are read side by side", () => {
  test("give their bytes in any order of reading, however few may be unpacked at a time", async () => {
    await fc.assert(
      fc.asyncProperty(fc.infiniteStream(fc.nat(paths.length - 1)), fc.constantFrom(1, 9, 20, 1000), async (turns, costMax) => {
        const unpack = sideBySide(costMax);
        const pool = filePool(4);
        const streams = paths.map((path) => sourceChunks(pool.source(path), unpack));
        const seen = streams.map((): Buffer[] => []);
        const open = new Set(streams.keys());
        while (open.size > 0) {
          const turn = turns.next().value;
          const at = open.has(turn) ? turn : [...open][0]!;
          const step = await streams[at]!.next();
          if (step.done === true) open.delete(at);
          else seen[at]!.push(Buffer.from(step.value));
        }
        seen.forEach((parts, at) => expect(Buffer.concat(parts).equals(contents[at]!)).toBe(true));
      }),
      { numRuns: 8 },
    );
  }, 60_000);

  test("a damaged one gives what lies before its damage, also after it was put aside", async () => {
    const path = join(folder, "cut.log");
    const packed = gzipSync(contents[0]!);
    writeFileSync(path, packed.subarray(0, Math.floor(packed.length * 0.9)));
    const pool = filePool(4);
    const alone: Buffer[] = [];
    await expect(all(sourceChunks(pool.source(path), unpackedBytes), alone)).rejects.toMatchObject({ code: "RECORD_CORRUPT_FILE" });
    const unpack = sideBySide(1);
    const cut = sourceChunks(pool.source(path), unpack);
    const parts: Buffer[] = [Buffer.from((await cut.next()).value as Uint8Array)];
    const other = sourceChunks(pool.source(paths[0]!), unpack);
    await other.next();
    await expect(all(cut, parts)).rejects.toMatchObject({ code: "RECORD_CORRUPT_FILE" });
    expect(Buffer.concat(parts).equals(Buffer.concat(alone))).toBe(true);
    await other.return(undefined);
  });
});

test("a pool keeps no more handles open than it may, and refuses a file that became another", async () => {
  const opened = (): number => readdirSync("/proc/self/fd").length;
  const before = opened();
  const pool = filePool(3);
  const sources = paths.map((path) => pool.source(path));
  for (const round of [0, 100]) for (const source of sources) await source.read(round, 10);
  expect(opened() - before).toBeLessThanOrEqual(3);
  const path = join(folder, "moved.log");
  writeFileSync(path, "one");
  const source = pool.source(path);
  expect((await source.read(0, 10)).toString()).toBe("one");
  for (const other of sources) await other.read(0, 1);
  writeFileSync(`${path}.new`, "two");
  renameSync(`${path}.new`, path);
  await expect(source.read(0, 10)).rejects.toMatchObject({ code: "SOURCE_UNREADABLE" });
  for (const other of sources) await other.close();
  await source.close();
});

async function all(chunks: AsyncIterable<Uint8Array>, into: Buffer[]): Promise<void> {
  for await (const chunk of chunks) into.push(Buffer.from(chunk));
}
