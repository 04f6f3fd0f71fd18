/**
 * Which fields that rules read has a source never supplied? A rule cannot fire on what nobody says, and silence must
 * not look like safety: it is a coverage gap, and the operator is told.
 */
import { CATEGORIES, type Category, type Event } from "../core/event.ts";
import { FIELD_PATHS } from "../core/fields.ts";
import type { Predicate } from "../core/sigma/predicate.ts";
import type { RuleSet } from "../core/sigma/rules.ts";

/** Fields that rules read, per category, by the name that rules use. */
export type FieldsRead = ReadonlyMap<Category, ReadonlyMap<keyof Event, string>>;

/** A field that no event of a source had. */
export interface FieldGap {
  readonly category: Category;
  readonly field: string;
  /** Events of the category that the source gave since the field is watched. */
  readonly events: number;
}

/** Watches what sources supply, since the service started or, for a field that a changed rule reads, since it does. */
export interface FieldWatch {
  /** Other rules: what they read and the rules before did not is watched from now on. */
  expect(read: FieldsRead): void;
  note(source: string, events: readonly Event[]): void;
  gaps(source: string): readonly FieldGap[];
}

/** Set by attribution and policy, from the registry and not from the source. */
const DERIVED = /^(agent[A-Z]|agents$|attribution|srcRegistered|dstAllowed|regionDeclared|actionDeclared|dataClassAllowed)/;
/** The one key of that shape that records carry. */
const NATIVE: ReadonlySet<keyof Event> = new Set<keyof Event>(["agentNative"]);

/** Collects what the rules of a pack read. */
export function fieldsRead(rules: RuleSet<Event>): FieldsRead {
  const read = new Map<Category, Map<keyof Event, string>>(CATEGORIES.map((category) => [category, new Map()]));
  for (const { predicate, categories } of rules.detections) {
    if (predicate === undefined) continue;
    for (const path of pathsOf(predicate)) {
      const field = Object.hasOwn(FIELD_PATHS, path) ? FIELD_PATHS[path] : undefined;
      if (field === undefined || (DERIVED.test(field) && !NATIVE.has(field))) continue;
      for (const category of categories ?? CATEGORIES) read.get(category)?.set(field, path);
    }
  }
  return read;
}

function pathsOf(predicate: Predicate<Event>): string[] {
  const own = predicate.path === undefined ? [] : [predicate.path];
  return [...own, ...predicate.parts.flatMap(pathsOf)];
}

/** A category of a source: its events so far, and the fields that none of them had, with the events before they were watched. */
interface Supplied {
  events: number;
  readonly missing: Map<keyof Event, { readonly path: string; readonly before: number }>;
}

/** Nothing supplied yet by anybody. */
export function fieldWatch(initial: FieldsRead): FieldWatch {
  let read = initial;
  const sources = new Map<string, Map<Category, Supplied>>();
  const add = (to: Supplied, category: Category, known: FieldsRead | undefined): void => {
    for (const [field, path] of read.get(category) ?? [])
      if (known?.get(category)?.has(field) !== true) to.missing.set(field, { path, before: to.events });
  };
  return {
    expect(next) {
      const known = read;
      read = next;
      for (const seen of sources.values()) {
        for (const [category, entry] of seen) {
          for (const field of entry.missing.keys()) if (next.get(category)?.has(field) !== true) entry.missing.delete(field);
          add(entry, category, known);
        }
      }
    },
    note(source, events) {
      let seen = sources.get(source);
      if (seen === undefined) sources.set(source, (seen = new Map()));
      for (const event of events) {
        let entry = seen.get(event.category);
        if (entry === undefined) {
          seen.set(event.category, (entry = { events: 0, missing: new Map() }));
          add(entry, event.category, undefined);
        }
        entry.events++;
        for (const field of entry.missing.keys()) if (event[field] !== undefined) entry.missing.delete(field);
      }
    },
    gaps(source) {
      const found: FieldGap[] = [];
      for (const [category, { events, missing }] of sources.get(source) ?? []) {
        for (const { path, before } of missing.values())
          if (events > before) found.push({ category, field: path, events: events - before });
      }
      return found.sort((a, b) => (a.category + a.field < b.category + b.field ? -1 : 1));
    },
  };
}
