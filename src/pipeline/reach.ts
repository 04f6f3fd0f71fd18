/**
 * What incidents say beyond their alerts, read from the store. Guards: what is stale is read again without waiting for an
 * alert, and a later read never says less than an earlier one.
 */
import type { EpochMs, Event } from "../core/event.ts";
import { ATTRIBUTION } from "../core/event.ts";
import { isClosed, type Incident } from "../core/incident.ts";
import type { BlastRadius } from "../core/incident/blast.ts";
import { namesOf } from "../core/incident/build.ts";
import { enrich } from "../core/incident/enrich.ts";
import type { Attribution } from "../core/identity/attribution.ts";
import type { Logged, Store } from "../ports/store.ts";
import type { CorrelateDeps, CorrelateState } from "./correlate.ts";
import { evidenceOf, readBack } from "./evidence.ts";

/** How long before and after its alerts an agent's events count to an incident: what it did just before explains it. */
const MARGIN_MS = 10 * 60_000;
/** Events of an agent that one reading sums up, the newest; of more the incident says "at least". */
const EVENTS_MAX = 5_000;
/** An incident that is amended all the time reads its agent's events no more often than this. */
const READ_EVERY_MS = 15_000;
/** Incidents whose agents' events one step reads, changed ones first: the rest are read in later steps. */
const READS_PER_STEP_MAX = 50;

/** Incidents whose evidence is read together: at most 25,000 events. */
const TOLD_AT_ONCE = 20;
/** Numbers that grew by less are not worth a revision of their own: they are told with the next one, or when the time is over. */
const GROWTH_MIN = 0.1;

/** What a step knows of the events of incidents. */
export interface Told {
  /** Read from the log in this step. */
  readonly events: readonly Event[];
  /** Of the alerts, by uid. */
  readonly evidence: ReadonlyMap<string, Event>;
  /** Who the events belong to that this step has let go; stored with it. */
  readonly attributions: readonly Attribution[];
}

/** Incidents that changed, what the step knows, and how far time has come. */
interface Changed {
  readonly changed: readonly Incident[];
  readonly step: Told;
  readonly watermark: EpochMs | undefined;
}

/**
 * Tells of the changed incidents why, how far and whence anew (what was merged into another one is told there), and gives
 * with them the next revisions of others that say too little by now.
 */
export async function enrichAll(deps: CorrelateDeps, state: CorrelateState, { changed, step, watermark }: Changed): Promise<Incident[]> {
  const now = deps.now();
  // After a start anything may have come meanwhile.
  const stale = (state.stale ??= new Map(
    state.open.filter(({ agentUid }) => agentUid !== undefined).map((one) => [one.id, againAt(one.blast)]),
  ));
  mark(stale, state.open, step.events);
  const told = await tell(deps, state, step, { incidents: changed, looks: READS_PER_STEP_MAX, isDue: (one) => isDue(one, now) });
  for (const one of told.incidents) {
    if (one.agentUid === undefined || isClosed(one) || told.looked.has(one.id)) stale.delete(one.id);
    else stale.set(one.id, againAt(one.blast));
  }
  const due = [...stale].filter(([id, at]) => at <= now && !changed.some((one) => one.id === id)).map(([id]) => id);
  const again = await readAgain(deps, state, step, { ids: due.slice(0, READS_PER_STEP_MAX - told.looked.size), watermark });
  // What this step found out can be read when it is stored.
  const own = step.attributions.filter(({ attributionId }) => attributionId !== ATTRIBUTION.shared);
  mark(stale, [...state.open, ...told.incidents.filter((one) => !isClosed(one))], own);
  return [...told.incidents, ...again];
}

/** The next revisions of those of the stale incidents of which a new reading says more. */
async function readAgain(
  deps: CorrelateDeps,
  state: CorrelateState,
  step: Told,
  { ids, watermark = -Infinity }: { readonly ids: readonly string[]; readonly watermark: EpochMs | undefined },
): Promise<Incident[]> {
  if (ids.length === 0) return [];
  const now = deps.now();
  const stored = new Map((await deps.store.incidents({ ids })).filter((one) => !isClosed(one)).map((one) => [one.id, one]));
  for (const id of ids) if (!stored.has(id)) state.stale?.delete(id);
  const { incidents } = await tell(deps, state, step, { incidents: [...stored.values()], looks: ids.length, isDue: () => true });
  return incidents.flatMap((one) => {
    const { blast: before, lastTime, revision } = stored.get(one.id)!;
    const difference = differenceOf(before, one.blast);
    // Written or not, it is looked at once more: somebody else may win the race to write it.
    if (difference === "none") state.stale?.delete(one.id);
    else state.stale?.set(one.id, now + READ_EVERY_MS);
    const isOver = Math.max(now, watermark) >= lastTime + MARGIN_MS;
    return difference === "large" || (difference === "small" && isOver) ? [{ ...one, revision: revision + 1 }] : [];
  });
}

/** `large` is worth a revision at once: something of another kind, or that is hard to undo, or much more of the same. */
function differenceOf(before: BlastRadius | undefined, now: BlastRadius | undefined): "none" | "small" | "large" {
  if (before === undefined || now === undefined) return before === now ? "none" : "large";
  const kinds = ({ basis, atLeast, totals, byReversibility: { read: _read, ...rest } }: BlastRadius): string[] => [
    basis,
    String(atLeast),
    ...Object.entries({ ...totals, ...rest }).map(([name, count]) => `${name} ${count}`),
  ];
  const sizes = ({ events, bytesOut, endpoints }: BlastRadius): number[] => [
    events,
    bytesOut,
    endpoints.reduce((sum, { bytesIn }) => sum + bytesIn, 0),
  ];
  if (sortedText(kinds(before)) !== sortedText(kinds(now))) return "large";
  const grown = sizes(now).map((size, index) => [size, sizes(before)[index]!] as const);
  if (grown.some(([size, was]) => size > was * (1 + GROWTH_MIN))) return "large";
  return grown.some(([size, was]) => size !== was) ? "small" : "none";
}

/** When it may be read again. */
function againAt(blast: BlastRadius | undefined): EpochMs {
  return (blast?.readTime ?? -Infinity) + READ_EVERY_MS;
}

/** Of whose agents there is more than they say: by id, and from when on it is to be read. */
function mark(
  stale: Map<string, EpochMs>,
  open: readonly Incident[],
  found: readonly { readonly agentUid?: string | undefined; readonly time: EpochMs }[],
): void {
  const times = Map.groupBy(
    found.filter(({ agentUid }) => agentUid !== undefined),
    ({ agentUid }) => agentUid,
  );
  if (times.size === 0) return;
  for (const { id, agentUid, firstTime, lastTime, blast } of open) {
    const own = agentUid === undefined || stale.has(id) ? [] : (times.get(agentUid) ?? []);
    if (own.some(({ time }) => time >= firstTime - MARGIN_MS && time <= lastTime + MARGIN_MS)) stale.set(id, againAt(blast));
  }
}

interface Telling {
  readonly incidents: readonly Incident[];
  /** At most so many of them have their agents' events read. */
  readonly looks: number;
  readonly isDue: (incident: Incident) => boolean;
}

/** The incidents told anew, and the ids of those whose agents' events were read. */
async function tell(
  deps: CorrelateDeps,
  { analysis }: CorrelateState,
  { evidence: recent, attributions }: Told,
  { incidents, looks, isDue: due }: Telling,
): Promise<{ incidents: Incident[]; looked: ReadonlySet<string> }> {
  const told: Incident[] = [];
  const looked = new Set<string>();
  for (let start = 0; start < incidents.length; start += TOLD_AT_ONCE) {
    const some = incidents.slice(start, start + TOLD_AT_ONCE);
    const logged = await readBack(deps, analysis, evidenceOf(some.flatMap((incident) => incident.alerts)), attributions);
    const known = new Map(logged.map((one) => [one.event.uid, { ...one, event: recent.get(one.event.uid) ?? one.event }]));
    for (const incident of some) {
      const look = looked.size < looks && due(incident);
      if (look) looked.add(incident.id);
      told.push(incident.closure?.how === "merged" ? incident : await enrichOne(deps, incident, known, look));
    }
  }
  return { incidents: told, looked };
}

/** Whether what its agent did is to be read: for the first time, at its end, and in between not too often. */
function isDue({ agentUid, blast, status }: Incident, now: EpochMs): boolean {
  if (agentUid === undefined) return false;
  return blast?.basis !== "events of the agent" || now - blast.readTime >= READ_EVERY_MS || isClosed({ status });
}

async function enrichOne(
  { store, incidents: policy, registry, now }: CorrelateDeps,
  incident: Incident,
  known: ReadonlyMap<string, Logged>,
  look: boolean,
): Promise<Incident> {
  const from = incident.firstTime - MARGIN_MS;
  const to = incident.lastTime + MARGIN_MS;
  const { agentUid } = incident;
  const read = look && agentUid !== undefined ? await eventsAround(store, agentUid, incident, { from, to }) : undefined;
  const logged = evidenceOf(incident.alerts).flatMap((uid) => known.get(uid) ?? []);
  return enrich(incident, {
    evidence: new Map(logged.map(({ event }) => [event.uid, event])),
    sequences: new Map(logged.map(({ sequence, event }) => [event.uid, sequence])),
    events: read?.events,
    names: namesOf(agentUid === undefined ? undefined : registry().byId(agentUid)),
    scope: { from, to, atLeast: read?.atLeast === true, readTime: now() },
    keepBlast: !look && agentUid !== undefined,
    recordUrls: policy.recordUrls,
    policy,
  });
}

/** The newest events; and of more than that those of the incident's own time, which what came after must not hide. */
async function eventsAround(
  store: Store,
  agent: string,
  { firstTime, lastTime }: Incident,
  { from, to }: { readonly from: EpochMs; readonly to: EpochMs },
): Promise<{ events: readonly Event[]; atLeast: boolean }> {
  const newest = await store.eventsOfAgent(agent, from, to, EVENTS_MAX + 1);
  if (newest.length <= EVENTS_MAX) return { events: newest, atLeast: false };
  return {
    events: [...newest.slice(0, EVENTS_MAX), ...(await store.eventsOfAgent(agent, firstTime, lastTime, EVENTS_MAX))],
    atLeast: true,
  };
}

function sortedText(texts: readonly string[]): string {
  return texts.toSorted((a, b) => (a < b ? -1 : 1)).join();
}
