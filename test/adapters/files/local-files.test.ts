import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { localFiles } from "../../../src/adapters/files/local-files.ts";
import type { FileSlice } from "../../../src/ports/context.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "custodes-files-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const put = (name: string, content: string | Uint8Array): string => {
  const path = join(folder, name);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, content);
  return path;
};
const names = async (pattern: string): Promise<string[]> =>
  (await localFiles().list(join(folder, pattern))).map(({ path }) => path.slice(folder.length + 1));
const text = ({ bytes }: FileSlice): string => Buffer.from(bytes).toString();

describe("listing", () => {
  test("a file, a directory with its folders, and patterns, sorted", async () => {
    for (const name of ["b.log", "a.log", "deep/er/c.log", "deep/d.gz", "x.txt"]) put(name, name);
    expect(await names("a.log")).toEqual(["a.log"]);
    expect(await names("")).toEqual(["a.log", "b.log", "deep/d.gz", "deep/er/c.log", "x.txt"]);
    expect(await names("*.log")).toEqual(["a.log", "b.log"]);
    expect(await names("**/*.log")).toEqual(["a.log", "b.log", "deep/er/c.log"]);
    expect(await names("?.log")).toEqual(["a.log", "b.log"]);
  });
  test("brackets, braces and parentheses of a path mean themselves", async () => {
    put("[x]{a,b}(c)+!@/y.log", "1");
    put("xa/y.log", "2");
    expect(await names("[x]{a,b}(c)+!@/*.log")).toEqual(["[x]{a,b}(c)+!@/y.log"]);
    expect(await names("[x]{a,b}(c)+!@/y.log")).toEqual(["[x]{a,b}(c)+!@/y.log"]);
  });
  test("nothing there is an empty list, and broken links are passed over", async () => {
    symlinkSync(join(folder, "gone"), join(folder, "link.log"));
    expect(await names("missing.log")).toEqual([]);
    expect(await names("missing/*.log")).toEqual([]);
    expect(await names("*.log")).toEqual([]);
  });
  test("a renamed file keeps its id, a new one has another", async () => {
    const path = put("a.log", "one");
    const [before] = await localFiles().list(path);
    renameSync(path, `${path}.1`);
    put("a.log", "two!");
    const [fresh] = await localFiles().list(path);
    const [renamed] = await localFiles().list(`${path}.1`);
    expect(renamed?.fileId).toBe(before?.fileId);
    expect(fresh?.fileId).not.toBe(before?.fileId);
    expect(fresh?.size).toBe(4);
    expect(renamed?.changedTime).toBeGreaterThanOrEqual(before?.changedTime ?? Number.NaN);
  });
});

describe("reading", () => {
  test("gives bytes from an offset and says when they reach the end", async () => {
    const path = put("a.log", "0123456789");
    const files = localFiles();
    expect(text(await files.read(path, 0, 4))).toBe("0123");
    expect((await files.read(path, 0, 4)).end).toBe(false);
    const last = await files.read(path, 8, 4);
    expect([text(last), last.end]).toEqual(["89", true]);
    const beyond = await files.read(path, 50, 4);
    expect([text(beyond), beyond.end]).toEqual(["", true]);
  });
  test.each([
    ["a.gz", gzipSync],
    ["a.zst", zstdCompressSync],
  ] as const)("%s is read through decompression, forwards, again and backwards", async (name, pack) => {
    const content = Array.from({ length: 300_000 }, (_, index) => `line ${index}`).join("\n");
    const path = put(name, pack(Buffer.from(content)));
    const files = localFiles();
    let read = "";
    for (let end = false; !end;) {
      const slice = await files.read(path, read.length, 700_001);
      read += text(slice);
      end = slice.end;
    }
    expect(read === content).toBe(true);
    expect(text(await files.read(path, 1_000_000, 50))).toBe(content.slice(1_000_000, 1_000_050));
    expect(text(await files.read(path, 10, 50))).toBe(content.slice(10, 60));
    const end = await files.read(path, content.length, 10);
    expect([end.bytes.length, end.end]).toEqual([0, true]);
  });
  test("an archive gives the same bytes in any order of reads", async () => {
    const content = Buffer.from(Array.from({ length: 60_000 }, (_, index) => `${index * 7919}`).join("\n"));
    const path = put("a.gz", gzipSync(content));
    const read = fc.tuple(fc.integer({ min: 0, max: content.length + 10 }), fc.integer({ min: 1, max: 300_000 }));
    await fc.assert(
      fc.asyncProperty(fc.array(read, { minLength: 1, maxLength: 12 }), async (reads) => {
        const files = localFiles();
        for (const [offset, bytesMax] of reads) {
          const slice = await files.read(path, offset, bytesMax);
          expect(content.subarray(offset, offset + bytesMax).equals(slice.bytes)).toBe(true);
          expect(slice.end).toBe(offset + bytesMax >= content.length);
        }
      }),
      { numRuns: 60 },
    );
  });
  test("more archives than stay open are still read right", async () => {
    const paths = Array.from({ length: 9 }, (_, index) => put(`${index}.gz`, gzipSync(String(index).repeat(100))));
    const files = localFiles();
    for (const offset of [0, 10, 20])
      for (const [index, path] of paths.entries()) expect(text(await files.read(path, offset, 10))).toBe(String(index).repeat(10));
  });
  test("a broken archive gives its good part, then RECORD_CORRUPT_FILE", async () => {
    const content = Buffer.from(Array.from({ length: 50_000 }, (_, index) => `${index * 7919}`).join("\n"));
    const packed = gzipSync(content);
    const path = put("cut.gz", packed.subarray(0, packed.length - 2000));
    const files = localFiles();
    const good = await files.read(path, 0, 10_000_000);
    expect(good.end).toBe(false);
    expect(good.bytes.length).toBeGreaterThan(content.length / 2);
    expect(content.subarray(0, good.bytes.length).equals(good.bytes)).toBe(true);
    const rest = files.read(path, good.bytes.length, 10);
    await expect(rest).rejects.toMatchObject({ kind: "poison", code: "RECORD_CORRUPT_FILE" });
  });
  test("what cannot be read is SOURCE_UNREADABLE and may come back", async () => {
    for (const name of ["none.log", "none.gz"]) {
      await expect(localFiles().read(join(folder, name), 0, 1)).rejects.toMatchObject({ kind: "retryable", code: "SOURCE_UNREADABLE" });
    }
  });
});
