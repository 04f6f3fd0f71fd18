/** Whether everything that a configuration names can be reached and may be used, without side effects. */
import { bullmqQueue } from "../adapters/bullmq/queue.ts";
import { localFiles } from "../adapters/files/local-files.ts";
import { httpClient } from "../adapters/http/client.ts";
import { silentLog } from "../adapters/log/log.ts";
import { openStore } from "../adapters/postgres/open.ts";
import { connectBy } from "../adapters/http/connect.ts";
import { hmacSha256, sha256, systemClock } from "../adapters/system/system.ts";
import type { Config } from "../config/config.ts";
import { queueLocation, storeLocation } from "../config/places.ts";
import { Failure } from "../core/errors.ts";
import { safeText } from "../core/safe-text.ts";
import { VERSION } from "../package.ts";
import { readSecrets } from "../secrets.ts";
import type { Check } from "../ports/connector.ts";
import type { Context } from "../ports/context.ts";
import type { Network } from "../ports/network.ts";

/** One connector's checks take no longer. */
const CHECKS_MS = 60_000;
/** Longest message that is shown: some of it comes from the other side. */
const MESSAGE_MAX = 500;

/** Something that was looked at. */
export interface Finding extends Check {
  /** Source, destination or part of the service. */
  readonly about: string;
}

/** What connectors get from a command; with `network`, their servers are reached as the service reaches them. */
export function commandContext(network?: Network): Context {
  return {
    clock: systemClock,
    http: httpClient(`custodes/${VERSION}`, network),
    files: localFiles(),
    digest: { sha256, hmacSha256 },
    connect: connectBy(network),
    log: silentLog,
    random: Math.random,
    signal: AbortSignal.timeout(CHECKS_MS),
  };
}

/** Store, queue, and each source and destination. */
export async function connectionFindings(config: Config): Promise<readonly Finding[]> {
  const secrets = await secretFindings(config);
  // Without them every check below would fail for the same reason.
  if (secrets.some(({ ok }) => !ok)) return secrets;
  const found: Finding[] = [...secrets, ...(await backendFindings(config))];
  for (const { id, connector, options, network } of [...config.sources, ...config.destinations]) {
    // A check must not end another one's time.
    const checks = await connector.check(options, commandContext(network)).catch((error: unknown): readonly Check[] => {
      const message = error instanceof Error ? error.message : String(error);
      return [{ name: "check", ok: false, message, fix: "see the connector's README" }];
    });
    for (const check of checks) found.push({ ...check, about: id });
  }
  return found;
}

/** Prints findings with their fixes; true when all are good. */
export function printFindings(findings: readonly Finding[]): boolean {
  for (const { about, name, ok, message, fix } of findings) {
    console.log(`${ok ? "ok  " : "FAIL"} ${about}: ${name === "" ? "" : `${name}: `}${safeText(message, MESSAGE_MAX)}`);
    if (!ok && fix !== undefined) console.log(`     fix: ${safeText(fix, MESSAGE_MAX)}`);
  }
  return findings.every(({ ok }) => ok);
}

/** Every reference into Vault is read. */
async function secretFindings(config: Config): Promise<readonly Finding[]> {
  if (config.vault === undefined) return [];
  const about = "secrets";
  try {
    await readSecrets(config);
    return [{ about, name: "", ok: true, message: `${config.vault.book.references.length} read from Vault` }];
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    const fix = "check address, namespace, auth and the policy of `vault`, and that each secret exists there";
    return error.message.split("\n").map((message) => ({ about, name: "", ok: false, message, fix }));
  }
}

/** The store and the queue are opened and closed again; a store that a running service holds is as good as open. */
async function backendFindings(config: Config): Promise<readonly Finding[]> {
  const good = (about: string, message: string): Finding => ({ about, name: "", ok: true, message });
  const bad = (about: string, message: string, fix: string): Finding => ({ about, name: "", ok: false, message, fix });
  try {
    const { store, pool } = await openStore(storeLocation(config));
    try {
      const opened = good("store", "opens, and its tables are up to date");
      const queue = await bullmqQueue(queueLocation(config, pool), { log: silentLog });
      try {
        await queue.depth("pull");
      } finally {
        await queue.close();
      }
      return [opened, good("queue", "answers")];
    } finally {
      await store.close();
    }
  } catch (error) {
    const failure = error instanceof Failure ? error : undefined;
    const message = failure?.message ?? String(error);
    if (failure?.code === "STORE_LOCKED") return [good("store", "a running service has it; ask its /readyz")];
    if (failure?.code === "QUEUE_UNAVAILABLE")
      return [bad("queue", message, "start the Redis server that `queue` names, or check its address and password")];
    return [
      bad(
        "store",
        message,
        "start the PostgreSQL server that `store` names, or check its address, password and the role's rights; embedded: the directory `data` must be writable",
      ),
    ];
  }
}
