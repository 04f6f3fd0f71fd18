/** Values on their way into a log line: without credentials, bounded, and whatever they are, JSON. */

/** Keys whose values never reach a log line, wherever they stand, should a connector hand them over. Lower case. */
const SECRET_KEYS: ReadonlySet<string> = new Set([
  "token",
  "apikey",
  "api_key",
  "secret",
  "password",
  "authorization",
  "routingkey",
  "routing_key",
  "clientsecret",
  "client_secret",
]);
/** Deeper than this nobody reads a log line. */
const DEPTH_MAX = 6;
/** Values of one line; a line is for a person, and must not cost more than what it tells of. */
const VALUES_MAX = 300;
/** Characters of one text. */
const TEXT_MAX = 4096;

/** The fields of a log line, safe to write. */
export function loggable(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const budget = { left: VALUES_MAX };
  return entries(Object.entries(fields), 0, budget);
}

interface Budget {
  left: number;
}

function plain(value: unknown, depth: number, budget: Budget): unknown {
  if (typeof value === "string") return value.length > TEXT_MAX ? `${value.slice(0, TEXT_MAX)}…` : value;
  if (typeof value === "bigint" || typeof value === "symbol" || typeof value === "function") return String(value).slice(0, TEXT_MAX);
  if (typeof value !== "object" || value === null) return value;
  if (depth >= DEPTH_MAX || budget.left <= 0) return "[cut]";
  if (value instanceof Error) return error(value, depth, budget);
  if ("toJSON" in value && typeof value.toJSON === "function") return plain((value.toJSON as () => unknown)(), depth + 1, budget);
  if (!Array.isArray(value)) return entries(Object.entries(value), depth + 1, budget);
  const items: unknown[] = [];
  for (const item of value) {
    if (budget.left-- <= 0) break;
    items.push(plain(item, depth + 1, budget));
  }
  return items;
}

function entries(pairs: readonly (readonly [string, unknown])[], depth: number, budget: Budget): Record<string, unknown> {
  const made: Record<string, unknown> = Object.create(null);
  for (const [key, value] of pairs) {
    if (budget.left-- <= 0) break;
    made[key] = SECRET_KEYS.has(key.toLowerCase()) ? "[secret]" : plain(value, depth, budget);
  }
  return made;
}

/** Of an error only what is always harmless: clients hang the whole request on theirs, credentials included. */
function error(value: Error, depth: number, budget: Budget): Record<string, unknown> {
  const { name, message, stack } = value;
  const made: Record<string, unknown> = { type: name, message: plain(message, depth, budget), stack: plain(stack, depth, budget) };
  if ("code" in value && typeof value.code === "string") made["code"] = value.code;
  if (value.cause !== undefined) made["cause"] = plain(value.cause, depth + 1, budget);
  return made;
}
