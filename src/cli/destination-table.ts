/** Destinations and deliveries as tables for a terminal. */
import { safeText } from "../core/safe-text.ts";
import type { DestinationRow } from "../destination-state.ts";
import type { OutboxRow } from "../ports/store.ts";
import { table } from "./output.ts";

/** Longest note of a row, UTF-16 units. */
const NOTE_MAX = 100;
/** Digits of a hash that tell two apart for a person. */
const HASH_SHOWN = 12;

/** Destinations, with the reasons of those that fail below. */
export function destinationLines(rows: readonly DestinationRow[]): string[] {
  if (rows.length === 0) return ["there are no destinations"];
  const head = ["DESTINATION", "STATE", "SINCE", "PENDING", "OLDEST", "DELIVERED 24H", "DEAD", "LAST DELIVERED", "P50", "P99"];
  const shown = rows.map((row) => [
    safeText(row.destination, NOTE_MAX),
    row.state,
    iso(row.since),
    String(row.pending),
    iso(row.oldestPending),
    String(row.delivered),
    String(row.dead),
    iso(row.lastDelivered),
    span(row.p50Ms),
    span(row.p99Ms),
  ]);
  const reasons = rows.flatMap(({ destination, reason, state }) => [
    ...(reason === null ? [] : [`${safeText(destination, NOTE_MAX)}: ${safeText(reason, 400)}`]),
    ...(state === "disabled" ? [`  once it is repaired: custodes destinations enable ${safeText(destination, NOTE_MAX)}`] : []),
  ]);
  return [table([head, ...shown]), ...reasons];
}

/** The ledger: what was sent, how often, what came back and how long it took. */
export function deliveryLines(rows: readonly OutboxRow[]): string[] {
  const head = ["KEY", "STATUS", "ATTEMPTS", "CREATED", "TOOK", "SHA-256", "RECEIPT OR REASON"];
  return [
    table([
      head,
      ...rows.map((row) => [
        safeText(row.key, 200),
        row.ticket === null ? row.status : "accepted",
        String(row.attempts),
        iso(row.createdTime),
        span(row.settledTime === null ? null : row.settledTime - row.createdTime),
        row.sentHash?.slice(0, HASH_SHOWN) ?? "-",
        safeText(row.note ?? "-", NOTE_MAX),
      ]),
    ]),
  ];
}

function iso(time: number | null): string {
  return time === null ? "-" : new Date(time).toISOString();
}

function span(ms: number | null): string {
  if (ms === null) return "-";
  return ms < 10_000 ? `${ms} ms` : ms < 600_000 ? `${Math.round(ms / 1000)} s` : `${Math.round(ms / 60_000)} min`;
}
