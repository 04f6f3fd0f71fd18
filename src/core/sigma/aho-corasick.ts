/** A search for many literals at once, in time proportional to the text alone (Aho and Corasick, 1975). */
export interface LiteralSearch {
  /** Calls `found` with the position in `literals` of each literal that occurs in the text; once, or a few times. */
  search(text: string, found: (literal: number) => void): void;
}

/** Cells of the table of transitions; beyond, literals are cut, which finds more than there is but never less. */
const CELLS_MAX = 4_000_000;
/** What literals are cut to. */
const CUT_LENGTH = 6;

/**
 * A search for these literals, of UTF-16 code units. When all together are too many for the table, longer ones are
 * found by their first characters: the caller must check what it is told.
 */
export function literalSearch(literals: readonly string[]): LiteralSearch {
  const whole = automaton(literals);
  return whole ?? automaton(literals.map((literal) => literal.slice(0, CUT_LENGTH))) ?? oneByOne(literals);
}

/** For sets that no table can hold. */
function oneByOne(literals: readonly string[]): LiteralSearch {
  return {
    search(text, found) {
      for (const [index, literal] of literals.entries()) if (text.includes(literal)) found(index);
    },
  };
}

function automaton(literals: readonly string[]): LiteralSearch | undefined {
  /** Code unit -> column; 0 for those that no literal has. */
  const columns = new Uint16Array(0x10000);
  let width = 1;
  let cells = 1;
  for (const literal of literals) {
    for (let at = 0; at < literal.length; at++) if (columns[literal.charCodeAt(at)] === 0) columns[literal.charCodeAt(at)] = width++;
    cells += literal.length;
  }
  if (cells * width > CELLS_MAX) return undefined;
  const table = new Int32Array(cells * width);
  const outputs: number[][] = [[]];
  for (const [index, literal] of literals.entries()) {
    let state = 0;
    for (let at = 0; at < literal.length; at++) {
      const cell = state * width + columns[literal.charCodeAt(at)]!;
      if (table[cell] === 0) {
        table[cell] = outputs.length;
        outputs.push([]);
      }
      state = table[cell]!;
    }
    outputs[state]!.push(index);
  }
  complete(table, width, outputs);
  /** Number of the search in which a state last told what it found; the largest number for states with nothing to tell. */
  const told = Float64Array.from(outputs, (output) => (output.length > 0 ? 0 : Number.POSITIVE_INFINITY));
  let searches = 0;
  return {
    search(text, found) {
      searches++;
      let state = 0;
      for (let at = 0; at < text.length; at++) {
        state = table[state * width + columns[text.charCodeAt(at)]!]!;
        if (told[state]! >= searches) continue;
        told[state] = searches;
        for (const literal of outputs[state]!) found(literal);
      }
    },
  };
}

/** Fills in where each state goes when its own literals end, level by level, and what it has found by then. */
function complete(table: Int32Array, width: number, outputs: number[][]): void {
  const fallback = new Int32Array(outputs.length);
  const queue: number[] = [];
  for (let column = 0; column < width; column++) if (table[column] !== 0) queue.push(table[column]!);
  for (let at = 0; at < queue.length; at++) {
    const state = queue[at]!;
    const suffix = fallback[state]!;
    outputs[state]!.push(...outputs[suffix]!);
    for (let column = 0; column < width; column++) {
      const next = table[state * width + column]!;
      const other = table[suffix * width + column]!;
      if (next === 0) table[state * width + column] = other;
      else {
        fallback[next] = other;
        queue.push(next);
      }
    }
  }
}
