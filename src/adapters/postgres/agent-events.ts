import { decodeEvent } from "../../core/event-codec.ts";
import { ATTRIBUTION, type EpochMs, type Event } from "../../core/event.ts";
import type { Session } from "./database.ts";
import { storable } from "./text.ts";

/** See Store.eventsOfAgent. */
export async function eventsOfAgent(session: Session, agent: string, from: EpochMs, to: EpochMs, limit: number): Promise<readonly Event[]> {
  const { rows } = await session.query<{ body: string }>(
    `(select sequence, time, body from custodes.log where agent_uid = $1 and time between $2 and $3 order by time, sequence limit $4)
     union all
     (select log.sequence, log.time, log.body from custodes.attribution as later join custodes.log on log.uid_hash = later.uid_hash
      where later.agent_uid = $1 and later.time between $2 and $3 and later.attribution_id <> $5 and log.agent_uid is null
      order by later.time, log.sequence limit $4)
     order by time, sequence limit $4`,
    [storable(agent), from, to, limit, ATTRIBUTION.shared],
  );
  return rows.map(({ body }) => {
    const event = decodeEvent(body);
    event.agentUid ??= agent;
    return event;
  });
}
