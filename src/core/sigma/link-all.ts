import { whyUnsupported } from "../correlation/unsupported.ts";
import type { RuleDraft } from "./draft.ts";
import type { References } from "./filters.ts";
import { linkCorrelation, resolveTargets, type CorrelationNode, type LinkedCorrelation } from "./link.ts";
import type { Problems } from "./problems.ts";
import { reject, show } from "./rejection.ts";
import type { Correlation } from "./rules.ts";
import type { CompileScope } from "./scope.ts";

/** The correlations that could be linked, and the keys of all rules that do not alert on their own. */
export interface LinkResult<E> {
  readonly correlations: readonly Correlation<E>[];
  readonly silent: ReadonlySet<string>;
}

/**
 * Links correlations from the inside out: one is linked when all that it refers to are. What refers to a rejected
 * document, and what lies on a cycle or leads into one, is rejected; a rejected correlation silences nothing.
 */
export function linkAll<E>(
  scope: CompileScope<E>,
  drafts: readonly RuleDraft<E>[],
  references: References<E>,
  problems: Problems,
): LinkResult<E> {
  const nodes = new Map<RuleDraft<E>, CorrelationNode<E>>();
  for (const draft of drafts) {
    const { body } = draft;
    if (body.kind !== "correlation") continue;
    const node = problems.attempt(draft.document, () => resolveTargets(draft, body, references, problems.rejectedNames));
    if (node !== undefined) nodes.set(draft, node);
  }
  const linked = new Map<string, LinkedCorrelation<E>>();
  for (const node of insideOut(nodes)) {
    const result = problems.attempt(node.draft.document, () => {
      refuseLost(node, nodes, linked);
      const made = linkCorrelation(scope, node, references, linked, (keys, message) => problems.warn(node.draft.document, keys, message));
      // Decided here, so that a rule that cannot be evaluated silences nothing and takes what refers to it along.
      const reason = whyUnsupported(made);
      return reason === undefined ? made : reject(["correlation"], reason);
    });
    if (result !== undefined) linked.set(result.info.id, result);
  }
  const silent = silentRules(nodes, linked);
  const correlations: Correlation<E>[] = [];
  for (const draft of drafts) {
    const result = draft.body.kind === "correlation" ? linked.get(draft.head.info.id) : undefined;
    if (result !== undefined) correlations.push({ ...result, alerts: !silent.has(result.info.id) });
  }
  return { correlations, silent };
}

/** Inner ones first; those on a cycle or before one come last, in no meaningful order. */
function insideOut<E>(nodes: ReadonlyMap<RuleDraft<E>, CorrelationNode<E>>): readonly CorrelationNode<E>[] {
  const waiting = new Map<CorrelationNode<E>, number>();
  const outer = new Map<CorrelationNode<E>, CorrelationNode<E>[]>([...nodes.values()].map((node) => [node, []]));
  for (const node of nodes.values()) {
    const inner = node.targets.flatMap((target) => nodes.get(target) ?? []);
    waiting.set(node, inner.length);
    for (const one of inner) outer.get(one)!.push(node);
  }
  const order = [...nodes.values()].filter((node) => waiting.get(node) === 0);
  for (const node of order) {
    for (const one of outer.get(node) ?? []) {
      const left = waiting.get(one)! - 1;
      waiting.set(one, left);
      if (left === 0) order.push(one);
    }
  }
  const done = new Set(order);
  return [...order, ...[...nodes.values()].filter((node) => !done.has(node))];
}

/** @throws {Rejection} when an inner correlation is not linked: rejected, or on a cycle with this one */
function refuseLost<E>(
  node: CorrelationNode<E>,
  nodes: ReadonlyMap<RuleDraft<E>, CorrelationNode<E>>,
  linked: ReadonlyMap<string, LinkedCorrelation<E>>,
): void {
  node.targets.forEach((target, index) => {
    const key = target.head.info.id;
    if (target.body.kind !== "correlation" || linked.has(key)) return;
    const place = ["correlation", "rules", index];
    if (reaches(target, node.draft, nodes)) reject(place, `the correlation refers to itself through ${show(key)}`);
    reject(place, `the correlation refers to ${show(key)}, which was rejected`);
  });
}

function reaches<E>(from: RuleDraft<E>, goal: RuleDraft<E>, nodes: ReadonlyMap<RuleDraft<E>, CorrelationNode<E>>): boolean {
  const seen = new Set([from]);
  for (const draft of seen) {
    if (draft === goal) return true;
    for (const target of nodes.get(draft)?.targets ?? []) seen.add(target);
  }
  return false;
}

/** Every referenced document is silent unless a referring rule says `generate: true`. */
function silentRules<E>(
  nodes: ReadonlyMap<RuleDraft<E>, CorrelationNode<E>>,
  linked: ReadonlyMap<string, LinkedCorrelation<E>>,
): ReadonlySet<string> {
  const silent = new Set<string>();
  const loud = new Set<string>();
  for (const node of nodes.values()) {
    if (!linked.has(node.draft.head.info.id)) continue;
    for (const target of node.targets) (node.body.correlation.generate ? loud : silent).add(target.head.info.id);
  }
  return silent.difference(loud);
}
