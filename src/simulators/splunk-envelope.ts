/** How the simulated HTTP Event Collector reads a body: concatenated JSON objects, each checked as the vendor checks it. */

/** An accepted envelope. */
export interface HecEvent {
  readonly time?: number | string;
  readonly host?: string;
  readonly source?: string;
  readonly sourcetype?: string;
  readonly index?: string;
  readonly fields?: Readonly<Record<string, unknown>>;
  readonly event: unknown;
}

/** Events up to the first bad one, and the code that it earns; `at` is `invalid-event-number` as the vendor would say it. */
export interface EnvelopeReading {
  readonly events: readonly HecEvent[];
  readonly error?: { readonly code: number; readonly at: number };
}

const METADATA = ["host", "source", "sourcetype", "index"] as const;

/** Reads a body. `indexes` are those that the token may write to; undefined means any. */
export function readEnvelopes(text: string, indexes: readonly string[] | undefined): EnvelopeReading {
  const events: HecEvent[] = [];
  for (const piece of pieces(text)) {
    const code = problem(piece, indexes);
    // Code 7 is measured to count one further than the others.
    if (code !== undefined) return { events, error: { code, at: events.length + (code === 7 ? 1 : 0) } };
    events.push(piece as HecEvent);
  }
  return { events };
}

function problem(value: unknown, indexes: readonly string[] | undefined): number | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return 6;
  const envelope = value as Readonly<Record<string, unknown>>;
  const { event, time, fields, index } = envelope;
  if (event === undefined) return 12;
  if (event === null || event === "" || (typeof event === "object" && Object.keys(event).length === 0)) return 13;
  if (time !== undefined && !((typeof time === "number" || typeof time === "string") && /^\d+(\.\d+)?$/.test(`${time}`))) return 15;
  if (METADATA.some((key) => envelope[key] !== undefined && typeof envelope[key] !== "string")) return 6;
  if (Array.isArray(fields)) return 6;
  if (fields !== undefined) {
    if (typeof fields !== "object" || fields === null) return 15;
    if (Object.values(fields).some((item) => typeof item === "object" && item !== null && !Array.isArray(item))) return 15;
  }
  if (typeof index === "string" && indexes !== undefined && !indexes.includes(index)) return 7;
  return undefined;
}

/** The JSON values of a body one after the other; what is not JSON comes as undefined and ends it. */
function* pieces(text: string): Generator<unknown> {
  let at = 0;
  while (at < text.length) {
    if (/\s/.test(text[at]!)) at++;
    else {
      const end = text[at] === "{" ? objectEnd(text, at) : -1;
      if (end === -1) {
        yield undefined;
        return;
      }
      let value: unknown;
      try {
        // Numbers keep their text: a time in scientific notation must not pass as a plain one.
        value = JSON.parse(text.slice(at, end), (key, item: unknown, context?: { source?: string }) =>
          key === "time" && typeof item === "number" && context?.source !== undefined && /[eE]/.test(context.source)
            ? context.source
            : item,
        );
      } catch {
        value = undefined;
      }
      yield value;
      if (value === undefined) return;
      at = end;
    }
  }
}

/** Index after the object that starts at `start`, or -1 when it does not end. */
function objectEnd(text: string, start: number): number {
  let depth = 0;
  let quoted = false;
  for (let at = start; at < text.length; at++) {
    const char = text[at];
    if (quoted) {
      if (char === "\\") at++;
      else if (char === '"') quoted = false;
    } else if (char === '"') quoted = true;
    else if (char === "{") depth++;
    else if (char === "}" && --depth === 0) return at + 1;
  }
  return -1;
}
