import { readFileSync } from "node:fs";
import { inspect } from "node:util";
import { Failure } from "../core/errors.ts";
import type { Secret } from "../ports/context.ts";

/** Prints as `[secret]` however it is turned into text. The value is read anew on each `reveal` (rotation). */
class ReferencedSecret implements Secret {
  readonly #reference: string;
  readonly #read: () => string | undefined;
  /** What a value that is not there is called: missing, or not read yet. */
  readonly #lack: string;

  constructor(reference: string, read: () => string | undefined, lack = "is missing or empty") {
    this.#reference = reference;
    this.#read = read;
    this.#lack = lack;
  }

  reveal(): string {
    const value = this.#read();
    if (value === undefined || value === "") {
      throw new Failure(`the secret ${this.#reference} ${this.#lack}`, {
        kind: "config",
        code: "SECRET_MISSING",
        scope: "connector",
      });
    }
    return value;
  }

  toString(): string {
    return "[secret]";
  }
  toJSON(): string {
    return "[secret]";
  }
  [inspect.custom](): string {
    return "[secret]";
  }
}

const REFERENCE = /^\$\{(env|file):([^}]+)\}$/;

/** The secret behind `${env:NAME}` or `${file:PATH}`; undefined when the text is not a reference. */
export function secretReference(text: string, environment: Readonly<Record<string, string | undefined>>): Secret | undefined {
  const match = REFERENCE.exec(text);
  if (match === null) return undefined;
  const [, kind, name = ""] = match;
  return new ReferencedSecret(
    text,
    kind === "env" ? () => (Object.hasOwn(environment, name) ? environment[name] : undefined) : () => readSecretFile(name),
  );
}

/** A secret that somebody else reads and keeps. */
class KeptSecret extends ReferencedSecret {}

/** The secret behind a reference into Vault, which is read elsewhere and kept in `values`. */
export function keptSecret(text: string, values: { get(text: string): string | undefined }): Secret {
  const lack = "has not been read from Vault; where no secret is expected, use ${env:} or ${file:}";
  return new KeptSecret(text, () => values.get(text), lack);
}

/** Whether a secret comes from Vault. */
export function isKept(value: Secret): boolean {
  return value instanceof KeptSecret;
}

/** A secret with a fixed value, for code that makes its own credentials (demo, tests). */
export function fixedSecret(value: string): Secret {
  return new ReferencedSecret("given in code", () => value);
}

/** Whether a configuration value is a secret. */
export function isSecret(value: unknown): value is Secret {
  return value instanceof ReferencedSecret;
}

function readSecretFile(path: string): string | undefined {
  try {
    // Editors and `kubectl create secret --from-file` leave a final newline that is not part of the secret.
    return readFileSync(path, "utf8").replace(/\r?\n$/, "");
  } catch (error) {
    throw new Failure(`the secret file ${path} cannot be read`, {
      kind: "config",
      code: "SECRET_MISSING",
      scope: "connector",
      cause: error,
    });
  }
}
