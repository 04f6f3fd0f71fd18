import type { EpochMs } from "../../core/event.ts";
import type { Reject } from "../../ports/connector.ts";
import type { Quarantined, Store } from "../../ports/store.ts";
import type { Session } from "./database.ts";
import { storable, storableCut } from "./text.ts";

/** A broken record is kept up to this size: enough to see what it is, and a bounded cost for whoever sends many. */
const RAW_BYTES_MAX = 65_536;
/** Rows of one statement, so that its text stays below about 16 MB when every record has the full size. */
const ROWS_MAX = 200;

/** See Transaction.appendQuarantine. */
export async function appendQuarantine(session: Session, source: string, rejects: readonly Reject[], now: EpochMs): Promise<void> {
  for (let start = 0; start < rejects.length; start += ROWS_MAX) {
    const rows = rejects.slice(start, start + ROWS_MAX).map((reject) => ({
      code: reject.code,
      message: storable(reject.message),
      position: storable(reject.position),
      raw: storableCut(reject.raw, RAW_BYTES_MAX),
    }));
    await session.query(
      `insert into custodes.quarantine (source, time, code, message, position, raw)
       select $1, $2, code, message, position, raw
       from rows from (json_to_recordset($3::json) as (code text, message text, position text, raw text)) with ordinality as new
       order by ordinality`,
      [storable(source), now, JSON.stringify(rows)],
    );
  }
}

/** See Store.quarantine; newest first. */
export async function quarantine(session: Session, filter: Parameters<Store["quarantine"]>[0] = {}): Promise<readonly Quarantined[]> {
  const { rows } = await session.query<Quarantined>(
    `select id, source, time, code, message, position, raw from custodes.quarantine
     where ($1::text is null or source = $1) and ($2::bigint is null or id = $2) order by id desc limit $3`,
    [filter.source === undefined ? null : storable(filter.source), filter.id ?? null, filter.limit ?? null],
  );
  return rows;
}
