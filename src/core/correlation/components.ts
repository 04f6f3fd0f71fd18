import type { Correlation, RuleSet } from "../sigma/rules.ts";

/**
 * Signatures of correlations, by id: equal in two sets of rules only when the correlation, all correlations that its
 * alerts reach or are fed by, and all detections of these are the same. A correlation without one is never the same.
 */
export function signatures<E>(rules: RuleSet<E>): ReadonlyMap<string, string> {
  const detections = new Map(rules.detections.map(({ info, fingerprint }) => [info.id, fingerprint]));
  const correlations = new Map(rules.correlations.map((correlation) => [correlation.info.id, correlation]));
  const found = new Map<string, string>();
  for (const members of components(correlations)) {
    const texts = members.map((member) => memberText(member, detections, correlations));
    if (!texts.every((text) => text !== undefined)) continue;
    const signature = texts.toSorted().join("\n");
    for (const { info } of members) found.set(info.id, signature);
  }
  return found;
}

/** Signature of a detection's own alerts; undefined when it cannot be compared. */
export function loneSignature(fingerprint: string | undefined): string | undefined {
  return fingerprint === undefined ? undefined : `alone ${fingerprint}`;
}

function memberText<E>(
  { info, fingerprint, rules, alerts }: Correlation<E>,
  detections: ReadonlyMap<string, string | undefined>,
  correlations: ReadonlyMap<string, Correlation<E>>,
): string | undefined {
  if (fingerprint === undefined) return undefined;
  const inputs: string[] = [];
  for (const rule of rules) {
    const input = correlations.has(rule) ? "correlation" : detections.get(rule);
    if (input === undefined) return undefined;
    inputs.push(rule, input);
  }
  return JSON.stringify([info.id, fingerprint, alerts, ...inputs]);
}

/** Correlations that refer to each other, directly or through others. */
function components<E>(correlations: ReadonlyMap<string, Correlation<E>>): readonly (readonly Correlation<E>[])[] {
  const neighbours = new Map<string, string[]>([...correlations.keys()].map((id) => [id, []]));
  for (const { info, rules } of correlations.values()) {
    for (const rule of rules) {
      if (!correlations.has(rule)) continue;
      neighbours.get(info.id)!.push(rule);
      neighbours.get(rule)!.push(info.id);
    }
  }
  const placed = new Set<string>();
  const result: Correlation<E>[][] = [];
  for (const id of correlations.keys()) {
    if (placed.has(id)) continue;
    // A set that grows while it is walked visits what is added, too.
    const reached = new Set([id]);
    for (const one of reached) for (const next of neighbours.get(one) ?? []) reached.add(next);
    for (const one of reached) placed.add(one);
    result.push([...reached].map((one) => correlations.get(one)!));
  }
  return result;
}
