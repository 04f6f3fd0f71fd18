/** How text gets into PostgreSQL. */
import { hash } from "node:crypto";

/** PostgreSQL text holds neither NUL nor lone surrogates; both become U+FFFD. */
export function storable(text: string): string {
  const wellFormed = text.toWellFormed();
  return wellFormed.includes("\0") ? wellFormed.replaceAll("\0", "\uFFFD") : wellFormed;
}

/** At most `bytesMax` bytes of UTF-8, cut between characters, and storable. */
export function storableCut(text: string, bytesMax: number): string {
  // No character has more than three bytes per UTF-16 unit, so most texts need no counting.
  if (text.length * 3 <= bytesMax) return storable(text);
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(bytesMax));
  return storable(text.slice(0, read));
}

/**
 * A uid as 16 bytes in hex: half of its SHA-256. An agent can choose its uids, so a fast hash that lets two of
 * them be made equal would let it hide one event behind another.
 */
export function uidHash(uid: string): string {
  return hash("sha256", uid, "hex").slice(0, 32);
}

/** Hex or number texts as an array literal; much cheaper than what the drivers do with a JavaScript array. */
export function arrayLiteral(plain: readonly string[]): string {
  return `{${plain.join(",")}}`;
}

/** One value of a row of COPY's text format; null is `\N`. The text must be storable. */
export function copyText(text: string | undefined): string {
  if (text === undefined) return "\\N";
  return COPY_SPECIAL.test(text) ? text.replace(COPY_SPECIAL_ALL, copyEscape) : text;
}

const COPY_SPECIAL = /[\\\n\r\t]/;
const COPY_SPECIAL_ALL = /[\\\n\r\t]/g;

function copyEscape(character: string): string {
  if (character === "\n") return "\\n";
  if (character === "\r") return "\\r";
  return character === "\t" ? "\\t" : "\\\\";
}
