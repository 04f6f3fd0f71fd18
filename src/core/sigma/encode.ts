/** Bytes of a text, as rules encode it; core has no TextEncoder or Buffer. */
export type Bytes = readonly number[];

/** UTF-8; a lone surrogate becomes U+FFFD, as in every decoder's eyes. */
export function utf8Bytes(text: string): Bytes {
  const bytes: number[] = [];
  for (const character of text) {
    let code = character.codePointAt(0)!;
    if (code >= 0xd800 && code <= 0xdfff) code = 0xfffd;
    if (code < 0x80) bytes.push(code);
    else if (code < 0x800) bytes.push(0xc0 | (code >> 6), 0x80 | (code & 63));
    else if (code < 0x10000) bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
    else bytes.push(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 63), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
  }
  return bytes;
}

/** One byte per UTF-16 unit; for texts that hold bytes already. */
export function latin1Bytes(text: string): Bytes {
  return Array.from({ length: text.length }, (_, index) => text.charCodeAt(index) & 255);
}

/** UTF-16 as a text that holds one byte per character; `big` puts the high byte first. */
export function utf16Text(text: string, big: boolean): string {
  let result = "";
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    const low = String.fromCharCode(unit & 255);
    const high = String.fromCharCode(unit >> 8);
    result += big ? high + low : low + high;
  }
  return result;
}

/** The byte order mark FF FE, as a text that holds one byte per character: what `utf16` puts first. */
export const UTF16_MARK = "\u00ff\u00fe";

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Base64 with padding (RFC 4648 section 4). */
export function base64(bytes: Bytes): string {
  let result = "";
  for (let index = 0; index < bytes.length; index += 3) {
    const left = bytes.length - index;
    const group = (bytes[index]! << 16) | ((bytes[index + 1] ?? 0) << 8) | (bytes[index + 2] ?? 0);
    result += ALPHABET[group >> 18]! + ALPHABET[(group >> 12) & 63]!;
    result += left > 1 ? ALPHABET[(group >> 6) & 63]! : "=";
    result += left > 2 ? ALPHABET[group & 63]! : "=";
  }
  return result;
}

/** Characters at the start that depend on what precedes the value, per shift of 0, 1 and 2 bytes. */
const HEAD = [0, 2, 3] as const;
/** Characters at the end that depend on what follows it or are padding, per rest of the length by 3. */
const TAIL = [0, 3, 2] as const;

/**
 * What of the value is seen in the Base64 of a longer text, at each of the three shifts;
 * may be empty for one byte.
 */
export function base64Offsets(bytes: Bytes): readonly string[] {
  return HEAD.map((head, shift) => {
    const encoded = base64([...Array.from({ length: shift }, () => 32), ...bytes]);
    return encoded.slice(head, encoded.length - TAIL[(bytes.length + shift) % 3]!);
  });
}
