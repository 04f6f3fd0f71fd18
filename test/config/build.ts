/** Configurations as text, read with connectors that exist in tests only. */
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { parseConfig, type Loaded } from "../../src/config/load.ts";
import { secret } from "../../src/archetypes/settings.ts";
import type { Connector } from "../../src/ports/connector.ts";

const base: Connector = { id: "", title: "Test", config: z.strictObject({}), check: async () => [] };
const source = { normalize: () => () => [], source: () => ({ pull: () => Promise.reject(new Error("not here")) }) };
/** `log` is a source with an address and a token, `siem` a destination with both. */
export const connectors: readonly Connector[] = [
  {
    ...base,
    ...source,
    id: "log",
    lateness: 5000,
    config: z.strictObject({ url: z.url(), token: secret.optional(), tags: z.array(z.string()).optional() }),
  },
  { ...base, ...source, id: "plain", config: z.strictObject({ path: z.string().optional() }) },
  {
    ...base,
    id: "siem",
    config: z.strictObject({ url: z.url(), apiKey: secret }),
    destination: () => Promise.reject(new Error("not here")) as never,
  },
];

export const environment = { URL_OF_LOG: "https://log.example/x", TOKEN: "s3cr3t-value", AGENTS: "agents.yaml", LISTEN: "0.0.0.0:1" };

/** A directory with files in it. */
export function directoryOf(files: Readonly<Record<string, string>>): string {
  const path = mkdtempSync(join(tmpdir(), "custodes-config-"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  return path;
}

/** Reads a configuration; `files` lie beside it. The rules are the directory itself. */
export function load(text: string, files: Readonly<Record<string, string>> = {}): Loaded {
  const directory = directoryOf(files);
  return parseConfig(join(directory, "custodes.yaml"), text, { connectors, environment, builtinRules: directory });
}

/** Problems as `line key: message`. */
export function problems(text: string, files: Readonly<Record<string, string>> = {}): string[] {
  return load(text, files).problems.map((one) => `${one.line} ${one.key}: ${one.message}`);
}
