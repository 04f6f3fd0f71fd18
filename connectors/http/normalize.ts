/** The configured mapping as a normalizer. */
import { Failure } from "../../src/core/errors.ts";
import { CLASS, type Category, type Event } from "../../src/core/event.ts";
import { newEvent } from "../../src/core/new-event.ts";
import {
  contentUid,
  hostName,
  numeric,
  recordObject,
  recordTime,
  redactUrl,
  text,
  textList,
  urlPath,
  type Json,
} from "../../src/core/record.ts";
import type { Normalize, NormalizeContext } from "../../src/ports/connector.ts";
import type { Config } from "./config.ts";
import { kindOf, type MappedField } from "./fields.ts";
import { valueAt } from "./path.ts";

/** The class that events of a category usually have. */
const CLASS_OF: Readonly<Record<Category, number>> = {
  agent_api: CLASS.apiActivity,
  agent_finding: CLASS.detectionFinding,
  authentication: CLASS.authentication,
  egress: CLASS.networkActivity,
  dns: CLASS.dnsActivity,
  infra_change: CLASS.apiActivity,
  process: CLASS.processActivity,
  file: CLASS.fileActivity,
  credential: CLASS.accountChange,
};
/** OCSF activity "other": the mapping says better when it knows. */
const OTHER = 99;
/** Longest id that is used as it is; of a longer one the record's content stands in. */
const ID_MAX = 256;

/** @throws {Failure} config CONFIG_INVALID without a configuration: there is no mapping that fits every vendor */
export function httpNormalize(config: Config | undefined): Normalize {
  if (config === undefined)
    throw new Failure(
      "the http connector maps records as its configuration says: give -c FILE and name one of its sources, as in http/NAME",
      {
        kind: "config",
        code: "CONFIG_INVALID",
      },
    );
  const { map } = config;
  const fills = fillers(map);
  const classUid = map.classUid ?? CLASS_OF[map.category];
  return (record, context) => {
    const object = recordObject(record);
    const time = recordTime(valueAt(object, map.time), context.received);
    const event = newEvent(uidOf(object, map.uid, context), time, map.category, classUid, OTHER);
    event.source = context.source;
    event.receivedTime = context.received;
    event.vendor = map.vendor;
    event.product = map.product;
    for (const fill of fills) fill(event, object);
    if (event.url !== undefined) {
      event.url = redactUrl(event.url);
      event.urlPath = urlPath(event.url);
    }
    if (event.dstHost !== undefined && event.dstHost !== "") event.dstHost = hostName(event.dstHost);
    return [event];
  };
}

/** The instance's name is part of the uid: two instances may read vendors whose ids are alike. */
function uidOf(record: Json, paths: readonly string[], context: NormalizeContext): string {
  const id = idOf(record, paths);
  return id === undefined ? contentUid(context.source, record, context.sha256) : `${context.source}:${id}`;
}

/** The vendor's id of a record; undefined when its content stands in: no `paths`, one of them without a value, or too long. */
export function idOf(record: unknown, paths: readonly string[]): string | undefined {
  const parts: string[] = [];
  for (const path of paths) {
    const part = valueAt(record, path);
    if ((typeof part !== "string" && typeof part !== "number") || part === "") return undefined;
    parts.push(paths.length === 1 ? String(part) : encodePart(String(part)));
  }
  const id = parts.join("/");
  return id === "" || id.length > ID_MAX ? undefined : id;
}

function encodePart(part: string): string {
  return part.replaceAll("%", "%25").replaceAll("/", "%2F");
}

type Fill = (event: Event, record: Json) => void;

function fillers(map: Config["map"]): readonly Fill[] {
  const fills: Fill[] = [];
  for (const [field, value] of Object.entries(map.constants) as [MappedField, unknown][])
    fills.push((event) => assign(event, field, value));
  for (const [field, source] of Object.entries(map.fields) as [MappedField, Config["map"]["fields"][MappedField]][]) {
    if (typeof source === "string") fills.push((event, record) => assign(event, field, valueAt(record, source)));
    else if (source !== undefined) {
      const values = new Map(Object.entries(source.values));
      fills.push((event, record) => assign(event, field, values.get(String(text(valueAt(record, source.path)) ?? "")) ?? source.otherwise));
    }
  }
  return fills;
}

/** Sets the field when the value is of its kind; a text that is supplied as null or empty is "". */
function assign(event: Event, field: MappedField, value: unknown): void {
  if (value === undefined) return;
  const converted = convert(field, value);
  // The table of kinds vouches for the type, which the compiler cannot see through.
  if (converted !== undefined) (event as unknown as Record<MappedField, unknown>)[field] = converted;
}

function convert(field: MappedField, value: unknown): string | number | boolean | readonly string[] | undefined {
  switch (kindOf(field)) {
    case "text":
      return value === null || value === "" ? "" : typeof value === "boolean" ? String(value) : text(value);
    case "number":
      return numeric(value);
    case "boolean":
      return typeof value === "boolean" ? value : undefined;
    case "list":
      return typeof value === "string" ? textList([value]) : textList(value);
  }
}
