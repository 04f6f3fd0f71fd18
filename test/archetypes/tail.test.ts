import { appendFileSync, readFileSync, renameSync, utimesSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { tailSource, type TailConfig } from "../../src/archetypes/tail.ts";
import { jsonDocument, jsonLines, LINE_BYTES_MAX } from "../../src/core/framing.ts";
import type { Format } from "../../src/ports/connector.ts";
import { sourceContract } from "../contract/source.ts";
import { at, closeFolder, line, openFolder, place, put, putOld, rejects, tail, world } from "./tail-world.ts";

beforeEach(openFolder);
afterEach(closeFolder);

sourceContract("a tail of lines", async () => {
  put("a.log.2.gz", gzipSync([1, 2, 3].map(line).join("")));
  put("a.log.1", [4, 5, 6, 7].map(line).join(""));
  put("a.log", [8, 9].map(line).join(""));
  return { source: tailSource({ path: at("a.log"), format: jsonLines, recordsMax: 2 }), context: world(), records: 9 };
});
sourceContract("a tail of documents", async () => {
  put("d/1.json", JSON.stringify({ Records: [1, 2, 3] }));
  put("d/deep/2.json.gz", gzipSync(JSON.stringify({ Records: [4, 5] })));
  const format = jsonDocument((document) => (document as { Records: unknown[] }).Records);
  return { source: tailSource({ path: at("d"), format, recordsMax: 2 }), context: world(), records: 5 };
});

describe("a growing file", () => {
  test("gives new lines only, and holds back a last line without its end", async () => {
    const log = tail();
    put("a.log", `${line(1)}${line(2)}{"to`);
    expect(await log.pull()).toEqual([1, 2]);
    expect(await log.pull()).toEqual([]);
    appendFileSync(at("a.log"), `rn":3}\n${line(4)}`);
    expect(await log.pull()).toEqual([{ torn: 3 }, 4]);
    expect(log.pages[0]?.records.map(({ position }) => position)).toEqual([`${at("a.log")}:3`, `${at("a.log")}:4`]);
  });
  test("a torn last line is taken once its writer is silent for long", async () => {
    const log = tail();
    put("a.log", `${line(1)}2`);
    expect(await log.pull()).toEqual([1]);
    place.ahead = 3_000_000;
    expect(await log.pull()).toEqual([2]);
    expect(await log.pull()).toEqual([]);
  });
  test("readTo follows the clock when all is read, waits for torn lines, and is unknown without files or before the end", async () => {
    const log = tail({ recordsMax: 1 });
    await log.pull();
    expect(log.pages).toMatchObject([{ completeTo: null, more: false }]);
    expect(log.pages[0]?.readTo).toBeUndefined();
    put("a.log", `${line(1)}${line(2)}`);
    const before = Date.now() + place.ahead;
    await log.pull();
    expect(log.pages.slice(0, -1).map(({ readTo }) => readTo)).toEqual([undefined]);
    expect(log.pages.at(-1)?.readTo).toBeGreaterThanOrEqual(before);
    appendFileSync(at("a.log"), "torn");
    await log.pull();
    expect(log.pages.at(-1)?.readTo).toBeLessThanOrEqual(Date.now());
  });
  test("one log, also with what was rotated away from it, is read in order; several logs are not", async () => {
    put("a.log", line(1));
    put("a.log.1", line(0));
    put("b.log", line(2));
    const inOrder = async (config: Partial<TailConfig>): Promise<unknown> => {
      const log = tail(config);
      await log.pull();
      return log.pages.at(-1)?.inOrder;
    };
    expect(await inOrder({})).toBe(true);
    expect(await inOrder({ path: at("*.log") })).toBe(false);
    expect(await inOrder({ path: place.folder })).toBe(false);
    expect(await inOrder({ format: { framing: "document", open: () => () => [] } })).toBe(false);
  });
  test("bad lines are rejects with their places, and reading goes on", async () => {
    const log = tail();
    const content = Buffer.concat([
      Buffer.from(`${line(1)}broken\n\r\n`),
      Buffer.from([0x22, 0xff, 0x22, 0x0a]),
      Buffer.from(`"${"x".repeat(LINE_BYTES_MAX)}"\n${line(2)}`),
    ]);
    put("a.log", content);
    expect(await log.pull()).toEqual([1, 2]);
    expect(rejects(log.pages)).toEqual(["RECORD_NOT_JSON a.log:2", "RECORD_ENCODING a.log:4", "RECORD_TOO_LONG a.log:5"]);
  });
  test("a line far beyond the limit is passed over in pieces, also while it grows", async () => {
    const log = tail();
    put("a.log", `${line(1)}"${"x".repeat(5 * LINE_BYTES_MAX)}`);
    expect(await log.pull()).toEqual([1]);
    expect(rejects(log.pages)).toEqual(["RECORD_TOO_LONG a.log:2"]);
    appendFileSync(at("a.log"), "y".repeat(3 * LINE_BYTES_MAX));
    expect(await log.pull()).toEqual([]);
    appendFileSync(at("a.log"), `"\n${line(3)}`);
    expect(await log.pull()).toEqual([3]);
    expect(rejects(log.pages)).toEqual([]);
    expect(log.pages.flatMap((page) => page.records.map(({ position }) => position))).toEqual([`${at("a.log")}:3`]);
  });
  test("a format with a header keeps it over pages, restarts and archives", async () => {
    const format: Format = {
      framing: "lines",
      open: () => {
        let names: readonly string[] = [];
        return (text) => {
          if (!text.startsWith("#")) return [Object.fromEntries(text.split(" ").map((value, index) => [names[index] ?? "?", value]))];
          if (text.startsWith("#fields")) names = text.split(" ").slice(1);
          return [];
        };
      },
    };
    const log = tail({ format, recordsMax: 1 });
    put("a.log", "\uFEFF#separator\n#fields x y\n1 2\n3 4\n");
    expect(await log.pull()).toEqual([
      { x: "1", y: "2" },
      { x: "3", y: "4" },
    ]);
    appendFileSync(at("a.log"), "5 6\n");
    putOld("a.log.1.gz", gzipSync(readFileSync(at("a.log"))), 1);
    put("a.log", "#fields y x\n7 8\n");
    expect(await log.pull()).toEqual([
      { x: "5", y: "6" },
      { y: "7", x: "8" },
    ]);
  });
  test("a page has no more records and not much more bytes than asked", async () => {
    const log = tail({ recordsMax: 7, bytesMax: 100 });
    const values = Array.from({ length: 200 }, (_, index) => "v".repeat(index % 30));
    put("a.log", values.map(line).join(""));
    expect(await log.pull()).toEqual(values);
    for (const page of log.pages) {
      expect(page.records.length).toBeLessThanOrEqual(7);
      const bytes = page.records.reduce((sum, { record }) => sum + line(record).length, 0);
      expect(bytes).toBeLessThan(100 + 33);
    }
  });
});

describe("directories and patterns", () => {
  test("files come oldest first, new ones later, each once", async () => {
    for (const [index, name] of ["c.json", "a.json", "b.json"].entries()) {
      put(`d/${name}`, line(index));
      utimesSync(at(`d/${name}`), 1_700_000_000 + index, 1_700_000_000 + index);
    }
    const log = tail({ path: at("d") });
    expect(await log.pull()).toEqual([0, 1, 2]);
    put("d/new/old date.json", line(3));
    utimesSync(at("d/new/old date.json"), 1, 1);
    expect(await log.pull()).toEqual([3]);
    expect(await log.pull()).toEqual([]);
  });
  test("a pattern takes its files and their rotated siblings, nothing else", async () => {
    for (const name of ["x1.log", "x2.log", "y.log"]) put(name, line(name));
    const log = tail({ path: at("x?.log") });
    expect(await log.pull()).toEqual(["x1.log", "x2.log"]);
    appendFileSync(at("x1.log"), line("more"));
    renameSync(at("x1.log"), at("x1.log.1"));
    put("x1.log", line("new"));
    expect(await log.pull()).toEqual(expect.arrayContaining(["more", "new"]));
    expect(await log.pull()).toEqual([]);
  });
  test("many more files than a cursor can name are each read once, over any number of pulls", async () => {
    const format = jsonDocument((document) => document as unknown[]);
    const log = tail({ path: at("d"), format, recordsMax: 3 });
    const seen: unknown[] = [];
    for (let round = 0; round < 3; round++) {
      for (let index = 0; index < 150; index++)
        put(`d/${index % 3}/${round}-${index}.json.gz`, gzipSync(JSON.stringify([`${round}.${index}`])));
      // Each round is settled before the next arrives.
      place.ahead += 60_000;
      seen.push(...(await log.pull()));
    }
    expect(new Set(seen).size).toBe(450);
    expect(seen).toHaveLength(450);
    expect(log.context.logged).toEqual([]);
  });
  test("history under another clock is read once, too", async () => {
    place.ahead = -100 * 86_400_000;
    for (let index = 0; index < 60; index++) put(`d/${index}.ndjson.gz`, gzipSync(line(index)));
    put("d/last.ndjson", line(60));
    const log = tail({ path: at("d") });
    expect(await log.pull()).toHaveLength(61);
    expect(await log.pull()).toEqual([]);
  });
  test("more growing files than can be remembered are said, and none is lost", async () => {
    place.ahead = 0;
    const count = 80;
    for (let index = 0; index < count; index++) put(`d/${index}.log`, line(`${index}.0`));
    const log = tail({ path: at("d") });
    const seen = new Set<unknown>(await log.pull());
    for (let index = 0; index < count; index++) appendFileSync(at(`d/${index}.log`), line(`${index}.1`));
    for (const record of await log.pull()) seen.add(record);
    expect(seen.size).toBe(2 * count);
    expect(log.context.logged.join()).toContain("more files grow");
  });
  test("a document is read again only when it changes", async () => {
    const format = jsonDocument((document) => document as unknown[]);
    const log = tail({ path: at("d/a.json"), format, recordsMax: 1 });
    put("d/a.json", "[1,2]");
    expect(await log.pull()).toEqual([1, 2]);
    expect(await log.pull()).toEqual([]);
    put("d/a.json", "[1,2,3]");
    expect(await log.pull()).toEqual([1, 2, 3]);
  });
});
