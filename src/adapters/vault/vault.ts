/**
 * Secrets from HashiCorp Vault, KV version 2: read at start, read anew in the background. A value that was read once stays until
 * a newer one is there, so that an outage of Vault stops nothing.
 */
import type { AxiosInstance } from "axios";
import { Failure } from "../../core/errors.ts";
import type { EpochMs } from "../../core/event.ts";
import { asObject } from "../../core/record.ts";
import type { Log } from "../../ports/context.ts";
import type { VaultReference, VaultSettings, VaultValues } from "../../ports/vault.ts";
import { refusal, segments, vaultSession, type VaultSession } from "./session.ts";

/** First wait after a failed reading; doubles up to the usual interval, at most BACKOFF_MAX_MS. */
const BACKOFF_MS = 5000;
const BACKOFF_MAX_MS = 300_000;
/** Refused credentials make us read at most this often: a server that refuses everything must not load Vault. */
const FORCED_MS = 30_000;
/** Whoever rotates a credential may be late: after a refusal all are read so often until the refused one is probed (every five minutes). */
const WATCH_EVERY_MS = 60_000;
const WATCH_MS = 330_000;
/** Shown of many problems. */
const PROBLEMS_SHOWN = 3;

/** Why one reference has no value, or no new one. */
export interface VaultProblem {
  readonly reference: VaultReference;
  readonly message: string;
}

/** Keeps the values of the configuration's references. */
export interface Vault {
  /** Reads all now. Empty: every reference has a present value. @throws {Failure} retryable SECRET_UNAVAILABLE, config SECRET_MISSING for the login */
  read(): Promise<readonly VaultProblem[]>;
  /** Reads all when it is time. Never throws: what fails shows in `health`. */
  look(): Promise<void>;
  /** A server refused a credential: it may have been rotated, so the next look reads. */
  refused(): void;
  health(): { readonly name: string; readonly ok: boolean; readonly message: string };
}

/** What reading needs. */
export interface VaultDeps {
  readonly http: AxiosInstance;
  readonly now: () => EpochMs;
  readonly random: () => number;
  readonly log: Log;
}

/** The reader of the references of one configuration; nothing is read yet. */
export function vault(settings: VaultSettings, values: VaultValues, { http, now, random, log }: VaultDeps): Vault {
  const session = vaultSession(settings, http, now);
  let due: EpochMs = 0;
  let forced: EpochMs = -Infinity;
  let failures = 0;
  let trouble: string | undefined;
  let since: EpochMs = 0;

  const failed = (message: string): void => {
    failures++;
    if (trouble === undefined) since = now();
    if (trouble !== message) log.warn({ error: message, failures }, "secrets could not be read anew; the last values are used");
    trouble = message;
    const wait = Math.min(BACKOFF_MS * 2 ** Math.min(failures - 1, 10), settings.refresh, BACKOFF_MAX_MS);
    due = now() + Math.round(wait * (0.75 + random() / 4));
  };
  const worked = (): void => {
    if (trouble !== undefined) log.info({}, "secrets are read again");
    [failures, trouble] = [0, undefined];
    const interval = now() - forced < WATCH_MS ? Math.min(settings.refresh, WATCH_EVERY_MS) : settings.refresh;
    due = Math.min(now() + Math.round(interval * (0.9 + random() / 10)), session.renewTime());
  };
  const read = async (): Promise<readonly VaultProblem[]> => {
    const { problems, changed } = await readAll(session, values);
    if (changed > 0) log.info({ changed }, "secrets have changed");
    if (problems.length === 0) worked();
    else failed(wordsOf(problems));
    return problems;
  };

  return {
    read,
    async look() {
      if (now() < due) return;
      // Not again while this one is under way.
      due = Infinity;
      try {
        await read();
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        failed(error.message);
      } finally {
        if (due === Infinity) failed("the reading of secrets broke off");
      }
    },
    refused() {
      if (due === Infinity || now() - forced < FORCED_MS) return;
      forced = now();
      due = Math.min(due, now());
    },
    health() {
      const count = `${values.references.length} from Vault`;
      if (trouble === undefined) return { name: "secrets", ok: true, message: count };
      const message = `${trouble}; the last good values are used since ${new Date(since).toISOString()}`;
      return { name: "secrets", ok: false, message };
    },
  };
}

function wordsOf(problems: readonly VaultProblem[]): string {
  const shown = problems.slice(0, PROBLEMS_SHOWN).map(({ reference, message }) => `${reference.text} ${message}`);
  return `${shown.join("; ")}${problems.length > PROBLEMS_SHOWN ? `; and ${problems.length - PROBLEMS_SHOWN} more` : ""}`;
}

async function readAll(
  session: VaultSession,
  values: VaultValues,
): Promise<{ readonly problems: readonly VaultProblem[]; readonly changed: number }> {
  const problems: VaultProblem[] = [];
  let changed = 0;
  const byPath = Map.groupBy(values.references, ({ mount, path }) => `${segments(mount)}/data/${segments(path)}`);
  for (const [path, references] of byPath) {
    const found = await readOne(session, path);
    for (const reference of references) {
      const value = typeof found === "string" ? found : valueOf(found, reference.key);
      if (typeof value === "string") problems.push({ reference, message: value });
      else if (values.get(reference.text) !== value.value) {
        // The first reading changes nothing.
        if (values.get(reference.text) !== undefined) changed++;
        values.set(reference.text, value.value);
      }
    }
  }
  return { problems, changed };
}

/** The secret's data, or what is wrong with it. @throws {Failure} what concerns all secrets */
async function readOne(session: VaultSession, path: string): Promise<Readonly<Record<string, unknown>> | string> {
  const answer = await session.get(path);
  const inner = asObject(answer.body["data"]);
  const data = asObject(inner?.["data"]);
  if (answer.status === 200) return data ?? "is no secret of a KV engine of version 2";
  if (answer.status === 404) {
    const metadata = asObject(inner?.["metadata"]);
    if (metadata?.["destroyed"] === true) return "has no value: its newest version is destroyed";
    return metadata === undefined ? "does not exist in Vault; check mount and path" : "has no value: its newest version is deleted";
  }
  const failure = refusal(answer, "to read it");
  if (failure.kind === "retryable") throw failure;
  return answer.status === 403 ? "may not be read: the policy needs the capability read on it (403)" : `cannot be read (${answer.status})`;
}

function valueOf(data: Readonly<Record<string, unknown>>, key: string): { readonly value: string } | string {
  const value = Object.hasOwn(data, key) ? data[key] : undefined;
  if (value === undefined) return `has no key ${key}`;
  if (typeof value === "string" && value !== "") return { value };
  return typeof value === "number" ? { value: String(value) } : `is empty or no text`;
}
