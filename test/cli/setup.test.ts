/** `custodes setup`: files stay in their directory, steps run in order with the installer's credential. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, onTestFinished, test, vi } from "vitest";
import { setupCommand, type SetupOptions } from "../../src/cli/setup.ts";
import { CommandError, EXIT } from "../../src/cli/output.ts";
import type { Config } from "../../src/config/config.ts";
import { Failure } from "../../src/core/errors.ts";
import type { Connector, Setup } from "../../src/ports/connector.ts";
import { fakeConnector, offline, testClock, testLog } from "../pipeline/world.ts";

const directory = mkdtempSync(join(tmpdir(), "custodes-setup-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));
const context = offline(testClock(), testLog());
const privileges = { service: ["index on custodes-*"], installer: ["manage_index_templates"] };

function world(changes: Partial<Setup>) {
  const setup: Setup = { files: [], steps: [], privileges, ...changes };
  const connector: Connector = { ...fakeConnector, id: "siem", setup: () => setup };
  const config = { destinations: [{ id: "siem/a", connector, options: {} }] } as unknown as Config;
  const lines: string[] = [];
  const log = vi.spyOn(console, "log").mockImplementation((line: string) => void lines.push(line));
  onTestFinished(() => log.mockRestore());
  const run = (options: Partial<SetupOptions>) =>
    setupCommand({ name: "siem/a", config, apply: false, ...options }, [connector, fakeConnector], () => context);
  return { run, lines };
}

test("files are written below the directory, and printed", async () => {
  const { run, lines } = world({
    files: [
      { path: "default/props.conf", text: "[a]\n" },
      { path: "README", text: "read" },
    ],
  });
  expect(await run({ name: "siem", config: undefined, out: directory })).toBe(EXIT.good);
  expect(readFileSync(join(directory, "default/props.conf"), "utf8")).toBe("[a]\n");
  expect(lines).toEqual([join(directory, "default/props.conf"), join(directory, "README")]);
});

test.each(["../escape", "/etc/x", "a/../../escape", "a//b", "./a"])(
  "a file named %s is refused, and nothing lies outside",
  async (path) => {
    const { run } = world({ files: [{ path, text: "x" }] });
    await expect(run({ out: join(directory, "in") })).rejects.toThrow(CommandError);
    expect(existsSync(join(directory, "escape"))).toBe(false);
  },
);

test("without --out and --apply it says what there is, and which privileges it takes", async () => {
  const { run, lines } = world({
    files: [{ path: "x.json", text: "{}" }],
    steps: [{ name: "template a", apply: () => Promise.reject(new Error("not called")) }],
  });
  expect(await run({})).toBe(EXIT.good);
  const text = lines.join("\n");
  for (const part of ["x.json", "template a", "index on custodes-*", "manage_index_templates"]) expect(text).toContain(part);
});

test("steps run in order with the installer's credential, and say what they changed", async () => {
  vi.stubEnv("INSTALLER", "k3y");
  onTestFinished(() => void vi.unstubAllEnvs());
  const given: string[] = [];
  const step = (name: string, result: "created" | "unchanged") => ({
    name,
    apply: (_: unknown, credential: { reveal(): string }) => (given.push(`${name} ${credential.reveal()}`), Promise.resolve(result)),
  });
  const { run, lines } = world({ steps: [step("one", "created"), step("two", "unchanged")] });
  expect(await run({ apply: true, credential: "${env:INSTALLER}" })).toBe(EXIT.good);
  expect(given).toEqual(["one k3y", "two k3y"]);
  expect(lines).toEqual(["created   one", "unchanged two"]);
});

test("a step that fails ends it, with what the installer needs", async () => {
  const second = vi.fn();
  const denied = new Failure("403", { kind: "permanent", code: "HTTP_DENIED", scope: "connector" });
  const { run, lines } = world({
    steps: [
      { name: "one", apply: () => Promise.reject(denied) },
      { name: "two", apply: second },
    ],
  });
  expect(await run({ apply: true, credential: "${env:PATH}" })).toBe(EXIT.no);
  expect(second).not.toHaveBeenCalled();
  expect(lines).toEqual(["FAIL      one: HTTP_DENIED: 403"]);
});

test.each<[Partial<SetupOptions>, string]>([
  [{ name: "siem/b" }, "siem/a"],
  [{ name: "none", config: undefined }, "siem"],
  [{ name: "siem", apply: true }, "no destination"],
  [{ apply: true, credential: "secret itself" }, "reference"],
  [{ apply: true }, "reference"],
])("%j is refused with what to write instead", async (options, part) => {
  const { run } = world({ steps: [{ name: "one", apply: () => Promise.resolve("created" as const) }] });
  await expect(run(options)).rejects.toThrow(part);
});
