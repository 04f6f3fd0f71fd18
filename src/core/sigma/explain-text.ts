/** An explained detection for people: one part per line, each with its verdict in front. */
import type { ExplainedCondition, ExplainedDetection, ExplainedRule, ExplainedSection, ExplainedTest, ExplainedWanted } from "./explain.ts";

/** A line of an explanation: what is said, how deep it stands, and its verdict, if it has one. */
export interface ExplainedLine {
  readonly depth: number;
  readonly verdict: boolean | undefined;
  readonly text: string;
}

/** Writes lines out: `yes` or `no` in front, two spaces per level. */
export function linesText(lines: readonly ExplainedLine[]): string {
  return lines
    .map(({ depth, verdict, text }) => `${"  ".repeat(depth)}${verdict === undefined ? "" : verdict ? "yes  " : "no   "}${text}`)
    .join("\n");
}

/** A rule by title, id and place. */
export function ruleText({ id, title, file, line }: ExplainedRule): string {
  return `${title}${id === title ? "" : ` (${id})`}, ${file}:${line}`;
}

/** The lines of an explained detection. */
export function detectionLines({ rule, matched, logsource, detection, filters }: ExplainedDetection, depth: number): ExplainedLine[] {
  const lines: ExplainedLine[] = [{ depth, verdict: matched, text: `rule ${ruleText(rule)}` }];
  const wanted = Object.entries(logsource.wanted)
    .map(([part, text]) => `${part} ${text}`)
    .join(", ");
  const has = logsource.category === null ? "plain events have none, so any is right" : `the event is ${logsource.category}`;
  lines.push({ depth: depth + 1, verdict: logsource.matched, text: `logsource ${wanted}: ${has}` });
  lines.push(...sectionLines(detection, depth + 1));
  for (const { rule: filter, section } of filters) {
    const what = section.matched ? "keeps the event" : "drops the event";
    lines.push(
      { depth: depth + 1, verdict: section.matched, text: `filter ${ruleText(filter)}: ${what}` },
      ...sectionLines(section, depth + 2),
    );
  }
  return lines;
}

function sectionLines({ conditions, identifiers }: ExplainedSection, depth: number): ExplainedLine[] {
  return [
    ...conditions.flatMap((condition) => conditionLines(condition, depth, "condition ")),
    ...identifiers.flatMap(({ name, test }) => testLines(test, depth, `${name}: `)),
  ];
}

function conditionLines({ matched, text, parts }: ExplainedCondition, depth: number, label: string): ExplainedLine[] {
  return [{ depth, verdict: matched, text: `${label}${text}` }, ...parts.flatMap((part) => conditionLines(part, depth + 1, ""))];
}

function testLines(test: ExplainedTest, depth: number, label: string): ExplainedLine[] {
  if ("parts" in test) {
    const text = `${label}${test.kind === "all" ? "all of these" : "any of these"}`;
    return [{ depth, verdict: test.matched, text }, ...test.parts.flatMap((part) => testLines(part, depth + 1, ""))];
  }
  const key = [test.kind === "field" ? test.field : "keywords", ...test.modifiers].join("|");
  const has = test.kind === "field" ? `; the event has ${test.actual ?? "no such field"}` : "";
  const [only] = test.wanted;
  if (test.wanted.length === 1 && only !== undefined && test.wanted_more === 0)
    return [{ depth, verdict: test.matched, text: `${label}${key}: ${wantedText(only)}${has}` }];
  const every = test.modifiers.includes("all") ? "all" : "any";
  return [
    {
      depth,
      verdict: test.matched,
      text: `${label}${key}: ${test.modifiers.includes("neq") ? "none" : every} of ${count(test)} values${has}`,
    },
    ...test.wanted.map((one) => ({ depth: depth + 1, verdict: one.matched ?? undefined, text: wantedText(one) })),
    ...(test.wanted_more === 0 ? [] : [{ depth: depth + 1, verdict: undefined, text: `and ${test.wanted_more} more` }]),
  ];
}

function count(test: { readonly wanted: readonly unknown[]; readonly wanted_more: number }): number {
  return test.wanted.length + test.wanted_more;
}

function wantedText({ value, refers_to: other }: ExplainedWanted): string {
  return other === undefined ? value : `${value} (${other ?? "which the event does not have"})`;
}
