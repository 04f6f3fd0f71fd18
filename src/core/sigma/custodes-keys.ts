import type { RuleInfo } from "../alert.ts";
import { mapAt, numberAt, onlyKeys, own, textAt, textsAt, type YamlMap } from "./document.ts";
import { parseDuration } from "./duration.ts";
import { reject, show, type KeyPath } from "./rejection.ts";
import type { DurationMs } from "./rules.ts";

/** The part of a rule's description that comes from its `custodes` keys (`semantics.md` section 7). */
type CustodesInfo = Pick<
  RuleInfo,
  "schedule" | "timezone" | "entity" | "threat" | "risk" | "runbook" | "response" | "destinations" | "maps"
>;

/** The `custodes` keys of a document. */
export interface CustodesKeys {
  readonly keys: CustodesInfo;
  readonly suppressMs: DurationMs | undefined;
  readonly latenessMs: DurationMs | undefined;
}

const PLACE: KeyPath = ["custodes"];
const KNOWN: readonly string[] = [
  "schedule",
  "timezone",
  "suppress",
  "lateness",
  "entity",
  "threat",
  "risk",
  "maps",
  "runbook",
  "response",
  "destinations",
];
/** Response levels: 1 soft, 2 hard, 3 emergency. */
const LEVEL_MAX = 3;

/**
 * Reads the `custodes` keys; all of them are optional.
 * @throws {Rejection} for unknown keys and wrong types
 */
export function parseCustodes(document: YamlMap): CustodesKeys {
  const value = own(document, "custodes");
  const map = value === undefined ? {} : mapAt(value, PLACE);
  onlyKeys(map, PLACE, KNOWN);
  const timezone = timezoneOf(map);
  const destinations = textsAt(map, "destinations", PLACE);
  return {
    keys: {
      schedule: textAt(map, "schedule", PLACE),
      ...(timezone === undefined ? {} : { timezone }),
      entity: textAt(map, "entity", PLACE),
      threat: textAt(map, "threat", PLACE),
      risk: numberAt(map, "risk", PLACE, 0, 100),
      runbook: textAt(map, "runbook", PLACE),
      response: responseOf(map),
      destinations: destinations.length === 0 ? undefined : destinations,
      maps: mapsOf(map),
    },
    suppressMs: durationAt(map, "suppress", PLACE, 1),
    latenessMs: durationAt(map, "lateness", PLACE, 0),
  };
}

/** A duration of at least `lowMs`, or undefined without the key. @throws {Rejection} */
export function durationAt(map: YamlMap, key: string, keys: KeyPath, lowMs: number): DurationMs | undefined {
  const value = own(map, key);
  if (value === undefined) return undefined;
  const place = [...keys, key];
  const duration = parseDuration(value);
  if (duration === undefined)
    reject(place, `${show(key)} must be a number with s, m, h, d, w, M or y, at most a century, not ${show(value)}`);
  if (duration < lowMs) reject(place, `${show(key)} must be longer than nothing`);
  return duration;
}

function timezoneOf(map: YamlMap): string | undefined {
  const timezone = textAt(map, "timezone", PLACE);
  if (timezone === undefined) return undefined;
  try {
    new Intl.DateTimeFormat("en", { timeZone: timezone }).format(0);
  } catch {
    reject([...PLACE, "timezone"], `${show(timezone)} is not a time zone such as Europe/Berlin`);
  }
  return timezone;
}

function responseOf(map: YamlMap): RuleInfo["response"] {
  const value = own(map, "response");
  if (value === undefined) return undefined;
  const place = [...PLACE, "response"];
  const response = mapAt(value, place);
  onlyKeys(response, place, ["level", "actions"]);
  const level = numberAt(response, "level", place, 1, LEVEL_MAX) ?? reject(place, "the response has no level");
  if (!Number.isInteger(level)) reject([...place, "level"], `the response's level must be 1, 2 or ${LEVEL_MAX}`);
  return { level, actions: textsAt(response, "actions", place) };
}

function mapsOf(map: YamlMap): RuleInfo["maps"] {
  const value = own(map, "maps");
  if (value === undefined) return [];
  const place = [...PLACE, "maps"];
  if (!Array.isArray(value)) reject(place, '"maps" must be a list of {framework, version, id}');
  return value.map((item: unknown, index) => {
    const itemPlace = [...place, index];
    const entry = mapAt(item, itemPlace);
    onlyKeys(entry, itemPlace, ["framework", "version", "id"]);
    const need = (key: string): string => textAt(entry, key, itemPlace) ?? reject(itemPlace, `the mapping has no ${key}`);
    // A version such as 2025 is one with and without quotes; 18.0 is not, so a fraction must be quoted.
    const version = own(entry, "version");
    return { framework: need("framework"), version: Number.isSafeInteger(version) ? String(version) : need("version"), id: need("id") };
  });
}
