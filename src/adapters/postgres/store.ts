import type { Store, Transaction } from "../../ports/store.ts";
import { attributions, saveAttributions } from "./attributions.ts";
import { withSession } from "./failure.ts";
import { serializer, type Database, type Session } from "./database.ts";
import { appendEvents, eventCounts, eventsByUid, lastSequence, readLog, sequenceBefore } from "./log.ts";
import { baselineHeads, baselineRows, removeBaselines, saveBaselines } from "./baselines.ts";
import {
  addDeliveries,
  claimDeliveries,
  deadLetterBody,
  deliveries,
  dueDestinations,
  hastenDeliveries,
  replayDeadLetters,
  settleDeliveries,
} from "./outbox.ts";
import { appendQuarantine, quarantine } from "./quarantine.ts";
import { facts, moveCursor, moveOffset, noteSource, offset, saveFacts, sources } from "./sources.ts";
import { alertRevision, alerts, incidentRevision, incidents, saveAlerts, saveIncidents } from "./subjects.ts";
import { runTransaction } from "./transaction.ts";

/** The store over a migrated database. `close` closes the database with it. */
export function postgresStore(database: Database, close: () => Promise<void>): Store {
  const withOne = <T>(work: (session: Session) => Promise<T>): Promise<T> => withSession(database, work);
  return {
    transaction: (work) => runTransaction(database, (session) => work(transactionOn(session))),
    sources: () => withOne((session) => sources(session)),
    source: (source) => withOne(async (session) => (await sources(session, source))[0]),
    noteSource: (source, note) => withOne((session) => noteSource(session, source, note)),
    readLog: (after, limit) => withOne((session) => readLog(session, after, limit)),
    sequenceBefore: (time) => withOne((session) => sequenceBefore(session, time)),
    lastSequence: () => withOne(lastSequence),
    offset: (job) => withOne((session) => offset(session, job)),
    events: (uids) => withOne((session) => eventsByUid(session, uids)),
    eventCounts: () => withOne(eventCounts),
    facts: (starts) => withOne((session) => facts(session, starts)),
    attributions: (uids) => withOne((session) => attributions(session, uids)),
    baselineHeads: () => withOne(baselineHeads),
    baselineRows: (head, after, limit) => withOne((session) => baselineRows(session, head, after, limit)),
    alerts: (filter) => withOne((session) => alerts(session, filter)),
    incidents: (filter) => withOne((session) => incidents(session, filter)),
    incidentRevision: (id, revision) => withOne((session) => incidentRevision(session, id, revision)),
    alertRevision: (id, revision) => withOne((session) => alertRevision(session, id, revision)),
    dueDestinations: (now) => withOne((session) => dueDestinations(session, now)),
    claimDeliveries: (destination, limit, now, leaseUntil) =>
      withOne((session) => claimDeliveries(session, destination, limit, now, leaseUntil)),
    settleDeliveries: (settlements, now) => withOne((session) => settleDeliveries(session, settlements, now)),
    deliveries: (filter) => withOne((session) => deliveries(session, filter)),
    deadLetterBody: (key) => withOne((session) => deadLetterBody(session, key)),
    hastenDeliveries: (destination, now) => withOne((session) => hastenDeliveries(session, destination, now)),
    replayDeadLetters: (keys, now) => withOne((session) => replayDeadLetters(session, keys, now)),
    quarantine: (filter) => withOne((session) => quarantine(session, filter)),
    close,
  };
}

/** The methods run one after the other, also for a caller who does not wait: each consists of several statements. */
function transactionOn(session: Session): Transaction {
  const inOrder = serializer();
  return {
    appendEvents: (source, events) => inOrder(() => appendEvents(session, source, events)),
    appendQuarantine: (source, rejects, now) => inOrder(() => appendQuarantine(session, source, rejects, now)),
    moveCursor: (change) => inOrder(() => moveCursor(session, change)),
    moveOffset: (job, from, to) => inOrder(() => moveOffset(session, job, from, to)),
    saveAlerts: (list) => inOrder(() => saveAlerts(session, list)),
    saveIncidents: (list) => inOrder(() => saveIncidents(session, list)),
    addDeliveries: (rows) => inOrder(() => addDeliveries(session, rows)),
    saveFacts: (list) => inOrder(() => saveFacts(session, list)),
    saveAttributions: (list) => inOrder(() => saveAttributions(session, list)),
    saveBaselines: (list) => inOrder(() => saveBaselines(session, list)),
    removeBaselines: (list) => inOrder(() => removeBaselines(session, list)),
  };
}
