/** Keys from the document's root to a value, for the line of a problem. */
export type KeyPath = readonly (string | number)[];

/** Adds a warning about a place of the document at hand. */
export type Warn = (keys: KeyPath, message: string) => void;

/** Why a document is not understood; thrown and caught inside the compiler, never seen outside. */
export class Rejection extends Error {
  override readonly name = "Rejection";
  readonly keys: KeyPath;

  constructor(keys: KeyPath, reason: string) {
    super(reason);
    this.keys = keys;
  }
}

/** Gives up on the document. @throws {Rejection} always */
export function reject(keys: KeyPath, reason: string): never {
  throw new Rejection(keys, reason);
}

/** Texts of a rule are quoted up to this many characters: a reason is one readable line. */
const SHOWN_MAX = 80;

/** A value of the document as it appears in a reason: quoted, cut, without control characters. */
export function show(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "a map";
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX)}…` : text;
}
