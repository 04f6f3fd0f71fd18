/** Building blocks of the OCSF renderers: values that a strict schema accepts, and where they go. */
import type { Event } from "../event.ts";

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

/** Whether a character could hide or reorder text: C0 and C1 controls, bidirectional and invisible format characters. */
function deceives(code: number): boolean {
  if (code < 0x20) return true;
  if (code < 0x7f) return false;
  if (code < 0xa0) return true;
  if (code < 0x61c) return code === 0xad;
  if (code < 0x200b) return code === 0x61c;
  return code <= 0x200f || (code >= 0x2028 && code <= 0x202e) || (code >= 0x2060 && code <= 0x2069) || code === 0xfeff;
}

/** Text with control, bidirectional and invisible characters written as `\uXXXX`: agents choose many of these texts. */
export function visible(text: string): string {
  let index = 0;
  while (index < text.length && !deceives(text.charCodeAt(index))) index++;
  if (index === text.length) return text;
  let result = "";
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    result += deceives(code) ? `\\u${code.toString(16).padStart(4, "0")}` : text[at];
  }
  return result;
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

const OCTET = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const IPV4 = new RegExp(`^${OCTET}(?:\\.${OCTET}){3}$`);
const GROUP = /^[0-9a-fA-F]{1,4}$/;

/** Whether text is an IPv4 or IPv6 address as OCSF's ip_t has it: no zone, no prefix length. */
export function isIp(text: unknown): text is string {
  if (typeof text !== "string" || text.length < 2 || text.length > 45) return false;
  if (!text.includes(":")) return IPV4.test(text);
  const halves = text.split("::");
  if (halves.length > 2) return false;
  let groups = 0;
  for (const [half, part] of halves.entries()) {
    if (part === "") continue;
    const names = part.split(":");
    for (const [index, name] of names.entries()) {
      const last = half === halves.length - 1 && index === names.length - 1;
      if (GROUP.test(name)) groups += 1;
      else if (last && IPV4.test(name)) groups += 2;
      else return false;
    }
  }
  return halves.length === 2 ? groups < 8 : groups === 8;
}

/** OCSF ip_t. */
export const ip: Guard = (value) => (isIp(value) ? value : undefined);
