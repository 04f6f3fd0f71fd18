/**
 * A blast radius that was read later, with what was known before. Records leave the log and limits cut, but what an agent
 * did stays done: the time that is looked at only grows, so the larger of two numbers is always the truer one.
 */
import { PLACES_MAX } from "./credentials.ts";
import { ROWS_MAX, SCOPES_MAX, type BlastRadius, type DoneAction } from "./blast.ts";
import { BLAST_ORDER, compare } from "./blast-order.ts";
import { REVERSIBILITY } from "./reversibility.ts";

/** Both together. `lost`: something that was there before is no longer stored, so that numbers may be too low. */
export function mergeBlast(before: BlastRadius | undefined, now: BlastRadius, lost: boolean): BlastRadius {
  if (before === undefined) return now;
  const rows = {
    endpoints: union(
      before.endpoints,
      now.endpoints,
      ({ name, service = "" }) => `${name}\n${service}`,
      (a, b) => ({
        ...b,
        ...larger(a, b, "count", "failed", "bytesIn"),
        dataClasses: texts(a.dataClasses, b.dataClasses, PLACES_MAX),
      }),
    ).sort(BLAST_ORDER.endpoints),
    data: union(
      before.data,
      now.data,
      ({ name }) => name,
      (a, b) => ({ ...b, ...larger(a, b, "count", "bytesIn") }),
    ).sort(BLAST_ORDER.data),
    hosts: union(
      before.hosts,
      now.hosts,
      ({ name }) => name,
      (a, b) => ({
        ...a,
        ...b,
        ...larger(a, b, "count", "bytesOut"),
        ...(a.allowed === false ? { allowed: false } : {}),
      }),
    ).sort(BLAST_ORDER.hosts),
    credentials: union(
      before.credentials,
      now.credentials,
      ({ kind = "credential", uid }) => `${kind}\n${uid}`,
      (a, b) => ({
        ...b,
        ...larger(a, b, "count"),
        addresses: texts(a.addresses, b.addresses, PLACES_MAX),
        countries: texts(a.countries, b.countries, PLACES_MAX),
      }),
    ).sort(BLAST_ORDER.credentials),
    infrastructure: actions(before.infrastructure, now.infrastructure),
    users: texts(before.users, now.users, 2 * ROWS_MAX),
    actions: actions(before.actions, now.actions),
  };
  const names = Object.keys(rows) as (keyof typeof rows)[];
  const merged: BlastRadius = {
    ...now,
    from: Math.min(before.from, now.from),
    to: Math.max(before.to, now.to),
    basis: before.basis === "evidence" ? now.basis : before.basis,
    ...larger(before, now, "events", "bytesOut"),
    endpoints: rows.endpoints.slice(0, ROWS_MAX),
    data: rows.data.slice(0, ROWS_MAX),
    hosts: rows.hosts.slice(0, ROWS_MAX),
    credentials: rows.credentials.slice(0, ROWS_MAX),
    infrastructure: rows.infrastructure.slice(0, ROWS_MAX),
    users: rows.users.slice(0, ROWS_MAX),
    actions: rows.actions.slice(0, ROWS_MAX),
    byReversibility: larger(before.byReversibility, now.byReversibility, ...REVERSIBILITY),
    reach: { ...now.reach, seen: texts(before.reach.seen, now.reach.seen, SCOPES_MAX) },
    totals: Object.fromEntries(
      names.map((name) => [name, Math.max(before.totals[name], now.totals[name], rows[name].length)]),
    ) as BlastRadius["totals"],
  };
  return { ...merged, atLeast: now.atLeast || lost || knowsLess(now, merged) };
}

function knowsLess(now: BlastRadius, merged: BlastRadius): boolean {
  const totals = Object.keys(merged.totals) as (keyof BlastRadius["totals"])[];
  return (
    now.events < merged.events ||
    now.bytesOut < merged.bytesOut ||
    totals.some((name) => now.totals[name] < merged.totals[name]) ||
    REVERSIBILITY.some((name) => now.byReversibility[name] < merged.byReversibility[name])
  );
}

function actions(before: readonly DoneAction[], now: readonly DoneAction[]): DoneAction[] {
  return union(
    before,
    now,
    ({ reversibility, name }) => `${reversibility}\n${name}`,
    (a, b) => ({
      ...b,
      ...larger(a, b, "count", "failed"),
      firstTime: Math.min(a.firstTime, b.firstTime),
      lastTime: Math.max(a.lastTime ?? a.firstTime, b.lastTime ?? b.firstTime),
    }),
  ).sort(BLAST_ORDER.actions);
}

/** Rows of both, each once; the rows of one list have different keys. */
function union<T>(before: readonly T[], now: readonly T[], key: (row: T) => string, both: (before: T, now: T) => T): T[] {
  const rows = new Map(before.map((row) => [key(row), row]));
  for (const row of now) {
    const known = rows.get(key(row));
    rows.set(key(row), known === undefined ? row : both(known, row));
  }
  return [...rows.values()];
}

function larger<K extends string>(
  a: Readonly<Record<K, number>>,
  b: Readonly<Record<K, number>>,
  ...names: readonly K[]
): Record<K, number> {
  return Object.fromEntries(names.map((name) => [name, Math.max(a[name], b[name])])) as Record<K, number>;
}

function texts(a: readonly string[], b: readonly string[], max: number): string[] {
  return [...new Set([...a, ...b])].sort(compare).slice(0, max);
}
