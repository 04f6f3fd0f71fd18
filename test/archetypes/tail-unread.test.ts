/** Files that were listed, and went away before anything of them was read. */
import { copyFileSync, renameSync, rmSync, truncateSync, readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import { tailSource } from "../../src/archetypes/tail.ts";
import { jsonDocument, jsonLines } from "../../src/core/framing.ts";
import type { Page } from "../../src/ports/connector.ts";
import { drain } from "../contract/source.ts";
import { at, closeFolder, line, openFolder, place, put, putOld, world } from "./tail-world.ts";

beforeEach(openFolder);
afterEach(closeFolder);

const values = (pages: readonly Page[]): unknown[] => pages.flatMap((page) => page.records.map(({ record }) => record));

/** Reads a first page that ends within the first of three files, lets something happen, and reads the rest. */
async function between(happens: () => void, framing: "lines" | "document" = "lines") {
  const document = framing === "document";
  const source = tailSource({
    path: place.folder,
    format: document ? jsonDocument((whole) => whole as unknown[]) : jsonLines,
    recordsMax: 2,
  });
  for (const [index, name] of ["a", "b", "c"].entries()) {
    const list = [0, 1, 2].map((value) => `${name}${value}`);
    putOld(`${name}.log`, document ? JSON.stringify(list) : list.map(line).join(""), 100 - index);
  }
  const first = await source.pull(null, world());
  expect(values([first])).toEqual(["a0", "a1"]);
  happens();
  const rest = await drain(source, world(), first.next);
  return { read: values(rest), gone: rest.flatMap((page) => page.gone ?? []) };
}
const A_B = ["a2", "b0", "b1", "b2"];
const ALL = [...A_B, "c0", "c1", "c2"];

test("is told, once", async () => {
  const { read, gone } = await between(() => rmSync(at("c.log")));
  expect(read).toEqual(A_B);
  expect(gone).toEqual([{ why: "removed", detail: `a file was removed before at least 15 of its bytes were read: ${place.folder}` }]);
});

test("what was cut off is told, and what is left is read", async () => {
  const { read, gone } = await between(() => truncateSync(at("c.log"), 5));
  expect(read).toEqual([...A_B, "c0"]);
  expect(gone).toMatchObject([{ why: "truncated", detail: expect.stringContaining("at least 10 of its bytes") }]);
});

test("a document that is removed is told", async () => {
  const { read, gone } = await between(() => rmSync(at("c.log")), "document");
  expect(read).toEqual(A_B);
  expect(gone).toMatchObject([{ why: "removed" }]);
});

test.each([
  ["renamed", () => renameSync(at("c.log"), at("c.log.1"))],
  [
    "copied and truncated",
    () => {
      copyFileSync(at("c.log"), at("c.log.1"));
      truncateSync(at("c.log"));
    },
  ],
  [
    "packed",
    () => {
      put("c.log.gz", gzipSync(readFileSync(at("c.log"))));
      rmSync(at("c.log"));
    },
  ],
])("what is %s is read, and nothing is said to be gone", async (_, happens) => {
  const { read, gone } = await between(happens);
  expect(new Set(read)).toEqual(new Set(ALL));
  expect(read).toHaveLength(ALL.length);
  expect(gone).toEqual([]);
});

test("what is written anew is read, as a whole where it is a document", async () => {
  const anew = await between(() => put("c.log", JSON.stringify(["new"])), "document");
  expect(anew).toEqual({ read: [...A_B, "new"], gone: [] });
});

test("of very many, those whose turn is next are watched, and the cursor keeps its limit", async () => {
  const source = tailSource({ path: place.folder, format: jsonLines, recordsMax: 2 });
  const names = Array.from({ length: 200 }, (_, index) => `f${String(index).padStart(3, "0")}.log`);
  for (const [index, name] of names.entries()) putOld(name, line(index).repeat(2), 1000 - index);
  const first = await source.pull(null, world());
  expect(first.next.length).toBeLessThan(1500);
  for (const name of [names[1]!, names[150]!]) rmSync(at(name));
  const second = await source.pull(first.next, world());
  expect(second.gone).toMatchObject([{ why: "removed", detail: expect.stringContaining("at least 4 of") }]);
  const rest = await drain(source, world(), second.next);
  expect(values([first, second, ...rest])).toHaveLength(2 * 198);
});
