/** Who events belong to that were decided behind the watermark. */
import type { Attribution } from "../../core/identity/attribution.ts";
import type { Session } from "./database.ts";
import { arrayLiteral, storable, storableCut, uidHash } from "./text.ts";

/** A path has a few steps of two keys; a row takes no more than this of it. */
const PATH_BYTES_MAX = 16_384;

/** See Transaction.saveAttributions. */
export async function saveAttributions(session: Session, attributions: readonly Attribution[]): Promise<void> {
  if (attributions.length === 0) return;
  const rows = new Map<string, Readonly<Record<string, string | number>>>();
  for (const { uid, agentUid, time, attributionId, confidence, path } of attributions) {
    const agent = storable(agentUid);
    const hash = uidHash(uid);
    rows.set(`${hash} ${agent}`, { hash, agent, time, id: attributionId, confidence, path: storableCut(path, PATH_BYTES_MAX) });
  }
  // What was decided stays: a replay comes to the same, and may know less of how.
  await session.query(
    `insert into custodes.attribution (uid_hash, agent_uid, time, attribution_id, confidence, path)
     select hash, agent, time, id, confidence, path
     from json_to_recordset($1::json) as new(hash uuid, agent text, time bigint, id smallint, confidence smallint, path text)
     order by hash, agent
     on conflict (uid_hash, agent_uid) do nothing`,
    [JSON.stringify([...rows.values()])],
  );
}

/** See Store.attributions. */
export async function attributions(session: Session, uids: readonly string[]): Promise<readonly Attribution[]> {
  if (uids.length === 0) return [];
  const byHash = new Map(uids.map((uid) => [uidHash(uid), uid]));
  const { rows } = await session.query<Omit<Attribution, "uid"> & { hash: string }>(
    `select replace(uid_hash::text, '-', '') as hash, agent_uid as "agentUid", time, attribution_id as "attributionId", confidence, path
     from custodes.attribution where uid_hash = any((select $1::text::uuid[])::uuid[]) order by uid_hash, agent_uid`,
    [arrayLiteral([...byHash.keys()])],
  );
  return rows.map(({ hash, ...row }) => ({ uid: byHash.get(hash) ?? "", ...row }));
}
