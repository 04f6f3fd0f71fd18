/**
 * Hands out blocks of positions whose lengths are powers of two, and joins neighbours that are free again (a buddy
 * system), so that groups which grow one after the other use the room that the others left.
 */
export class Blocks {
  /** Positions that there are. */
  capacity: number;
  /** Positions in blocks that are not free. */
  used = 0;
  /** At the start of each free block, the power of its length plus one; else 0. */
  #free: Uint8Array;
  /** Starts of free blocks, by power; some are no longer free. */
  readonly #lists: number[][] = [];
  /** How many of a list are. */
  readonly #counts: number[] = [];

  /** `capacity` is a power of two. */
  constructor(capacity: number) {
    this.capacity = capacity;
    this.#free = new Uint8Array(capacity);
    this.#add(0, log2(capacity));
  }

  /** The start of a block of this length, a power of two; undefined when there is none: `grow`, and ask again. */
  take(length: number): number | undefined {
    const wanted = log2(length);
    for (let power = wanted; power < this.#lists.length; power++) {
      const block = this.#pop(power);
      if (block === undefined) continue;
      // The upper halves of what is too long stay free.
      for (let half = power - 1; half >= wanted; half--) this.#add(block + 2 ** half, half);
      this.used += length;
      return block;
    }
    return undefined;
  }

  /** Gives a block back. */
  give(block: number, length: number): void {
    this.used -= length;
    let start = block;
    let power = log2(length);
    for (;;) {
      const neighbour = start ^ (2 ** power);
      if (neighbour >= this.capacity || this.#free[neighbour] !== power + 1) break;
      this.#free[neighbour] = 0;
      this.#counts[power]!--;
      start = Math.min(start, neighbour);
      power++;
    }
    this.#add(start, power);
  }

  /** Adds half as much again, or a third: capacities are 2^n and 3 * 2^n. Blocks of `length` fit in afterwards. */
  grow(length: number): void {
    let added: number;
    do {
      const power = log2(this.capacity);
      const isPower = 2 ** power === this.capacity;
      added = isPower ? Math.max(1, this.capacity / 2) : 2 ** (power - 1);
      const free = new Uint8Array(this.capacity + added);
      free.set(this.#free);
      this.#free = free;
      const start = this.capacity;
      this.capacity += added;
      // Joins what it completes.
      this.used += added;
      this.give(start, added);
    } while (added < length);
  }

  #add(block: number, power: number): void {
    this.#free[block] = power + 1;
    while (this.#lists.length <= power) {
      this.#lists.push([]);
      this.#counts.push(0);
    }
    const list = this.#lists[power]!;
    this.#counts[power]!++;
    list.push(block);
    if (list.length > 64 && list.length > 2 * this.#counts[power]!) this.#tidy(power);
  }

  #pop(power: number): number | undefined {
    const list = this.#lists[power]!;
    for (let block = list.pop(); block !== undefined; block = list.pop()) {
      if (this.#free[block] !== power + 1) continue;
      this.#free[block] = 0;
      this.#counts[power]!--;
      return block;
    }
    return undefined;
  }

  /** Leaves out what is no longer free, and what is in the list twice. */
  #tidy(power: number): void {
    const list = [...new Set(this.#lists[power])].filter((block) => this.#free[block] === power + 1);
    this.#lists[power] = list;
  }
}

/** The smallest power of two that is at least `size`. */
export function ceilPower(size: number): number {
  return size <= 1 ? 1 : 2 ** (32 - Math.clz32(size - 1));
}

function log2(value: number): number {
  return 31 - Math.clz32(value);
}
