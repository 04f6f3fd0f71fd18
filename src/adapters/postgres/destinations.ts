/** What is known of destinations: those that fail, and what became of their deliveries. */
import type { DestinationState, DestinationSummary, Store } from "../../ports/store.ts";
import type { Session } from "./database.ts";
import { storable, storableCut } from "./text.ts";

/** A reason is a code and a sentence. */
const REASON_BYTES_MAX = 4096;

/** See Store.destinations. */
export async function destinations(session: Session): Promise<readonly DestinationState[]> {
  const { rows } = await session.query<DestinationState>(
    `select destination, failing_since as "failingSince", disabled_time as "disabledTime", reason
     from custodes.destination order by destination`,
  );
  return rows;
}

/** See Store.saveDestination. */
export async function saveDestination(session: Session, state: Parameters<Store["saveDestination"]>[0]): Promise<void> {
  const id = storable(state.destination);
  if (state.failingSince === null) {
    await session.query("delete from custodes.destination where destination = $1", [id]);
    return;
  }
  await session.query(
    `insert into custodes.destination (destination, failing_since, disabled_time, reason) values ($1, $2, $3, $4)
     on conflict (destination) do update set
       failing_since = excluded.failing_since, disabled_time = excluded.disabled_time, reason = excluded.reason`,
    [id, state.failingSince, state.disabledTime, storableCut(state.reason, REASON_BYTES_MAX)],
  );
}

/** See Store.enableDestination. */
export async function enableDestination(session: Session, destination: string): Promise<boolean> {
  const { count } = await session.query("delete from custodes.destination where destination = $1 and disabled_time is not null", [
    storable(destination),
  ]);
  return count > 0;
}

/** See Store.destinationSummaries. */
export async function destinationSummaries(session: Session, since: number): Promise<readonly DestinationSummary[]> {
  const { rows } = await session.query<DestinationSummary>(
    `select destination,
       count(*) filter (where status = 'pending') as pending,
       min(created_time) filter (where status = 'pending') as "oldestPending",
       count(*) filter (where status = 'delivered' and settled_time >= $1) as delivered,
       count(*) filter (where status = 'dead') as dead,
       max(settled_time) filter (where status = 'delivered') as "lastDelivered",
       percentile_disc(0.5) within group (order by settled_time - created_time)
         filter (where status = 'delivered' and settled_time >= $1) as "p50Ms",
       percentile_disc(0.99) within group (order by settled_time - created_time)
         filter (where status = 'delivered' and settled_time >= $1) as "p99Ms"
     from custodes.outbox where status in ('pending', 'dead') or settled_time >= $1
     group by destination order by destination`,
    [since],
  );
  return rows;
}
