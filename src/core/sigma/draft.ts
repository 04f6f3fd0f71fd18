import type { Category } from "../event.ts";
import { parseCorrelation, type CorrelationDraft } from "./correlation.ts";
import { compileSection } from "./detection.ts";
import { mapAt, own, refuseEmpty, type YamlMap } from "./document.ts";
import { categoriesOf, parseLogsource, type Logsource } from "./logsource.ts";
import { parseHead, type Head } from "./metadata.ts";
import type { Predicate } from "./predicate.ts";
import type { RuleDocument } from "./reader.ts";
import { reject, show, type Warn } from "./rejection.ts";
import type { CompileScope } from "./scope.ts";

/** A detection section, compiled, without filters. */
export interface DetectionBody<E> {
  readonly kind: "detection";
  readonly logsource: Logsource;
  readonly categories: readonly Category[] | undefined;
  readonly predicate: Predicate<E>;
}

/** A filter section, compiled. */
export interface FilterBody<E> {
  readonly kind: "filter";
  readonly logsource: Logsource;
  /** Ids and names of rules as written. */
  readonly rules: readonly string[] | "any";
  readonly predicate: Predicate<E>;
}

/** A correlation section; what it refers to is not looked up yet. */
export interface CorrelationBody {
  readonly kind: "correlation";
  readonly correlation: CorrelationDraft;
}

/** A document that is understood by itself. */
export interface RuleDraft<E> {
  readonly document: RuleDocument;
  readonly head: Head;
  readonly body: DetectionBody<E> | FilterBody<E> | CorrelationBody;
}

/** Understands one document, without a look at others. @throws {Rejection} */
export function parseDraft<E>(scope: CompileScope<E>, document: RuleDocument, warn: Warn): RuleDraft<E> {
  const map = mapAt(document.value, ["document"]);
  refuseEmpty(map, []);
  const head = parseHead(map, document, warn);
  checkEntity(scope, head, map, warn);
  return { document, head, body: bodyOf(scope, head, map, warn) };
}

function bodyOf<E>(scope: CompileScope<E>, head: Head, map: YamlMap, warn: Warn): RuleDraft<E>["body"] {
  switch (head.kind) {
    case "correlation":
      return { kind: "correlation", correlation: parseCorrelation(map) };
    case "filter":
      return filterOf(scope, map, warn);
    case "detection": {
      const logsource = parseLogsource(map);
      const categories = scope.options.logsource ? categoriesOf(logsource) : undefined;
      const { predicate } = compileSection(scope, own(map, "detection"), ["detection"], [], warn);
      return { kind: "detection", logsource, categories, predicate };
    }
  }
}

function filterOf<E>(scope: CompileScope<E>, map: YamlMap, warn: Warn): FilterBody<E> {
  const logsource = parseLogsource(map);
  if (scope.options.logsource) categoriesOf(logsource);
  const section = mapAt(own(map, "filter"), ["filter"]);
  const rules = filteredRules(own(section, "rules"));
  const { predicate, negates } = compileSection(scope, section, ["filter"], ["rules"], warn);
  if (!negates) warn(["filter", "condition"], 'the filter\'s condition has no "not": it keeps what it describes and drops the rest');
  return { kind: "filter", logsource, rules, predicate };
}

function filteredRules(value: unknown): FilterBody<unknown>["rules"] {
  const place = ["filter", "rules"];
  if (value === undefined) reject(["filter"], 'the filter names no rules; write "rules: any" for all');
  if (value === "any") return "any";
  if (!Array.isArray(value)) reject(place, `"rules" must be "any" or a list of ids and names, not ${show(value)}`);
  return value.map((item: unknown, index) => {
    if (typeof item !== "string" || item === "") reject([...place, index], `"rules" must hold ids or names, not ${show(item)}`);
    return item;
  });
}

/** The name that stands for the agent itself as an incident's entity. */
const AGENT = "agent";

/** An entity may be a group-by name or a field; with unknown paths everything may be one. */
function checkEntity<E>(scope: CompileScope<E>, head: Head, map: YamlMap, warn: Warn): void {
  const { entity } = head.info;
  const { paths } = scope.options.reader;
  if (entity === undefined || entity === AGENT || paths.length === 0 || paths.includes(entity)) return;
  const correlation = own(map, "correlation");
  const groupBy = correlation === undefined ? undefined : own(mapAt(correlation, ["correlation"]), "group-by");
  if (Array.isArray(groupBy) && groupBy.includes(entity)) return;
  warn(["custodes", "entity"], `the entity ${show(entity)} is neither a field nor in group-by`);
}
