import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix, relative, resolve } from "node:path";
import { expect, test } from "vitest";
import { connectors } from "../connectors/index.ts";
import { CODES } from "../src/core/errors.ts";
import type { Event } from "../src/core/event.ts";
import { FIELD_PATHS } from "../src/core/fields.ts";
import { newEvent } from "../src/core/new-event.ts";

const ROOT = resolve(import.meta.dirname, "..");
/** Lines of one file, as the linter has it. */
const LINES_MAX = 300;
/** A scan that finds fewer files than this has looked in the wrong place. */
const FILES_MIN = 150;

interface Layer {
  /** Start of the paths that belong to it; the longest one that fits decides. */
  readonly path: string;
  /** Starts of the paths that it may import, beside `own`; `*` is anything. */
  readonly paths: readonly string[];
  /** Packages by name; `node:` is any of Node's own modules. */
  readonly packages: readonly string[];
  /** Packages of which only types may be imported. */
  readonly types?: readonly string[];
  /** Importing is limited to the folder right below `path` that the file lies in. */
  readonly folders?: boolean;
}

const ANYTHING = { paths: ["*"], packages: ["*"] } as const;
const LAYERS: readonly Layer[] = [
  { path: "src/core/", paths: ["src/core/"], packages: [] },
  { path: "src/ports/", paths: ["src/core/", "src/ports/"], packages: [], types: ["axios", "zod"] },
  { path: "src/archetypes/", paths: ["src/core/", "src/ports/", "src/archetypes/"], packages: ["zod"], types: ["axios"] },
  { path: "src/pipeline/", paths: ["src/core/", "src/ports/", "src/pipeline/"], packages: [] },
  { path: "src/adapters/", paths: ["src/core/", "src/ports/"], packages: ["*"], folders: true },
  {
    path: "src/config/",
    paths: ["src/core/", "src/ports/", "src/archetypes/", "src/config/"],
    packages: ["zod", "yaml", "node-cron", "node:"],
  },
  { path: "src/simulators/", paths: ["src/core/", "src/simulators/"], packages: ["node:"] },
  { path: "connectors/", paths: ["src/core/", "src/ports/", "src/archetypes/"], packages: ["zod"], folders: true },
  // The wiring: it knows everything, and nothing above imports it.
  { path: "connectors/index.ts", ...ANYTHING },
  ...[
    "app",
    "cli",
    "incident-routes",
    "index",
    "info-routes",
    "judges",
    "judges",
    "live-registry",
    "live-rules",
    "package",
    "routes",
    "running",
    "rules",
    "secrets",
    "destination-state",
    "source-state",
    "state",
  ].map((name): Layer => ({
    path: `src/${name}.ts`,
    ...ANYTHING,
  })),
  ...["backtest", "cli", "demo"].map((name): Layer => ({ path: `src/${name}/`, ...ANYTHING })),
];

/** What one file may import beside its layer, with the reason. */
const EXCEPTIONS: Readonly<Record<string, { readonly imports: string | readonly string[]; readonly why: string }>> = {
  "connectors/elastic/client.ts": {
    imports: "@elastic/elasticsearch",
    why: "the vendor's client knows the API's versions; it is given the context's HTTP client as its transport",
  },
  "connectors/sentinel/credential.ts": {
    imports: "@azure/identity",
    why: "the vendor's library knows every way to prove an identity; it is given the context's HTTP client as its transport",
  },
  "connectors/opensearch/chain.ts": { imports: "@aws-sdk/credential-providers", why: "AWS's chain of credentials" },
  "connectors/opensearch/sigv4.ts": { imports: "@smithy/signature-v4", why: "AWS's own signing of requests; no I/O" },
  "connectors/kafka/client.ts": {
    imports: "@platformatic/kafka",
    why: "Kafka's protocol over sockets of its own: brokers name further brokers, which no connection of the context could follow",
  },
  "connectors/s3/sign.ts": {
    imports: ["@aws-crypto/sha256-js", "@aws-sdk/credential-providers", "@smithy/signature-v4"],
    why: "AWS's signatures, computed without I/O, and its chain of credentials; requests go through the context's HTTP client",
  },
  "connectors/otlp/protobuf.ts": { imports: "protobufjs", why: "OTLP's default encoding; a codec without I/O" },
};

interface Import {
  readonly file: string;
  readonly target: string;
  readonly typeOnly: boolean;
}

const files = [...sourceFiles("src"), ...sourceFiles("connectors")];
const texts = new Map(files.map((file) => [file, readFileSync(resolve(ROOT, file), "utf8")]));
const imports = files.flatMap((file) => importsOf(file, texts.get(file) ?? ""));

test("the scan finds the code and its imports", () => {
  expect(files.length).toBeGreaterThan(FILES_MIN);
  expect(imports.length).toBeGreaterThan(FILES_MIN * 2);
  for (const layer of LAYERS.slice(0, 8)) expect(files.some((file) => file.startsWith(layer.path))).toBe(true);
});

test("the scan sees every way to import", () => {
  const text = [
    'import a from "./a.ts";',
    'import type { B } from "b";',
    'import {\n  c,\n} from "../c.ts";',
    'export { d } from "./d.ts";',
    'import "e";',
    'const f = await import("node:f");',
    'export type * from "g";',
    'type H = import("h").H;',
    'const i = require("i");',
  ].join("\n");
  expect(importsOf("src/x/y.ts", text).map((one) => `${one.target}${one.typeOnly ? " (type)" : ""}`)).toEqual([
    "src/x/a.ts",
    "b (type)",
    "src/c.ts",
    "src/x/d.ts",
    "e",
    "node:f",
    "g (type)",
    "h",
    "i",
  ]);
});

test("every file lies in a layer and imports only what its layer may", () => {
  const wrong = [
    ...files.filter((file) => layerOf(file) === undefined).map((file) => `${file} lies in no layer`),
    ...imports.filter((one) => !allowed(one)).map((one) => `${one.file} must not import ${one.target}`),
  ];
  expect(wrong).toEqual([]);
});

test("every exception to the import table is needed", () => {
  for (const [file, { imports: target }] of Object.entries(EXCEPTIONS)) {
    if (!existsSync(resolve(ROOT, file))) continue;
    for (const name of [target].flat()) expect(imports.some((one) => one.file === file && packageOf(one.target) === name)).toBe(true);
  }
});

test("a connector takes neither Node's modules nor the process from anywhere", () => {
  const ambient = /\b(?:process\.env|fetch\(|setTimeout\(|setInterval\(|Date\.now\(|Math\.random\()/;
  const guilty = files
    .filter((file) => /^(?:connectors|src\/core|src\/pipeline|src\/archetypes)\//.test(file))
    .filter((file) => ambient.test(texts.get(file) ?? ""));
  expect(guilty).toEqual([]);
});

test(`no file is longer than ${LINES_MAX} lines`, () => {
  const long = [...texts].map(([file, text]) => [file, text.split("\n").length - 1] as const).filter(([, lines]) => lines > LINES_MAX);
  expect(long).toEqual([]);
});

test("every connector's folder has a README and samples, and is listed in the index", () => {
  const folders = readdirSync(resolve(ROOT, "connectors"), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name);
  expect(folders.length).toBeGreaterThan(5);
  const missing: string[] = [];
  for (const folder of folders) {
    for (const need of ["README.md", "samples", `${folder}.ts`])
      if (!existsSync(resolve(ROOT, "connectors", folder, need))) missing.push(`connectors/${folder}/${need}`);
    if (!connectors.some((one) => one.id === folder)) missing.push(`${folder} in connectors/index.ts`);
  }
  expect(missing).toEqual([]);
  expect(connectors.map((one) => one.id)).toEqual([...folders].sort());
});

test("every failure code is used, and no other code is", () => {
  const prefixes = new Set(Object.keys(CODES).map((code) => code.slice(0, code.indexOf("_"))));
  const pattern = new RegExp(`["'\`](?:${[...prefixes].join("|")})_[A-Z_]+\\b`, "g");
  const used = new Set<string>();
  for (const [file, text] of texts) {
    if (file === "src/core/errors.ts") continue;
    for (const [found] of text.matchAll(pattern)) used.add(found.slice(1));
  }
  expect(Object.keys(CODES).filter((code) => !used.has(code))).toEqual([]);
  expect([...used].filter((code) => !(code in CODES))).toEqual([]);
});

test("every path of a rule leads to a field that every event has", () => {
  const keys = new Set(Object.keys(newEvent("u", 1, "agent_api", 6003, 1)));
  expect(Object.entries(FIELD_PATHS).filter(([, field]) => !keys.has(field))).toEqual([]);
});

/** Fields that no rule can name, with the reason. */
const UNREACHABLE: Partial<Record<keyof Event, string>> = {
  category: "rules choose it by their logsource",
  links: "facts for the identity graph, written for it alone",
};

test("every field of an event can be named by a rule, or there is a reason", () => {
  const reached = new Set<string>(Object.values(FIELD_PATHS));
  const keys = Object.keys(newEvent("u", 1, "agent_api", 6003, 1));
  expect(keys.filter((key) => !reached.has(key) && !(key in UNREACHABLE))).toEqual([]);
  expect(Object.keys(UNREACHABLE).filter((key) => reached.has(key))).toEqual([]);
});

function sourceFiles(folder: string): string[] {
  return readdirSync(resolve(ROOT, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)).replaceAll("\\", "/"))
    .sort();
}

function importsOf(file: string, text: string): Import[] {
  const pattern =
    /^\s*(?:import|export)\s+(type\b)?[^"';]*?\bfrom\s+["']([^"']+)["']|^\s*import\s+["']([^"']+)["']|\b(?:import|require)\(\s*["']([^"']+)["']/gm;
  return [...text.matchAll(pattern)].map(([, type, from, bare, dynamic]) => {
    const target = from ?? bare ?? dynamic ?? "";
    const path = target.startsWith(".") ? posix.normalize(posix.join(dirname(file), target)) : target;
    return { file, target: path, typeOnly: type !== undefined };
  });
}

function layerOf(file: string): Layer | undefined {
  return LAYERS.filter((layer) => file.startsWith(layer.path)).sort((a, b) => b.path.length - a.path.length)[0];
}

function allowed({ file, target, typeOnly }: Import): boolean {
  const layer = layerOf(file);
  if (layer === undefined) return true;
  if ([EXCEPTIONS[file]?.imports ?? []].flat().includes(packageOf(target))) return true;
  if (!/^(?:src|connectors)\//.test(target)) {
    const name = packageOf(target);
    return ["*", name].some((one) => layer.packages.includes(one)) || (typeOnly && layer.types?.includes(name) === true);
  }
  if (layer.paths.includes("*") || layer.paths.some((path) => target.startsWith(path))) return true;
  const own = file.slice(0, file.indexOf("/", layer.path.length) + 1);
  return layer.folders === true && target.startsWith(own);
}

function packageOf(target: string): string {
  if (target.startsWith("node:")) return "node:";
  return target.split("/", target.startsWith("@") ? 2 : 1).join("/");
}
