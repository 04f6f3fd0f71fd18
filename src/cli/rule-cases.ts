import { z } from "zod";
import { FIELD_PATHS } from "../core/fields.ts";
import { CATEGORIES, CLASS, type Category, type Event } from "../core/event.ts";
import { nearest } from "../core/nearest.ts";
import { newEvent } from "../core/new-event.ts";
import { parseTime } from "../core/record.ts";
import { schemaProblems } from "../config/issues.ts";
import { parseYamlFile, type Problem } from "../config/yaml.ts";

const eventSchema = z.looseObject({
  category: z.enum(CATEGORIES).optional(),
  time: z.union([z.string(), z.number()]).optional(),
  /** After `time` of the file's defaults. */
  at: z
    .string()
    .regex(/^-?\d+(ms|s|m|h)$/, "write an offset such as 90s or 5m")
    .optional(),
  repeat: z.strictObject({ count: z.number().int().min(1).max(100_000), every: z.string().regex(/^\d+(ms|s|m|h)$/) }).optional(),
});
const expectation = z.strictObject({
  rule: z.string(),
  group: z.record(z.string(), z.string()).optional(),
  count: z.number().int().optional(),
  alerts: z.number().int().min(1).default(1),
});
const caseSchema = z.strictObject({
  name: z.string().min(1),
  events: z.array(eventSchema).min(1),
  expect: z.array(expectation),
});
/** Schema of a `<rule>.test.yml` file. */
const fileSchema = z.strictObject({
  defaults: z.looseObject({ category: z.enum(CATEGORIES).optional(), time: z.union([z.string(), z.number()]).optional() }).default({}),
  cases: z.array(caseSchema).min(2, "give at least one case that fires and one near miss that does not"),
});

/** One case of a rule test. */
export interface RuleCase {
  readonly name: string;
  readonly line: number;
  readonly events: readonly Event[];
  readonly expect: readonly z.output<typeof expectation>[];
}

/** Start of a case's time when the file names none. */
const START = Date.UTC(2026, 0, 5, 12);
const OFFSET_UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Reads a rule test file; all problems at once. */
export function parseRuleCases(
  file: string,
  source: string,
): { readonly cases: readonly RuleCase[]; readonly problems: readonly Problem[] } {
  const yaml = parseYamlFile(file, source);
  if (yaml.problems.length > 0) return { cases: [], problems: yaml.problems };
  const parsed = fileSchema.safeParse(yaml.value);
  if (!parsed.success) return { cases: [], problems: schemaProblems(file, yaml, parsed.error.issues) };
  const problems: Problem[] = [];
  const cases = parsed.data.cases.map((one, caseIndex) => {
    const events = one.events.flatMap((given, index) => {
      const path = ["cases", caseIndex, "events", index];
      return expand({ ...parsed.data.defaults, ...given }, index, (key, message) =>
        problems.push({ file, line: yaml.lineOf([...path, key]), key: [...path, key].join("."), message }),
      );
    });
    return { name: one.name, line: yaml.lineOf(["cases", caseIndex]), events, expect: one.expect };
  });
  return { cases, problems };
}

function expand(given: Readonly<Record<string, unknown>>, index: number, complain: (key: string, message: string) => void): Event[] {
  const { category, time, at, repeat, uid, ...fields } = given as Readonly<Record<string, unknown>> & {
    category?: Category;
    at?: string;
    uid?: string;
    repeat?: { count: number; every: string };
  };
  if (category === undefined) complain("category", `an event needs a category: ${CATEGORIES.join(", ")}`);
  const start = time === undefined ? START : parseTime(time);
  if (start === undefined) complain("time", "is not a time; write it as 2026-01-05T12:00:00Z");
  const events: Event[] = [];
  for (let n = 0; n < (repeat?.count ?? 1); n++) {
    const when = (start ?? START) + offset(at) + n * offset(repeat?.every);
    const event = newEvent(uid ?? `e${index}-${n}`, when, category ?? "agent_api", CLASS.apiActivity, 0);
    for (const [path, value] of Object.entries(fields)) {
      const field = Object.hasOwn(FIELD_PATHS, path) ? FIELD_PATHS[path] : undefined;
      if (field === undefined) {
        const close = nearest(path, Object.keys(FIELD_PATHS));
        complain(path, `is no field of an event${close === undefined ? "" : `; did you mean "${close}"?`}`);
        return [];
      }
      const filled = typeof value === "string" ? value.replaceAll("{n}", String(n)) : (value ?? undefined);
      // The schema of fields is the event's own; a wrong type shows as a case that does not behave.
      (event as unknown as Record<string, unknown>)[field] = filled;
    }
    events.push(event);
  }
  return events;
}

function offset(text: string | undefined): number {
  const match = /^(-?\d+)(ms|s|m|h)$/.exec(text ?? "0s");
  return Number(match?.[1] ?? 0) * (OFFSET_UNITS[match?.[2] ?? "s"] ?? 1000);
}
