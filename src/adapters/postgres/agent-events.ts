/** What is stored of one agent: what it was known for at once, what was found to be its own later, and what it shares with others. */
import { decodeEvent } from "../../core/event-codec.ts";
import { ATTRIBUTION, type EpochMs, type Event } from "../../core/event.ts";
import type { AgentActivity, Sequence } from "../../ports/store.ts";
import type { Session } from "./database.ts";
import { eventsAt } from "./log.ts";
import { storable } from "./text.ts";

/** See Store.eventsOfAgent. */
export async function eventsOfAgent(session: Session, agent: string, from: EpochMs, to: EpochMs, limit: number): Promise<readonly Event[]> {
  const { rows } = await session.query<{ body: string }>(
    `(select sequence, time, body from custodes.log where agent_uid = $1 and time between $2 and $3 order by time desc, sequence desc limit $4)
     union all
     (select log.sequence, log.time, log.body from custodes.attribution as later
      join custodes.log_uid as place on place.hash = later.uid_hash join custodes.log on log.sequence = place.sequence
      where later.agent_uid = $1 and later.time between $2 and $3 and later.attribution_id <> $5 and log.agent_uid is null
      order by later.time desc, log.sequence desc limit $4)
     order by time desc, sequence desc limit $4`,
    [storable(agent), from, to, limit, ATTRIBUTION.shared],
  );
  return rows.map(({ body }) => {
    const event = decodeEvent(body);
    event.agentUid ??= agent;
    return event;
  });
}

/** See Store.activityOf. */
export async function activityOf(session: Session, agent: string, from: EpochMs, to: EpochMs, limit: number): Promise<AgentActivity> {
  const given = [storable(agent), from, to];
  const known = await session.query<{ body: string }>(
    "select body from custodes.log where agent_uid = $1 and time between $2 and $3 order by time desc, sequence desc limit $4",
    [...given, limit + 1],
  );
  const later = await session.query<{ sequence: Sequence; id: number; confidence: number }>(
    `select sequence, id, confidence from (
       select place.sequence, later.attribution_id as id, later.confidence, later.time from custodes.attribution as later
       join custodes.log_uid as place on place.hash = later.uid_hash where later.agent_uid = $1 and later.time between $2 and $3
       union all
       select sequence, $5, confidence, time from custodes.log_shared where agent_uid = $1 and time between $2 and $3
     ) as either order by time desc, sequence desc limit $4`,
    [...given, limit + 1, ATTRIBUTION.shared],
  );
  // What was found to be its own is no longer only possible, whenever either was found.
  const own = new Set(later.rows.filter(({ id }) => id !== ATTRIBUTION.shared).map(({ sequence }) => sequence));
  const confidence = new Map(later.rows.map((row) => [row.sequence, row.confidence]));
  const found = await eventsAt(session, [...confidence.keys()]);
  const events = (ownOnes: boolean) => found.filter(({ event, sequence }) => event.agentUid === undefined && own.has(sequence) === ownOnes);
  const direct = [...known.rows.slice(0, limit).map(({ body }) => decodeEvent(body)), ...events(true).map(({ event }) => event)];
  return {
    direct,
    possible: events(false).map(({ event, sequence }) => ({ event, confidence: confidence.get(sequence) ?? 0 })),
    total: known.rows.length <= limit ? direct.length : await count(session, given),
    complete: known.rows.length <= limit && later.rows.length <= limit,
  };
}

async function count(session: Session, given: readonly unknown[]): Promise<number> {
  const sql = "select count(*) as n from custodes.log where agent_uid = $1 and time between $2 and $3";
  return (await session.query<{ n: number }>(sql, given)).rows[0]?.n ?? 0;
}

/** See Store.knowsAgent. */
export async function knowsAgent(session: Session, agent: string): Promise<boolean> {
  const { rows } = await session.query<{ known: boolean }>(
    `select exists (select 1 from custodes.log where agent_uid = $1)
       or exists (select 1 from custodes.attribution where agent_uid = $1)
       or exists (select 1 from custodes.log_shared where agent_uid = $1) as known`,
    [storable(agent)],
  );
  return rows[0]?.known === true;
}
