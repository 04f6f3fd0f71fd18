/** The rules for one event, those of the schema and those that only the documentation's text has. */

type Json = Readonly<Record<string, unknown>>;

const ACTIONS = ["trigger", "acknowledge", "resolve"];
const SEVERITIES = ["critical", "error", "warning", "info"];
const ISO_8601 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)$/;

/** Why the event is invalid; empty when it is not. */
export function eventErrors(event: Json): string[] {
  const errors: string[] = [];
  const key = event["routing_key"];
  if (typeof key !== "string") errors.push("'routing_key' is missing or not a string");
  else if (key.length !== 32) errors.push("Length of 'routing_key' is incorrect (should be 32 characters)");
  const action = event["event_action"];
  if (typeof action !== "string" || !ACTIONS.includes(action))
    errors.push("'event_action' is invalid (must be trigger, acknowledge or resolve)");
  const dedupKey = event["dedup_key"];
  if (dedupKey !== undefined && (typeof dedupKey !== "string" || dedupKey.length > 255))
    errors.push("'dedup_key' is not a string of at most 255");
  if (action !== "trigger") {
    if (dedupKey === undefined || dedupKey === "") errors.push("'dedup_key' is missing or blank");
    return errors;
  }
  for (const name of ["client", "client_url"]) if (!optionalText(event[name])) errors.push(`'${name}' is not a string`);
  listErrors(event["links"], "links", linkError, errors);
  listErrors(event["images"], "images", imageError, errors);
  const payload = event["payload"];
  if (isObject(payload)) payloadErrors(payload, errors);
  else errors.push("'payload' is missing or not an object");
  return errors;
}

/** As `eventErrors`, for a change event ("Send a Change Event"); keys of rulesets, which begin with R, take none. */
export function changeErrors(event: Json): string[] {
  const errors: string[] = [];
  const key = event["routing_key"];
  if (typeof key !== "string" || key.length !== 32) errors.push("Length of 'routing_key' is incorrect (should be 32 characters)");
  else if (key.startsWith("R")) errors.push("'routing_key' of a ruleset takes no change events");
  listErrors(event["links"], "links", linkError, errors);
  const payload = event["payload"];
  const summary = isObject(payload) ? payload["summary"] : undefined;
  if (typeof summary !== "string" || summary === "") errors.push("'payload.summary' is missing or blank");
  else if (summary.length > 1024) errors.push("'summary' is too long (maiximum is 1024 characters)");
  return errors;
}

function payloadErrors(payload: Json, errors: string[]): void {
  const { summary, source, severity, timestamp } = payload as {
    summary?: unknown;
    source?: unknown;
    severity?: unknown;
    timestamp?: unknown;
  };
  if (typeof summary !== "string" || summary === "") errors.push("'payload.summary' is missing or blank");
  // The service's own spelling.
  else if (summary.length > 1024) errors.push("'summary' is too long (maiximum is 1024 characters)");
  if (typeof source !== "string" || source === "") errors.push("'payload.source' is missing or blank");
  if (typeof severity !== "string" || !SEVERITIES.includes(severity)) errors.push("'payload.severity' is invalid");
  if (timestamp !== undefined && (typeof timestamp !== "string" || !ISO_8601.test(timestamp)))
    errors.push("'payload.timestamp' is not ISO 8601");
  for (const name of ["component", "group", "class"]) if (!optionalText(payload[name])) errors.push(`'payload.${name}' is not a string`);
  const details = payload["custom_details"];
  if (details !== undefined && !isObject(details)) errors.push("'payload.custom_details' is not an object");
}

function listErrors(list: unknown, name: string, check: (item: Json) => string | undefined, errors: string[]): void {
  if (list === undefined) return;
  if (!Array.isArray(list)) {
    errors.push(`'${name}' is not an array`);
    return;
  }
  for (const item of list) {
    const error = isObject(item) ? check(item) : "is not an object";
    if (error !== undefined) errors.push(`an entry of '${name}' ${error}`);
  }
}

function linkError(link: Json): string | undefined {
  if (typeof link["href"] !== "string" || !URL.canParse(link["href"])) return "has no valid href";
  return optionalText(link["text"]) ? undefined : "has a text that is none";
}

function imageError(image: Json): string | undefined {
  return typeof image["src"] === "string" && image["src"].startsWith("https://") ? undefined : "has no src served by HTTPS";
}

function optionalText(value: unknown): boolean {
  return value === undefined || typeof value === "string";
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
