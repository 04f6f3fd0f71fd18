import { LineCounter, parseAllDocuments, isAlias, isMap, isNode, isPair, isScalar, isSeq, type Document } from "yaml";

/** One thing that is wrong in a file that an operator wrote, and how to fix it. */
export interface Problem {
  readonly file: string;
  /** 1-based; 0 when the file itself is the problem. */
  readonly line: number;
  /** Dotted path of the key, empty for the whole file. */
  readonly key: string;
  readonly message: string;
}

/** A parsed YAML file that can say on which line a key stands. */
export interface YamlFile {
  readonly value: unknown;
  readonly problems: readonly Problem[];
  /** Line of a key path, or of its nearest ancestor. */
  readonly lineOf: (path: readonly PropertyKey[]) => number;
}

/** Aliases may be expanded this many times: more is a bomb (the YAML specification sets no limit). */
const ALIASES_MAX = 100;

/** Parses one YAML 1.2 document; duplicate keys and syntax errors are problems, not exceptions. */
export function parseYamlFile(file: string, source: string): YamlFile {
  const lines = new LineCounter();
  const documents = parseAllDocuments(source, { version: "1.2", uniqueKeys: true, lineCounter: lines, prettyErrors: false });
  const document = Array.isArray(documents) ? documents[0] : undefined;
  if (document === undefined) return { value: undefined, problems: [problem(file, 1, "the file is empty")], lineOf: () => 1 };
  const problems = document.errors.map((error) => problem(file, lines.linePos(error.pos[0]).line, error.message));
  const second = Array.isArray(documents) ? documents[1] : undefined;
  if (second !== undefined)
    problems.push(problem(file, lines.linePos(second.range[0]).line, "the file holds more than one YAML document; keep one"));
  let value: unknown;
  // A key that stands twice is a problem, but the rest can still be read, and its problems told at once.
  if (problems.length === 0 || (second === undefined && document.errors.every((error) => error.code === "DUPLICATE_KEY"))) {
    try {
      value = document.toJS({ maxAliasCount: ALIASES_MAX });
    } catch (error) {
      problems.push(problem(file, 1, error instanceof Error ? error.message : String(error)));
    }
  }
  return { value, problems, lineOf: (path) => lineOf(document, lines, path) };
}

/** Follows a path through maps and lists as far as it goes; where a key stands counts, not where its value begins. */
function lineOf(document: Document, lines: LineCounter, path: readonly PropertyKey[]): number {
  let node: unknown = document.contents;
  let line = 1;
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(document);
    const place = isMap(node)
      ? node.items.find((pair) => keyOf(pair.key) === String(step))
      : isSeq(node)
        ? node.items[Number(step)]
        : undefined;
    const named = isPair(place) ? place.key : place;
    if (!isNode(named) || !named.range) return line;
    line = lines.linePos(named.range[0]).line;
    node = isPair(place) ? place.value : place;
  }
  return line;
}

function keyOf(key: unknown): string {
  return String(isScalar(key) ? key.value : key);
}

function problem(file: string, line: number, message: string): Problem {
  return { file, line, key: "", message };
}

/** The problem as one line of text: `file:line: key: message`. */
export function formatProblem(one: Problem): string {
  return `${one.file}:${one.line}: ${one.key === "" ? "" : `${one.key}: `}${one.message}`;
}
