import { afterEach, expect, test } from "vitest";
import { httpClient } from "../../../src/adapters/http/client.ts";
import { vault, type Vault } from "../../../src/adapters/vault/vault.ts";
import { vaultBook, type VaultBook } from "../../../src/config/vault.ts";
import type { VaultAuth } from "../../../src/ports/vault.ts";
import { everythingIn, testContext, testSecret } from "../../fixtures/context.ts";
import { startVaultSimulator, type VaultSimulator, type VaultWorld } from "../../simulators/vault.ts";

const closers: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

const START = 1_800_000_000_000;
const TOKEN = "hvs.given";
const [KEY, OTHER] = ["${vault:secret/siem/splunk#token}", "${vault:secret/siem/elastic#key}"];

interface Room {
  readonly vault: Vault;
  readonly book: VaultBook;
  readonly simulator: VaultSimulator;
  readonly logged: readonly string[];
  /** Moves both clocks. */
  wait(ms: number): void;
  set(path: string, data: Readonly<Record<string, unknown>>, gone?: "deleted" | "destroyed"): void;
}

async function room(given: Partial<VaultWorld> = {}, auth?: VaultAuth, namespace = given.namespace): Promise<Room> {
  let now = START;
  const tokens = new Map([[TOKEN, { end: Infinity, ttl: 0, renewable: false }]]);
  const simulator = await startVaultSimulator({ tokens, ...given }, () => now);
  closers.push(() => simulator.close());
  const book = vaultBook();
  for (const text of [KEY, OTHER]) expect(book.add(text, ["sources"])).toBe(true);
  const { context, logged } = testContext();
  const network = { hosts: () => new Set(["127.0.0.1"]) };
  const settings = {
    address: simulator.url,
    namespace,
    auth: auth ?? ({ type: "token", token: testSecret(TOKEN) } as const),
    refresh: 300_000,
    network,
  };
  const reader = vault(settings, book, { http: httpClient("x", network), now: () => now, random: () => 0.5, log: context.log });
  const set: Room["set"] = (path, data, gone) =>
    void simulator.world.secrets.set(path, [...(simulator.world.secrets.get(path) ?? []), { data, ...(gone && { gone }) }]);
  set("secret/siem/splunk", { token: "first" });
  set("secret/siem/elastic", { key: "elastic-key" });
  return { vault: reader, book, simulator, logged, wait: (ms) => (now += ms), set };
}

const problemsOf = async ({ vault: reader }: Room) => (await reader.read()).map(({ reference, message }) => `${reference.text} ${message}`);

test("every reference is read, each path once", async () => {
  const { vault: reader, book, simulator } = await room();
  expect(book.add("${vault:secret/siem/splunk#index}", [])).toBe(true);
  simulator.world.secrets.set("secret/siem/splunk", [{ data: { token: "old" } }, { data: { token: "first", index: 7 } }]);
  expect(await reader.read()).toEqual([]);
  expect([KEY, OTHER, "${vault:secret/siem/splunk#index}"].map((one) => book.get(one))).toEqual(["first", "elastic-key", "7"]);
  expect(simulator.asked).toEqual([
    "GET /v1/auth/token/lookup-self",
    "GET /v1/secret/data/siem/splunk",
    "GET /v1/secret/data/siem/elastic",
  ]);
  expect(reader.health()).toEqual({ name: "secrets", ok: true, message: "3 from Vault" });
});

test.each([
  [
    "a path that does not exist",
    (one: Room) => one.simulator.world.secrets.delete("secret/siem/splunk"),
    "does not exist in Vault; check mount and path",
  ],
  ["a key that does not exist", (one: Room) => one.set("secret/siem/splunk", { tokens: "x" }), "has no key token"],
  [
    "a key of the prototype",
    (one: Room) => (one.book.add("${vault:secret/siem/splunk#constructor}", []), one.set("secret/siem/splunk", { token: "x" })),
    "has no key constructor",
  ],
  ["an empty value", (one: Room) => one.set("secret/siem/splunk", { token: "" }), "is empty or no text"],
  ["a deleted version", (one: Room) => one.set("secret/siem/splunk", {}, "deleted"), "has no value: its newest version is deleted"],
  ["a destroyed version", (one: Room) => one.set("secret/siem/splunk", {}, "destroyed"), "has no value: its newest version is destroyed"],
  [
    "a path that the policy forbids",
    (one: Room) => one.simulator.world.denied.add("secret/siem/splunk"),
    "may not be read: the policy needs the capability read on it (403)",
  ],
])("%s is a clear problem, and the others are read", async (_, spoil, message) => {
  const one = await room();
  spoil(one);
  const problems = await problemsOf(one);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain(message);
  expect(one.book.get(OTHER)).toBe("elastic-key");
});

test("a rotated value is there after the interval, without a restart", async () => {
  const one = await room();
  await one.vault.read();
  one.set("secret/siem/splunk", { token: "second" });
  one.wait(200_000);
  await one.vault.look();
  expect(one.book.get(KEY)).toBe("first");
  one.wait(100_001);
  await one.vault.look();
  expect(one.book.get(KEY)).toBe("second");
  expect(one.logged.join("\n")).toMatch(/secrets have changed/);
  expect(one.logged.join("\n")).not.toMatch(/second/);
});

test("a refused credential has all read at the next look, but not again and again", async () => {
  const one = await room();
  await one.vault.read();
  one.set("secret/siem/splunk", { token: "second" });
  one.wait(40_000);
  one.vault.refused();
  await one.vault.look();
  expect(one.book.get(KEY)).toBe("second");
  const asked = one.simulator.asked.length;
  for (let index = 0; index < 20; index++) {
    one.wait(1000);
    one.vault.refused();
    await one.vault.look();
  }
  expect(one.simulator.asked.length).toBe(asked);
  // Whoever rotated it was late: it is there before the probe, five minutes after the refusal.
  one.set("secret/siem/splunk", { token: "third" });
  for (let index = 0; index < 250; index++) {
    one.wait(1000);
    await one.vault.look();
  }
  expect(one.book.get(KEY)).toBe("third");
  expect((one.simulator.asked.length - asked) / 2).toBeLessThanOrEqual(6);
  // And then as usual.
  one.wait(120_000);
  await one.vault.look();
  const later = one.simulator.asked.length;
  one.wait(200_000);
  await one.vault.look();
  expect(one.simulator.asked.length).toBe(later);
});

test.each([
  ["sealed", { status: 503, body: '{"errors":["Vault is sealed"]}' }, /sealed or not ready \(503\)/],
  ["broken", { status: 500, body: "<html>echo hvs.given</html>" }, /Vault failed \(500\)/],
  ["cut off", { connection: "reset" as const }, /could not be reached \(ECONNRESET\)/],
])("a Vault that is %s costs nothing: the last value stays, health says so, and the waits are bounded", async (_, fault, message) => {
  const one = await room();
  await one.vault.read();
  one.wait(300_001);
  one.simulator.fault({ ...fault, times: 50 });
  const before = one.simulator.requests();
  for (let second = 0; second < 1800; second++) {
    await one.vault.look();
    one.wait(1000);
  }
  // 5, 10, 20 ... 160 seconds, then every five minutes; jitter makes it a quarter more at most.
  expect(one.simulator.requests() - before).toBeGreaterThanOrEqual(10);
  expect(one.simulator.requests() - before).toBeLessThanOrEqual(15);
  expect(one.book.get(KEY)).toBe("first");
  const { ok, message: said } = one.vault.health();
  expect([ok, said]).toEqual([false, expect.stringMatching(message)]);
  expect(said).toMatch(/the last good values are used since 2027-01-15T08:05:00/);
  expect(everythingIn(one.logged)).not.toMatch(/hvs\.given|elastic-key/);
  // It is told once, not each time.
  expect(one.logged.filter((line) => line.includes("could not be read anew"))).toHaveLength(1);
});

test("it heals by itself", async () => {
  const one = await room();
  await one.vault.read();
  one.wait(300_001);
  one.simulator.world.sealed = true;
  await one.vault.look();
  expect(one.vault.health().ok).toBe(false);
  one.simulator.world.sealed = false;
  one.set("secret/siem/splunk", { token: "second" });
  one.wait(5001);
  await one.vault.look();
  expect([one.vault.health().ok, one.book.get(KEY)]).toEqual([true, "second"]);
});

test("a secret that is deleted while we run keeps its last value, and is told", async () => {
  const one = await room();
  await one.vault.read();
  one.set("secret/siem/splunk", {}, "deleted");
  one.wait(300_001);
  await one.vault.look();
  expect(one.book.get(KEY)).toBe("first");
  expect(one.vault.health().message).toMatch(
    /^\$\{vault:secret\/siem\/splunk#token\} has no value: its newest version is deleted; the last/,
  );
});

test("AppRole: the token is renewed at half of its life, and another one is made when it has ended", async () => {
  const approle = { roleId: "r", secretId: "s", ttl: 600 };
  const one = await room({ tokens: new Map(), approle }, { type: "approle", mount: "approle", roleId: "r", secretId: testSecret("s") });
  const logins = (): number => one.simulator.asked.filter((path) => path.endsWith("/login")).length;
  const renewals = (): number => one.simulator.asked.filter((path) => path.endsWith("/renew-self")).length;
  await one.vault.read();
  one.wait(300_001);
  await one.vault.look();
  expect([logins(), renewals()]).toEqual([1, 1]);
  // We slept: the token has ended.
  one.wait(10_000_000);
  await one.vault.look();
  expect([logins(), renewals(), one.vault.health().ok]).toEqual([2, 1, true]);
  // Revoked at Vault: refused once, then made anew.
  one.simulator.world.tokens.clear();
  one.wait(300_001);
  await one.vault.look();
  expect([logins(), one.vault.health().ok]).toEqual([3, true]);
});

test("a token whose life is short is renewed before the interval is over", async () => {
  const tokens = new Map([[TOKEN, { end: START + 60_000, ttl: 60, renewable: true }]]);
  const one = await room({ tokens });
  await one.vault.read();
  for (let minute = 0; minute < 20; minute++) {
    one.wait(30_001);
    await one.vault.look();
  }
  expect(one.vault.health().ok).toBe(true);
  expect(one.simulator.asked.filter((path) => path.endsWith("/renew-self")).length).toBeGreaterThan(15);
});

test("a given token is read anew when it is refused", async () => {
  let token = TOKEN;
  const one = await room({}, { type: "token", token: { reveal: () => token } });
  await one.vault.read();
  one.simulator.world.tokens.clear();
  one.simulator.world.tokens.set("hvs.next", { end: Infinity, ttl: 0, renewable: false });
  one.wait(300_001);
  await one.vault.look();
  expect(one.vault.health().message).toMatch(/Vault refuses the token \(403: permission denied\)/);
  token = "hvs.next";
  one.wait(5001);
  await one.vault.look();
  expect(one.vault.health().ok).toBe(true);
});

test("Kubernetes: the service account's token is read for each login", async () => {
  let jwt = "old";
  const kubernetes = { role: "custodes", jwt: "new", ttl: 60 };
  const one = await room(
    { tokens: new Map(), kubernetes },
    { type: "kubernetes", mount: "kubernetes", role: "custodes", jwt: { reveal: () => `${jwt}\n` } },
  );
  await expect(one.vault.read()).rejects.toMatchObject({
    code: "SECRET_MISSING",
    message: expect.stringContaining("the login at kubernetes (403") as string,
  });
  jwt = "new";
  expect(await one.vault.read()).toEqual([]);
});

test("a wrong AppRole and a wrong namespace are refused with words, and nothing is shown", async () => {
  const wrong: VaultAuth = { type: "approle", mount: "approle", roleId: "r", secretId: testSecret("canary-secret") };
  const one = await room({ tokens: new Map(), approle: { roleId: "r", secretId: "s", ttl: 60 } }, wrong);
  const error = await one.vault.read().catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ kind: "config", message: "Vault refuses the login at approle (400: invalid role or secret ID)" });
  expect(everythingIn(error)).not.toContain("canary-secret");
  const elsewhere = await room({ namespace: "team-a" }, undefined, "team-b");
  await expect(elsewhere.vault.read()).rejects.toMatchObject({ message: expect.stringContaining("403") as string });
  expect(await (await room({ namespace: "team-a" })).vault.read()).toEqual([]);
});

test.each(["${vault:secret/a}", "${vault:secret#k}", "${vault:secret/../sys#k}", "${vault:secret//a#k}", "${vault:/a#k}", "${env:X}"])(
  "%s is no reference into Vault",
  (text) => expect(vaultBook().add(text, [])).toBe(false),
);
