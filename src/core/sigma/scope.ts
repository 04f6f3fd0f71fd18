import { foldMemo } from "./fold.ts";
import type { FieldSource } from "./field-test.ts";
import { didYouMean } from "./did-you-mean.ts";
import { predicatePool, type PredicatePool } from "./predicate.ts";
import type { Reader, RegexEngine } from "./reader.ts";
import { reject, show, type KeyPath } from "./rejection.ts";

/** How rule documents are compiled. */
export interface CompileOptions<E> {
  readonly reader: Reader<E>;
  readonly regex: RegexEngine;
  /** Values of `%name%` under the modifier `expand`. */
  readonly placeholders?: ReadonlyMap<string, readonly string[]>;
  /** Shortens fingerprints; without one they are as long as the documents. */
  digest?(text: string): string;
  /** Rules see only events of their logsource; false in plain backtests, which have none. */
  readonly logsource: boolean;
  /** Detections can tell what they are made of (`Detection.outline`); their documents are kept for it. */
  readonly outlines?: boolean;
}

/** What all documents of one compilation share. */
export interface CompileScope<E> {
  readonly options: CompileOptions<E>;
  readonly placeholders: ReadonlyMap<string, readonly string[]>;
  readonly pool: PredicatePool<E>;
  /** The field of a path, resolved once. @throws {Rejection} when the reader knows no such field */
  field(path: string, keys: KeyPath): FieldSource<E>;
}

/** A fresh scope. */
export function compileScope<E>(options: CompileOptions<E>): CompileScope<E> {
  const fields = new Map<string, FieldSource<E>>();
  return {
    options,
    placeholders: options.placeholders ?? new Map(),
    pool: predicatePool(),
    field: (path, keys) => {
      const known = fields.get(path);
      if (known !== undefined) return known;
      const read = options.reader.field(path);
      if (read === undefined) reject(keys, `unknown field ${show(path)}${didYouMean(path, options.reader.paths)}`);
      const source = { path, read, memo: foldMemo() };
      fields.set(path, source);
      return source;
    },
  };
}
