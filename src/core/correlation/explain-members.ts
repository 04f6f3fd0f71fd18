/** What an event, or the alert of an inner correlation, is to a correlation: which rules it matched, and in which groups. */
import type { EpochMs } from "../event.ts";
import type { Reader } from "../sigma/reader.ts";
import type { Correlation, Detection } from "../sigma/rules.ts";
import { workingOf } from "./assemble.ts";
import { groupTuples } from "./intake.ts";
import { tupleText } from "./values.ts";

/** Something that a correlation may take. */
export interface Subject {
  readonly time: EpochMs;
  readonly uid: string;
  /** Positions of the referenced rules that it matched. */
  readonly rules: readonly number[];
  /** What it has in a group field, for one of these rules. */
  group(rule: number, field: number): unknown;
  /** What it has in a counted or measured field. */
  value(field: number): unknown;
}

/** An alert of a correlation, as an event of those that refer to it. */
export interface InnerAlert {
  readonly rule: string;
  readonly uid: string;
  readonly time: EpochMs;
  readonly group: Readonly<Record<string, string>>;
}

/** The part that a subject has in one group. An extra is what the type of correlation needs of it. */
export interface Member {
  readonly time: EpochMs;
  readonly uid: string;
  /** Equal for equal groups only. */
  readonly key: string;
  readonly values: readonly string[];
  /** Rules that it matched in this group, as bits. */
  readonly bits: number;
  /** Undefined: it cannot be used, and is no event of the correlation. */
  readonly extra: unknown;
}

/** An event as a subject. */
export function eventSubject<E>(
  correlation: Correlation<E>,
  detections: ReadonlyMap<string, Detection<E>>,
  event: E,
  reader: Reader<E>,
): Subject {
  const fields = measuredFields(correlation);
  return {
    time: reader.time(event),
    uid: reader.uid(event),
    rules: [...correlation.rules.keys()].filter((at) => detections.get(correlation.rules[at]!)?.matches(event) === true),
    group: (rule, field) => correlation.groupBy[field]!.read(correlation.rules[rule]!)?.(event),
    value: (field) => fields[field]?.read(event),
  };
}

/** An inner alert as a subject. */
export function alertSubject<E>(correlation: Correlation<E>, alert: InnerAlert): Subject {
  const fields = measuredFields(correlation);
  const has = (path: string): unknown => (Object.hasOwn(alert.group, path) ? alert.group[path] : undefined);
  const rule = correlation.rules.indexOf(alert.rule);
  return {
    time: alert.time,
    uid: alert.uid,
    rules: rule === -1 ? [] : [rule],
    group: (at, field) => has(correlation.groupBy[field]!.path(correlation.rules[at]!)),
    value: (field) => (fields[field] === undefined ? undefined : has(fields[field].path)),
  };
}

/** Fields whose values are counted, summed or compared. */
export function measuredFields<E>({
  fields,
  baseline,
}: Correlation<E>): readonly { readonly path: string; readonly read: (event: E) => unknown }[] {
  if (baseline === undefined) return fields;
  return baseline.metricField === undefined ? [] : [baseline.metricField];
}

/** The groups that a subject belongs to: one, none, with aliases one per rule, and one for each of several candidates. */
export function membersOf<E>(correlation: Correlation<E>, subject: Subject): readonly Member[] {
  const groups = new Map<string, { readonly values: readonly string[]; bits: number }>();
  for (const rule of subject.rules) {
    const fields = correlation.groupBy.map((_, field) => (source: Subject) => source.group(rule, field));
    for (const values of groupTuples(fields, subject)) {
      const key = tupleText(values);
      const found = groups.get(key);
      if (found === undefined) groups.set(key, { values, bits: 1 << rule });
      else found.bits |= 1 << rule;
    }
  }
  return [...groups].map(([key, { values, bits }]) => ({
    time: subject.time,
    uid: subject.uid,
    key,
    values,
    bits,
    extra: extraOf(correlation, subject, bits),
  }));
}

function extraOf<E>(correlation: Correlation<E>, subject: Subject, bits: number): unknown {
  const reads = measuredFields(correlation).map((_, field) => (source: Subject) => source.value(field));
  return workingOf(correlation, 1, (working): unknown => working.extra(reads)(subject, bits));
}
