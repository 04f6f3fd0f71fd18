import type { DetectionBody, FilterBody, RuleDraft } from "./draft.ts";
import { containsLogsource } from "./logsource.ts";
import { didYouMeanId } from "./did-you-mean.ts";
import { show, type KeyPath } from "./rejection.ts";

/** Every loaded document by its id and by its name. */
export type References<E> = ReadonlyMap<string, RuleDraft<E>>;

/** A filter at work on a detection rule. */
export interface FilterRule<E> {
  readonly draft: RuleDraft<E>;
  readonly body: FilterBody<E>;
}

/**
 * The filters that apply to each detection rule, in order of (path, line). Names of no rule, of anything but a
 * detection rule, and of rules outside the filter's logsource are warned about and filter nothing.
 */
export function filtersByRule<E>(
  drafts: readonly RuleDraft<E>[],
  references: References<E>,
  normalized: boolean,
  warn: (draft: RuleDraft<E>, keys: KeyPath, message: string) => void,
): ReadonlyMap<RuleDraft<E>, readonly FilterRule<E>[]> {
  const result = new Map<RuleDraft<E>, FilterRule<E>[]>();
  const apply = (rule: RuleDraft<E>, filter: FilterRule<E>): void => {
    const list = result.get(rule);
    if (list === undefined) result.set(rule, [filter]);
    else list.push(filter);
  };
  for (const filter of drafts) {
    const { body } = filter;
    if (body.kind !== "filter") continue;
    const applied = { draft: filter, body };
    const holds = (rule: DetectionBody<E>): boolean => containsLogsource(body.logsource, rule.logsource, normalized);
    if (body.rules === "any") {
      for (const rule of drafts) if (rule.body.kind === "detection" && holds(rule.body)) apply(rule, applied);
      continue;
    }
    const seen = new Set<RuleDraft<E>>();
    body.rules.forEach((name, index) => {
      const rule = references.get(name);
      const problem =
        rule === undefined
          ? `no rule has the id or name ${show(name)}${didYouMeanId(name, references.keys())}`
          : rule.body.kind !== "detection"
            ? `${show(name)} is a ${rule.body.kind}; filters apply to detection rules`
            : holds(rule.body)
              ? undefined
              : `the filter's logsource does not contain that of ${show(name)}`;
      if (problem !== undefined) warn(filter, ["filter", "rules", index], problem);
      else if (!seen.has(rule!)) apply(rule!, applied);
      if (rule !== undefined) seen.add(rule);
    });
  }
  return result;
}
