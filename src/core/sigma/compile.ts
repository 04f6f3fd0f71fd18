import type { RejectedRule } from "../alert.ts";
import { parseDraft, type RuleDraft } from "./draft.ts";
import { definitionOf } from "./fingerprint.ts";
import { filtersByRule, type References } from "./filters.ts";
import { detectionOutline } from "./outline.ts";
import { linkAll } from "./link-all.ts";
import { SUPPRESS_DEFAULT_MS } from "./link.ts";
import { identityOf } from "./metadata.ts";
import { byPlace, problemList, type Problems } from "./problems.ts";
import type { RuleDocument } from "./reader.ts";
import { reject, show } from "./rejection.ts";
import type { Detection, RuleSet } from "./rules.ts";
import { compileScope, type CompileOptions, type CompileScope } from "./scope.ts";

/** Rules, and the documents that they were made from. */
export interface Compiled<E> {
  readonly rules: RuleSet<E>;
  /** Documents that were understood and linked, filters too, in order of (path, line). */
  readonly loaded: readonly RuleDocument[];
  /** Why each of the others was not. */
  readonly reasons: ReadonlyMap<RuleDocument, RejectedRule>;
}

/**
 * Compiles rule documents: detection rules, correlations and filters. A document that is not understood in full is
 * rejected with file, line and reason, and the rest is loaded. Pure; the order of the documents means nothing.
 */
export function compileRules<E>(documents: readonly RuleDocument[], options: CompileOptions<E>): RuleSet<E> {
  return compileDocuments(documents, options).rules;
}

/** As `compileRules`, and says which documents were loaded. */
export function compileDocuments<E>(documents: readonly RuleDocument[], options: CompileOptions<E>): Compiled<E> {
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
  const heads = new Map(drafts.filter(({ head }) => head.kind === "correlation").map((draft) => [draft.head.info.id, draft]));
  const correlations = linked.correlations.map((correlation) => ({
    ...correlation,
    fingerprint: fingerprint(scope, heads.get(correlation.info.id)!, []),
  }));
  return {
    rules: {
      detections,
      correlations,
      rejected: problems.rejected.toSorted((a, b) => byPlace(a.file, a.line, b.file, b.line)),
      warnings: problems.warnings.toSorted((a, b) => byPlace(a.file, a.line, b.file, b.line)),
    },
    loaded: drafts.map(({ document }) => document).filter((document) => !problems.reasons.has(document)),
    reasons: problems.reasons,
  };
}

function fingerprint<E>(scope: CompileScope<E>, draft: RuleDraft<E>, filters: readonly RuleDraft<E>[]): string {
  const text = definitionOf(draft, filters, scope.placeholders);
  return scope.options.digest?.(text) ?? text;
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
    const applied = filters.get(draft) ?? [];
    const categories = (body.categories ?? []).map((category) => pool.category(category, (event) => options.reader.category(event)));
    const category = categories.length > 0 ? pool.or(categories) : undefined;
    const parts = [...(category === undefined ? [] : [category]), body.predicate, ...applied.map((one) => one.body.predicate)];
    const predicate = pool.and(parts);
    detections.push({
      info: head.info,
      fingerprint: fingerprint(
        scope,
        draft,
        applied.map((one) => one.draft),
      ),
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
