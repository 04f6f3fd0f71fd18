import type { Read } from "./intake.ts";
import { canonicalText, tupleOf, tupleText } from "./values.ts";

/** One combination of group values, with what each correlation that groups by them keeps for it. */
export interface Key {
  /** The same for equal combinations only; holds the values. */
  readonly text: string;
  /** How many values. */
  readonly width: number;
  /** What the first slot holds, and what the others hold. */
  first: object | undefined;
  rest: (object | undefined)[] | undefined;
  /** How many of the slots are taken. */
  used: number;
}

/** The values of a key, in the order of the group-by. */
export function valuesOf({ text, width }: Key): readonly string[] {
  return width === 1 ? [text] : tupleOf(text);
}

/** The text of the key that has these values. */
export function textOf(values: readonly string[]): string {
  return values.length === 1 ? values[0]! : tupleText(values);
}

/** What a correlation keeps for a key. A slot holds only what its correlation has put there. */
export function keptFor(key: Key, slot: number): object | undefined {
  return slot === 0 ? key.first : key.rest?.[slot - 1];
}

/**
 * The combinations of group values that correlations with one group-by have groups for: an event is looked up once,
 * however many they are.
 */
export interface Keys<S> {
  /** A slot for a correlation. All are taken before the first key is made. */
  slot(): number;
  /** The key of an event; undefined when a group field is missing. */
  of(source: S): Key | undefined;
  /** The key of values that were read already. */
  ofValues(values: readonly string[]): Key;
  /** A correlation keeps something for a key. */
  hold(key: Key, slot: number, value: object): void;
  /** It no longer does. */
  release(key: Key, slot: number): void;
}

/** Nothing known. `fields`: readers of the group-by. */
export function keysOf<S>(fields: readonly Read<S>[]): Keys<S> {
  const known = new Map<string, Key>();
  const textIn = groupText(fields);
  let slots = 0;
  let lastSource: S | undefined;
  let lastKey: Key | undefined;

  function make(text: string): Key {
    const key: Key = { text, width: fields.length, first: undefined, rest: undefined, used: 0 };
    known.set(text, key);
    return key;
  }

  return {
    slot: () => slots++,
    of(source) {
      if (source === lastSource) return lastKey;
      const text = textIn(source);
      lastSource = source;
      lastKey = undefined;
      if (text === undefined) return undefined;
      lastKey = known.get(text) ?? make(text);
      return lastKey;
    },
    ofValues(values) {
      const text = textOf(values);
      return known.get(text) ?? make(text);
    },
    hold(key, slot, value) {
      if (slot === 0) key.first = value;
      else (key.rest ??= Array.from({ length: slots - 1 }, () => undefined))[slot - 1] = value;
      // A key that nobody used may have been forgotten, and made anew, since it was looked up.
      if (key.used++ === 0) known.set(key.text, key);
    },
    release(key, slot) {
      if (slot === 0) key.first = undefined;
      else key.rest![slot - 1] = undefined;
      if (--key.used > 0) return;
      known.delete(key.text);
      lastSource = lastKey = undefined;
    },
  };
}

/** A text that is the same for equal groups only; undefined when a group field is missing. */
function groupText<S>(fields: readonly Read<S>[]): (source: S) => string | undefined {
  const [first] = fields;
  if (first === undefined) return () => "";
  if (fields.length === 1) return (source) => canonicalText(first(source));
  return (source) => {
    let text = "";
    for (const read of fields) {
      const value = canonicalText(read(source));
      if (value === undefined) return undefined;
      text += `${value.length}:${value}`;
    }
    return text;
  };
}

/** As `keysOf`; correlations that group by the same paths share what it makes. */
export function sharedKeys<S>(): (paths: readonly string[], fields: readonly Read<S>[]) => Keys<S> {
  const made = new Map<string, Keys<S>>();
  return (paths, fields) => {
    const name = tupleText(paths);
    let keys = made.get(name);
    if (keys === undefined) made.set(name, (keys = keysOf(fields)));
    return keys;
  };
}
