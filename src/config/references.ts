/** References to secrets wherever they stand in a configuration. */
import { Failure } from "../core/errors.ts";
import { isKept, isSecret, keptSecret, secretReference } from "./secrets.ts";
import type { VaultBook } from "./vault.ts";

/** Where references lead. */
export interface ReferenceTargets {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly book: VaultBook;
}

/** Replaces every text that is a secret reference by its Secret. What Vault is read with cannot come from Vault. */
export function withSecrets(value: unknown, targets: ReferenceTargets, path: readonly PropertyKey[] = []): unknown {
  if (typeof value === "string") {
    if (path[0] !== "vault" && targets.book.add(value, path)) return keptSecret(value, targets.book);
    return secretReference(value, targets.environment) ?? value;
  }
  if (Array.isArray(value)) return value.map((item, index) => withSecrets(item, targets, [...path, index]));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withSecrets(item, targets, [...path, key])]));
}

/** Complains about every secret that cannot be read, where its reference stands. Vault is asked later. */
export function missingSecrets(
  value: unknown,
  complain: (path: readonly PropertyKey[], message: string) => void,
  path: readonly PropertyKey[] = [],
): void {
  if (isSecret(value)) {
    if (isKept(value)) return;
    try {
      value.reveal();
    } catch (error) {
      complain(path, error instanceof Failure ? error.message : "the secret cannot be read");
    }
    return;
  }
  if (Array.isArray(value)) value.forEach((item, index) => missingSecrets(item, complain, [...path, index]));
  else if (typeof value === "object" && value !== null)
    for (const [key, item] of Object.entries(value)) missingSecrets(item, complain, [...path, key]);
}
