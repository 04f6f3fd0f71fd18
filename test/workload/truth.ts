/** Alerts against a generated workload's ground truth: what was found, what was missed, what should not have fired. */
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** One planted pattern; a decoy must not fire its pattern. */
interface Episode {
  readonly id: string;
  readonly pattern: string;
  readonly decoy: boolean;
  readonly agent: string | null;
  readonly start: string;
  readonly end: string;
  readonly also: readonly string[];
  readonly note: string;
}

/** An alert reduced to what the truth knows: who, which row of the rule inventory, when. */
export interface Found {
  readonly agent: string;
  readonly code: string;
  readonly firstTime: number;
  readonly lastTime: number;
}

/** One row of the table. */
export interface Score {
  readonly code: string;
  readonly attacks: number;
  readonly found: number;
  readonly decoys: number;
  readonly decoysFired: number;
  /** Agents for which it fired without being listed in the truth. */
  readonly extra: readonly string[];
  readonly missed: readonly string[];
  readonly fired: readonly string[];
}

/** Alerts may lie this far outside of their episode: windows look back, clocks differ. */
const SLACK_MS = 5000;

/** Compares alerts with `truth.json`, for the given codes only. */
export function score(directory: string, alerts: readonly Found[], codes: readonly string[]): Score[] {
  const truth = JSON.parse(readFileSync(join(directory, "truth.json"), "utf8")) as { episodes: readonly Episode[] };
  const listed = new Set<string>();
  for (const episode of truth.episodes) {
    for (const code of [...(episode.decoy ? [] : [episode.pattern]), ...episode.also]) listed.add(`${episode.agent} ${code}`);
  }
  return codes.map((code) => {
    const own = alerts.filter((alert) => alert.code === code);
    const inside = (episode: Episode) =>
      own.some(
        (alert) =>
          alert.agent === episode.agent &&
          alert.lastTime >= Date.parse(episode.start) - SLACK_MS &&
          alert.firstTime <= Date.parse(episode.end) + SLACK_MS,
      );
    const episodes = truth.episodes.filter((episode) => episode.pattern === code);
    // What an episode of another pattern holds as well must be found as its own is, in a decoy too.
    const attacks = truth.episodes.filter((episode) => (episode.pattern === code && !episode.decoy) || episode.also.includes(code));
    const decoys = episodes.filter((episode) => episode.decoy);
    const missed = attacks.filter((episode) => !inside(episode)).map((episode) => episode.id);
    const fired = decoys.filter((episode) => inside(episode) && !episode.also.includes(code)).map((episode) => episode.id);
    const extra = [...new Set(own.map((alert) => alert.agent))].filter((agent) => !listed.has(`${agent} ${code}`)).sort();
    return {
      code,
      attacks: attacks.length,
      found: attacks.length - missed.length,
      decoys: decoys.length,
      decoysFired: fired.length,
      extra,
      missed,
      fired,
    };
  });
}

/** The scores as a table of text. */
export function scoreTable(scores: readonly Score[]): string {
  const rows = scores.map((one) => [
    one.code.padEnd(5),
    `${one.found}/${one.attacks}`.padEnd(12),
    `${one.decoysFired}/${one.decoys}`.padEnd(12),
    String(one.extra.length).padEnd(6),
    [...one.missed.map((id) => `missed ${id}`), ...one.fired.map((id) => `fired ${id}`), ...one.extra.slice(0, 3)].join(" "),
  ]);
  return [["code ", "attacks found", "decoys fired", "extra", ""], ...rows].map((row) => row.join(" ")).join("\n");
}
