import { readFileSync } from "node:fs";
import type { z } from "zod";
import { schemaProblems } from "./issues.ts";
import { placeholdersSchema } from "./schema.ts";
import { parseYamlFile, type Problem } from "./yaml.ts";

/** Placeholders of rules: a value is a list of one. */
export function placeholderMap(given: z.output<typeof placeholdersSchema>): ReadonlyMap<string, readonly string[]> {
  return new Map(Object.entries(given).map(([name, values]) => [name, (Array.isArray(values) ? values : [values]).map(String)]));
}

/** Reads a YAML file of placeholders, as they stand under `placeholders` in a configuration. */
export function readPlaceholders(file: string): {
  readonly placeholders: ReadonlyMap<string, readonly string[]>;
  readonly problems: readonly Problem[];
} {
  const none = new Map<string, readonly string[]>();
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unknown error";
    return { placeholders: none, problems: [{ file, line: 0, key: "", message: `cannot be read (${code})` }] };
  }
  const yaml = parseYamlFile(file, text);
  if (yaml.problems.length > 0) return { placeholders: none, problems: yaml.problems };
  const parsed = placeholdersSchema.safeParse(yaml.value ?? {});
  if (!parsed.success) return { placeholders: none, problems: schemaProblems(file, yaml, parsed.error.issues) };
  return { placeholders: placeholderMap(parsed.data), problems: [] };
}
