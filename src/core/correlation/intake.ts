import type { EpochMs } from "../event.ts";
import type { EngineStats } from "./types.ts";
import type { Correlator } from "./correlator.ts";
import type { Mark } from "./group.ts";
import { canonicalText, tupleText, usableNumber } from "./values.ts";

/** Reads one value of a source: an event, or the group of an inner alert. */
export type Read<S> = (source: S) => unknown;
/** What a kind of correlation needs of a source that matched a set of rules; undefined when it cannot be used. */
export type ReadExtra<S, X> = (source: S, rules: number) => X | undefined;
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

/** Reads the group of sources whose group fields have the same place for every rule; `keyOf` goes with `fields`. */
export function takeUniform<S, X>(
  correlator: Correlator<X>,
  fields: readonly Read<S>[],
  keyOf: (source: S) => string | undefined,
  extraOf: ReadExtra<S, X>,
  counters: Counters,
): Take<S> {
  return (source, time, mark, rules) => {
    const extra = extraOf(source, rules);
    if (extra === undefined) return;
    const key = keyOf(source);
    if (key === undefined) {
      counters.ungrouped++;
      return;
    }
    correlator.add(correlator.group(key) ?? correlator.open(key, groupValues(fields, source)), time, mark, extra);
  };
}

/** Reads the group for each rule by itself; a source belongs to the groups of all its rules. `fields`: per rule. */
export function takePerRule<S, X>(
  correlator: Correlator<X>,
  fields: readonly (readonly Read<S>[])[],
  extraOf: ReadExtra<S, X>,
  counters: Counters,
): Take<S> {
  const keys = fields.map(groupKey);
  return (source, time, mark, rules) => {
    const sets = new Map<string, number>();
    let ungrouped = false;
    for (let bits = rules; bits !== 0; bits &= bits - 1) {
      const key = keys[31 - Math.clz32(bits & -bits)]!(source);
      if (key === undefined) ungrouped = true;
      else sets.set(key, (sets.get(key) ?? 0) | (bits & -bits));
    }
    if (ungrouped) counters.ungrouped++;
    for (const [key, set] of sets) {
      const extra = extraOf(source, set);
      if (extra === undefined) continue;
      const first = fields[31 - Math.clz32(set & -set)]!;
      correlator.add(correlator.group(key) ?? correlator.open(key, groupValues(first, source)), time, mark, extra);
    }
  };
}

/** A text that is the same for equal groups only; undefined when a group field is missing. */
export function groupKey<S>(fields: readonly Read<S>[]): (source: S) => string | undefined {
  const [first] = fields;
  if (first === undefined) return () => "";
  if (fields.length === 1) return (source) => canonicalText(first(source));
  return (source) => {
    let key = "";
    for (const read of fields) {
      const text = canonicalText(read(source));
      if (text === undefined) return undefined;
      key += `${text.length}:${text}`;
    }
    return key;
  };
}

/** The same text as `groupKey`, from the values of a group. */
export function groupText(values: readonly string[]): string {
  return values.length === 1 ? values[0]! : tupleText(values);
}

function groupValues<S>(fields: readonly Read<S>[], source: S): readonly string[] {
  return fields.map((read) => canonicalText(read(source))!);
}

/** As `groupKey`; correlations that group by the same paths share the text of an event. */
export function sharedKeys<S>(): (paths: readonly string[], fields: readonly Read<S>[]) => (source: S) => string | undefined {
  const known = new Map<string, (source: S) => string | undefined>();
  return (paths, fields) => {
    const name = tupleText(paths);
    const found = known.get(name);
    if (found !== undefined) return found;
    const keyOf = groupKey(fields);
    let last: S | undefined;
    let text: string | undefined;
    const remembering = (source: S): string | undefined => {
      if (source !== last) {
        last = source;
        text = keyOf(source);
      }
      return text;
    };
    // A text that is a field of the event is quicker read than compared.
    const made = fields.length > 1 ? remembering : keyOf;
    known.set(name, made);
    return made;
  };
}
