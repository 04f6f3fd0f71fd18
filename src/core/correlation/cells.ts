import type { Mark } from "./group.ts";
import type { Read } from "./intake.ts";
import { canonicalText } from "./values.ts";

/** Texts of group fields of one event, by position; undefined where it has none. */
export type CellTexts = readonly (string | undefined)[];

const NO_CELLS: CellTexts = [];

/** The group fields that backlogs need of events. They are read once per event, and go with its mark. */
export class Cells<E> {
  readonly #positions = new Map<string, number>();
  readonly #readers: Read<E>[] = [];

  /** Position of the field at a path. */
  position(path: string, read: Read<E>): number {
    const known = this.#positions.get(path);
    if (known !== undefined) return known;
    this.#positions.set(path, this.#readers.length);
    return this.#readers.push(read) - 1;
  }

  /** The texts of an event, which is the one that the mark is of. */
  of(mark: Mark, event: E): CellTexts {
    if (this.#readers.length === 0) return NO_CELLS;
    return (mark.cells ??= this.#readers.map((read) => canonicalText(read(event))));
  }
}
