import { expect, test } from "vitest";
import { load, problems } from "./build.ts";

const siem = (keys: string): string => `destinations:\n  siem/a:\n    url: https://siem.corp:8088/x\n    apiKey: "\${env:TOKEN}"\n${keys}`;

test("TLS, proxy and addresses are read, with paths relative to the file", () => {
  const { config, problems: found } = load(
    siem(`    tls: { ca: ca.pem, cert: me.pem, key: "\${env:TOKEN}", serverName: siem }
    proxy: { url: "http://proxy.corp:3128", username: me, password: "\${env:TOKEN}" }
    network: { allowPrivate: [10.0.0.0/8, "fd12::/16"] }
sources:
  log/b: { url: "https://log.corp", proxy: "http://proxy.corp:3128", tls: { ca: ca.pem } }
`),
    { "ca.pem": "x", "me.pem": "x" },
  );
  expect(found).toEqual([]);
  const { tls, proxy, allowPrivate, hosts } = config!.destinations[0]!.network;
  expect([tls?.ca, tls?.cert]).toEqual([expect.stringMatching(/^\/.*\/ca\.pem$/), expect.stringMatching(/^\/.*\/me\.pem$/)]);
  expect([JSON.stringify(tls?.key), tls?.serverName, proxy?.url, JSON.stringify(proxy?.password)]).toEqual([
    '"[secret]"',
    "siem",
    "http://proxy.corp:3128",
    '"[secret]"',
  ]);
  expect(allowPrivate).toEqual(["10.0.0.0/8", "fd12::/16"]);
  expect([...hosts()]).toEqual(["siem.corp", "proxy.corp"]);
  expect([...config!.sources[0]!.network.hosts()]).toEqual(["log.corp", "proxy.corp"]);
  // The connector's own settings know nothing of it.
  expect(config!.destinations[0]!.options).not.toHaveProperty("tls");
});

test("a proxy may be a reference that holds its credential", () => {
  const { config } = load(siem('    proxy: "${env:URL_OF_LOG}"\n'));
  expect(JSON.stringify(config!.destinations[0]!.network.proxy?.url)).toBe('"[secret]"');
  expect([...config!.destinations[0]!.network.hosts()]).toEqual(["siem.corp", "log.example"]);
});

test.each([
  ["    tls: { ca: none.pem }\n", /^5 destinations\.siem\/a\.tls\.ca: the file \/.*none\.pem does not exist$/],
  ["    tls: { cert: a.pem }\n", /^5 destinations\.siem\/a\.tls: cert and key belong together/],
  ["    tls: { key: plain, cert: a.pem }\n", /^5 destinations\.siem\/a\.tls\.key: must be a reference/],
  ["    tls: { rejectUnauthorized: false }\n", /^5 destinations\.siem\/a\.tls\.rejectUnauthorized: unknown key/],
  ["    proxy: http://me:pw@proxy.corp:3128\n", /^5 destinations\.siem\/a\.proxy: /],
  ["    network: { allowPrivate: [10.0.0.0] }\n", /^5 destinations\.siem\/a\.network\.allowPrivate/],
  ["    network: { allowMetadata: true }\n", /^5 destinations\.siem\/a\.network\.allowMetadata: unknown key/],
])("%s is a problem with its line", (keys, problem) => {
  const found = problems(siem(keys), { "a.pem": "x" });
  expect(found).toHaveLength(1);
  expect(found[0]).toMatch(problem);
  expect(found[0]).not.toMatch(/pw@|plain/);
});

const VAULT = `vault: { address: "https://vault.corp:8200", auth: { type: approle, roleId: r, secretId: "\${env:TOKEN}" } }\n`;

test("a reference into Vault is a secret with a place, and is read by nobody yet", () => {
  const { config, problems: found } = load(`${VAULT}${siem("").replace("${env:TOKEN}", "${vault:team%2Fkv/siem/a#key}")}`);
  expect(found).toEqual([]);
  const { book, settings } = config!.vault!;
  const [reference] = book.references;
  expect(reference).toMatchObject({ mount: "team/kv", path: "siem/a", key: "key" });
  expect(config!.lineOf(reference!.at)).toBe(5);
  expect(settings).toMatchObject({ refresh: 300_000, auth: { type: "approle", mount: "approle" } });
  const { apiKey } = config!.destinations[0]!.options as { apiKey: { reveal(): string } };
  expect(() => apiKey.reveal()).toThrow(/has not been read from Vault/);
  book.set("${vault:team%2Fkv/siem/a#key}", "first");
  expect(apiKey.reveal()).toBe("first");
  book.set("${vault:team%2Fkv/siem/a#key}", "second");
  expect([apiKey.reveal(), JSON.stringify(apiKey)]).toEqual(["second", '"[secret]"']);
});

test("what is wrong with references into Vault is said where they stand", () => {
  const fromVault = siem("").replace("${env:TOKEN}", "${vault:secret/a#key}");
  expect(problems(fromVault)).toEqual([
    "4 destinations.siem/a.apiKey: is a reference into Vault, but there is no section vault; add it with address and auth",
  ]);
  expect(problems(siem("").replace("${env:TOKEN}", "${vault:secret/a}"))[0]).toMatch(/^4 .*apiKey: must be a reference/);
  const itself = VAULT.replace("${env:TOKEN}", "${vault:secret/a#key}");
  expect(problems(itself)[0]).toMatch(/^1 vault\.auth\.secretId: must be a reference/);
  expect(problems(VAULT.replace("https://vault.corp", "http://vault.corp"))[0]).toMatch(/^1 vault\.address: must be https/);
  expect(problems(`${VAULT}data: "\${vault:secret/a#dir}"\n`)[0]).toMatch(
    /^2 data: .*has not been read from Vault; where no secret is expected/,
  );
});

test("every secret that is missing is told but those of Vault, which is asked at start", () => {
  const text = `${VAULT}${siem("").replace("${env:TOKEN}", "${vault:secret/a#key}")}  siem/b: { url: "https://b", apiKey: "\${vault:secret/a#key}" }\n`;
  expect(load(text).config).toBeDefined();
});
