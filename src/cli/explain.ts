import { locator, type Located, type Locator } from "../backtest/explain-locate.ts";
import { parseTarget, type Target } from "../backtest/explain-targets.ts";
import { explainTargets, innerAlertsAmong, type ExplainDeps, type Explanation, type FoundTarget } from "../backtest/explain.ts";
import type { RejectedRule } from "../core/alert.ts";
import { correlationLines, isoText } from "../core/correlation/explain-text.ts";
import { safeText } from "../core/safe-text.ts";
import { detectionLines, linesText, type ExplainedLine } from "../core/sigma/explain-text.ts";
import type { RuleSet } from "../core/sigma/rules.ts";
import { EXIT, lineWriter, note } from "./output.ts";

/** Uids, paths and messages are shown up to this many characters. */
const TEXT_MAX = 400;
/** Events behind an alert that are named. */
const EVENTS_MAX = 5;

/** What is to be explained, and how it is found while the backtest runs. */
export interface Explaining<E> {
  readonly targets: readonly Target[];
  readonly locator: Locator<E>;
}

/** Reads the `--explain` options; undefined without any. @throws {CommandError} usage */
export function explaining<E>(
  given: readonly string[],
  rules: RuleSet<E>,
  rejected: readonly RejectedRule[],
  uidOf: (event: E) => string,
): Explaining<E> | undefined {
  if (given.length === 0) return undefined;
  const targets = given.map((one) => parseTarget(one, rules, rejected));
  return {
    targets,
    locator: locator(
      targets.map(({ uid }) => uid),
      uidOf,
    ),
  };
}

/** Prints what was asked for, to standard output; events that are not there, to standard error. The exit code is the result. */
export async function printExplanations<E>(
  { targets, locator: { found } }: Explaining<E>,
  deps: ExplainDeps<E>,
  json: boolean,
  clear: () => void,
): Promise<number> {
  const known: FoundTarget<E>[] = [];
  const missing: Target[] = [];
  for (const target of targets) {
    const located = found.get(target.uid);
    if (isFound(located)) known.push({ target, located });
    else missing.push(target);
  }
  const inner = missing.length === 0 ? undefined : await innerAlertsAmong(deps, missing);
  clear();
  for (const { rule, uid } of missing) {
    const alert = inner?.get(uid);
    const why = alert === undefined ? whyMissing(found.get(uid)) : whyNoEvent(alert);
    note(`--explain ${safeText(rule, TEXT_MAX)}:${safeText(uid, TEXT_MAX)}: ${why}`);
  }
  const explanations = known.length === 0 ? [] : await explainTargets(deps, known);
  clear();
  const output = lineWriter(undefined);
  for (const one of explanations) await output.write(json ? JSON.stringify(shown(one)) : `${linesText(explanationLines(one))}\n`);
  await output.end();
  return missing.length === 0 ? EXIT.good : EXIT.no;
}

function isFound<E>(located: Located<E> | undefined): located is FoundTarget<E>["located"] {
  return located?.event !== undefined;
}

function whyNoEvent({ rule, events }: { readonly rule: string; readonly events: readonly string[] }): string {
  const named = events.slice(0, EVENTS_MAX).map((uid) => safeText(uid, TEXT_MAX));
  return `this is no event but an alert of ${safeText(rule, TEXT_MAX)}; explain one of the events behind it: ${named.join(", ")}`;
}

function whyMissing<E>(located: Located<E> | undefined): string {
  const reasons = (located?.rejected ?? []).map(
    ({ path, line, code, message }) => `${safeText(path, TEXT_MAX)}:${line} (${code}: ${message})`,
  );
  if (reasons.length > 0) return `no event has this uid; a record that names it was rejected and is no event: ${reasons.join(", ")}`;
  const close = located?.nearest;
  const hint = close === undefined ? "is its file among the inputs?" : `did you mean "${safeText(close, TEXT_MAX)}"?`;
  return `no event has this uid; ${hint}`;
}

/** What a program gets: uids and paths are as hostile as everything else of an event. */
function shown({ uid, time, places, ...rest }: Explanation): object {
  return {
    uid: safeText(uid, TEXT_MAX),
    time,
    places: places.map(({ file, line, duplicate }) => ({ file: safeText(file, TEXT_MAX), line, duplicate })),
    ...rest,
  };
}

function explanationLines({ uid, time, places, alerted, explained, alerts, referred_by: referring }: Explanation): ExplainedLine[] {
  const place = places.map(
    ({ file, line, duplicate }) => `${safeText(file, TEXT_MAX)}:${line}${duplicate ? " (a duplicate, which does not count)" : ""}`,
  );
  const lines: ExplainedLine[] = [
    { depth: 0, verdict: undefined, text: `event ${safeText(uid, TEXT_MAX)} of ${isoText(time)}, ${place.join(", ")}` },
    { depth: 0, verdict: alerted, text: alerted ? "it is part of an alert of this rule" : "it is part of no alert of this rule" },
  ];
  if (explained.kind === "correlation") return [...lines, ...correlationLines(explained, 0)];
  lines.push(...detectionLines(explained, 0));
  for (const { id, bucket, first_time: first, last_time: last, count } of alerts)
    lines.push({
      depth: 1,
      verdict: true,
      text: `alert ${id}: suppression window of ${isoText(bucket)}, ${isoText(first)} to ${isoText(last)}, ${count} events`,
    });
  if (referring.length > 0)
    lines.push({
      depth: 1,
      verdict: undefined,
      text: `it raises no alerts of its own: ${referring.map((id) => safeText(id, TEXT_MAX)).join(", ")} refers to it`,
    });
  return lines;
}
