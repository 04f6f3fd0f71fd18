/**
 * HalfSipHash-2-4 with 64 bits of output (J.-P. Aumasson and D. J. Bernstein), over UTF-16 code units. Its key is secret,
 * so that nobody who writes logs can make a value that is taken for another one.
 */

/** A secret, or what was hashed before: two words of 32 bits. */
export interface HashKey {
  readonly high: number;
  readonly low: number;
}

/** Hashes a text under a key. */
export function keyedHash(text: string, key: HashKey): HashKey {
  let v0 = key.low | 0;
  let v1 = (key.high ^ 0xee) | 0;
  let v2 = 0x6c796765 ^ key.low;
  let v3 = 0x74656462 ^ key.high;
  let low = 0;
  const { length } = text;
  const words = (length >> 1) + 1;
  // One loop for the words and for both halves of the result, so that all of it stays in registers.
  for (let step = 0; step < words + 2; step++) {
    const word = step < words ? wordAt(text, step * 2) : 0;
    if (step === words) v2 ^= 0xee;
    else if (step > words) {
      low = (v1 ^ v3) >>> 0;
      v1 ^= 0xdd;
    }
    v3 ^= word;
    for (let round = step < words ? 2 : 4; round > 0; round--) {
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
    }
    v0 ^= word;
  }
  return { high: (v1 ^ v3) >>> 0, low };
}

/** Two code units; the last word holds what is left and the length in bytes, as the algorithm has it. */
function wordAt(text: string, at: number): number {
  const { length } = text;
  if (at + 1 < length) return text.charCodeAt(at) | (text.charCodeAt(at + 1) << 16);
  return ((length & 0x7f) << 25) | (at < length ? text.charCodeAt(at) : 0);
}
