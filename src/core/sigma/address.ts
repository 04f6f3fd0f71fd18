/** An address range: the first `bits` bits of `parts`, 16 bits each, 2 parts for IPv4 and 8 for IPv6. */
export interface AddressRange {
  readonly parts: readonly number[];
  readonly bits: number;
}

/** Scratch for one address: parsing allocates nothing. */
const scratch = new Uint16Array(8);

/**
 * Reads `address/bits`; without `/bits` it is the one address.
 * A reason in words when it cannot be understood.
 */
export function parseRange(text: string): AddressRange | string {
  const slash = text.indexOf("/");
  const size = parseAddress(slash === -1 ? text : text.slice(0, slash));
  if (size === 0) return "is not an IPv4 or IPv6 network";
  const parts = [...scratch.subarray(0, size)];
  const suffix = slash === -1 ? String(size * 16) : text.slice(slash + 1);
  if (!/^\d{1,3}$/.test(suffix) || Number(suffix) > size * 16) return `has a prefix length that is not between 0 and ${size * 16}`;
  const bits = Number(suffix);
  if (parts.some((part, index) => (part & ~maskOf(bits, index)) !== 0)) return "has host bits set";
  return { parts, bits };
}

/**
 * A test whether a text is an address within the range.
 * IPv4 and IPv6 are different worlds, also when mapped.
 */
export function rangeTest(range: AddressRange): (text: string) => boolean {
  const masks = range.parts.map((_, index) => maskOf(range.bits, index));
  const { parts } = range;
  const size = parts.length;
  return (text) => {
    if (parseAddress(text) !== size) return false;
    for (let index = 0; index < size; index++) if ((scratch[index]! & masks[index]!) !== parts[index]) return false;
    return true;
  };
}

function maskOf(bits: number, index: number): number {
  const own = Math.min(16, Math.max(0, bits - index * 16));
  return (0xffff << (16 - own)) & 0xffff;
}

/** Fills the scratch; the number of parts (2 or 8), or 0 when the text is no address. */
function parseAddress(text: string): number {
  // The longest form is IPv6 with an embedded IPv4 address: 45 characters.
  if (text.length < 2 || text.length > 45) return 0;
  return text.includes(":") ? parse6(text) : parse4(text, 0, 0) ? 2 : 0;
}

/**
 * Dotted decimal from `start` to the end, into two parts from `at`.
 * Leading zeros are refused: readers differ on them.
 */
function parse4(text: string, start: number, at: number): boolean {
  let octets = 0;
  let value = -1;
  let digits = 0;
  for (let index = start; index <= text.length; index++) {
    const code = index === text.length ? 46 : text.charCodeAt(index);
    if (code === 46) {
      if (value < 0 || value > 255 || octets === 4) return false;
      const part = at + (octets >> 1);
      scratch[part] = (octets & 1) === 0 ? value << 8 : scratch[part]! | value;
      octets++;
      value = -1;
      digits = 0;
    } else {
      if (code < 48 || code > 57 || value === 0 || digits === 3) return false;
      value = (value < 0 ? 0 : value * 10) + code - 48;
      digits++;
    }
  }
  return octets === 4;
}

/** Colon form, with at most one `::` and an optional dotted end; no zone. */
function parse6(text: string): number {
  let count = 0;
  let gap = -1;
  let index = 0;
  if (text.startsWith("::")) {
    gap = 0;
    index = 2;
  } else if (text.startsWith(":")) return 0;
  while (index < text.length) {
    if (count === 8) return 0;
    let value = 0;
    const start = index;
    for (; index < text.length && index - start < 5; index++) {
      const digit = hexDigit(text.charCodeAt(index));
      if (digit < 0) break;
      value = value * 16 + digit;
    }
    if (text.charCodeAt(index) === 46) {
      if (count > 6 || !parse4(text, start, count)) return 0;
      count += 2;
      index = text.length;
      break;
    }
    if (index === start || index - start > 4) return 0;
    scratch[count++] = value;
    if (index === text.length) break;
    if (text.charCodeAt(index) !== 58) return 0;
    index++;
    if (text.charCodeAt(index) === 58) {
      if (gap !== -1) return 0;
      gap = count;
      index++;
    } else if (index === text.length) return 0;
  }
  if (gap === -1) return count === 8 ? 8 : 0;
  if (count === 8) return 0;
  const tail = count - gap;
  scratch.copyWithin(8 - tail, gap, count);
  scratch.fill(0, gap, 8 - tail);
  return 8;
}

function hexDigit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48;
  const lower = code | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}
