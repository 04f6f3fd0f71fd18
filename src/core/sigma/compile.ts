import { parseDraft, type RuleDraft } from "./draft.ts";
import { filtersByRule, type References } from "./filters.ts";
import { linkAll } from "./link-all.ts";
import { SUPPRESS_DEFAULT_MS } from "./link.ts";
import { identityOf } from "./metadata.ts";
import { detectionOutline } from "./outline.ts";
import { byPlace, problemList, type Problems } from "./problems.ts";
import type { RuleDocument } from "./reader.ts";
import { reject, show } from "./rejection.ts";
import type { Detection, RuleSet } from "./rules.ts";
import { compileScope, type CompileOptions, type CompileScope } from "./scope.ts";

/**
 * Compiles rule documents: detection rules, correlations and filters. A document that is not understood in full is
 * rejected with file, line and reason, and the rest is loaded. Pure; the order of the documents means nothing.
 */
export function compileRules<E>(documents: readonly RuleDocument[], options: CompileOptions<E>): RuleSet<E> {
  const scope = compileScope(options);
  const problems = problemList();
  const drafts: RuleDraft<E>[] = [];
  const taken = new Map<string, RuleDocument>();
  const references = new Map<string, RuleDraft<E>>();
  for (const document of documents.toSorted((a, b) => byPlace(a.path, a.line, b.path, b.line))) {
    for (const warning of document.warnings ?? [])
      problems.warnings.push({ rule: identityOf(document.value), file: document.path, ...warning });
    const draft = problems.attempt(document, () => {
      if (document.error !== undefined) reject([], document.error.message);
      const parsed = parseDraft(scope, document, (keys, message) => problems.warn(document, keys, message));
      claimNames(parsed, taken);
      return parsed;
    });
    if (draft === undefined) continue;
    drafts.push(draft);
    for (const name of [draft.head.id, draft.head.name]) if (name !== undefined) references.set(name, draft);
  }
  const linked = linkAll(scope, drafts, references, problems);
  const detections = detectionsOf(scope, drafts, references, linked.silent, problems);
  return {
    detections,
    correlations: linked.correlations,
    rejected: problems.rejected.toSorted((a, b) => byPlace(a.file, a.line, b.file, b.line)),
    warnings: problems.warnings.toSorted((a, b) => byPlace(a.file, a.line, b.file, b.line)),
  };
}

/**
 * Ids and names are one name space, and so is a rule's title where it must stand for both:
 * its alerts carry it.
 */
function claimNames<E>(draft: RuleDraft<E>, taken: Map<string, RuleDocument>): void {
  const { kind, id, name, info } = draft.head;
  const claims: readonly (readonly [string, string | undefined])[] = [
    ["id", id],
    ["name", name],
    ["title", id === undefined && name === undefined && kind !== "filter" ? info.title : undefined],
  ];
  for (const [key, value] of claims) {
    const owner = value === undefined ? undefined : taken.get(value);
    if (owner !== undefined) reject([key], `the ${key} ${show(value)} is taken by ${owner.path}:${owner.line}`);
  }
  for (const [, value] of claims) if (value !== undefined) taken.set(value, draft.document);
}

function detectionsOf<E>(
  scope: CompileScope<E>,
  drafts: readonly RuleDraft<E>[],
  references: References<E>,
  silent: ReadonlySet<string>,
  problems: Problems,
): readonly Detection<E>[] {
  const { pool, options } = scope;
  const filters = filtersByRule(drafts, references, options.logsource, (draft, keys, message) =>
    problems.warn(draft.document, keys, message),
  );
  const detections: Detection<E>[] = [];
  for (const draft of drafts) {
    const { body, head } = draft;
    if (body.kind !== "detection") continue;
    const categories = (body.categories ?? []).map((category) => pool.category(category, (event) => options.reader.category(event)));
    const category = categories.length > 0 ? pool.or(categories) : undefined;
    const applied = filters.get(draft) ?? [];
    const parts = [...(category === undefined ? [] : [category]), body.predicate, ...applied.map((filter) => filter.body.predicate)];
    const predicate = pool.and(parts);
    detections.push({
      info: head.info,
      matches: predicate.test,
      predicate,
      ...(options.outlines === true ? { outline: () => detectionOutline(scope, draft, body, category, applied) } : {}),
      categories: body.categories,
      alerts: !silent.has(head.info.id),
      suppressMs: head.custodes.suppressMs ?? SUPPRESS_DEFAULT_MS,
      latenessMs: head.custodes.latenessMs,
    });
  }
  return detections;
}
