import type { EpochMs } from "../event.ts";
import { Blocks, ceilPower } from "./blocks.ts";
import type { Mark } from "./group.ts";

/** Where the entries of one group lie, oldest first: positions [at, at + size) of a block of its own. */
export interface Span {
  block: number;
  /** Length of the block: a power of two, or 0 without one. */
  room: number;
  at: number;
  size: number;
}

/** What a kind of correlation needs of an event; 0 where it needs nothing. */
export type Extra = number | string;
/** What an entry has beside its time and mark: nothing, a number or a text. */
export type ExtraKind = "none" | "number" | "text";

/** Stands where no entry is. */
const NOTHING: Mark = { uid: "", agents: undefined, cells: undefined };
const FIRST_CAPACITY = 64;
/** Entries that are put in order one by one are moved by this many places on average, at most. */
const MOVES_EACH = 16;
/** Blocks shorter than this are not worth giving back in parts. */
const SHRINK_MIN = 16;

/** An entry by itself. */
interface Row {
  readonly time: EpochMs;
  readonly mark: Mark;
  readonly extra: Extra;
}

/**
 * The entries of all groups of one correlation, in a few large columns instead of many small arrays: nothing per group
 * for the garbage collector to follow, and 16 bytes per entry beside its extra. Positions are valid until the next
 * change.
 */
export class Entries {
  times = new Float64Array(FIRST_CAPACITY);
  marks: Mark[] = column(FIRST_CAPACITY, NOTHING);
  /** Extras that are numbers. Columns of one kind have one name each: a name for both would make every access slow. */
  numbers = new Float64Array(0);
  /** Extras that are texts. */
  texts: string[] = [];
  readonly #kind: ExtraKind;
  #blocks = new Blocks(FIRST_CAPACITY);

  constructor(kind: ExtraKind) {
    this.#kind = kind;
    if (kind === "number") this.numbers = new Float64Array(FIRST_CAPACITY);
    if (kind === "text") this.texts = column(FIRST_CAPACITY, "");
  }

  /** Adds an entry behind the last one. */
  append(span: Span, time: EpochMs, mark: Mark, extra: Extra): void {
    if (span.at + span.size === span.block + span.room) this.makeRoom(span, 1);
    this.put(span.at + span.size++, time, mark, extra);
  }

  /** Makes room for `more` entries behind the last one. */
  makeRoom(span: Span, more: number): void {
    const wanted = span.size + more;
    if (span.at + wanted <= span.block + span.room) return;
    // A quarter of the block must be free, or the next move would come too soon.
    if (wanted * 4 <= span.room * 3) {
      this.#moveDown(span.at, span.block, span.size);
      this.#clear(Math.max(span.at, span.block + span.size), span.at + span.size);
      span.at = span.block;
    } else this.#relocate(span, ceilPower(wanted));
  }

  /** Copies what is at one position to another. */
  copy(from: number, to: number): void {
    this.times[to] = this.times[from]!;
    this.marks[to] = this.marks[from]!;
    if (this.#kind === "number") this.numbers[to] = this.numbers[from]!;
    else if (this.#kind === "text") this.texts[to] = this.texts[from]!;
  }

  /** Writes an entry over a position. */
  put(position: number, time: EpochMs, mark: Mark, extra: Extra): void {
    this.times[position] = time;
    this.marks[position] = mark;
    if (this.#kind === "number") this.numbers[position] = extra as number;
    else if (this.#kind === "text") this.texts[position] = extra as string;
  }

  /** Removes the first `count` entries, and gives back what is too large for the rest. */
  dropFirst(span: Span, count: number): void {
    if (count === 0) return;
    this.#clear(span.at, span.at + count);
    span.at += count;
    span.size -= count;
    if (span.size === 0) this.release(span);
    else if (span.room >= SHRINK_MIN && span.size * 8 <= span.room) this.#relocate(span, ceilPower(span.size * 2));
  }

  /** Removes all entries of a group. */
  release(span: Span): void {
    if (span.room === 0) return;
    this.#clear(span.at, span.at + span.size);
    this.#blocks.give(span.block, span.room);
    span.block = span.room = span.at = span.size = 0;
  }

  /**
   * Puts the entries of a group in order of time, ties as they came; all but the last `count` are in order already. Gives
   * the position from which on they have moved.
   */
  sortLast(span: Span, count: number): number {
    const end = span.at + span.size;
    let moved = end;
    // Most are out of place by little or not at all; what is not is cheaper merged than moved one by one.
    let moves = count * MOVES_EACH;
    for (let at = end - count; at < end; at++) {
      const time = this.times[at]!;
      if (at === span.at || this.times[at - 1]! <= time) continue;
      let to = at - 1;
      while (to > span.at && this.times[to - 1]! > time && at - to <= moves) to--;
      moves -= at - to;
      if (moves < 0) return Math.min(moved, this.#mergeLast(span, end - at));
      this.#moveBack(at, to);
      moved = Math.min(moved, to);
    }
    return moved;
  }

  #mergeLast(span: Span, count: number): number {
    const end = span.at + span.size;
    const first = end - count;
    const tail = Array.from({ length: count }, (_, offset) => this.#read(first + offset));
    tail.sort((a, b) => a.time - b.time);
    let from = first - 1;
    let to = end - 1;
    for (let index = count - 1; index >= 0; index--) {
      const one = tail[index]!;
      for (; from >= span.at && this.times[from]! > one.time; from--, to--) this.copy(from, to);
      this.#write(to--, one);
    }
    return to + 1;
  }

  /** Position of the first entry at or after `time`. */
  lowerBound({ at, size }: Span, time: EpochMs): number {
    const { times } = this;
    let low = at;
    let high = at + size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (times[middle]! < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Position of the first entry after `time`. */
  upperBound({ at, size }: Span, time: EpochMs): number {
    const { times } = this;
    let low = at;
    let high = at + size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (times[middle]! <= time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Gives memory back when most of it is unused. `spans`: all that there are; their positions change. */
  compact(spans: Iterable<Span>): void {
    if (this.times.length <= 4 * FIRST_CAPACITY || this.#blocks.used * 3 > this.times.length) return;
    const small = new Entries(this.#kind);
    for (const span of spans) {
      if (span.room === 0) continue;
      const block = small.#allocate(span.room);
      for (let offset = 0; offset < span.size; offset++) {
        const from = span.at + offset;
        const position = block + offset;
        small.put(position, this.times[from]!, this.marks[from]!, this.#kind === "number" ? this.numbers[from]! : this.texts[from]!);
      }
      span.block = span.at = block;
    }
    this.times = small.times;
    this.marks = small.marks;
    this.numbers = small.numbers;
    this.texts = small.texts;
    this.#blocks = small.#blocks;
  }

  /** Puts the entry at one position before the others from another one on. */
  #moveBack(at: number, to: number): void {
    rotateNumbers(this.times, at, to);
    rotate(this.marks, at, to);

    if (this.#kind === "number") rotateNumbers(this.numbers, at, to);
    else if (this.#kind === "text") rotate(this.texts, at, to);
  }

  #read(position: number): Row {
    return {
      time: this.times[position]!,
      mark: this.marks[position]!,
      extra: this.#kind === "text" ? this.texts[position]! : this.numbers[position]!,
    };
  }

  #write(position: number, { time, mark, extra }: Row): void {
    this.put(position, time, mark, extra);
  }

  #relocate(span: Span, room: number): void {
    const block = this.#allocate(room);
    for (let index = 0; index < span.size; index++) this.copy(span.at + index, block + index);
    if (span.room > 0) {
      this.#clear(span.at, span.at + span.size);
      this.#blocks.give(span.block, span.room);
    }
    span.block = span.at = block;
    span.room = room;
  }

  #moveDown(from: number, to: number, count: number): void {
    for (let index = 0; index < count; index++) this.copy(from + index, to + index);
  }

  /** Lets go of what the entries refer to. */
  #clear(from: number, to: number): void {
    for (let at = from; at < to; at++) this.marks[at] = NOTHING;
    if (this.#kind === "text") for (let at = from; at < to; at++) this.texts[at] = "";
  }

  #allocate(room: number): number {
    let block = this.#blocks.take(room);
    if (block !== undefined) return block;
    this.#blocks.grow(room);
    this.#lengthen(this.#blocks.capacity);
    block = this.#blocks.take(room);
    if (block === undefined) throw new Error("blocks grew, and have no room");
    return block;
  }

  #lengthen(capacity: number): void {
    this.times = longer(this.times, capacity);
    this.marks = longerColumn(this.marks, capacity, NOTHING);
    if (this.#kind === "number") this.numbers = longer(this.numbers, capacity);
    if (this.#kind === "text") this.texts = longerColumn(this.texts, capacity, "");
  }
}

function rotateNumbers(numbers: Float64Array, at: number, to: number): void {
  const value = numbers[at]!;
  for (let position = at; position > to; position--) numbers[position] = numbers[position - 1]!;
  numbers[to] = value;
}

function rotate<T>(values: T[], at: number, to: number): void {
  const value = values[at]!;
  for (let position = at; position > to; position--) values[position] = values[position - 1]!;
  values[to] = value;
}

function longer(numbers: Float64Array<ArrayBuffer>, capacity: number): Float64Array<ArrayBuffer> {
  const result = new Float64Array(capacity);
  result.set(numbers);
  return result;
}

/** Made at its full length: growing by itself it would take half as much again. */
function column<T>(capacity: number, filler: T): T[] {
  return Array.from({ length: capacity }, () => filler);
}

function longerColumn<T>(values: readonly T[], capacity: number, filler: T): T[] {
  const result = column(capacity, filler);
  for (let at = 0; at < values.length; at++) result[at] = values[at]!;
  return result;
}
