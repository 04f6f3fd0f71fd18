/** What an incident says beyond its alerts, as short texts under fixed names: for destinations that have no place for the objects. */
import type { EpochMs } from "../event.ts";
import { isClosed, type Incident } from "../incident.ts";
import { bytes, times } from "../story.ts";
import type { DoneAction } from "./blast.ts";
import { isTried } from "./blast-order.ts";

/** Values that have nothing to say are undefined; no list is empty. */
export type IncidentTexts = Readonly<Record<(typeof INCIDENT_TEXTS)[number], string | number | boolean | readonly string[] | undefined>>;

/** The names, the most useful first: the order in which a person reads them. */
export const INCIDENT_TEXTS = [
  "why",
  "confidence",
  "response_level",
  "recommended",
  "cannot_be_undone",
  "undone_by_hand",
  "tried_failed",
  "sent_out",
  "bytes_out",
  "data_touched",
  "endpoints_touched",
  "infrastructure_changed",
  "credential_places",
  "users_affected",
  "could_still_reach",
  "blast_events",
  "blast_at_least",
  "opened_by",
  "team",
  "role",
  "purpose",
  "reopened_count",
  "closed_how",
  "closed_by",
  "closed_reason",
  "proof",
] as const;

/** Not escaped for every destination yet: pass each through `safeText` with the destination's own limit. */
export function incidentTexts(incident: Incident): IncidentTexts {
  const { blast, profile, opened } = incident;
  const closure = isClosed(incident) ? incident.closure : undefined;
  const done = (reversibility: DoneAction["reversibility"]): readonly string[] | undefined =>
    list(blast?.actions.filter((one) => one.reversibility === reversibility && !isTried(one)).map((one) => actionText(one, iso)));
  return {
    why: incident.why,
    confidence: incident.confidence,
    response_level: incident.response,
    recommended: list(incident.recommended?.map(({ action, runbook }) => (runbook === undefined ? action : `${action}: ${runbook}`))),
    cannot_be_undone: done("irreversible"),
    undone_by_hand: done("by hand"),
    tried_failed: list(blast?.actions.filter(isTried).map((one) => actionText(one, iso))),
    sent_out: list(
      blast?.hosts.map(
        (host) => `${bytes(host.bytesOut)} to ${host.name}${host.allowed === false ? ", which is not allowed" : ""} (${times(host.count)})`,
      ),
    ),
    bytes_out: blast?.bytesOut,
    data_touched: list(blast?.data.map((one) => `${one.name} (${bytes(one.bytesIn)}, ${times(one.count)})`)),
    endpoints_touched: list(
      blast?.endpoints.map((one) => `${one.name} (${times(one.count)}, ${one.failed} failed, ${bytes(one.bytesIn)})`),
    ),
    infrastructure_changed: list(blast?.infrastructure.map((one) => actionText(one, iso))),
    credential_places: list(blast?.credentials.map((one) => `${one.uid} from ${[...one.addresses, ...one.countries].join(", ")}`)),
    users_affected: list(blast?.users),
    could_still_reach: list([...new Set([...(blast?.reach.granted ?? []), ...(blast?.reach.seen ?? [])])]),
    blast_events: blast?.events,
    blast_at_least: blast?.atLeast,
    opened_by: opened === undefined ? undefined : opened.by === "level" ? "level" : `accumulated risk ${opened.risk}`,
    team: profile?.team,
    role: profile?.role,
    purpose: profile?.purpose,
    reopened_count: incident.reopened?.count,
    closed_how: closure?.how,
    closed_by: closure?.by,
    closed_reason: closure?.reason,
    proof: list(
      incident.proof?.map(({ source, uid, originalUid, sequence, url }) =>
        [
          source,
          uid,
          originalUid === undefined || uid.endsWith(originalUid) ? "" : `vendor ${originalUid}`,
          sequence === undefined ? "" : `log ${sequence}`,
          url ?? "",
        ]
          .filter((one) => one !== "")
          .join(" "),
      ),
    ),
  };
}

/** What was done, how often, when, and how often it was only tried; `clock` writes a time. */
export function actionText(action: DoneAction, clock: (time: EpochMs) => string): string {
  const { name, count, failed, firstTime, lastTime = firstTime } = action;
  const [from, to] = [clock(firstTime), clock(lastTime)];
  const when = from === to ? `at ${from}` : `from ${from} to ${to}`;
  if (isTried(action)) return `${name} (failed ${times(count)}, ${when})`;
  return `${name} (${times(count - failed)}${failed > 0 ? `, ${failed} failed` : ""}, ${when})`;
}

function iso(time: EpochMs): string {
  return new Date(time).toISOString().replace(/\.\d{3}Z$/, "Z");
}

function list(texts: readonly string[] | undefined): readonly string[] | undefined {
  return texts === undefined || texts.length === 0 ? undefined : texts;
}
