/**
 * Guards: the rules at work change only as a whole and only between two steps of correlation, and what is wrong in rule
 * files is seen (log, health, metric) for as long as it is wrong.
 */
import type { RejectedRule, RuleInfo } from "./core/alert.ts";
import type { EpochMs } from "./core/event.ts";
import { canonicalJson } from "./core/record.ts";
import { documentText } from "./core/sigma/fingerprint.ts";
import type { RuleDocument } from "./core/sigma/reader.ts";
import { identityOf } from "./core/sigma/metadata.ts";
import type { KeptRule } from "./core/sigma/edition.ts";
import type { PartHealth } from "./pipeline/health.ts";
import type { Log } from "./ports/context.ts";
import type { Meter } from "./ports/meter.ts";
import type { RuleStamp } from "./adapters/rules/stamp.ts";
import type { Pack } from "./rules.ts";

/** Descriptions of rules that are gone, kept for the alerts and incidents that name them; the oldest go first. */
const RETIRED_MAX = 10_000;
/** Looks after which a change is taken though the files never rest: one that somebody keeps writing must not hold up the others. */
const RESTLESS_LOOKS = 10;
/** Problems that health tells one by one; `rules list` and the log have all. */
const PROBLEMS_SHOWN = 3;

/** What the rules at work are, as `/state/rules` answers. */
export interface RulesStatus {
  readonly version: string;
  /** When they were taken, epoch milliseconds. */
  readonly loadedTime: EpochMs;
  /** Rules that raise alerts. */
  readonly alerting: number;
  readonly rejected: readonly RejectedRule[];
  readonly kept: readonly KeptRule[];
  readonly lost: RuleStamp["lost"];
  /** Ids of all loaded detection rules and correlations. */
  readonly rules: readonly string[];
}

/** Rules that follow their files. */
export interface LiveRules {
  /** The pack at work. */
  pack(): Pack;
  /** What a rule says about itself; of a rule that is gone, what it last said. */
  rule(id: string): RuleInfo | undefined;
  /** Looks for changes. One is taken when two looks in a row saw the same: files that are being written are left alone. */
  look(): Promise<void>;
  /** Takes what the files say now, without waiting. */
  reload(): Promise<void>;
  health(): PartHealth;
  status(): RulesStatus;
}

/** What live rules need. */
export interface LiveRulesDeps {
  readonly first: Pack;
  /** The look that came before the first pack was read. */
  readonly stamp: RuleStamp;
  readonly now: () => EpochMs;
  readonly log: Log;
  readonly meter: Meter;
  /** Told of every change of the rules, as numbers, once it is known what changed. */
  readonly changed?: (change: RulesChange) => void;
  look(): Promise<RuleStamp>;
  /** Reads the files. @throws {Failure} config, when one has gone in between */
  read(before: Pack, lost: RuleStamp["lost"]): Pack;
  /** Has `take` called between two steps of correlation; a later call replaces one that waits. */
  between(take: () => Pack): void;
  /** Names in the routes of destinations that no rule of the pack has. */
  deadRoutes(pack: Pack): readonly string[];
}

/** A change of the rules: of so many, to this version. */
export interface RulesChange {
  readonly version: string;
  readonly before: string;
  readonly added: number;
  readonly changed: number;
  readonly removed: number;
}

/** What is known of the files that the newest pack was read from. */
interface Seen {
  readonly pack: Pack;
  readonly lost: RuleStamp["lost"];
}

/** Rules that start as the first pack. */
export function liveRules(deps: LiveRulesDeps): LiveRules {
  const { log, meter, now } = deps;
  let pack = deps.first;
  let loadedTime = now();
  let seen: Seen = { pack, lost: deps.stamp.lost };
  /** Of the files that were read last. */
  let known = deps.stamp.text;
  /** Of a change that has not settled yet, and the looks since it began. */
  let settling: string | undefined;
  let restless = 0;
  /** Why the files could not be read last time. */
  let failure: string | undefined;
  const retired = new Map<string, RuleInfo>();
  let queue: Promise<void> = Promise.resolve();

  const take = (next: Pack): Pack => {
    for (const { info } of [...pack.rules.detections, ...pack.rules.correlations]) {
      retired.delete(info.id);
      if (next.rule(info.id) === undefined) retired.set(info.id, info);
    }
    for (const id of retired.keys()) if (retired.size > RETIRED_MAX) retired.delete(id);
    pack = next;
    loadedTime = now();
    measure(meter, pack, loadedTime);
    return next;
  };
  const read = (stamp: RuleStamp): void => {
    let next: Pack;
    try {
      next = deps.read(seen.pack, stamp.lost);
    } catch (error) {
      const said = error instanceof Error ? error.message : String(error);
      meter.count("rule_reloads_total", { result: "failed" });
      if (said !== failure) log.warn({ error: said }, "rule files could not be read; they are tried again");
      failure = said;
      return;
    }
    failure = undefined;
    known = stamp.text;
    const before = seen.pack;
    const same = next.version === before.version && sameProblems({ pack: next, lost: stamp.lost }, seen);
    seen = { pack: next, lost: stamp.lost };
    if (same) {
      log.debug({ version: next.version }, "rule files were written to, but say the same");
      // Places of rules may have moved in their files.
      deps.between(() => take(next));
      return;
    }
    const wrong = next.rejected.length + next.kept.length > 0;
    meter.count("rule_reloads_total", { result: wrong ? "partial" : "taken" });
    const change = report(log, before, seen);
    deps.changed?.(change);
    for (const name of deps.deadRoutes(next)) log.warn({ name }, "a route names a rule that is not loaded");
    deps.between(() => take(next));
  };
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    queue = queue.then(work, work);
    return queue;
  };
  measure(meter, pack, loadedTime);

  return {
    pack: () => pack,
    rule: (id) => pack.rule(id) ?? retired.get(id),
    look: () =>
      inTurn(async () => {
        const stamp = await deps.look();
        const settled = stamp.text === settling || restless >= RESTLESS_LOOKS;
        settling = stamp.text === known ? undefined : stamp.text;
        restless = settling === undefined ? 0 : restless + 1;
        if (settling === undefined || !settled) return;
        restless = 0;
        read(stamp);
      }),
    reload: () =>
      inTurn(async () => {
        read(await deps.look());
      }),
    health: () => healthOf(pack, loadedTime, { lost: seen.lost, deadRoutes: deps.deadRoutes(pack), failure }),
    status: () => statusOf(pack, loadedTime, seen.lost),
  };
}

function measure(meter: Meter, pack: Pack, loadedTime: EpochMs): void {
  meter.gauge("rules_loaded", {}, pack.alerting);
  meter.gauge("rules_rejected", {}, pack.rejected.length);
  meter.gauge("rules_kept", {}, pack.kept.length);
  meter.gauge("rules_loaded_time_seconds", {}, loadedTime / 1000);
}

function statusOf(pack: Pack, loadedTime: EpochMs, lost: RuleStamp["lost"]): RulesStatus {
  const { version, alerting, rejected, kept, rules } = pack;
  const ids = [...rules.detections, ...rules.correlations].map(({ info }) => info.id);
  return { version, loadedTime, alerting, rejected, kept, lost, rules: ids.sort() };
}

function sameProblems(a: Seen, b: Seen): boolean {
  const text = ({ pack, lost }: Seen): string => canonicalJson([pack.rejected, pack.kept, lost]);
  return text(a) === text(b);
}

function report(log: Log, before: Pack, { pack, lost }: Seen): RulesChange {
  const old = textsById(before.loaded);
  const now = textsById(pack.loaded);
  const added = [...now.keys()].filter((id) => !old.has(id));
  const removed = [...old.keys()].filter((id) => !now.has(id));
  const changed = [...now].filter(([id, text]) => old.has(id) && old.get(id) !== text).map(([id]) => id);
  const { version, alerting } = pack;
  const same = added.length + changed.length + removed.length === 0;
  log.info(
    { version, before: before.version, rules: alerting, added, changed, removed },
    same ? "rule files changed, and no rule" : "rules changed",
  );
  for (const one of pack.rejected) log.warn({ ...one }, "rule rejected");
  for (const one of pack.kept) log.warn({ ...one }, "the older version of a rule is kept");
  for (const one of lost) log.warn({ ...one }, "rules are lost; those that came from there are kept");
  return { version, before: before.version, added: added.length, changed: changed.length, removed: removed.length };
}

function textsById(documents: readonly RuleDocument[]): ReadonlyMap<string, string> {
  return new Map(documents.map(({ value, path, line }) => [identityOf(value) ?? `${path}:${line}`, documentText(value)]));
}

/** A rule that was not understood leaves the service blind for what it looks for: that shows until it is mended. */
function healthOf(
  pack: Pack,
  loadedTime: EpochMs,
  { lost, deadRoutes, failure }: { lost: RuleStamp["lost"]; deadRoutes: readonly string[]; failure: string | undefined },
): PartHealth {
  const problems = [
    ...(failure === undefined ? [] : [`rule files cannot be read: ${failure}`]),
    ...pack.rejected.map(({ file, line, reason }) => `${file}:${line}: ${reason}`),
    ...lost.map(({ path, reason }) => `${path} ${reason}`),
    ...deadRoutes.map((name) => `a route names ${name}, which no loaded rule is called`),
  ];
  const shown = problems.slice(0, PROBLEMS_SHOWN);
  if (problems.length > shown.length) shown.push(`${problems.length - shown.length} more; \`rules list\` has all`);
  const kept = pack.kept.length === 0 ? [] : [`the older version of ${rulesText(pack.kept.length)} is kept`];
  const what = `version ${pack.version}, ${rulesText(pack.alerting)}, loaded ${new Date(loadedTime).toISOString()}`;
  return { name: "rules", ok: problems.length === 0, message: [what, ...shown, ...kept].join("; ") };
}

function rulesText(count: number): string {
  return `${count} ${count === 1 ? "rule" : "rules"}`;
}
