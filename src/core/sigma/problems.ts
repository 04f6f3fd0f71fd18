import type { RejectedRule } from "../alert.ts";
import { isYamlMap, own } from "./document.ts";
import { identityOf } from "./metadata.ts";
import type { RuleDocument } from "./reader.ts";
import { Rejection, type KeyPath } from "./rejection.ts";

/** Collects what is wrong with documents while the others go on. */
export interface Problems {
  readonly rejected: RejectedRule[];
  readonly warnings: { rule: string | undefined; file: string; line: number; message: string }[];
  /** The first reason of each rejected document. */
  readonly reasons: ReadonlyMap<RuleDocument, RejectedRule>;
  /** Ids and names of rejected documents, as far as they can be read. */
  readonly rejectedNames: Set<string>;
  warn(document: RuleDocument, keys: KeyPath, message: string): void;
  /** Runs `work`; a Rejection of the document becomes a line of `rejected`, and the result undefined. */
  attempt<T>(document: RuleDocument, work: () => T): T | undefined;
}

/** Order by path, in code units, then by line. */
export function byPlace(pathA: string, lineA: number, pathB: string, lineB: number): number {
  return pathA < pathB ? -1 : pathA > pathB ? 1 : lineA - lineB;
}

/** An empty list. */
export function problemList(): Problems {
  const reasons = new Map<RuleDocument, RejectedRule>();
  const problems: Problems = {
    reasons,
    rejected: [],
    warnings: [],
    rejectedNames: new Set(),
    warn: (document, keys, message) => {
      problems.warnings.push({ rule: identityOf(document.value), file: document.path, line: document.lineOf(keys), message });
    },
    attempt: (document, work) => {
      try {
        return work();
      } catch (error) {
        if (!(error instanceof Rejection)) throw error;
        const line = document.error?.line ?? document.lineOf(error.keys);
        const rejected = { rule: identityOf(document.value), file: document.path, line, reason: error.message };
        problems.rejected.push(rejected);
        if (!reasons.has(document)) reasons.set(document, rejected);
        for (const key of ["id", "name"]) {
          const name = isYamlMap(document.value) ? own(document.value, key) : undefined;
          if (typeof name === "string") problems.rejectedNames.add(name);
        }
        return undefined;
      }
    },
  };
  return problems;
}
