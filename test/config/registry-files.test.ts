import { mkdirSync, mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { readRegistry, stampRegistry } from "../../src/config/registry-files.ts";
import { load } from "./build.ts";

const home = mkdtempSync(join(tmpdir(), "custodes-registry-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));
let directory: string;
let count = 0;
beforeEach(() => {
  directory = join(home, String(count++));
  mkdirSync(directory);
});
const at = (name: string): string => join(directory, name);
const write = (name: string, text: string): void => writeFileSync(at(name), text);
const registry = (...ids: string[]): string => `version: 1\nagents:\n${ids.map((id) => `  - id: ${id}\n`).join("")}`;
const ids = (...paths: string[]): string[] => {
  const { agents, problems } = readRegistry(paths.map(at));
  expect(problems).toEqual([]);
  return agents.map(({ id }) => id);
};
const problems = (...paths: string[]): string[] =>
  readRegistry(paths.map(at)).problems.map(({ file, line, message }) => `${file.slice(directory.length + 1)}:${line} ${message}`);

describe("a registry of several files", () => {
  test("is what all of them say, in both forms", () => {
    write("b.yaml", registry("b1", "b2"));
    write("a.yml", 'agent_config: { name: "solo" }\n');
    write(".c.yaml", registry("hidden"));
    write("notes.txt", "no registry");
    expect(ids("")).toEqual(["solo", "b1", "b2"]);
    expect(ids("b.yaml", "a.yml")).toEqual(["b1", "b2", "solo"]);
    expect(ids("*.yaml")).toEqual(["b1", "b2"]);
    expect(ids("b.yaml", "*.yaml")).toEqual(["b1", "b2"]);
  });
  test("names no agent twice", () => {
    write("a.yaml", registry("x"));
    write("b.yaml", registry("y", "x"));
    expect(problems("")).toEqual([expect.stringMatching(/^b\.yaml:4 the agent id "x" stands in .*a\.yaml:3 already/)]);
    expect(readRegistry([directory]).agents).toEqual([]);
  });
  test("tells all problems of all files", () => {
    write("a.yaml", "version: 1\nagents:\n  - id: a\n    ownr: x\n");
    write("b.yaml", "version: 1\nagents: [\n");
    expect(problems("").map((one) => one.split(" ", 1)[0])).toEqual(["a.yaml:4", expect.stringMatching(/^b\.yaml:/)]);
    expect(problems("none.yaml", "*.none")).toEqual([
      expect.stringMatching(/^none\.yaml:0 .*does not exist/),
      expect.stringMatching(/is a pattern that no file matches/),
    ]);
    mkdirSync(at("empty"));
    expect(problems("empty")).toEqual([expect.stringMatching(/is a directory without/)]);
  });
  test("may be listed in the configuration", () => {
    const files = { "a.yaml": registry("a"), "b.yaml": registry("b") };
    const { config, problems: none } = load("agents: [a.yaml, b.yaml]\n", files);
    expect(none).toEqual([]);
    expect(config?.agents.map(({ id }) => id)).toEqual(["a", "b"]);
    expect(config?.registry.every((path) => path.startsWith("/"))).toBe(true);
    expect(load("agents: a.yaml\n", files).config?.agents).toHaveLength(1);
    expect(load("agents: []\n", files).problems).toHaveLength(1);
    expect(load("data: ./data\n", files).config?.registry).toEqual([]);
  });
});

describe("a look at the files", () => {
  test("sees what is added, removed, replaced and written to, and nothing else", async () => {
    write("a.yaml", registry("a"));
    const seen = new Set<string>();
    const look = async (): Promise<boolean> => {
      const before = seen.size;
      seen.add(await stampRegistry([directory]));
      return seen.size > before;
    };
    expect(await look()).toBe(true);
    expect(await look()).toBe(false);
    write("b.yaml", registry("b"));
    expect(await look()).toBe(true);
    write("notes.txt", "x");
    expect(await look()).toBe(false);
    write("a.yaml", registry("aa"));
    expect(await look()).toBe(true);
    write("c.tmp", registry("bb"));
    utimesSync(at("c.tmp"), 1, 1);
    renameSync(at("c.tmp"), at("b.yaml"));
    expect(await look()).toBe(true);
    rmSync(at("b.yaml"));
    expect(await look()).toBe(true);
  });
  test("never fails", async () => {
    const missing = await stampRegistry([at("none"), at("*.none")]);
    expect(missing).toContain("does not exist");
    write("none", registry("a"));
    expect(await stampRegistry([at("none"), at("*.none")])).not.toBe(missing);
  });
});
