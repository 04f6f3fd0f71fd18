/** Many incidents that a destination shows as one, so that a storm of them wakes people once. */
import type { Level } from "../core/alert.ts";
import type { EpochMs } from "../core/event.ts";
import type { Delivery, Rendered } from "./connector.ts";

/** When a destination has had enough, and how it shows the rest. */
export interface Storm {
  /** So many incidents may open within `withinMs`; those beyond are folded into a digest, except critical ones. */
  readonly incidents: number;
  readonly withinMs: number;
  /** As Destination.render. */
  render(delivery: DigestDelivery): Rendered;
}

/** One revision of a digest on its way; its key is `<destination>:digest:<id>:<revision>`. */
export type DigestDelivery = Pick<Delivery, "key" | "destination" | "createdTime" | "attempts" | "time" | "memory"> & {
  readonly digest: Digest;
};

/** What a digest says: the state of the incidents folded into it when it is sent. */
export interface Digest {
  /** `digest-<hex>`; the same for life. */
  readonly id: string;
  readonly destination: string;
  /** When its first and its newest incident were to be shown. */
  readonly openedTime: EpochMs;
  readonly newestTime: EpochMs;
  /** Newest event of all of them. */
  readonly lastTime: EpochMs;
  readonly incidents: number;
  /** Of these so many are not closed; 0: the digest has ended. */
  readonly open: number;
  /** Of the open ones the highest; of all when none is open. */
  readonly level: Level;
  /** Incidents by level, by their gravest rule and by agent (or other entity), the most frequent first, at most DIGEST_COUNTS_MAX. */
  readonly levels: readonly DigestCount[];
  readonly rules: readonly DigestCount[];
  readonly agents: readonly DigestCount[];
}

/** How many incidents have this in common. Names are as they came: pass them through `safeText`. */
export interface DigestCount {
  readonly name: string;
  readonly count: number;
}

/** Lines of one list of counts: more than anybody reads at night. */
export const DIGEST_COUNTS_MAX = 20;
