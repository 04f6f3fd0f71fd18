/**
 * What every normalizer needs to read a vendor's record safely: times, hosts, addresses, URLs and ids.
 * Everything here is pure and total: bad input gives undefined, or a poison Failure where the record cannot stand.
 */
import { poison } from "./errors.ts";
import type { EpochMs } from "./event.ts";

/** A JSON object of unknown content. */
export type Json = { readonly [key: string]: unknown };

/** Text values are cut to this many characters before they become part of an event: an agent may have written them. */
const TEXT_MAX = 1024;
/** Records nested deeper than this are refused: recursion over them must stay shallow. */
export const DEPTH_MAX = 64;
/** A record may lie this far in the future before its clock is not believed: one day, as Google Cloud Logging allows. */
export const FUTURE_MAX_MS = 86_400_000;

/** The value as a JSON object, or undefined. */
export function asObject(value: unknown): Json | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
}

/** The record as a JSON object. @throws {Failure} poison RECORD_NOT_OBJECT */
export function recordObject(record: unknown): Json {
  const object = asObject(record);
  if (object === undefined) throw poison("RECORD_NOT_OBJECT", "the record is not a JSON object");
  return object;
}

/** Non-empty text, cut to TEXT_MAX; anything else is undefined. Numbers become text. */
export function text(value: unknown): string | undefined {
  if (typeof value === "string") return value === "" ? undefined : value.length > TEXT_MAX ? value.slice(0, TEXT_MAX) : value;
  return typeof value === "number" ? String(value) : undefined;
}

/** As `text`, but null or empty text under a key that the record supplies is `""`: the source says "none". */
export function suppliedText(object: Json, key: string): string | undefined {
  const value = object[key];
  if (value === null || value === "") return "";
  return text(value);
}

// One way only to read any text: two ways for a run of digits would cost the square of its length.
const NUMERIC = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/;

/** A finite number, also from a numeric text; anything else is undefined. */
export function numeric(value: unknown): number | undefined {
  if (typeof value === "number") return Number.isFinite(value) ? value : undefined;
  if (typeof value !== "string" || !NUMERIC.test(value)) return undefined;
  const result = Number(value);
  return Number.isFinite(result) ? result : undefined;
}

/** A vendor's id or type name is this long at most: it becomes part of a uid or an action, which are keys everywhere. */
export const ID_MAX = 200;

/**
 * A text that identifies: non-empty and at most ID_MAX characters; numbers become text.
 * @throws {Failure} poison RECORD_FIELD_MISSING, RECORD_FIELD_INVALID (too long, cutting would make ids collide)
 */
export function recordId(value: unknown, name: string): string {
  const id = text(value);
  if (id === undefined) throw poison("RECORD_FIELD_MISSING", `${name} is missing`);
  if (id.length > ID_MAX) throw poison("RECORD_FIELD_INVALID", `${name} is longer than ${ID_MAX} characters`);
  return id;
}

/** The texts of an array, cut; undefined when there are none. At most 64. */
export function textList(value: unknown): string[] | undefined {
  if (!Array.isArray(value) || value.length === 0) return undefined;
  const list: string[] = [];
  for (const item of value) {
    const one = text(item);
    if (one !== undefined && list.length < 64) list.push(one);
  }
  return list.length > 0 ? list : undefined;
}

const RFC3339 = /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:[.,](\d+))?\s*(?:([Zz])|([+-])(\d\d):?(\d\d))$/;

/** Epoch milliseconds of an RFC 3339 time with an offset, floored; undefined when it is not one. */
function parseRfc3339(value: string): EpochMs | undefined {
  const match = RFC3339.exec(value);
  if (match === null) return undefined;
  const [, year, month, day, hour, minute, second, fraction, , sign, offsetHour, offsetMinute] = match;
  // 60 is a leap second; the clock that we compare with has none, so it is the next second.
  if (Number(second) > 60 || Number(minute) > 59 || Number(hour) > 23) return undefined;
  if (Number(offsetHour ?? 0) > 23 || Number(offsetMinute ?? 0) > 59) return undefined;
  const [y, m, d] = [Number(year), Number(month), Number(day)];
  if (m < 1 || m > 12 || d < 1 || d > daysOf(y, m)) return undefined;
  const date = daysSinceEpoch(y, m, d) * 86_400_000;
  const clock = (Number(hour) * 3600 + Number(minute) * 60 + Number(second)) * 1000;
  const milliseconds = fraction === undefined ? 0 : Number(`${fraction}000`.slice(0, 3));
  const offset = sign === undefined ? 0 : (Number(offsetHour) * 60 + Number(offsetMinute)) * 60_000 * (sign === "-" ? -1 : 1);
  return date + clock + milliseconds - offset;
}

/**
 * Epoch milliseconds of a time as logs write it: RFC 3339 with an offset, or a number or numeric text of seconds
 * (absolute value below 1e11) or milliseconds, floored. Undefined when it is neither.
 */
export function parseTime(value: unknown): EpochMs | undefined {
  if (typeof value === "string") {
    const iso = fastIso(value) ?? parseRfc3339(value);
    if (iso !== undefined) return iso;
  }
  const number = numeric(value);
  if (number === undefined) return undefined;
  return Math.abs(number) < 1e11 ? secondsToMs(number) : Math.floor(number);
}

/** An RFC 3339 time as the standard writes it, or a number: what `parseTime` takes beside is refused. */
export function parseStrictTime(value: unknown): EpochMs | undefined {
  if (typeof value === "string" && value.includes("-", 1) && !STRICT.test(value) && numeric(value) === undefined) return undefined;
  return parseTime(value);
}

const STRICT = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(?:\.\d+)?(?:[Zz]|[+-]\d\d:\d\d)$/;

/** Seconds as whole milliseconds, floored as decimals: 1.001 s is 1001 ms, although 1.001 * 1000 is a little less. */
function secondsToMs(seconds: number): EpochMs {
  const product = seconds * 1000;
  const floor = Math.floor(product);
  if (product - floor < 0.999) return floor;
  const decimals = /^-?\d+\.(\d+)$/.exec(String(seconds))?.[1];
  return decimals === undefined || decimals.length > 3 ? floor : Math.round(product);
}

/** `YYYY-MM-DDTHH:MM:SS[.fff]Z`, the form that almost every record has, read digit by digit. */
function fastIso(value: string): EpochMs | undefined {
  const { length } = value;
  if ((length !== 24 && length !== 20) || value.charCodeAt(length - 1) !== 90 || value.charCodeAt(10) !== 84) return undefined;
  if (value.charCodeAt(4) !== 45 || value.charCodeAt(7) !== 45 || value.charCodeAt(13) !== 58 || value.charCodeAt(16) !== 58)
    return undefined;
  if (length === 24 && value.charCodeAt(19) !== 46) return undefined;
  const year = digits(value, 0, 4);
  const month = digits(value, 5, 2);
  const day = digits(value, 8, 2);
  const hour = digits(value, 11, 2);
  const minute = digits(value, 14, 2);
  const second = digits(value, 17, 2);
  const fraction = length === 24 ? digits(value, 20, 3) : 0;
  // A digit that is none makes its number, and with it every comparison below, NaN.
  if (
    !(
      year >= 0 &&
      month >= 1 &&
      month <= 12 &&
      day >= 1 &&
      day <= daysOf(year, month) &&
      hour < 24 &&
      minute < 60 &&
      second < 60 &&
      fraction >= 0
    )
  )
    return undefined;
  return daysSinceEpoch(year, month, day) * 86_400_000 + ((hour * 60 + minute) * 60 + second) * 1000 + fraction;
}

function digits(value: string, start: number, count: number): number {
  let number = 0;
  for (let index = start; index < start + count; index++) {
    const digit = value.charCodeAt(index) - 48;
    if (digit < 0 || digit > 9) return Number.NaN;
    number = number * 10 + digit;
  }
  return number;
}

function daysOf(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Days of the proleptic Gregorian calendar since 1970-01-01; the year is taken to begin in March, so that leap days come last. */
function daysSinceEpoch(year: number, month: number, day: number): number {
  const years = month <= 2 ? year - 1 : year;
  const era = Math.floor(years / 400);
  const ofEra = years - era * 400;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  return era * 146_097 + ofEra * 365 + Math.floor(ofEra / 4) - Math.floor(ofEra / 100) + dayOfYear - 719_468;
}

/**
 * The record's time.
 * @throws {Failure} poison RECORD_NO_TIME, RECORD_TIME_FUTURE (more than a day after `received`)
 */
export function recordTime(value: unknown, received: EpochMs): EpochMs {
  const time = parseTime(value);
  if (time === undefined || !Number.isSafeInteger(time) || time <= 0) throw poison("RECORD_NO_TIME", "the record has no usable time");
  if (time > received + FUTURE_MAX_MS) throw poison("RECORD_TIME_FUTURE", "the record's time is more than a day in the future");
  return time;
}

/** A host name for comparing: lower case, without port, brackets and final dot. */
export function hostName(value: unknown): string | undefined {
  if (typeof value !== "string" || value === "" || value === "-") return undefined;
  let host = value;
  if (host.startsWith("[")) host = host.slice(1, host.indexOf("]") === -1 ? undefined : host.indexOf("]"));
  else {
    const colon = host.indexOf(":");
    if (colon !== -1 && colon === host.lastIndexOf(":")) host = host.slice(0, colon);
  }
  if (host.endsWith(".")) host = host.slice(0, -1);
  return host === "" ? undefined : host.toLowerCase().slice(0, 255);
}

const SECRET_PARAMETER = /([?&#](?:[^=&#]*(?:token|secret|passw|api_?key|sig|auth|credential|session|code)[^=&#]*)=)[^&#]*/gi;

/** A URL's path and query with the values of secret-looking parameters replaced; scheme and host are cut off. */
export function redactUrl(value: unknown): string | undefined {
  if (typeof value !== "string" || value === "") return undefined;
  const scheme = value.indexOf("://");
  let path = value;
  if (scheme > 0 && scheme < 12) {
    const slash = value.indexOf("/", scheme + 3);
    path = slash === -1 ? "/" : value.slice(slash);
  }
  if (path.length > TEXT_MAX) path = path.slice(0, TEXT_MAX);
  return /[?#]/.test(path) ? path.replace(SECRET_PARAMETER, "$1REDACTED") : path;
}

/** The path of a URL that `redactUrl` gave. */
export function urlPath(url: string | undefined): string | undefined {
  if (url === undefined) return undefined;
  const end = url.search(/[?#]/);
  return end === -1 ? url : url.slice(0, end);
}

/**
 * JSON with sorted keys and no spaces: the same value gives the same text.
 * @throws {Failure} poison RECORD_TOO_DEEP
 */
export function canonicalJson(value: unknown, depth = 0): string {
  if (depth > DEPTH_MAX) throw poison("RECORD_TOO_DEEP", `the record is nested deeper than ${DEPTH_MAX} levels`);
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null, depth + 1)).join(",")}]`;
  const object = asObject(value);
  if (object === undefined) return JSON.stringify(value) ?? "null";
  const parts: string[] = [];
  for (const key of Object.keys(object).sort()) {
    if (object[key] !== undefined) parts.push(`${JSON.stringify(key)}:${canonicalJson(object[key], depth + 1)}`);
  }
  return `{${parts.join(",")}}`;
}

/** Uid of a record that has no id of its own: a hash of its canonical JSON. @throws {Failure} poison RECORD_TOO_DEEP */
export function contentUid(connector: string, record: unknown, sha256: (text: string) => string): string {
  return `${connector}:sha256:${sha256(canonicalJson(record)).slice(0, 32)}`;
}
