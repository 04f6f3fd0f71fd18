import { ANY, DASH, DASHES, type Pattern } from "./pattern.ts";
import { fewSteps, indexOf, stretchSearch, type StretchSearch } from "./search.ts";

/** A stretch of a pattern without ANY. */
interface Segment {
  readonly items: Pattern;
  /** Set when it is a plain text: native searches do. */
  readonly literal: string | undefined;
  /** Places that it takes in a text, at least. */
  readonly size: number;
  /** Made when a text is long; null when there is none. */
  search: StretchSearch | null | undefined;
}

/**
 * A test of whole texts against a pattern. Case is the caller's business: fold pattern and text alike. Takes time
 * proportional to the text where the pattern has no `?`, and to text × longest stretch with `?` / 32 at worst.
 */
export function globTest(pattern: Pattern): (text: string) => boolean {
  const segments = segmentsOf(pattern);
  const first = segments[0]!;
  const last = segments.at(-1)!;
  if (segments.length === 1) return first.literal === undefined ? (text) => forward(first, text, 0) === text.length : same(first.literal);
  if (segments.length === 2 && first.literal !== undefined && last.literal !== undefined) return prefixSuffix(first.literal, last.literal);
  if (segments.length === 3 && first.literal === "" && last.literal === "" && segments[1]!.literal !== undefined) {
    const inner = segments[1]!.literal;
    return (text) => indexOf(text, inner, 0) !== -1;
  }
  const middle = segments.slice(1, -1);
  return (text) => {
    let position = forward(first, text, 0);
    if (position === -1) return false;
    const end = backward(last, text, text.length);
    if (end < position) return false;
    for (const segment of middle) {
      position = find(segment, text, position, end);
      if (position === -1) return false;
    }
    return true;
  };
}

function same(literal: string): (text: string) => boolean {
  return (text) => text === literal;
}

function prefixSuffix(prefix: string, suffix: string): (text: string) => boolean {
  if (prefix === "" && suffix === "") return () => true;
  if (suffix === "") return (text) => text.startsWith(prefix);
  if (prefix === "") return (text) => text.endsWith(suffix);
  const shortest = prefix.length + suffix.length;
  return (text) => text.length >= shortest && text.startsWith(prefix) && text.endsWith(suffix);
}

/** Cuts at ANY; the first segment is anchored at the start, the last at the end, both may be empty. */
function segmentsOf(pattern: Pattern): Segment[] {
  const lists: (string | number)[][] = [[]];
  for (const item of pattern) {
    if (item === ANY) lists.push([]);
    else lists.at(-1)!.push(item);
  }
  return lists.map((items) => {
    const only = items.length === 0 ? "" : items[0]!;
    const size = items.reduce<number>((sum, item) => sum + (typeof item === "string" ? item.length : 1), 0);
    return { items, literal: items.length < 2 && typeof only === "string" ? only : undefined, size, search: undefined };
  });
}

/** Where the segment ends when it starts at `position`; -1 when it does not match there. */
function forward(segment: Segment, text: string, position: number): number {
  let at = position;
  for (const item of segment.items) {
    if (typeof item === "string") {
      if (!text.startsWith(item, at)) return -1;
      at += item.length;
    } else {
      if (at >= text.length) return -1;
      const next = after(text, at);
      if (item === DASH && !DASHES.includes(text.slice(at, next))) return -1;
      at = next;
    }
  }
  return at;
}

/** Where the segment starts when it ends at `position`; -1 when it does not match there. */
function backward(segment: Segment, text: string, position: number): number {
  let at = position;
  for (let index = segment.items.length - 1; index >= 0; index--) {
    const item = segment.items[index]!;
    if (typeof item === "string") {
      if (!text.endsWith(item, at)) return -1;
      at -= item.length;
    } else {
      if (at <= 0) return -1;
      const next = before(text, at);
      if (item === DASH && !DASHES.includes(text.slice(next, at))) return -1;
      at = next;
    }
  }
  return at;
}

/** The end of the first occurrence within [position, end]; -1 without one. */
function find(segment: Segment, text: string, position: number, end: number): number {
  if (segment.literal !== undefined) {
    const at = indexOf(text, segment.literal, position);
    return at === -1 || at + segment.literal.length > end ? -1 : at + segment.literal.length;
  }
  if (!fewSteps(end - position, segment.size)) {
    segment.search ??= stretchSearch(segment.items) ?? null;
    if (segment.search !== null) return segment.search(text, position, end);
  }
  const head = segment.items[0]!;
  let start = position;
  while (start <= end) {
    if (typeof head === "string") {
      start = text.indexOf(head, start);
      if (start === -1) return -1;
    }
    const stop = forward(segment, text, start);
    if (stop > end) return -1;
    if (stop !== -1) return stop;
    start = start < text.length ? after(text, start) : start + 1;
  }
  return -1;
}

function after(text: string, index: number): number {
  return isPair(text, index) ? index + 2 : index + 1;
}

function before(text: string, index: number): number {
  return index >= 2 && isPair(text, index - 2) ? index - 2 : index - 1;
}

function isPair(text: string, index: number): boolean {
  const high = text.charCodeAt(index);
  if (high < 0xd800 || high > 0xdbff) return false;
  const low = text.charCodeAt(index + 1);
  return low >= 0xdc00 && low <= 0xdfff;
}
