import { canonicalJson } from "../record.ts";
import { isYamlMap, own, type YamlMap } from "./document.ts";
import type { RuleDraft } from "./draft.ts";

/** Levels that a document may be nested deeper than a record: those of the texts around it here. */
const HEADROOM = 8;

/** The same text for documents that say the same: keys sorted, no comments. The document was not refused for its depth. */
export function documentText(value: unknown): string {
  return canonicalJson(value, -HEADROOM);
}

/**
 * What decides which alerts a document can raise, as a canonical text: its section, identity, level, timing, the filters
 * that apply and the placeholders that they name. What only describes it (mappings, routes, runbook, file, line) is left
 * out, so that mending a description keeps the windows. What it refers to is not in it: the engine joins those.
 */
export function definitionOf<E>(
  draft: RuleDraft<E>,
  filters: readonly RuleDraft<E>[],
  placeholders: ReadonlyMap<string, readonly string[]>,
): string {
  const { head } = draft;
  const text = documentText({
    kind: head.kind,
    id: head.info.id,
    name: head.name,
    title: head.info.title,
    level: head.info.level,
    suppressMs: head.custodes.suppressMs,
    latenessMs: head.custodes.latenessMs,
    ...meaning(draft),
    filters: filters.map(meaning),
  });
  const named = [...placeholders].filter(([name]) => text.includes(`%${JSON.stringify(name).slice(1, -1)}%`));
  return named.length === 0 ? text : text + documentText(Object.fromEntries(named));
}

/** The parts of the document that its predicate or correlation is made from. */
function meaning<E>({ document, head }: RuleDraft<E>): Readonly<Record<string, unknown>> {
  const map: YamlMap = isYamlMap(document.value) ? document.value : {};
  return { logsource: own(map, "logsource"), section: own(map, head.kind), generate: own(map, "generate") };
}
