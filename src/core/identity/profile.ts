import type { ActiveHours } from "../completeness/active-hours.ts";
import type { EpochMs } from "../event.ts";

/** Kinds of identity keys that the registry can bind to an agent. */
export const KEY_KINDS = ["agent", "client", "user", "credential", "role", "serviceAccount", "spiffe"] as const;
/** One kind of identity key. */
export type KeyKind = (typeof KEY_KINDS)[number];

/** A key that belongs to an agent during [from, to). */
export interface IdentityKey {
  readonly kind: KeyKind;
  readonly value: string;
  /** The cluster of a service account or SPIFFE id; absent: any. */
  readonly cluster?: string | undefined;
  readonly from: EpochMs;
  readonly to: EpochMs;
}

/** A workload instance with the address that it held during [from, to). */
export interface PodInterval {
  readonly name: string | undefined;
  readonly uid: string | undefined;
  readonly ip: string;
  /** Absent: any. */
  readonly cluster?: string | undefined;
  readonly from: EpochMs;
  readonly to: EpochMs;
}

/** A time during which another volume is declared, e.g. the end of the month. */
export interface VolumeException {
  readonly from: EpochMs;
  /** Exclusive. */
  readonly to: EpochMs;
  readonly perMinuteMax: number;
}

/** Calls that a credential may make in a time, e.g. 1,000 per hour. */
export interface RateLimit {
  readonly requests: number;
  readonly perMs: number;
}

/** What the agent registry says of one agent. Undefined = the registry does not say, and no rule may guess. */
export interface AgentProfile {
  readonly id: string;
  readonly name: string;
  readonly owner: string | undefined;
  /** Whom to reach about it beside the owner: addresses, channels. */
  readonly contacts: readonly string[] | undefined;
  readonly team: string | undefined;
  /** Whose agent it is, where one service watches over several customers or companies. */
  readonly tenant?: string | undefined;
  readonly role: string | undefined;
  readonly purpose: string | undefined;
  readonly parent: string | undefined;
  readonly runbook: string | undefined;
  readonly dataClasses: readonly string[] | undefined;
  readonly scopes: readonly string[] | undefined;
  /** Host names; `*.example.com` covers every name below. */
  readonly allowedHosts: readonly string[] | undefined;
  readonly blockedHosts: readonly string[];
  readonly regions: readonly string[] | undefined;
  readonly infraVerbs: readonly string[] | undefined;
  /** Actions that need an approval: tool, operation or infrastructure change; `*` stands for any text. */
  readonly approval: readonly string[] | undefined;
  readonly perMinuteMax: number | undefined;
  /** Calls that a usual day has. */
  readonly perDay: number | undefined;
  readonly rateLimit: RateLimit | undefined;
  readonly volumeExceptions: readonly VolumeException[];
  /** Megabytes (10^6 bytes) per 10 minutes. */
  readonly bulkMbMax: number | undefined;
  readonly createdTime: EpochMs | undefined;
  readonly retiredTime: EpochMs | undefined;
  /** One task lasts no longer. */
  readonly taskTtlMs: number | undefined;
  /** Its credentials are exchanged after so many days. */
  readonly rotationDays: number | undefined;
  readonly monitoring: { readonly alertOnAnomaly: boolean | undefined; readonly trackTokenUsage: boolean | undefined } | undefined;
  /** It is heard of at least this often while it is scheduled to run. */
  readonly heartbeatMs?: number | undefined;
  /** When it is scheduled to run; absent: always. */
  readonly activeHours?: ActiveHours | undefined;
  readonly keys: readonly IdentityKey[];
  readonly pods: readonly PodInterval[];
  /** Addresses shared with others (NAT), public and private. */
  readonly sharedIps: readonly string[];
}
