/**
 * Guards: the agent registry at work changes only as a whole and only between two steps of correlation; what is wrong in
 * its files leaves the older one at work, and is seen (log, health, metric) for as long as it is wrong.
 */
import type { Config } from "./config/config.ts";
import { readRegistry, stampRegistry, type Registry } from "./config/registry-files.ts";
import { formatProblem } from "./config/yaml.ts";
import type { EpochMs } from "./core/event.ts";
import { directory, type Directory } from "./core/identity/directory.ts";
import type { AgentProfile } from "./core/identity/profile.ts";
import { canonicalJson } from "./core/record.ts";
import type { PartHealth } from "./pipeline/health.ts";
import type { Log } from "./ports/context.ts";
import type { Meter } from "./ports/meter.ts";

/** Looks after which a change is taken though the files never rest: one that somebody keeps writing must not hold up the others. */
const RESTLESS_LOOKS = 10;
/** Problems that health tells one by one; the log has more. */
const PROBLEMS_SHOWN = 3;
/** Problems that one line of the log tells. */
const PROBLEMS_LOGGED = 100;
/** Ids of agents that one line of the log names. */
const IDS_LOGGED = 100;

/** A registry that follows its files. */
export interface LiveRegistry {
  /** The registry at work; the same object for good, what it answers changes. */
  readonly directory: Directory;
  /** Looks for changes. One is taken when two looks in a row saw the same: files that are being written are left alone. */
  look(): Promise<void>;
  /** Takes what the files say now, without waiting. */
  reload(): Promise<void>;
  /** None where no registry is configured. */
  health(): readonly PartHealth[];
}

/** What a live registry needs. */
export interface LiveRegistryDeps {
  readonly first: readonly AgentProfile[];
  /** The look that came before the first was read. */
  readonly stamp: string;
  readonly now: () => EpochMs;
  readonly log: Log;
  readonly meter: Meter;
  look(): Promise<string>;
  read(): Registry;
  /** Told of every change, as numbers. */
  readonly changed?: (change: {
    readonly agents: number;
    readonly added: number;
    readonly changed: number;
    readonly removed: number;
  }) => void;
  /** Has `take` called between two steps of correlation. */
  between(take: () => void): void;
}

/** A registry that starts as the first agents. */
export function liveRegistry(deps: LiveRegistryDeps): LiveRegistry {
  const { log, meter, now } = deps;
  let current = directory(deps.first);
  let loadedTime = now();
  /** What was read last, whether it is at work already or waits for its step. */
  let newest = deps.first;
  /** Of the files that were read last. */
  let known = deps.stamp;
  /** Of a change that has not settled yet, and the looks since it began. */
  let settling: string | undefined;
  let restless = 0;
  let problems: readonly string[] = [];
  let queue: Promise<void> = Promise.resolve();

  const measure = (): void => {
    meter.gauge("registry_agents", {}, current.agents.length);
    meter.gauge("registry_problems", {}, problems.length);
    meter.gauge("registry_loaded_time_seconds", {}, loadedTime / 1000);
  };
  const refuse = (found: readonly string[]): void => {
    meter.count("registry_reloads_total", { result: "refused" });
    if (found.join("\n") !== problems.join("\n"))
      log.warn(
        { problems: found.slice(0, PROBLEMS_LOGGED), agents: current.agents.length },
        "the agent registry is wrong; the older one is kept",
      );
    problems = found;
    measure();
  };
  const read = (stamp: string): void => {
    const registry = deps.read();
    known = stamp;
    if (registry.problems.length > 0) {
      refuse(registry.problems.map(formatProblem));
      return;
    }
    const before = newest;
    const healed = problems.length > 0;
    problems = [];
    newest = registry.agents;
    const changes = changesOf(before, newest);
    if (changes === undefined) {
      log[healed ? "info" : "debug"]({ agents: newest.length }, "the agent registry was written to, and says the same");
      measure();
      return;
    }
    meter.count("registry_reloads_total", { result: "taken" });
    log.info({ agents: newest.length, ...changes }, "the agent registry changed");
    deps.changed?.({
      agents: newest.length,
      added: changes.added.length,
      changed: changes.changed.length,
      removed: changes.removed.length,
    });
    deps.between(() => {
      current = directory(registry.agents);
      loadedTime = now();
      measure();
    });
  };
  const inTurn = (work: () => Promise<void>): Promise<void> => {
    queue = queue.then(work, work);
    return queue;
  };
  measure();

  return {
    directory: following(() => current),
    look: () =>
      inTurn(async () => {
        const stamp = await deps.look();
        const settled = stamp === settling || restless >= RESTLESS_LOOKS;
        settling = stamp === known ? undefined : stamp;
        restless = settling === undefined ? 0 : restless + 1;
        if (settling === undefined || !settled) return;
        restless = 0;
        read(stamp);
      }),
    reload: () =>
      inTurn(async () => {
        read(await deps.look());
      }),
    health: () => [healthOf(current.agents.length, loadedTime, problems)],
  };
}

/** The agent registry of the configured files, now and as they change; a service without one has none for good. */
export async function followRegistry(
  config: Pick<Config, "registry" | "agents">,
  deps: Pick<LiveRegistryDeps, "now" | "log" | "meter" | "changed">,
  between: LiveRegistryDeps["between"],
): Promise<LiveRegistry> {
  // Looked at after the configuration was read: what changed in between is read again.
  const stamp = await stampRegistry(config.registry);
  const first = readRegistry(config.registry);
  const live = liveRegistry({
    ...deps,
    first: first.problems.length > 0 ? config.agents : first.agents,
    stamp,
    look: () => stampRegistry(config.registry),
    read: () => readRegistry(config.registry),
    between,
  });
  return config.registry.length > 0 ? live : { ...live, health: () => [] };
}

function following(current: () => Directory): Directory {
  return {
    get agents() {
      return current().agents;
    },
    byId: (id) => current().byId(id),
    byKey: (...asked) => current().byKey(...asked),
    byPod: (...asked) => current().byPod(...asked),
    byIp: (...asked) => current().byIp(...asked),
  };
}

/** Ids of what was added, changed and removed; undefined when nothing was. */
function changesOf(
  before: readonly AgentProfile[],
  after: readonly AgentProfile[],
): { readonly added: readonly string[]; readonly changed: readonly string[]; readonly removed: readonly string[] } | undefined {
  const texts = (agents: readonly AgentProfile[]): Map<string, string> => new Map(agents.map((agent) => [agent.id, textOf(agent)]));
  const [old, now] = [texts(before), texts(after)];
  const added = [...now.keys()].filter((id) => !old.has(id));
  const removed = [...old.keys()].filter((id) => !now.has(id));
  const changed = [...now].filter(([id, text]) => old.has(id) && old.get(id) !== text).map(([id]) => id);
  if (added.length + removed.length + changed.length === 0) return undefined;
  const cut = (ids: readonly string[]): readonly string[] => ids.slice(0, IDS_LOGGED);
  return { added: cut(added), changed: cut(changed), removed: cut(removed) };
}

/** JSON has no open ends. */
function textOf(agent: AgentProfile): string {
  return canonicalJson(
    JSON.parse(JSON.stringify(agent, (_, value: unknown) => (value === Infinity || value === -Infinity ? String(value) : value))),
  );
}

function healthOf(agents: number, loadedTime: EpochMs, problems: readonly string[]): PartHealth {
  const shown = problems.slice(0, PROBLEMS_SHOWN);
  if (problems.length > shown.length) shown.push(`${problems.length - shown.length} more; \`check\` has all`);
  const kept = problems.length === 0 ? [] : ["the older registry is kept"];
  const what = `${agents} ${agents === 1 ? "agent" : "agents"}, loaded ${new Date(loadedTime).toISOString()}`;
  return { name: "registry", ok: problems.length === 0, message: [what, ...shown, ...kept].join("; ") };
}
