/**
 * What all parts of the simulated fleet share: chance, sources with clocks and delays of their own, and records that
 * know who really made them. Nothing here or in what builds on it knows how agents are found.
 */
import { dice, type Dice } from "../../src/demo/random.ts";
import type { EpochMs } from "../../src/core/event.ts";

export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
/** When the fleet is at work. What starts it is told from a while before. */
export const START: EpochMs = Date.UTC(2026, 2, 31, 8);

/** Pods that are there at the start came up within this time before it. */
export const WARM_UP = 5 * MINUTE;

export const SOURCES = [
  "kong",
  "kubernetes",
  "aws-cloudtrail",
  "okta",
  "hashicorp-vault",
  "istio",
  "zeek",
  "aws-vpcflow",
  "agent-findings",
] as const;
export type SourceName = (typeof SOURCES)[number];

/** Clusters of a fleet that has several: they use the same addresses, and their agents have accounts of the same names. */
export const CLUSTERS = ["east", "west"] as const;
/** What every cluster has for itself. */
const OF_CLUSTER: ReadonlySet<SourceName> = new Set<SourceName>(["kong", "kubernetes", "istio", "zeek", "aws-vpcflow"]);
/** Who issues the tokens of a cluster's service accounts. */
export const issuerOf = (cluster: string): string => `oidc.example/id/${cluster}`;
/** Where Vault lets a cluster's service accounts in. */
export const mountOf = (cluster: string | undefined): string => (cluster === undefined ? "kubernetes" : `kubernetes-${cluster}`);

/** A clock is off by up to this much, for good. */
const SKEW_MAX = 2 * SECOND;
/** Sources that tell whose keys are arrive up to this late, the others within seconds. */
const FACTS_LATE_MAX = 10 * MINUTE;
const LATE_MAX = 30 * SECOND;
const FACT_SOURCES: ReadonlySet<SourceName> = new Set<SourceName>(["kubernetes", "aws-cloudtrail", "hashicorp-vault"]);

/** One vendor's record, and the truth about it. */
export interface Told {
  readonly source: SourceName;
  readonly record: unknown;
  readonly time: EpochMs;
  readonly arrival: EpochMs;
  /** The agent that made it; undefined: nobody's. */
  readonly truth: string | undefined;
  /** No record says which of several agents it was. */
  readonly undecidable: boolean;
  /** The attack that it is a step of. */
  readonly attack: number | undefined;
  /** The cluster whose source it comes from, where there are several; undefined: a source that all share. */
  readonly cluster: string | undefined;
}

/** How a record is made of the time on its source's clock. */
export type Make = (stamp: EpochMs) => unknown;

/** Truth about a record beside its agent. */
export interface Truth {
  readonly agent: string | undefined;
  readonly undecidable?: boolean | undefined;
  readonly attack?: number | undefined;
  readonly cluster?: string | undefined;
}

/** Takes records as they happen. */
export interface World {
  readonly dice: Dice;
  readonly told: Told[];
  readonly end: EpochMs;
  /** There are two clusters that look alike. */
  readonly twins: boolean;
  tell(source: SourceName, time: EpochMs, truth: Truth, make: Make): void;
  /** True in so many of a hundred cases. */
  chance(percent: number): boolean;
}

/** An empty world. */
export function world(seed: number, hours: number, twins = false): World {
  const luck = dice(seed);
  const skews = new Map(SOURCES.map((source) => [source, luck.between(-SKEW_MAX, SKEW_MAX)]));
  const told: Told[] = [];
  const end = START + hours * HOUR;
  return {
    dice: luck,
    told,
    end,
    twins,
    chance: (percent) => luck.between(1, 100) <= percent,
    tell(source, time, truth, make) {
      if (time < START - WARM_UP || time >= end) return;
      const arrival = time + luck.between(0, FACT_SOURCES.has(source) ? FACTS_LATE_MAX : LATE_MAX);
      const record = make(time + (skews.get(source) ?? 0));
      const { agent, undecidable = false, attack } = truth;
      const cluster = OF_CLUSTER.has(source) ? truth.cluster : undefined;
      told.push({ source, record, time, arrival, truth: agent, undecidable, attack, cluster });
    },
  };
}
