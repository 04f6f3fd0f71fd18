import type { Category, EpochMs } from "../event.ts";

/** What a rule may read of an event of type E: a flat Event, or any JSON object in plain backtests. */
export interface Reader<E> {
  uid(event: E): string;
  time(event: E): EpochMs;
  /** Undefined for plain events, which ignore logsource. */
  category(event: E): Category | undefined;
  /** The agent the event belongs to, if one. */
  agent(event: E): string | undefined;
  /**
   * Resolves a field path once, at load. The returned function gives the value as it is (string, number, boolean,
   * null, array, map) or undefined when it is missing. Undefined result: this reader knows no such field, and the
   * rule is rejected with the nearest known name.
   */
  field(path: string): ((event: E) => unknown) | undefined;
  /** As `field`, for a group; undefined where that is the same. It may give `Several`. */
  groupField?(path: string): ((event: E) => unknown) | undefined;
  /** Known field paths, for "did you mean"; empty when any path may exist. */
  readonly paths: readonly string[];
  /** Calls `visit` with every string value of the event, nested too: keyword search. */
  strings(event: E, visit: (text: string) => void): void;
}

/** The linear-time regular expressions that rules use (RE2 syntax), injected so that core stays pure. */
export interface RegexEngine {
  /** A test for an unanchored search. Throws a plain Error whose message says why the pattern is refused. */
  compile(pattern: string, flags: { readonly i: boolean; readonly m: boolean; readonly s: boolean }): (text: string) => boolean;
}

/** One YAML document of a rule file, parsed, with places. */
export interface RuleDocument {
  readonly path: string;
  /** Line of the document's first key, 1-based. */
  readonly line: number;
  readonly value: unknown;
  /** Line of a key path such as ["detection", "selection", 0]; falls back to the nearest ancestor. */
  lineOf(keys: readonly (string | number)[]): number;
  /** Set when the document could not be parsed at all. */
  readonly error?: { readonly line: number; readonly message: string };
  readonly warnings?: readonly { readonly line: number; readonly message: string }[];
}
