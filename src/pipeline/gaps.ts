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
  /** Events of the category that the source gave since the service started. */
  readonly events: number;
}

/** Watches what sources supply, since the service started. */
export interface FieldWatch {
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

/** Nothing supplied yet by anybody. */
export function fieldWatch(read: FieldsRead): FieldWatch {
  const sources = new Map<string, Map<Category, { events: number; missing: Map<keyof Event, string> }>>();
  return {
    note(source, events) {
      let seen = sources.get(source);
      if (seen === undefined) sources.set(source, (seen = new Map()));
      for (const event of events) {
        let entry = seen.get(event.category);
        if (entry === undefined) seen.set(event.category, (entry = { events: 0, missing: new Map(read.get(event.category)) }));
        entry.events++;
        for (const field of entry.missing.keys()) if (event[field] !== undefined) entry.missing.delete(field);
      }
    },
    gaps(source) {
      const found: FieldGap[] = [];
      for (const [category, { events, missing }] of sources.get(source) ?? []) {
        for (const field of missing.values()) found.push({ category, field, events });
      }
      return found.sort((a, b) => (a.category + a.field < b.category + b.field ? -1 : 1));
    },
  };
}
