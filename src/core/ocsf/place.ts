/** Building blocks of the OCSF renderers: values that a strict schema accepts, and where they go. */
import type { Event } from "../event.ts";
import { isIp } from "../ip.ts";
import { safeText } from "../safe-text.ts";

/** A JSON object under construction. Keys come from our own tables only, never from records. */
export type Tree = { [key: string]: unknown };
/** Steps into a tree; a number is an index of an array. */
export type Path = readonly (string | number)[];

/** Stands where OCSF requires a value and the source gives none. */
export const UNKNOWN = "unknown";

/** Sets a value, creating the objects and arrays on its way. */
export function put(target: Tree, path: Path, value: unknown): void {
  let node: { [key: string | number]: unknown } = target;
  const last = path.length - 1;
  for (let index = 0; index < last; index++) {
    const key = path[index]!;
    let next = node[key];
    if (next === undefined) {
      next = typeof path[index + 1] === "number" ? [] : {};
      node[key] = next;
    }
    node = next as Tree;
  }
  node[path[last]!] = value;
}

/** Text that says something. */
export function has(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

/** Texts of an OCSF object are cut to this many characters; fields of events are four times shorter. */
const OCSF_TEXT_MAX = 4096;

/** The text as a SIEM may show it: agents choose many of these texts. */
export function visible(text: string): string {
  return safeText(text, OCSF_TEXT_MAX);
}

/** The value as JSON may carry it: visible text, finite numbers, lists of visible text; undefined when it cannot. */
export function presentable(value: unknown): unknown {
  if (typeof value === "string") return visible(value);
  if (typeof value === "number") return Number.isFinite(value) ? value : undefined;
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.map((item) => (typeof item === "string" ? visible(item) : item));
  return value;
}

/** Decides whether a value may stand at its OCSF path; undefined sends it to `unmapped`. */
export type Guard = (value: unknown, event: Event) => unknown;

/** Whole numbers only, as OCSF's integer_t, long_t and timestamp_t. */
export const int: Guard = (value) => (Number.isSafeInteger(value) ? value : undefined);

/** OCSF port_t. */
export const port: Guard = (value) =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) <= 65_535 ? value : undefined;

/** A value out of a closed list. */
export function among(values: readonly unknown[]): Guard {
  const allowed = new Set(values);
  return (value) => (allowed.has(value) ? value : undefined);
}

/** Longest `ip_t` of OCSF; the longest forms of IPv6 with a dotted end are longer. */
const IP_LENGTH_MAX = 40;

/** Whether text is an address as OCSF's ip_t has it: no zone, no prefix length, no octet with a leading zero. */
export function isOcsfIp(text: unknown): text is string {
  return typeof text === "string" && text.length <= IP_LENGTH_MAX && isIp(text) && !/(^|[.:])0\d+\./.test(text) && !/\.0\d+$/.test(text);
}

/** OCSF ip_t. */
export const ip: Guard = (value) => (isOcsfIp(value) ? value : undefined);
