import { appendFileSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, truncateSync } from "node:fs";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { tailSource } from "../../src/archetypes/tail.ts";
import { jsonLines } from "../../src/core/framing.ts";
import { drain } from "../contract/source.ts";
import { at, closeFolder, line, openFolder, place, put, putOld, rejects, tail, world } from "./tail-world.ts";

beforeEach(openFolder);
afterEach(closeFolder);

describe("rotation", () => {
  test("rename and create: the rest of the old file, then the new one", async () => {
    const log = tail();
    put("a.log", line(1));
    expect(await log.pull()).toEqual([1]);
    appendFileSync(at("a.log"), line(2));
    renameSync(at("a.log"), at("a.log.1"));
    put("a.log", line(3));
    expect(await log.pull()).toEqual([2, 3]);
    appendFileSync(at("a.log.1"), line(4));
    expect(await log.pull()).toEqual([4]);
  });
  test("copy and truncate: the rest from the copy, then the start of the file", async () => {
    const log = tail();
    put("a.log", line("one"));
    expect(await log.pull()).toEqual(["one"]);
    appendFileSync(at("a.log"), line("two"));
    copyFileSync(at("a.log"), at("a.log-20260331"));
    truncateSync(at("a.log"));
    expect(await log.pull()).toEqual(["two"]);
    appendFileSync(at("a.log"), line("three, which makes the file longer than it was"));
    expect(await log.pull()).toEqual(["three, which makes the file longer than it was"]);
  });
  test("truncated and longer than before at once: found out by its first bytes", async () => {
    const log = tail();
    put("a.log", line(1));
    expect(await log.pull()).toEqual([1]);
    truncateSync(at("a.log"));
    appendFileSync(at("a.log"), [2, 3, 4].map(line).join(""));
    expect(await log.pull()).toEqual([2, 3, 4]);
  });
  test("cut to a part of itself: read again rather than missed", async () => {
    const log = tail();
    const long = Array.from({ length: 2000 }, (_, index) => `line ${index}`);
    put("a.log", long.map(line).join(""));
    expect(await log.pull()).toEqual(long);
    truncateSync(at("a.log"), long.slice(0, 1000).map(line).join("").length);
    await log.pull();
    appendFileSync(at("a.log"), line("after"));
    expect(await log.pull()).toEqual(["after"]);
  });
  test("an archive of a file that was read gives only what was not read", async () => {
    const log = tail();
    put("a.log", line(1));
    await log.pull();
    appendFileSync(at("a.log"), line(2));
    const content = readFileSync(at("a.log"));
    rmSync(at("a.log"));
    putOld("a.log.1.gz", gzipSync(content), 1);
    put("a.log", line(3));
    expect(await log.pull()).toEqual([2, 3]);
    renameSync(at("a.log.1.gz"), at("a.log.2.gz"));
    expect(await log.pull()).toEqual([]);
  });
  test("an archive is left alone until it is settled, and time is not proven over it", async () => {
    place.ahead = 0;
    const log = tail();
    put("a.log", line(2));
    put("a.log.1.gz", gzipSync(line(1)));
    expect(await log.pull()).toEqual([2]);
    place.ahead = 30_000;
    expect(await log.pull()).toEqual([1]);
  });
  test("a broken archive gives its good part and one reject, once", async () => {
    const values = Array.from({ length: 20_000 }, (_, index) => index * 7919);
    const packed = gzipSync(values.map(line).join(""));
    put("a.log.1.gz", packed.subarray(0, packed.length >> 1));
    put("a.log", line("next"));
    const log = tail();
    const seen = await log.pull();
    expect(seen.length).toBeGreaterThan(5000);
    expect(seen.slice(0, -1)).toEqual(values.slice(0, seen.length - 1));
    expect(rejects(log.pages)).toEqual([expect.stringContaining("RECORD_CORRUPT_FILE a.log.1.gz:")]);
    for (let again = 0; again < 3; again++) {
      expect(await log.pull()).toEqual([]);
      expect(rejects(log.pages)).toEqual([]);
    }
  });
  test("names that only look alike are other files", async () => {
    for (const name of ["a.log.bak", "a.log-other.log", "a.logs", "a.log.1x", "b.log.1"]) put(name, line(name));
    putOld("a.log.1", line("sibling"), 1);
    put("a.log", line("own"));
    expect(await tail().pull()).toEqual(["sibling", "own"]);
  });
  test.each(["truncated", "removed"])("what was seen and is %s before it was read is told, once", async (why) => {
    const source = tailSource({ path: at("a.log"), format: jsonLines, recordsMax: 3 });
    put("a.log", Array.from({ length: 10 }, (_, index) => line(index)).join(""));
    const first = await source.pull(null, world());
    expect(first).toMatchObject({ more: true, gone: [] });
    if (why === "removed") rmSync(at("a.log"));
    else truncateSync(at("a.log"));
    const second = await source.pull(first.next, world());
    const what = why === "removed" ? "a file was removed" : "a file was cut";
    expect(second).toMatchObject({
      records: [],
      gone: [{ why, detail: `${what} before at least 14 of its bytes were read: ${at("a.log")}` }],
    });
    expect((await source.pull(second.next, world())).gone).toEqual([]);
  });
  test("what was cut off behind the place of reading is told, and what is left is read", async () => {
    const source = tailSource({ path: at("a.log"), format: jsonLines, recordsMax: 3 });
    put("a.log", Array.from({ length: 10 }, (_, index) => line(index)).join(""));
    const first = await source.pull(null, world());
    truncateSync(at("a.log"), 12);
    const pages = await drain(source, world(), first.next);
    expect(pages.flatMap((page) => page.records.map(({ record }) => record))).toEqual([3, 4, 5]);
    expect(pages.flatMap((page) => page.gone ?? [])).toMatchObject([
      { why: "truncated", detail: expect.stringContaining("at least 8 of") },
    ]);
  });
  test("while an archive is being written, nothing is said to be gone", async () => {
    const source = tailSource({ path: at("a.log"), format: jsonLines, recordsMax: 3 });
    const all = Array.from({ length: 10 }, (_, index) => index);
    put("a.log", all.map(line).join(""));
    const first = await source.pull(null, world());
    place.ahead = 0;
    put("a.log.1.gz", gzipSync(readFileSync(at("a.log"))));
    rmSync(at("a.log"));
    const waiting = await source.pull(first.next, world());
    expect(waiting.gone).toEqual([]);
    place.ahead = 30_000;
    const rest = await drain(source, world(), waiting.next);
    expect([...first.records, ...rest.flatMap((page) => page.records)].map(({ record }) => record)).toEqual(all);
    expect(rest.flatMap((page) => page.gone ?? [])).toEqual([]);
  });
  test("every line comes out once, whatever rotates between pulls", async () => {
    const step = fc.constantFrom("append", "append", "append", "pull", "rename", "truncate", "pack");
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.integer({ min: 1, max: 7 }), async (steps, recordsMax) => {
        rmSync(place.folder, { recursive: true });
        mkdirSync(place.folder);
        const log = tail({ recordsMax });
        const written: number[] = [];
        const seen: unknown[] = [];
        const shift = (): void => {
          const names = readdirSync(place.folder)
            .filter((name) => /^a\.log\.\d/.test(name))
            .sort((a, b) => Number.parseInt(b.slice(6), 10) - Number.parseInt(a.slice(6), 10));
          for (const name of names) renameSync(at(name), at(name.replace(/\d+/, (number) => String(Number(number) + 1))));
        };
        const act: Record<string, () => void> = {
          append: () => {
            written.push(written.length);
            appendFileSync(at("a.log"), line(written.length - 1));
          },
          rename: () => {
            if (!existsSync(at("a.log"))) return;
            shift();
            renameSync(at("a.log"), at("a.log.1"));
          },
          truncate: () => {
            if (!existsSync(at("a.log"))) return;
            shift();
            copyFileSync(at("a.log"), at("a.log.1"));
            truncateSync(at("a.log"));
          },
          pack: () => {
            if (!existsSync(at("a.log.1"))) return;
            put("a.log.1.gz", gzipSync(readFileSync(at("a.log.1"))));
            rmSync(at("a.log.1"));
          },
        };
        for (const one of steps) {
          if (one === "pull") seen.push(...(await log.pull()));
          else act[one]?.();
          expect(log.pages.flatMap((page) => page.gone ?? [])).toEqual([]);
        }
        seen.push(...(await log.pull()));
        expect(log.pages.flatMap((page) => page.gone ?? [])).toEqual([]);
        expect(seen.toSorted((a, b) => Number(a) - Number(b))).toEqual(written);
      }),
      { numRuns: 60 },
    );
  });
});
