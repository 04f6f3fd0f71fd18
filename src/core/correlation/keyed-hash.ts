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
  function round(): void {
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
  function absorb(word: number): void {
    v3 ^= word;
    round();
    round();
    v0 ^= word;
  }
  function squeeze(): number {
    for (let count = 0; count < 4; count++) round();
    return (v1 ^ v3) >>> 0;
  }
  const { length } = text;
  for (let at = 0; at + 1 < length; at += 2) absorb(text.charCodeAt(at) | (text.charCodeAt(at + 1) << 16));
  // The length in bytes closes the last word, as the algorithm has it.
  absorb(((length & 0x7f) << 25) | (length % 2 === 1 ? text.charCodeAt(length - 1) : 0));
  v2 ^= 0xee;
  const low = squeeze();
  v1 ^= 0xdd;
  return { high: squeeze(), low };
}
