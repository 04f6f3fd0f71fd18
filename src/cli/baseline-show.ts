import { safeText } from "../core/safe-text.ts";
import type { BaselineGroup, BaselineSummary } from "../pipeline/show-baselines.ts";
import { table } from "./output.ts";

/** Values shown of one group; `--json` has more. */
const VALUES_SHOWN = 8;
/** One value may be a whole command line. */
const VALUE_WIDTH = 60;

/** What rules remember, for a terminal: groups and values are text that agents wrote. */
export function baselineLines(rules: readonly BaselineSummary[]): string[] {
  if (rules.length === 0)
    return ["nothing is remembered: no rule of type new_value or baseline_ratio, or that reports silence, has decided anything yet"];
  return rules.flatMap((rule) => [
    `${safeText(rule.rule, 100)}  ${rule.type}  ${rule.rows} rows, decided until ${iso(rule.until)}${rule.depthMs === 0 ? " (given; the service has not run with it yet)" : ""}`,
    ...indent(rule.type === "new_value" ? valueTable(rule) : rule.type === "silence" ? silenceLine(rule) : windowTable(rule)),
  ]);
}

function silenceLine({ groups }: BaselineSummary): string {
  const first = groups[0]?.first ?? null;
  return first === null ? "no event yet: silence is reported after the first" : `silence is reported since ${iso(first)}`;
}

function valueTable(rule: BaselineSummary): string {
  const fields = rule.fields.join(", ");
  return table([
    [groupTitle(rule), "SINCE", "NEWEST", "KNOWN", fields.toUpperCase()],
    ...rule.groups.map((one) => [groupText(one), iso(one.first), iso(one.last), String(one.known), valuesText(one)]),
  ]);
}

function windowTable(rule: BaselineSummary): string {
  const hours = rule.timespanMs / 3_600_000;
  return table([
    [groupTitle(rule), "SINCE", "NEWEST", "WINDOWS", `MEAN PER WINDOW OF ${Math.round(hours * 100) / 100} H WITH EVENTS`],
    ...rule.groups.map((one) => [
      groupText(one),
      iso(one.first),
      iso(one.last),
      String(one.known),
      one.known === 0 ? "-" : String(Math.round((one.total / one.known) * 1000) / 1000),
    ]),
  ]);
}

function groupTitle({ groupBy }: BaselineSummary): string {
  return groupBy.length === 0 ? "GROUP" : groupBy.join(", ").toUpperCase();
}

function groupText({ group }: BaselineGroup): string {
  return group.length === 0 ? "(all)" : group.map((text) => safeText(text, VALUE_WIDTH)).join(", ");
}

function valuesText({ values, known }: BaselineGroup): string {
  const shown = values.slice(0, VALUES_SHOWN).map(({ value }) => safeText(value, VALUE_WIDTH));
  return `${shown.join(", ")}${known > shown.length ? `, and ${known - shown.length} more` : ""}`;
}

function indent(text: string): string[] {
  return text.split("\n").map((line) => `  ${line}`);
}

function iso(time: number | null): string {
  return time === null ? "-" : new Date(time).toISOString();
}
