import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readFileRecords } from "../../../src/adapters/files/read-records.ts";
import { jsonLines } from "../../../src/core/framing.ts";
import type { Format } from "../../../src/ports/connector.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "custodes-read-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const put = (name: string, content: string | Uint8Array): string => {
  const path = join(folder, name);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, content);
  return path;
};

interface Seen {
  readonly records: readonly (readonly [number, unknown])[];
  readonly rejects: readonly (readonly [number, string])[];
}
async function readAll(path: string, format: Format = jsonLines): Promise<Seen> {
  const records: [number, unknown][] = [];
  const rejects: [number, string][] = [];
  for await (const batch of readFileRecords(path, format)) {
    batch.records.forEach((record, index) => records.push([batch.lines[index] ?? 0, record]));
    for (const { line, code, position } of batch.rejects) {
      expect(position).toBe(`${batch.path}:${line}`);
      rejects.push([line, code]);
    }
  }
  return { records, rejects };
}

describe("archives and directories", () => {
  const content = Array.from({ length: 40_000 }, (_, index) => JSON.stringify({ index, id: (index * 7919).toString(36) })).join("\n");
  test.each([
    ["one.gz", () => gzipSync(content)],
    ["several members.gz", () => Buffer.concat([gzipSync(content.slice(0, 100_001)), gzipSync(""), gzipSync(content.slice(100_001))])],
    ["one.zst", () => zstdCompressSync(content)],
  ])("%s", async (name, bytes) => {
    const seen = await readAll(put(name, bytes()));
    expect(seen.rejects).toEqual([]);
    expect(seen.records.map(([line]) => line)).toEqual(Array.from({ length: 40_000 }, (_, index) => index + 1));
  });
  test("an archive that is cut off gives its good part and one reject", async () => {
    const packed = gzipSync(content);
    const { records, rejects } = await readAll(put("a.gz", packed.subarray(0, Math.floor(packed.length * 0.7))));
    expect(rejects.map(([, code]) => code)).toEqual(["RECORD_CORRUPT_FILE"]);
    expect(records.length).toBeGreaterThan(15_000);
    expect(records.every(([line, record]) => (record as { index: number }).index === line - 1)).toBe(true);
  });
  test("an archive that is damaged in the middle ends with RECORD_CORRUPT_FILE, once", async () => {
    const packed = gzipSync(content);
    packed.fill(0xff, packed.length >> 1, (packed.length >> 1) + 2000);
    const { records, rejects } = await readAll(put("a.gz", packed));
    // The format finds out at its end only, so lines between the damage and the end may be rejects of their own.
    expect(rejects.filter(([, code]) => code === "RECORD_CORRUPT_FILE")).toHaveLength(1);
    expect(rejects.at(-1)?.[1]).toBe("RECORD_CORRUPT_FILE");
    expect(records.length).toBeGreaterThan(15_000);
  });
  test("content decides, not the name: plain text in a .gz is read, and an archive without an ending is unpacked", async () => {
    const expected = { records: [[1, { a: 1 }]], rejects: [] };
    expect(await readAll(put("a.gz", '{"a":1}'))).toEqual(expected);
    expect(await readAll(put("a.ndjson", gzipSync('{"a":1}')))).toEqual(expected);
    expect(await readAll(put("a", zstdCompressSync('{"a":1}')))).toEqual(expected);
    expect(await readAll(put("b.gz", ""))).toEqual({ records: [], rejects: [] });
    // Shorter than the longest signature.
    expect(await readAll(put("c.gz", "7"))).toEqual({ records: [[1, 7]], rejects: [] });
  });
  test.each([
    ["bzip2", "425a6839314159265359"],
    ["xz", "fd377a585a0000"],
    ["zip", "504b030414000000"],
    ["lz4", "04224d1864404000"],
  ])("%s is named, with what unpacks it", async (name, hex) => {
    const path = put("a.log", Buffer.concat([Buffer.from(hex, "hex"), Buffer.from('\n{"a":1}\n')]));
    const rejects: (readonly [string, string])[] = [];
    for await (const batch of readFileRecords(path, jsonLines)) for (const one of batch.rejects) rejects.push([one.code, one.message]);
    expect(rejects).toHaveLength(1);
    expect(rejects[0]?.[0]).toBe("RECORD_CORRUPT_FILE");
    expect(rejects[0]?.[1]).toContain(`packed with ${name}`);
  });
  const skippable = Buffer.concat([Buffer.from("502a4d1804000000", "hex"), Buffer.from("note")]);
  test.each([
    ["frames one after the other", () => [zstdCompressSync(content.slice(0, 100_001)), zstdCompressSync(content.slice(100_001))]],
    ["frames that are empty or to be skipped", () => [skippable, zstdCompressSync(""), zstdCompressSync(content), skippable]],
    ["many frames", () => Array.from({ length: 50 }, (_, at) => zstdCompressSync(piece(at, 50)))],
    ["frames and padding", () => [zstdCompressSync(content), Buffer.alloc(700)]],
  ])("zstd: %s", async (_, parts) => {
    const seen = await readAll(put("a.zst", Buffer.concat(parts())));
    expect(seen.rejects).toEqual([]);
    expect(seen.records.map(([line]) => line)).toEqual(Array.from({ length: 40_000 }, (__, index) => index + 1));
  });
  const piece = (at: number, of: number): string => content.slice((content.length * at) / of, (content.length * (at + 1)) / of);
  test("what is no archive behind an archive is a fault, after all that the archive holds", async () => {
    for (const packed of [gzipSync(content), zstdCompressSync(content)]) {
      const { records, rejects } = await readAll(put("a", Buffer.concat([packed, Buffer.from("garbage")])));
      expect(rejects.map(([, code]) => code)).toEqual(["RECORD_CORRUPT_FILE"]);
      // The last line has no end, so nothing says that it is whole.
      expect(records).toHaveLength(39_999);
    }
  });
  test("damage costs next to nothing of what lies before it, also in an archive smaller than one step", async () => {
    const lines = Array.from({ length: 3000 }, (_, index) => JSON.stringify({ index, id: (index * 7919 * 104_729).toString(36) }));
    const packed = gzipSync(lines.join("\n"));
    const at = Math.floor(packed.length * 0.8);
    packed.fill(0xff, at, at + 30);
    const { records, rejects } = await readAll(put("a.gz", packed));
    expect(rejects.at(-1)?.[1]).toBe("RECORD_CORRUPT_FILE");
    const good = records.filter(([line, record]) => JSON.stringify(record) === lines[line - 1]);
    expect(good.length).toBeGreaterThan(2250);
  });
  test("an archive that unfolds thousandfold is read in little memory", async () => {
    // 200 MB in 20 KB.
    const path = put("bomb.zst", zstdCompressSync(Buffer.alloc(200 * 1024 * 1024, `${"x".repeat(2000)}\n`)));
    const before = process.memoryUsage.rss();
    let peak = 0;
    for await (const batch of readFileRecords(path, { framing: "lines", open: () => () => [1] })) {
      expect(batch.rejects).toEqual([]);
      peak = Math.max(peak, process.memoryUsage.rss());
    }
    expect(peak - before).toBeLessThan(100 * 1024 * 1024);
  });
  test("files of a directory come by name, deeper ones included, hidden ones not", async () => {
    for (const [name, a] of [
      ["b.log", 2],
      ["a/x.log", 1],
      ["c.log.gz", 3],
      [".hidden", 9],
    ] as const)
      put(`d/${name}`, name.endsWith(".gz") ? gzipSync(JSON.stringify(a)) : JSON.stringify(a));
    expect((await readAll(join(folder, "d"))).records.map(([, record]) => record)).toEqual([1, 2, 3]);
  });
  test("what is not there is SOURCE_UNREADABLE", async () => {
    await expect(readAll(join(folder, "none"))).rejects.toMatchObject({ kind: "retryable", code: "SOURCE_UNREADABLE" });
  });
});
