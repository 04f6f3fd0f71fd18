import type { Extra } from "./entries.ts";
import type { EpochMs } from "../event.ts";
import type { EngineStats } from "./types.ts";
import type { Correlator } from "./correlator.ts";
import type { Mark } from "./group.ts";
import type { Key, Keys } from "./keys.ts";
import { Several } from "../sigma/several.ts";
import { canonicalText, tupleText, usableNumber } from "./values.ts";

/** Reads one value of a source: an event, or the group of an inner alert. */
export type Read<S> = (source: S) => unknown;
/** What a kind of correlation needs of a source that matched a set of rules; undefined when it cannot be used. */
export type ReadExtra<S, X extends Extra> = (source: S, rules: number) => X | undefined;
/** Takes a source that matched a set of rules, as bits in the order of the correlation's rules. */
export type Take<S> = (source: S, time: EpochMs, mark: Mark, rules: number) => void;
/** Counters that a correlation adds to. */
export type Counters = { -readonly [K in keyof EngineStats]: EngineStats[K] };

/** Any usable source; nothing is kept of it. */
export function nothing<S>(): ReadExtra<S, 0> {
  return () => 0;
}

/** The set of rules itself. */
export function ruleSet<S>(): ReadExtra<S, number> {
  return (_, rules) => rules;
}

/** Canonical text of the counted value, or of several; all must be there. */
export function countedText<S>(fields: readonly Read<S>[]): ReadExtra<S, string> {
  const [only] = fields;
  if (fields.length === 1 && only !== undefined) return (source) => canonicalText(only(source));
  return (source) => {
    const texts: string[] = [];
    for (const read of fields) {
      const text = canonicalText(read(source));
      if (text === undefined) return undefined;
      texts.push(text);
    }
    return tupleText(texts);
  };
}

/** The number in a field, at least `least`. */
export function measuredNumber<S>(fields: readonly Read<S>[], least: number): ReadExtra<S, number> {
  const [read] = fields;
  if (read === undefined) return () => undefined;
  return (source) => {
    const number = usableNumber(read(source));
    return number !== undefined && number >= least ? number : undefined;
  };
}

/** Takes sources whose group fields have the same place for every rule. */
export function takeUniform<S, X extends Extra>(
  correlator: Correlator<X>,
  keys: Keys<S>,
  extraOf: ReadExtra<S, X>,
  counters: Counters,
): Take<S> {
  return (source, time, mark, rules) => {
    const extra = extraOf(source, rules);
    if (extra === undefined) return;
    const key = keys.of(source);
    if (key === undefined) counters.ungrouped++;
    else correlator.add(key, time, mark, extra);
  };
}

/**
 * Reads the group for each rule by itself, and each of several values of a field; a source belongs to all these groups.
 * `fields`: per rule.
 */
export function takePerRule<S, X extends Extra>(
  correlator: Correlator<X>,
  keys: Keys<S>,
  fields: readonly (readonly Read<S>[])[],
  extraOf: ReadExtra<S, X>,
  counters: Counters,
): Take<S> {
  return (source, time, mark, rules) => {
    const sets = new Map<Key, number>();
    let ungrouped = false;
    for (let bits = rules; bits !== 0; bits &= bits - 1) {
      const tuples = groupTuples(fields[31 - Math.clz32(bits & -bits)]!, source);
      if (tuples.length === 0) ungrouped = true;
      for (const values of tuples) {
        const key = keys.ofValues(values);
        sets.set(key, (sets.get(key) ?? 0) | (bits & -bits));
      }
    }
    if (ungrouped) counters.ungrouped++;
    for (const [key, set] of sets) {
      const extra = extraOf(source, set);
      if (extra !== undefined) correlator.add(key, time, mark, extra);
    }
  };
}

/** The groups that a source belongs to: one, or one for each value of a field that gives several; none when one is missing. */
export function groupTuples<S>(fields: readonly Read<S>[], source: S): readonly (readonly string[])[] {
  let tuples: readonly (readonly string[])[] = [[]];
  for (const read of fields) {
    const value = read(source);
    const texts = (value instanceof Several ? value.values : [value]).map(canonicalText).filter((text) => text !== undefined);
    tuples = tuples.flatMap((tuple) => texts.map((text) => [...tuple, text]));
  }
  return tuples;
}

/** The texts of group fields; undefined when one is missing. */
export function groupValues<S>(fields: readonly Read<S>[], source: S): readonly string[] | undefined {
  const values: string[] = [];
  for (const read of fields) {
    const text = canonicalText(read(source));
    if (text === undefined) return undefined;
    values.push(text);
  }
  return values;
}
