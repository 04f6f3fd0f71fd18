/** How long each kind of binding is believed, and why. Every reach is in milliseconds of event time. */
import type { LinkKind } from "./links.ts";

/**
 * Sources' clocks differ by seconds; a binding may be used this long before it begins or after it ends. Two holders of
 * an address within the tolerance of a hand-over make it shared.
 */
export const CLOCK_TOLERANCE_MS = 5000;
/** An agent seen at an address is taken to hold it this long before and after: addresses of pods change hands in minutes. */
export const OBSERVED_MS = 300_000;
/** A credential, session or run seen with an agent stays its own: they are not used again by others. A day of silence ends it. */
export const OBSERVED_KEY_MS = 86_400_000;
/**
 * A deleted pod goes on for Kubernetes' default grace of 30 s
 * (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-termination); its address is free only after.
 */
const POD_LINGER_MS = 30_000 + CLOCK_TOLERANCE_MS;

/**
 * How far back it is asked who took a session or a credential: what it was asked for with may be over by then. The longest
 * role session: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
 */
export const HANDED_OUT_MS = 43_200_000;

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/** How far one kind of link goes. */
export interface Reach {
  /** After its record, unless the record says until when; also a record cannot say more than this. */
  readonly maxMs: number;
  /** A link that was ended is used this long beyond its end. */
  readonly lingerMs: number;
  /** Only one holder at a time: a new one ends the last. */
  readonly exclusive: boolean;
  /** Told again after a longer silence, it was begun anew. */
  readonly silenceMs: number;
}

const own = (maxMs: number): Reach => ({ maxMs, lingerMs: CLOCK_TOLERANCE_MS, exclusive: false, silenceMs: maxMs });

/** By the kind of key that belongs to something. */
export const REACH: Readonly<Record<LinkKind, Reach>> = {
  // A pod's address is told at its start and little after; pods of agents run for weeks. A pod that has ended still shows an
  // address that others have by then, but not for days.
  ip: { maxMs: 30 * DAY_MS, lingerMs: POD_LINGER_MS, exclusive: true, silenceMs: DAY_MS },
  // As long as the pod may run.
  pod: { ...own(30 * DAY_MS), lingerMs: POD_LINGER_MS },
  // The longest session credentials that AWS issues: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetFederationToken.html
  cred: own(36 * HOUR_MS),
  // The longest role session: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
  role: own(12 * HOUR_MS),
  session: own(DAY_MS),
  run: own(DAY_MS),
  // SVIDs are renewed within a day, and each use tells the name anew.
  spiffe: own(DAY_MS),
  // Names that a token told: a day is longer than any token that should be in use.
  client: own(DAY_MS),
  agent: own(DAY_MS),
  sa: own(DAY_MS),
  user: own(DAY_MS),
  person: own(DAY_MS),
};

/** A stored fact of a binding that nothing was told of for so long answers no question: the longest reach, and how far back it is asked. */
export const BINDINGS_KEPT_MS = 31 * DAY_MS;
