/** Bytes to lines of text, for sources and receivers; the files of the command line have a faster reader of their own. */

const LF = 10;
// A byte order mark is cut at the start only: inside a file it is content.
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text of the bytes, at the start of a file or body without its byte order mark; undefined when they are not UTF-8. */
export function decodeUtf8(bytes: Uint8Array, start = true): string | undefined {
  try {
    const text = decoder.decode(bytes);
    return start && text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  } catch {
    return undefined;
  }
}

/** Whether a file or body that starts with these bytes is UTF-16 by its byte order mark. */
export function isUtf16(bytes: Uint8Array): boolean {
  return (bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff);
}

/** Text of bytes that are not UTF-8, every byte one character, for the quarantine; at most `charactersMax`. */
export function rawBytes(bytes: Uint8Array, charactersMax: number): string {
  let text = "";
  for (const byte of bytes.subarray(0, charactersMax)) text += String.fromCharCode(byte);
  return text;
}

/** Calls `line` with the bytes of each line (without LF) and its number from 1; the last one needs no LF. */
export function splitLines(bytes: Uint8Array, line: (bytes: Uint8Array, number: number) => void): void {
  let start = 0;
  let number = 0;
  while (start < bytes.length) {
    const newline = bytes.indexOf(LF, start);
    const end = newline === -1 ? bytes.length : newline;
    number += 1;
    line(bytes.subarray(start, end), number);
    start = end + 1;
  }
}
