import { didYouMean } from "./did-you-mean.ts";
import { reject, show, type KeyPath } from "./rejection.ts";

/**
 * One value expands to at most this many: the product of a few lists, not of lists that were mistaken
 * for names.
 */
const EXPANSIONS_MAX = 10_000;

/**
 * The value with every `%name%` replaced by each of its configured values; those are read with their wildcards.
 * `\%` is a plain percent sign, and so is one without a partner.
 * @throws {Rejection} for a placeholder that is not configured
 */
export function expandPlaceholders(value: string, placeholders: ReadonlyMap<string, readonly string[]>, keys: KeyPath): readonly string[] {
  let results: readonly string[] = [""];
  for (const part of partsOf(value)) {
    if (part.name === undefined) {
      results = results.map((head) => head + part.text);
      continue;
    }
    const values = placeholders.get(part.name);
    if (values === undefined)
      reject(keys, `the placeholder ${show(part.name)} is not configured${didYouMean(part.name, placeholders.keys())}`);
    if (values.length === 0) reject(keys, `the placeholder ${show(part.name)} has no values`);
    if (results.length * values.length > EXPANSIONS_MAX) reject(keys, `placeholders expand to more than ${EXPANSIONS_MAX} values`);
    results = results.flatMap((head) => values.map((text) => head + text));
  }
  return results;
}

interface Part {
  readonly text: string;
  readonly name: string | undefined;
}

function partsOf(value: string): readonly Part[] {
  const parts: Part[] = [];
  let text = "";
  for (let index = 0; index < value.length; index++) {
    const character = value[index]!;
    const next = value[index + 1];
    if (character === "\\" && next !== undefined) {
      text += next === "%" ? "%" : character + next;
      index++;
    } else if (character === "%") {
      const end = value.indexOf("%", index + 1);
      if (end <= index + 1) {
        text += character;
        continue;
      }
      parts.push({ text, name: undefined }, { text: "", name: value.slice(index + 1, end) });
      text = "";
      index = end;
    } else text += character;
  }
  return [...parts, { text, name: undefined }];
}
