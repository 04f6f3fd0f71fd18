/**
 * Text that a SIEM, a ticket or a terminal may show: nothing in it can move a cursor, reverse a line, hide
 * itself or run on without end. Everything that reaches a destination from an event goes through here.
 */

/** What `safeText` puts at the end of a text that it had to cut. */
export const CUT_MARK = "…";

/**
 * The text on one line, at most `max` UTF-16 units: white space becomes a single space, every control,
 * bidirectional, invisible or unpaired character its escape such as `\u{202e}`; a cut text ends with `…`.
 * Idempotent. `max` must be at least 1.
 */
export function safeText(text: string, max: number): string {
  if (text.length <= max && isPlain(text)) return text;
  let result = "";
  // Where the result still leaves room for the mark, should the next piece not fit.
  let cut = 0;
  for (const char of text) {
    const code = char.codePointAt(0)!;
    const piece =
      code >= 0x20 && code < 0x7f ? char : isSpace(code) ? (result.endsWith(" ") ? "" : " ") : HIDDEN.test(char) ? escaped(code) : char;
    if (result.length + piece.length > max) return result.slice(0, cut) + CUT_MARK;
    result += piece;
    if (result.length < max) cut = result.length;
  }
  return result;
}

/** The safe, distinct, non-empty texts of a list in their order, at most `itemsMax` of them. */
export function safeList(texts: Iterable<string | undefined>, itemsMax: number, max: number): string[] {
  const list = new Set<string>();
  for (const text of texts) {
    if (list.size >= itemsMax) break;
    if (text !== undefined && text !== "") list.add(safeText(text, max));
  }
  return [...list];
}

/** Printable ASCII only: the common case, decided without building anything. */
function isPlain(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code < 0x20 || code > 0x7e) return false;
  }
  return true;
}

function isSpace(code: number): boolean {
  return (code >= 0x09 && code <= 0x0d) || code === 0x85 || code === 0x2028 || code === 0x2029;
}

/**
 * Controls, formatting and bidirectional characters, private use, unpaired surrogates, whatever renderers may ignore
 * (tags, variation selectors, fillers), and the blank of Braille: nothing with a visible form of its own.
 */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Default_Ignorable_Code_Point}\p{Noncharacter_Code_Point}\u2800]/u;

function escaped(code: number): string {
  return `\\u{${code.toString(16)}}`;
}
