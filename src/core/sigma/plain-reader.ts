import { poison } from "../errors.ts";
import type { EpochMs } from "../event.ts";
import { asObject, DEPTH_MAX, parseStrictTime, recordObject, type Json } from "../record.ts";
import type { Reader } from "./reader.ts";

/** A JSON object with its identity and time: what plain backtests run rules over. */
export interface PlainEvent {
  readonly uid: string;
  readonly time: EpochMs;
  readonly value: Json;
}

/** Times beyond these are not dates (ECMA-262, time values). */
const TIME_MAX_MS = 8.64e15;

/**
 * Makes a plain event of a record. Its uid is the top-level `uid`, else `id`, else what `hash` gives for the record,
 * which must depend on its canonical JSON alone.
 * @throws {Failure} poison RECORD_NOT_OBJECT, RECORD_NO_TIME, RECORD_TOO_DEEP
 */
export function plainEvent(record: unknown, timeField: string, hash: (record: Json) => string): PlainEvent {
  const value = recordObject(record);
  refuseDeep(value, 0);
  const time = parseStrictTime(lookUp(value, timeField, 0));
  if (time === undefined || !(Math.abs(time) <= TIME_MAX_MS)) throw poison("RECORD_NO_TIME", "the record has no usable time");
  return { uid: idText(value, "uid") ?? idText(value, "id") ?? hash(value), time, value };
}

/** A non-empty text, or a number as text. */
function idText(value: Json, key: string): string | undefined {
  const id = Object.hasOwn(value, key) ? value[key] : undefined;
  if (typeof id === "string" && id !== "") return id;
  return typeof id === "number" && Number.isFinite(id) ? String(id) : undefined;
}

/** Reads plain events by dotted path: any path may exist, and nothing is read through prototypes. */
export function plainReader(): Reader<PlainEvent> {
  return READER;
}

const READER: Reader<PlainEvent> = {
  uid: (event) => event.uid,
  time: (event) => event.time,
  category: () => undefined,
  agent: () => undefined,
  field: (path) => {
    if (path.includes(".")) return (event) => lookUp(event.value, path, 0);
    return (event) => (Object.hasOwn(event.value, path) ? event.value[path] : undefined);
  },
  paths: [],
  strings: (event, visit) => visitStrings(event.value, visit),
};

/**
 * The value at a path: an exact key first, then every split at a dot from the left. An array of maps gives the list
 * of what its maps have there. Each node of the value is met at most once, so the time is bounded by its size.
 */
function lookUp(value: unknown, path: string, start: number): unknown {
  if (Array.isArray(value)) return fanOut(value, path, start);
  const object = asObject(value);
  if (object === undefined) return undefined;
  const rest = start === 0 ? path : path.slice(start);
  if (Object.hasOwn(object, rest)) return object[rest];
  for (let dot = path.indexOf(".", start); dot !== -1; dot = path.indexOf(".", dot + 1)) {
    const key = path.slice(start, dot);
    if (!Object.hasOwn(object, key)) continue;
    const found = lookUp(object[key], path, dot + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

function fanOut(list: readonly unknown[], path: string, start: number): unknown {
  let found: unknown[] | undefined;
  for (const item of list) {
    const value = lookUp(item, path, start);
    if (value === undefined) continue;
    if (found === undefined) found = [value];
    else found.push(value);
  }
  return found;
}

function visitStrings(value: unknown, visit: (text: string) => void): void {
  if (typeof value === "string") visit(value);
  else if (Array.isArray(value)) for (const item of value) visitStrings(item, visit);
  else if (typeof value === "object" && value !== null) for (const key of Object.keys(value)) visitStrings((value as Json)[key], visit);
}

/** Everything that reads a plain event recurses over it, so its depth is checked once, here. */
function refuseDeep(value: unknown, depth: number): void {
  if (typeof value !== "object" || value === null) return;
  if (depth > DEPTH_MAX) throw poison("RECORD_TOO_DEEP", `the record is nested deeper than ${DEPTH_MAX} levels`);
  if (Array.isArray(value)) for (const item of value) refuseDeep(item, depth + 1);
  else for (const key of Object.keys(value)) refuseDeep((value as Json)[key], depth + 1);
}
