import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadRules } from "../../../src/adapters/rules/load.ts";
import { stampRules } from "../../../src/adapters/rules/stamp.ts";

let root = "";
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "custodes-stamp-"));
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

function write(path: string): string {
  const full = join(root, path);
  mkdirSync(join(full, ".."), { recursive: true });
  writeFileSync(full, "title: x\n");
  return full;
}

const filesOf = (text: string): string[] =>
  text.split("\n").flatMap((line) => (line === "" ? [] : [String((JSON.parse(line) as unknown[])[0])]));

test("a look sees the files that are read, and no others", async () => {
  for (const path of ["b/two.yaml", "a/one.yml", "a/one.test.yml", "README.md", ".git/x.yml", "a/z/deep.YML", "a/x.yml~", "a/.#one.yml"])
    write(path);
  symlinkSync(join(root, "gone"), join(root, "a", "dangling.yml"));
  const paths = [join(root, "a"), join(root, "b", "two.yaml")];
  const { text, lost } = await stampRules(paths);
  expect(filesOf(text).sort()).toEqual(
    loadRules(paths)
      .map(({ path }) => path)
      .sort(),
  );
  expect(filesOf(text)).toHaveLength(3);
  expect(lost).toEqual([]);
});

test("links in circles end the look, not the service", async () => {
  write("a/one.yml");
  for (let link = 0; link < 12; link++) symlinkSync(root, join(root, "a", `circle${link}`));
  const { text } = await stampRules([root]);
  expect(filesOf(text)).toHaveLength(1);
  expect(loadRules([root])).toHaveLength(1);
});

test("a path that is gone, empty or closed is lost, with the reason", async () => {
  mkdirSync(join(root, "empty"));
  write("closed/one.yml");
  chmodSync(join(root, "closed"), 0o000);
  const { lost } = await stampRules([join(root, "none"), join(root, "empty"), join(root, "closed")]);
  chmodSync(join(root, "closed"), 0o700);
  const reasons = lost.map(({ path, reason }) => `${path.slice(root.length + 1)} ${reason}`);
  expect(reasons.slice(0, 2)).toEqual(["none cannot be read (ENOENT)", "empty holds no rule file"]);
  // The superuser may read everything.
  expect(reasons.slice(2)).toEqual(process.getuid?.() === 0 ? [] : ["closed cannot be read (EACCES)"]);
});
