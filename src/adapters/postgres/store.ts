import type { EpochMs } from "../../core/event.ts";
import type { Store, Transaction } from "../../ports/store.ts";
import { appendAudit, audit, auditHead } from "./audit.ts";
import { verifyAudit } from "./audit-verify.ts";
import { destinations, destinationSummaries, saveDestination } from "./destinations.ts";
import { noteSourceAudited, replayDeadLettersAudited, enableDestinationAudited } from "./audited.ts";
import { expire } from "./expire.ts";
import { attributions, saveAttributions } from "./attributions.ts";
import { withSession } from "./failure.ts";
import { serializer, type Database, type Session } from "./database.ts";
import { appendEvents, eventCounts, eventsByUid, loggedByUid, lastSequence, readLog, sequenceBefore } from "./log.ts";
import { activityOf, eventsOfAgent, knowsAgent } from "./agent-events.ts";
import { eventsByRefs } from "./log-refs.ts";
import { baselineHeads, baselineRows, removeBaselines, saveBaselines } from "./baselines.ts";
import {
  addDeliveries,
  claimDeliveries,
  deadLetterBody,
  deliveries,
  dueDestinations,
  hastenDeliveries,
  haveDue,
  settleDeliveries,
} from "./outbox.ts";
import { appendQuarantine, quarantine } from "./quarantine.ts";
import { addLateness, agentsSeen, conditions, gaps, lateness, openGaps, saveAgentsSeen, saveConditions, saveGaps } from "./coverage.ts";
import { facts, moveCursor, moveOffset, offset, saveFacts, sources } from "./sources.ts";
import { alertRevisions, alerts, incidentRevisions, incidents, saveAlerts } from "./subjects.ts";
import { alertsAbout, incidentsAbout, linkAlerts, saveIncidents } from "./incidents.ts";
import { digest, placeIncident } from "./shown.ts";
import { runTransaction } from "./transaction.ts";

/** The store over a migrated database. `close` closes the database with it; `now` tells the day that events are received on. */
export function postgresStore(database: Database, close: () => Promise<void>, now: () => EpochMs = () => Date.now()): Store {
  const withOne = <T>(work: (session: Session) => Promise<T>): Promise<T> => withSession(database, work);
  return {
    transaction: (work) => runTransaction(database, (session) => work(transactionOn(session, now))),
    sources: () => withOne((session) => sources(session)),
    source: (source) => withOne(async (session) => (await sources(session, source))[0]),
    noteSource: (source, note) => runTransaction(database, (session) => noteSourceAudited(session, source, note)),
    gaps: (filter) => withOne((session) => gaps(session, filter)),
    lateness: (since) => withOne((session) => lateness(session, since)),
    conditions: (endedSince) => withOne((session) => conditions(session, endedSince)),
    agentsSeen: () => withOne(agentsSeen),
    readLog: (after, limit) => withOne((session) => readLog(session, after, limit)),
    sequenceBefore: (time) => withOne((session) => sequenceBefore(session, time)),
    lastSequence: () => withOne(lastSequence),
    offset: (job) => withOne((session) => offset(session, job)),
    events: (uids) => withOne((session) => eventsByUid(session, uids)),
    logged: (uids) => withOne((session) => loggedByUid(session, uids)),
    eventsOfAgent: (agent, from, to, limit) => withOne((session) => eventsOfAgent(session, agent, from, to, limit)),
    activityOf: (agent, from, to, limit) => withOne((session) => activityOf(session, agent, from, to, limit)),
    knowsAgent: (agent) => withOne((session) => knowsAgent(session, agent)),
    eventsByRefs: (ids, limit, near) => withOne((session) => eventsByRefs(session, ids, limit, near)),
    eventCounts: () => withOne(eventCounts),
    facts: (starts) => withOne((session) => facts(session, starts)),
    attributions: (uids) => withOne((session) => attributions(session, uids)),
    baselineHeads: () => withOne(baselineHeads),
    baselineRows: (head, after, limit) => withOne((session) => baselineRows(session, head, after, limit)),
    alerts: (filter) => withOne((session) => alerts(session, filter)),
    incidents: (filter) => withOne((session) => incidents(session, filter)),
    alertsAbout: (entities, range) => withOne((session) => alertsAbout(session, entities, range)),
    incidentsAbout: (entities, limit) => withOne((session) => incidentsAbout(session, entities, limit)),
    incidentRevision: async (id, revision) => (await withOne((session) => incidentRevisions(session, [{ id, revision }])))[0],
    alertRevision: async (id, revision) => (await withOne((session) => alertRevisions(session, [{ id, revision }])))[0],
    incidentRevisions: (wanted) => withOne((session) => incidentRevisions(session, wanted)),
    alertRevisions: (wanted) => withOne((session) => alertRevisions(session, wanted)),
    haveDue: (destinations, at) => withOne((session) => haveDue(session, destinations, at)),
    dueDestinations: (now) => withOne((session) => dueDestinations(session, now)),
    claimDeliveries: (destination, limit, now, leaseUntil) =>
      withOne((session) => claimDeliveries(session, destination, limit, now, leaseUntil)),
    settleDeliveries: (settlements, now) => withOne((session) => settleDeliveries(session, settlements, now)),
    destinations: () => withOne(destinations),
    saveDestination: (state) => withOne((session) => saveDestination(session, state)),
    enableDestination: (destination, at, by) =>
      runTransaction(database, (session) => enableDestinationAudited(session, destination, at, by)),
    destinationSummaries: (since) => withOne((session) => destinationSummaries(session, since)),
    placeIncident: (placement, now) => runTransaction(database, (session) => placeIncident(session, placement, now)),
    digest: (id) => withOne((session) => digest(session, id)),
    deliveries: (filter) => withOne((session) => deliveries(session, filter)),
    deadLetterBody: (key) => withOne((session) => deadLetterBody(session, key)),
    hastenDeliveries: (destination, now) => withOne((session) => hastenDeliveries(session, destination, now)),
    replayDeadLetters: (keys, at, by) => runTransaction(database, (session) => replayDeadLettersAudited(session, keys, at, by)),
    expire: (request) => expire(database, request),
    appendAudit: (entry) => runTransaction(database, (session) => appendAudit(session, entry)),
    auditHead: () => withOne(auditHead),
    audit: (filter) => withOne((session) => audit(session, filter)),
    verifyAudit: (check) => runTransaction(database, (session) => verifyAudit(session, check), "snapshot"),
    quarantine: (filter) => withOne((session) => quarantine(session, filter)),
    close,
  };
}

/** The methods run one after the other, also for a caller who does not wait: each consists of several statements. */
function transactionOn(session: Session, now: () => EpochMs): Transaction {
  const inOrder = serializer();
  return {
    appendEvents: (_source, events) => inOrder(() => appendEvents(session, events, now())),
    appendAudit: (entry) => inOrder(() => appendAudit(session, entry)),
    appendQuarantine: (source, rejects, now) => inOrder(() => appendQuarantine(session, source, rejects, now)),
    moveCursor: (change) => inOrder(() => moveCursor(session, change)),
    openGaps: (source) => inOrder(() => openGaps(session, source)),
    saveGaps: (list) => inOrder(() => saveGaps(session, list)),
    addLateness: (day, given) => inOrder(() => addLateness(session, day, given)),
    saveConditions: (list) => inOrder(() => saveConditions(session, list)),
    saveAgentsSeen: (list) => inOrder(() => saveAgentsSeen(session, list)),
    moveOffset: (job, from, to) => inOrder(() => moveOffset(session, job, from, to)),
    saveAlerts: (list) => inOrder(() => saveAlerts(session, list)),
    saveIncidents: (list) => inOrder(() => saveIncidents(session, list)),
    linkAlerts: (list) => inOrder(() => linkAlerts(session, list)),
    addDeliveries: (rows) => inOrder(() => addDeliveries(session, rows)),
    saveFacts: (list) => inOrder(() => saveFacts(session, list)),
    saveAttributions: (list) => inOrder(() => saveAttributions(session, list)),
    saveBaselines: (list) => inOrder(() => saveBaselines(session, list)),
    removeBaselines: (list) => inOrder(() => removeBaselines(session, list)),
  };
}
