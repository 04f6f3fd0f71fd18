/** Digest of a text, as at least 16 hexadecimal digits: everything that is in no other text changes it. */
export type Digest = (text: string) => string;

/** 64 bits of a digest, as two words. */
export interface HashKey {
  readonly high: number;
  readonly low: number;
}

/** Hashes a text; `under` sets equal texts of different groups apart. */
export type KeyedHash = (text: string, under?: HashKey) => HashKey;

/** Hashes by a digest. Where its key is secret, nobody who writes logs can make a value that is taken for another one. */
export function keyedHash(digest: Digest): KeyedHash {
  return (text, under) => {
    const digits = digest(under === undefined ? text : `${under.high} ${under.low} ${text}`);
    return { high: Number.parseInt(digits.slice(0, 8), 16), low: Number.parseInt(digits.slice(8, 16), 16) };
  };
}

/** Numbers texts in the order in which it meets them: exact, and for few. */
export function numberedHash(): KeyedHash {
  const numbers = new Map<string, number>();
  return keyedHash((text) => {
    const number = numbers.get(text) ?? numbers.size;
    numbers.set(text, number);
    return number.toString(16).padStart(16, "0");
  });
}
