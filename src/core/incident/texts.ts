/** What an incident says beyond its alerts, as short texts under fixed names: for destinations that have no place for the objects. */
import type { EpochMs } from "../event.ts";
import { isByPerson, isClosed, type Incident } from "../incident.ts";
import { bytes, times } from "../story.ts";
import type { DoneAction } from "./blast.ts";
import { PLACES_MAX, type UsedCredential } from "./credentials.ts";
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
    credential_places: list(blast?.credentials.map(credentialText)),
    users_affected: list(blast?.users),
    could_still_reach: list(reachTexts(incident)),
    blast_events: blast?.events,
    blast_at_least: blast?.atLeast,
    opened_by:
      opened === undefined ? undefined : `${opened.by === "level" ? "level" : `accumulated risk ${opened.risk}`}${beforeText(incident)}`,
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

/** A credential and where it was used from; of very many places some. */
export function credentialText({ kind = "credential", uid, addresses, countries }: UsedCredential): string {
  const more = addresses.length >= PLACES_MAX || countries.length >= PLACES_MAX ? " and perhaps more" : "";
  return `${kind === "credential" ? "" : `${kind} `}${uid} from ${[...addresses, ...countries].join(", ") || "nowhere known"}${more}`;
}

/** What the agent's credentials are good for; that nobody knows is said. Empty for what is no agent. `mark`: after a scope that was only seen. */
export function reachTexts({ agentUid, profile, blast }: Incident, mark = ""): string[] {
  if (agentUid === undefined) return [];
  const granted = blast?.reach.granted ?? [];
  const beyond = (blast?.reach.seen ?? []).filter((scope) => !granted.includes(scope));
  const known =
    profile?.scopes === undefined
      ? ["unknown: the registry names no scopes of this agent"]
      : granted.length === 0
        ? ["nothing, by the registry: it grants no scopes"]
        : granted;
  return [...known, ...beyond.map((scope) => `${scope}${mark}`)];
}

/** Who opens a page again wants to know who closed it, and why: the last word of a person counts, whatever closed it since. */
function beforeText({ closure, history = [] }: Incident): string {
  const last = closure === undefined ? (history.findLast(isByPerson) ?? history.at(-1)) : undefined;
  if (last === undefined) return "";
  const by = last.by === undefined ? "" : ` by ${last.by}`;
  return `; closed before${by} at ${iso(last.time)}${last.reason === undefined ? "" : `: ${last.reason}`}`;
}

function iso(time: EpochMs): string {
  return new Date(time).toISOString().replace(/\.\d{3}Z$/, "Z");
}

function list(texts: readonly string[] | undefined): readonly string[] | undefined {
  return texts === undefined || texts.length === 0 ? undefined : texts;
}
