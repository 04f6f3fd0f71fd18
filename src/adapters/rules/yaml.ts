import { isAlias, isMap, isScalar, isSeq, LineCounter, parseAllDocuments, visit, type Document, type Node } from "yaml";
import type { RuleDocument } from "../../core/sigma/reader.ts";
import { differsInYaml11 } from "./yaml-1-1.ts";

/** Aliases may be expanded this often in one document: more is a bomb, not a rule. */
const ALIASES_MAX = 100;
/** Metadata that Sigma defines as dates written as texts; YAML 1.1 would have made them timestamps. */
const DATE_KEYS: readonly unknown[] = ["date", "modified"];

/** A problem of a document as the parser reports it. */
interface Problem {
  readonly line: number;
  readonly message: string;
}

/**
 * The documents of a rule file: YAML 1.2, core schema, duplicate keys refused. A syntax error makes a document with
 * an error, and what follows it in the file is left out; empty documents are skipped.
 */
export function parseRuleFile(path: string, text: string): readonly RuleDocument[] {
  const lines = new LineCounter();
  const parsed = parseAllDocuments(text, { version: "1.2", schema: "core", lineCounter: lines, prettyErrors: false, logLevel: "silent" });
  const documents: RuleDocument[] = [];
  for (const document of Array.isArray(parsed) ? parsed : []) {
    const errors = [...document.errors, ...document.warnings];
    const isSyntax = document.errors.some((error) => error.code !== "DUPLICATE_KEY");
    if (errors.length === 0 && isEmpty(document.contents)) continue;
    const [first] = errors;
    const error =
      first === undefined ? undefined : { line: lines.linePos(first.pos[0]).line, message: `not valid YAML: ${oneLine(first.message)}` };
    documents.push(ruleDocument(path, document, lines, error));
    if (isSyntax) break;
  }
  return documents;
}

/** Nothing but `---` and comments. */
function isEmpty(root: unknown): boolean {
  return root === null || (isScalar(root) && root.value === null && (root.source ?? "") === "");
}

/** A document that stands for a file which could not be read. */
export function unreadableFile(path: string, message: string): RuleDocument {
  return { path, line: 1, value: undefined, lineOf: () => 1, error: { line: 1, message } };
}

function ruleDocument(path: string, document: Document.Parsed, lines: LineCounter, error: Problem | undefined): RuleDocument {
  const root = document.contents;
  const lineAt = (offset: number | undefined): number => (offset === undefined ? 1 : Math.max(1, lines.linePos(offset).line));
  const { value, problem } = valueOf(document);
  const found = error ?? (problem === undefined ? undefined : { line: lineAt(root?.range?.[0]), message: problem });
  return {
    path,
    line: lineAt(isMap(root) ? (root.items[0]?.key as Node | undefined)?.range?.[0] : root?.range?.[0]),
    value,
    lineOf: (keys) => lineAt(offsetOf(root, keys)),
    ...(found === undefined ? {} : { error: found }),
    warnings: found === undefined ? warningsOf(document, lineAt) : [],
  };
}

/**
 * Plain JavaScript values, also of a document with duplicate keys:
 * its id still names what is rejected.
 */
function valueOf(document: Document.Parsed): { readonly value: unknown; readonly problem: string | undefined } {
  let problem: string | undefined;
  // Also the walk may end in an error: it recurses as deep as the text says.
  try {
    visit(document, {
      Map: (_, map) => {
        // Keys become texts: 1 and "1" are two keys in YAML and one in the rule.
        const texts = map.items.map(({ key }) => (isScalar(key) ? String(key.value) : undefined));
        const twice = texts.find((text, index) => text !== undefined && texts.indexOf(text) !== index);
        if (twice !== undefined) problem ??= `the key ${twice} stands twice`;
      },
      Pair: (_, pair) => {
        if (!isScalar(pair.key)) problem ??= "a key must be a plain text";
        else if (pair.key.value === null || pair.key.value === "<<") problem ??= `the key ${String(pair.key.value)} is not supported`;
      },
    });
    return { value: document.toJS({ maxAliasCount: ALIASES_MAX }), problem };
  } catch (error) {
    return { value: undefined, problem: `not valid YAML: ${error instanceof Error ? oneLine(error.message) : "no reason given"}` };
  }
}

/** Where the deepest node on the way along `keys` begins; its key, where it has one. */
function offsetOf(root: unknown, keys: readonly (string | number)[]): number | undefined {
  let offset = startOf(root);
  let node = root;
  for (const key of keys) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(key));
      if (pair === undefined) break;
      offset = startOf(pair.key) ?? offset;
      node = pair.value;
    } else if (isSeq(node)) {
      node = node.items[Number(key)];
      if (node === undefined) break;
      offset = startOf(node) ?? offset;
    } else break;
  }
  return offset;
}

function startOf(node: unknown): number | undefined {
  if (isMap(node)) return startOf(node.items[0]?.key) ?? node.range?.[0];
  if (isScalar(node) || isSeq(node) || isAlias(node)) return node.range?.[0];
  return undefined;
}

function warningsOf(document: Document.Parsed, lineAt: (offset: number | undefined) => number): readonly Problem[] {
  const warnings: Problem[] = [];
  visit(document, {
    Pair: (_, pair, ancestors) => {
      const isDate = ancestors.length === 2 && isScalar(pair.key) && DATE_KEYS.includes(pair.key.value);
      return isDate ? visit.SKIP : undefined;
    },
    Scalar: (key, node) => {
      if (key === "key" || node.type !== "PLAIN" || node.source === undefined) return;
      const other = differsInYaml11(node.source);
      if (other === undefined) return;
      const message = `${node.source} is ${describe(node.value)} here, but ${other} in YAML 1.1; quote it or write it differently`;
      warnings.push({ line: lineAt(node.range?.[0]), message });
    },
  });
  return warnings;
}

function describe(value: unknown): string {
  return typeof value === "string" ? "a text" : `the ${typeof value} ${String(value)}`;
}

function oneLine(message: string): string {
  return message.split("\n", 1)[0]!.trim();
}
