/** Files of LogEvents: one per line, or JSON arrays as the API answers, on one line or pretty-printed. */
import { poison } from "../../src/core/errors.ts";
import { LINE_BYTES_MAX, parseJson } from "../../src/core/framing.ts";
import type { Format } from "../../src/ports/connector.ts";

/** Lines of a file; a first line that opens an array makes the file one of arrays, whose items may span lines. */
export const oktaFormat: Format = {
  framing: "lines",
  open: () => {
    let read: ((line: string) => readonly unknown[]) | undefined;
    return (line) => {
      read ??= line.trimStart().startsWith("[") ? arrayReader() : readEvent;
      return read(line);
    };
  },
};

function readEvent(line: string): readonly unknown[] {
  return [parseJson(line)];
}

const QUOTE = 34;
const BACKSLASH = 92;
const OPEN_BRACE = 123;
const OPEN_BRACKET = 91;
const CLOSE_BRACE = 125;
const CLOSE_BRACKET = 93;

/** Gives each object of an array once its last line has come. */
function arrayReader(): (line: string) => readonly unknown[] {
  /** The lines so far of the object that is open, and how many brackets it has open. */
  let begun = "";
  let depth = 0;
  return (line) => {
    const found: unknown[] = [];
    let start = 0;
    for (let index = 0; index < line.length; index++) {
      const code = line.charCodeAt(index);
      if (depth === 0) {
        if (code === OPEN_BRACE) {
          start = index;
          depth = 1;
        } else if (!isSeparator(code)) throw poison("RECORD_NOT_OBJECT", "the array has an item that is no object");
      } else if (code === QUOTE) index = stringEnd(line, index);
      else if (code === OPEN_BRACE || code === OPEN_BRACKET) depth++;
      else if ((code === CLOSE_BRACE || code === CLOSE_BRACKET) && --depth === 0) {
        const item = begun + line.slice(start, index + 1);
        begun = "";
        found.push(parseJson(item));
      }
    }
    if (depth > 0) begun += `${line.slice(start)}\n`;
    if (begun.length > LINE_BYTES_MAX) {
      begun = "";
      depth = 0;
      throw poison("RECORD_TOO_LONG", `an item of the array is longer than ${LINE_BYTES_MAX} characters`);
    }
    return found;
  };
}

/** White space, comma, and the brackets of the array itself. */
function isSeparator(code: number): boolean {
  return code === 32 || code === 9 || code === 13 || code === 44 || code === OPEN_BRACKET || code === CLOSE_BRACKET;
}

/** Index of the quote that ends the string whose first quote is at `from`; no string of JSON goes on in the next line. */
function stringEnd(line: string, from: number): number {
  let index = from + 1;
  while (index < line.length && line.charCodeAt(index) !== QUOTE) index += line.charCodeAt(index) === BACKSLASH ? 2 : 1;
  return index;
}
