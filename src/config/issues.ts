import type { z } from "zod";
import { nearest } from "../core/nearest.ts";
import type { Problem, YamlFile } from "./yaml.ts";

/** A schema's complaints as problems with lines. `prefix` is where the checked value stands in the file. */
export function schemaProblems(
  file: string,
  yaml: YamlFile,
  issues: readonly z.core.$ZodIssue[],
  prefix: readonly PropertyKey[] = [],
  known: readonly string[] = [],
): Problem[] {
  const problems: Problem[] = [];
  for (const issue of issues) {
    const path = [...prefix, ...issue.path];
    if (issue.code === "unrecognized_keys") {
      for (const key of issue.keys) {
        const close = nearest(key, known);
        const hint = close === undefined ? "" : `; did you mean "${close}"?`;
        problems.push({
          file,
          line: yaml.lineOf([...path, key]),
          key: [...path, key].map(String).join("."),
          message: `unknown key${hint}`,
        });
      }
      continue;
    }
    const said = issue.code === "invalid_key" ? (issue.issues[0]?.message ?? issue.message) : issue.message;
    problems.push({ file, line: yaml.lineOf(path), key: path.map(String).join("."), message: inWords(said) });
  }
  return problems;
}

/** The schema library's words for a missing key speak of its inner workings. */
function inWords(message: string): string {
  const missing = /^Invalid input: expected (\w+), received undefined$/.exec(message);
  return missing === null ? message : `is required and missing (${missing[1]})`;
}
