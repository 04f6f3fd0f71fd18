import { existsSync } from "node:fs";
import type { Command } from "commander";
import { openStore } from "../adapters/postgres/open.ts";
import { secretDigest, uuid5 } from "../adapters/system/system.ts";
import type { Config } from "../config/config.ts";
import { storeLocation } from "../config/places.ts";
import { baselineKey } from "../core/correlation/baseline-key.ts";
import type { BaselineHead } from "../core/correlation/baseline.ts";
import { engine } from "../core/correlation/engine.ts";
import { Failure } from "../core/errors.ts";
import type { Event } from "../core/event.ts";
import { directory } from "../core/identity/directory.ts";
import { resolver } from "../core/identity/resolver.ts";
import { eventReader } from "../core/sigma/event-reader.ts";
import type { Correlation } from "../core/sigma/rules.ts";
import { analysis, type Analysis } from "../pipeline/analysis.ts";
import type { Store } from "../ports/store.ts";
import { BUILTIN_RULES, loadPack, type Pack } from "../rules.ts";
import { CommandError, EXIT, note } from "./output.ts";
import { readStateSecrets } from "../secrets.ts";

/** Options that every baseline command has. */
export interface BaselineOptions {
  readonly config: string;
}

/** Takes the store of a service that does not run, or one in PostgreSQL. `makes`: an embedded store may be made. */
export async function withStore<T>(config: Config, makes: boolean, work: (store: Store) => Promise<T>): Promise<T> {
  if (!makes && config.store === "embedded" && !existsSync(config.data))
    throw new CommandError(`there is no store in ${config.data}: has the service run with this configuration?`, EXIT.no);
  await readStateSecrets(config);
  const { store } = await openStore(storeLocation(config)).catch((error: unknown) => {
    if (!(error instanceof Failure) || error.code !== "STORE_LOCKED") throw error;
    throw new CommandError(
      `${error.message}. Baselines are changed while the service does not run: stop it, run this command again, and start the service`,
      EXIT.no,
    );
  });
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

/** A loaded rule that remembers, with its key. */
export interface KeyedRule {
  readonly key: string;
  readonly correlation: Correlation<Event>;
}

/** The rules of the configuration, or of `paths`, and those that remember. @throws {CommandError} when there are none */
export function rulesFor(config: Config, paths: readonly string[]): { pack: Pack; remembering: ReadonlyMap<string, KeyedRule> } {
  const pack = loadPack(
    paths.length === 0 ? config.rules : paths.map((path) => (path === "builtin" ? BUILTIN_RULES : path)),
    config.placeholders,
  );
  for (const one of pack.rejected) note(`${one.file}:${one.line}: rule rejected: ${one.reason}`);
  const rejected = new Set(pack.rejected.map(({ rule }) => rule));
  const remembering = new Map<string, KeyedRule>();
  for (const correlation of pack.rules.correlations) {
    if (correlation.newValue === undefined && correlation.baseline === undefined) continue;
    if (!rejected.has(correlation.info.id))
      remembering.set(correlation.info.id, { key: baselineKey(correlation, pack.rules, uuid5), correlation });
  }
  if (remembering.size === 0)
    throw new CommandError("no loaded rule is of type new_value or baseline_ratio: there is nothing to remember", EXIT.no);
  return { pack, remembering };
}

/** A fresh analysis that remembers, with the names that the store knows. */
export async function learner(config: Config, pack: Pack, store: Store): Promise<Analysis> {
  const names = resolver(directory(config.agents), false);
  names.load(await store.facts());
  const options = { latenessMs: config.correlation.lateness, distinct: true, baselines: true, digest: secretDigest() };
  return analysis(names, engine(pack.rules, { reader: eventReader, uuid5, ...options }));
}

/** The loaded rule that a head of a file belongs to; undefined when `only` leaves it out. @throws {CommandError} */
export function ruleOfHead(
  remembering: ReadonlyMap<string, KeyedRule>,
  only: readonly string[],
  head: BaselineHead,
  place: string,
): KeyedRule | undefined {
  if (only.length > 0 && !only.includes(head.rule)) return undefined;
  const found = remembering.get(head.rule);
  const fix = "name the rules to take with --rule";
  if (found === undefined)
    throw new CommandError(
      `${place}: no loaded rule that remembers has the id ${JSON.stringify(head.rule)}; ${fix}; nothing was stored`,
      EXIT.no,
    );
  if (found.key !== head.key)
    throw new CommandError(
      `${place}: ${head.rule} counts something else here than where the file was written (its group, field, window or detections differ); load the same rule, or ${fix}; nothing was stored`,
      EXIT.no,
    );
  return found;
}

/** Rules that `--rule` names must be among those that are there. @throws {CommandError} */
export function refuseUnknown(only: readonly string[], there: Iterable<string>): void {
  const known = [...there];
  for (const rule of only)
    if (!known.includes(rule))
      throw new CommandError(`--rule ${rule}: there are only ${known.length === 0 ? "none" : known.join(", ")}`, EXIT.no);
}

/** Gathers an option that may be given several times. */
export function several(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

/** Adds an action that ends with an exit code. */
export type Act = <A extends unknown[]>(action: (...given: A) => number | Promise<number>) => (...given: A) => Promise<void>;
/** Adds a command. */
export type Add = (parent: Command, name: string, about: string) => Command;
