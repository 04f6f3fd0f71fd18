/** How references into Vault get their values: for the service and for commands. */
import { closeClient, httpClient } from "./adapters/http/client.ts";
import { silentLog } from "./adapters/log/log.ts";
import { systemClock } from "./adapters/system/system.ts";
import { vault, type Vault } from "./adapters/vault/vault.ts";
import type { Config } from "./config/config.ts";
import { isKept, isSecret } from "./config/secrets.ts";
import { formatProblem, type Problem } from "./config/yaml.ts";
import { Failure } from "./core/errors.ts";
import { VERSION } from "./package.ts";
import type { Clock, Log } from "./ports/context.ts";

/** The reader of a configuration's secrets, and how to end it. */
export interface Secrets extends Pick<Vault, "look" | "refused" | "health"> {
  close(): void;
}

/**
 * Reads every secret that comes from Vault; undefined when there is no Vault.
 * @throws {Failure} config CONFIG_INVALID with every reference that has no value and its line; retryable SECRET_UNAVAILABLE
 */
export async function openSecrets(
  config: Config,
  { clock, log, random }: { readonly clock: Clock; readonly log: Log; readonly random: () => number },
): Promise<Secrets | undefined> {
  if (config.vault === undefined) return undefined;
  const { settings, book } = config.vault;
  const http = httpClient(`custodes/${VERSION}`, settings.network);
  const reader = vault(settings, book, { http, now: () => clock.now(), random, log });
  try {
    const problems = (await reader.read()).map(({ reference, message }): Problem => {
      const { at } = book.references.find(({ text }) => text === reference.text) ?? { at: ["vault"] };
      return { file: config.file, line: config.lineOf(at), key: at.map(String).join("."), message: `${reference.text} ${message}` };
    });
    if (problems.length > 0)
      throw new Failure(problems.map(formatProblem).join("\n"), { kind: "config", code: "CONFIG_INVALID", scope: "connector" });
    return { ...reader, close: () => closeClient(http) };
  } catch (error) {
    closeClient(http);
    if (!(error instanceof Failure) || error.code === "CONFIG_INVALID") throw error;
    // What the login is refused for is said where the section stands.
    const message = formatProblem({ file: config.file, line: config.lineOf(["vault"]), key: "vault", message: error.message });
    throw new Failure(message, { kind: error.kind, code: error.code, scope: "connector" });
  }
}

/** Reads them once, for a command. @throws {Failure} as `openSecrets` */
export async function readSecrets(config: Config): Promise<void> {
  (await openSecrets(config, { clock: systemClock, log: silentLog, random: Math.random }))?.close();
}

/** Reads them where the store or the receiver's token comes from Vault: what a command about the state needs. @throws {Failure} */
export async function readStateSecrets(config: Config): Promise<void> {
  const needed = [config.store, config.queue, config.receiver.token];
  if (needed.some((one) => isSecret(one) && isKept(one))) await readSecrets(config);
}
