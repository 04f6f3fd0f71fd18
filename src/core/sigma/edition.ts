/**
 * Guards: a rule that works does not stop working because somebody mistyped something. What is wrong in a file leaves the
 * older version of its rules in place, and all else of the change is taken.
 */
import type { RejectedRule } from "../alert.ts";
import type { Compiled } from "./compile.ts";
import { isYamlMap, own } from "./document.ts";
import { identityOf } from "./metadata.ts";
import type { RuleDocument } from "./reader.ts";
import type { RuleSet } from "./rules.ts";

/** A rule that works as it was before its file became wrong. */
export interface KeptRule {
  readonly rule: string | undefined;
  readonly file: string;
  /** Where it stood in the older version. */
  readonly line: number;
}

/** Rules at work, the documents that they were made from, and what of the files is not among them. */
export interface Edition<E> {
  readonly rules: RuleSet<E>;
  readonly loaded: readonly RuleDocument[];
  readonly rejected: readonly RejectedRule[];
  readonly kept: readonly KeptRule[];
}

/**
 * Compiles the documents of now. In a file where one is rejected, the rules that were loaded from it `before` and that
 * the file's good documents do not replace are kept as they were; where these do not fit to the new ones (they refer to
 * what has got another name), all of the file stays as it was.
 */
export function nextEdition<E>(
  before: readonly RuleDocument[],
  now: readonly RuleDocument[],
  compile: (documents: readonly RuleDocument[]) => Compiled<E>,
): Edition<E> {
  const reasons = new Map<RuleDocument, RejectedRule>();
  let documents = now;
  let made = compile(documents);
  const failed = new Set([...made.reasons.keys()].map(({ path }) => path));
  // The first reason is that of the text; later ones may come from what was tried with it.
  const note = (): void => {
    for (const [document, reason] of made.reasons) if (!reasons.has(document)) reasons.set(document, reason);
  };
  /** Rules that worked, and that nothing stands for now, in files that have something wrong. */
  const missing = (): RuleDocument[] => {
    const names = new Set(made.loaded.flatMap(namesOf));
    return before.filter((document) => failed.has(document.path) && !namesOf(document).some((name) => names.has(name)));
  };
  const withoutRivals = (lost: readonly RuleDocument[]): RuleDocument[] => {
    const names = new Set(lost.flatMap(namesOf));
    // A document that failed when it was linked has claimed its names, and would keep them from the older version.
    return documents.filter((document) => !made.reasons.has(document) || !namesOf(document).some((name) => names.has(name)));
  };
  const wholeFiles = (lost: readonly RuleDocument[]): RuleDocument[] => {
    const files = new Set(lost.map(({ path }) => path));
    for (const document of documents) if (files.has(document.path) && now.includes(document)) reasons.set(document, heldBack(document));
    return [...documents.filter(({ path }) => !files.has(path)), ...before.filter(({ path }) => files.has(path))];
  };
  const steps = [
    (lost: readonly RuleDocument[]) => [...documents, ...lost],
    (lost: readonly RuleDocument[]) => [...withoutRivals(lost), ...lost],
    wholeFiles,
  ];
  for (const step of steps) {
    note();
    const lost = missing();
    if (lost.length === 0) break;
    documents = step(lost);
    made = compile(documents);
  }
  note();
  const loaded = new Set(made.loaded);
  const current = new Set(now);
  return {
    rules: made.rules,
    loaded: made.loaded,
    rejected: [...reasons].filter(([document]) => current.has(document) && !loaded.has(document)).map(([, reason]) => reason),
    kept: made.loaded
      .filter((document) => !current.has(document))
      .map((document) => ({ rule: identityOf(document.value), file: document.path, line: document.line })),
  };
}

function heldBack(document: RuleDocument): RejectedRule {
  return {
    rule: identityOf(document.value),
    file: document.path,
    line: document.line,
    reason: "it waits until the other documents of its file are mended: the older rules of the file do not fit to it",
  };
}

/** What a document is known by: id and name, or the title where it has neither. */
function namesOf({ value }: RuleDocument): string[] {
  if (!isYamlMap(value)) return [];
  const texts = (keys: readonly string[]): string[] => keys.map((key) => own(value, key)).filter((text) => typeof text === "string");
  const names = texts(["id", "name"]);
  return names.length > 0 ? names : texts(["title"]);
}
