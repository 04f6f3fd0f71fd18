import type { Category } from "../event.ts";
import { literalSearch } from "./aho-corasick.ts";
import { runNet, type Net, type Node, type Scan, type Switch } from "./net.ts";
import type { Predicate } from "./predicate.ts";

/** A condition on its way into the net: all of `left` must still hold. */
interface Entry<E> {
  readonly condition: number;
  readonly left: readonly Predicate<E>[];
}

/** What is known while a net is built. */
interface Known<E> {
  /** By what is left to decide. */
  readonly nodes: Map<string, Node<E>>;
  readonly numbers: Map<Predicate<E>, number>;
}

/** Fewer literals than this are quicker searched one by one than by an automaton. */
const SCAN_MIN = 4;
/** An alternative is written out up to this many branches. */
const BRANCHES_MAX = 32;

/**
 * Builds the net of some conditions. `category`: that of all events that it will see; undefined when they have none or
 * different ones.
 */
export function buildNet<E>(conditions: readonly Predicate<E>[], category: Category | undefined): Net<E> {
  const entries = conditions.flatMap((condition, index) => entriesOf(condition, index, category));
  return runNet(nodeOf(entries, { nodes: new Map(), numbers: new Map() }), conditions.length);
}

/** A net that tests every condition by itself: what the other one must agree with. */
export function linearNet<E>(conditions: readonly Predicate<E>[]): Net<E> {
  return {
    match(event, out) {
      for (let index = 0; index < conditions.length; index++) if (conditions[index]!.test(event)) out.push(index);
    },
  };
}

function entriesOf<E>(condition: Predicate<E>, index: number, category: Category | undefined): Entry<E>[] {
  const left: Predicate<E>[] = [];
  for (const part of condition.kind === "and" ? condition.parts : [condition]) {
    const known = category === undefined ? undefined : verdictOf(part, category);
    if (known === false) return [];
    if (known === undefined) left.push(part);
  }
  const written = left.some(hasAccess) ? undefined : left.find(canBeSplit);
  if (written === undefined) return [{ condition: index, left }];
  const rest = left.filter((part) => part !== written);
  return written.parts.map((branch) => ({ condition: index, left: [...(branch.kind === "and" ? branch.parts : [branch]), ...rest] }));
}

/** What the category of the event decides; undefined when it decides nothing. */
function verdictOf<E>(part: Predicate<E>, category: Category): boolean | undefined {
  if (part.kind === "category") return part.key === `category:${category}`;
  if (part.kind !== "or" || part.parts.some(({ kind }) => kind !== "category")) return undefined;
  return part.parts.some(({ key }) => key === `category:${category}`);
}

/** A value of the event can lead to it. */
function hasAccess<E>(part: Predicate<E>): boolean {
  return part.exact !== undefined || part.literals !== undefined;
}

function canBeSplit<E>(part: Predicate<E>): boolean {
  if (part.kind !== "or" || part.parts.length > BRANCHES_MAX) return false;
  return part.parts.every((branch) => (branch.kind === "and" ? branch.parts.some(hasAccess) : hasAccess(branch)));
}

/** The node of some entries; nodes of equal entries are one. */
function nodeOf<E>(entries: readonly Entry<E>[], known: Known<E>): Node<E> {
  const key = entries.map(({ condition, left }) => `${condition}:${left.map((part) => numberOf(part, known)).join(",")}`).join(";");
  const found = known.nodes.get(key);
  if (found !== undefined) return found;
  const hits = [...new Set(entries.filter(({ left }) => left.length === 0).map(({ condition }) => condition))];
  const open = entries.filter(({ left }) => left.length > 0);
  const use = count(open.flatMap(({ left }) => left));
  const spread = textsByPath(open);
  const byPath = new Map<string, { part: Predicate<E>; entry: Entry<E> }[]>();
  const byTexts = new Map<string, { part: Predicate<E>; entry: Entry<E> }[]>();
  const byTest = new Map<Predicate<E>, Entry<E>[]>();
  for (const entry of open) {
    const exact = best(
      entry.left.filter((part) => part.exact !== undefined),
      ({ path }) => spread.get(path!)!.size,
    );
    const literal = exact ?? best(entry.left.filter(isScanned), ({ literals }) => Math.min(...literals!.map(({ length }) => length)));
    if (exact !== undefined) append(byPath, exact.path!, { part: exact, entry: without(entry, exact) });
    else if (literal !== undefined) append(byTexts, textsOf(literal), { part: literal, entry });
    else testFirst(entry);
  }
  for (const [path, list] of byTexts) {
    if (new Set(list.map(({ part }) => part)).size >= SCAN_MIN) continue;
    byTexts.delete(path);
    for (const { entry } of list) testFirst(entry);
  }
  const node: Node<E> = {
    hits,
    switches: [...byPath.values()].map((list) => switchOf(list, known)),
    scans: [...byTexts.values()].map((list) => scanOf(list, known)),
    tests: [...byTest].map(([part, list]) => ({ test: part.test, next: nodeOf(list, known) })),
    seen: 0,
  };
  known.nodes.set(key, node);
  return node;

  /** The test that most of the others share; of several the cheapest. */
  function testFirst(entry: Entry<E>): void {
    const first = best(entry.left, (part) => use.get(part)! - part.cost / 1000)!;
    append(byTest, first, without(entry, first));
  }
}

/** Predicates of several compilations may come together, so their own numbers do not tell them apart. */
function numberOf<E>(part: Predicate<E>, { numbers }: Known<E>): number {
  const found = numbers.get(part);
  if (found !== undefined) return found;
  numbers.set(part, numbers.size);
  return numbers.size - 1;
}

function switchOf<E>(list: readonly { part: Predicate<E>; entry: Entry<E> }[], known: Known<E>): Switch<E> {
  const entries = new Map<string, Entry<E>[]>();
  for (const { part, entry } of list) for (const text of part.exact!) append(entries, text, entry);
  const byText = new Map([...entries].map(([text, ones]) => [text, nodeOf(ones, known)]));
  const byNumber = new Map<number, Node<E>>();
  for (const [text, node] of byText) {
    const number = Number(text);
    if (Number.isFinite(number) && String(number) === text) byNumber.set(number, node);
  }
  const { read, memo } = list[0]!.part.source!;
  return { read, memo, byText, byNumber, whenTrue: byText.get("true"), whenFalse: byText.get("false") };
}

function scanOf<E>(list: readonly { part: Predicate<E>; entry: Entry<E> }[], known: Known<E>): Scan<E> {
  const entries = new Map<string, Entry<E>[]>();
  // A literal is only a hint: the test itself is still to be made.
  for (const { part, entry } of list) for (const literal of part.literals!) append(entries, literal, entry);
  const literals = [...entries.keys()];
  return {
    visitTexts: list[0]!.part.visitTexts!,
    search: literalSearch(literals),
    next: literals.map((literal) => decided(entries.get(literal)!, known)),
  };
}

/** As `nodeOf`, for entries that literals led to: those are not looked for again. */
function decided<E>(entries: readonly Entry<E>[], known: Known<E>): Node<E> {
  return {
    hits: [],
    switches: [],
    scans: [],
    tests: entries.map(({ condition, left }) => ({ test: all(left), next: nodeOf([{ condition, left: [] }], known) })),
    seen: 0,
  };
}

function all<E>(parts: readonly Predicate<E>[]): (event: E) => boolean {
  const tests = [...parts].sort((a, b) => a.cost - b.cost).map(({ test }) => test);
  return (event) => {
    for (const test of tests) if (!test(event)) return false;
    return true;
  };
}

function isScanned<E>(part: Predicate<E>): boolean {
  return part.literals !== undefined && part.visitTexts !== undefined;
}

/** Keywords look into every text, whatever its field. */
function textsOf<E>(part: Predicate<E>): string {
  return part.path ?? "";
}

function textsByPath<E>(entries: readonly Entry<E>[]): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  for (const { left } of entries) {
    for (const { exact, path } of left) {
      if (exact === undefined || path === undefined) continue;
      const texts = found.get(path) ?? new Set();
      found.set(path, texts);
      for (const text of exact) texts.add(text);
    }
  }
  return found;
}

function count<T>(items: readonly T[]): Map<T, number> {
  const counts = new Map<T, number>();
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1);
  return counts;
}

function best<T>(items: readonly T[], worth: (item: T) => number): T | undefined {
  let found: T | undefined;
  let most = Number.NEGATIVE_INFINITY;
  for (const item of items) {
    const value = worth(item);
    if (value <= most) continue;
    most = value;
    found = item;
  }
  return found;
}

function append<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}

function without<E>({ condition, left }: Entry<E>, part: Predicate<E>): Entry<E> {
  return { condition, left: left.filter((one) => one !== part) };
}
