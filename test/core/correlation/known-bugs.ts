/** Short histories for rules as they are written. */
import type { Alert } from "../../../src/core/alert.ts";
import { engine } from "../../../src/core/correlation/engine.ts";
import type { Engine } from "../../../src/core/correlation/types.ts";
import { plainReader, type PlainEvent } from "../../../src/core/sigma/plain-reader.ts";
import { compilePlain } from "../sigma/build.ts";
import { uuid5 } from "./build.ts";

/** Second, what it is, and other fields. */
export type Happened = readonly [second: number, is: string, fields?: Readonly<Record<string, unknown>>];

const DETECTIONS = ["a", "b", "c"].map(
  (is) => `title: ${is}\nname: ${is}\nlogsource: {category: any}\ndetection: {selection: {is: ${is}}, condition: selection}\n`,
);

/** Reads `second what field=JSON; …`. */
export function at(text: string): Happened[] {
  return text.split("; ").map((one): Happened => {
    const [second = "", is = "", ...fields] = one.split(" ");
    return [Number(second), is, Object.fromEntries(fields.map((field) => [field.split("=")[0]!, JSON.parse(field.split("=")[1]!)]))];
  });
}

/** An engine over correlations, each the inside of its section; they are named rule0, rule1, … */
export function running(...correlations: readonly string[]): Engine<PlainEvent> {
  return keeping(0, ...correlations);
}

/** The same, which keeps entries so many milliseconds longer than needed for events that come too late. */
export function keeping(latenessMs: number, ...correlations: readonly string[]): Engine<PlainEvent> {
  const documents = correlations.map(
    (correlation, index) => `title: rule ${index}\nname: rule${index}\ncustodes: {suppress: 1s}\ncorrelation: {${correlation}}\n`,
  );
  const rules = compilePlain([...DETECTIONS, ...documents].join("---\n"));
  if (rules.rejected.length > 0) throw new Error(JSON.stringify(rules.rejected));
  return engine(rules, { reader: plainReader(), uuid5, latenessMs });
}

/** Events with uids of their own. */
export function plainEvents(events: readonly Happened[]): PlainEvent[] {
  return events.map(([second, is, fields], index) => ({ uid: `e${index}`, time: second * 1000, value: { is, ...fields } }));
}

/** Final alerts of correlations, by time. */
export function finals(correlations: readonly string[], events: readonly Happened[]): Alert[] {
  const made = running(...correlations);
  return [...made.push(plainEvents(events)), ...made.finish()]
    .filter(({ final, ruleId }) => final && ruleId.startsWith("rule"))
    .sort((x, y) => x.bucket - y.bucket);
}

/** Buckets, in seconds. */
export const seconds = (alerts: readonly Alert[]): number[] => alerts.map(({ bucket }) => bucket / 1000);
