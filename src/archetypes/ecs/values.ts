/** Values that ECS documents of every kind share. */
import type { Level } from "../../core/alert.ts";

/** Version of ECS that the field names are checked against. */
export const ECS_VERSION = "9.4.0";

/** The four values that Elastic Security's "External Alerts" rule maps to its severities; any other means medium there. */
export const SEVERITY: Readonly<Record<Level, number>> = { informational: 21, low: 21, medium: 47, high: 73, critical: 99 };

/** OCSF `severity_id` 0 (unknown) to 6 (fatal) as one of the same four values. */
export const SEVERITY_OF_ID: readonly number[] = [21, 21, 21, 47, 73, 99, 99];

const IPV4 = /^(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(\.(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}$/;

/**
 * The text when Elasticsearch's type `ip` takes it, which refuses leading zeros and zones. One bad address would have
 * the whole document refused, and addresses come from logs.
 */
export function address(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  if (IPV4.test(text)) return text;
  return /^[0-9A-Fa-f:.]{2,45}$/.test(text) && text.includes(":") && URL.canParse(`http://[${text}]/`) ? text : undefined;
}

/** The object with at least one value, else undefined: an empty object says nothing. */
export function some<T extends Readonly<Record<string, unknown>>>(object: T): T | undefined {
  return Object.values(object).some((value) => value !== undefined) ? object : undefined;
}
