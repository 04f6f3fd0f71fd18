/** In which order the rows of a blast radius stand. */
import type { DoneAction, TouchedHost } from "./blast.ts";
import type { UsedCredential } from "./credentials.ts";
import { REVERSIBILITY } from "./reversibility.ts";

/** The gravest rows first: they are the ones that stay. What was only tried comes after all that was done. */
export const BLAST_ORDER = {
  endpoints: byBytesIn,
  data: byBytesIn,
  hosts: (a: TouchedHost, b: TouchedHost) =>
    Number(b.allowed === false) - Number(a.allowed === false) || b.bytesOut - a.bytesOut || byCount(a, b),
  credentials: (a: UsedCredential, b: UsedCredential) =>
    b.addresses.length - a.addresses.length || b.count - a.count || compare(a.uid, b.uid) || compare(a.kind ?? "", b.kind ?? ""),
  actions: (a: DoneAction, b: DoneAction) =>
    Number(isTried(a)) - Number(isTried(b)) ||
    REVERSIBILITY.indexOf(a.reversibility) - REVERSIBILITY.indexOf(b.reversibility) ||
    b.count - a.count ||
    a.firstTime - b.firstTime ||
    compare(a.name, b.name),
} as const;

/** Nothing of it succeeded: it was tried, and failed. */
export function isTried({ count, failed }: DoneAction): boolean {
  return failed >= count;
}

interface Counted {
  readonly name: string;
  readonly count: number;
}

function byBytesIn<T extends Counted & { readonly bytesIn: number }>(a: T, b: T): number {
  return b.bytesIn - a.bytesIn || byCount(a, b);
}

function byCount(a: Counted, b: Counted): number {
  return b.count - a.count || compare(a.name, b.name);
}

/** Texts by their code units. */
export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
