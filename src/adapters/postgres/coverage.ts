/** What is known of how complete sources are: gaps, lateness, conditions, and when agents were last seen. */
import type { Condition } from "../../core/completeness/condition.ts";
import type { SourceGap } from "../../core/completeness/gap.ts";
import { mergeLateness, NO_LATENESS, type LatenessSketch } from "../../core/completeness/lateness.ts";
import type { EpochMs } from "../../core/event.ts";
import type { AgentSeen, SourceLateness, Store } from "../../ports/store.ts";
import type { Session } from "./database.ts";
import { storable } from "./text.ts";

/** Gaps per source that are kept after their end: weeks of them where one is found a day, and no table that grows for ever. */
const ENDED_MAX = 200;
/** Days of lateness that are kept: a month shows whether a vendor became slower. */
const DAYS_MAX = 31;
const DAY_MS = 86_400_000;
/** Rows of one answer unless a limit is given. */
const LIMIT = 1000;

const GAP = `id, source, from_time as "from", to_time as "to", why, detail, state, found_time as "foundTime", end_time as "endTime", whole`;

/** See Transaction.openGaps. */
export async function openGaps(session: Session, source: string): Promise<readonly SourceGap[]> {
  await session.query("select 1 from custodes.source where source = $1 for update", [storable(source)]);
  const { rows } = await session.query<SourceGap>(
    `select ${GAP} from custodes.source_gap where source = $1 and state = 'open' order by from_time, id`,
    [storable(source)],
  );
  return rows;
}

/** See Transaction.saveGaps. */
export async function saveGaps(session: Session, gaps: readonly SourceGap[]): Promise<void> {
  if (gaps.length === 0) return;
  const rows = gaps.map((gap) => ({ ...gap, source: storable(gap.source), detail: storable(gap.detail) }));
  await session.query(
    `insert into custodes.source_gap as old (id, source, from_time, to_time, why, detail, state, found_time, end_time, whole)
     select id, source, "from", "to", why, detail, state, "foundTime", "endTime", whole
     from json_to_recordset($1::json) as new(id text, source text, "from" bigint, "to" bigint, why text, detail text, state text,
       "foundTime" bigint, "endTime" bigint, whole json) order by id
     on conflict (id) do update set from_time = excluded.from_time, to_time = excluded.to_time, detail = excluded.detail,
       state = excluded.state, end_time = excluded.end_time, whole = excluded.whole`,
    [JSON.stringify(rows)],
  );
  if (!gaps.some((gap) => gap.state !== "open")) return;
  for (const source of new Set(rows.map((row) => row.source)))
    await session.query(
      `delete from custodes.source_gap where source = $1 and state <> 'open' and id not in
       (select id from custodes.source_gap where source = $1 and state <> 'open' order by found_time desc, id limit ${ENDED_MAX})`,
      [source],
    );
}

/** See Store.gaps. */
export async function gaps(session: Session, filter: Parameters<Store["gaps"]>[0] = {}): Promise<readonly SourceGap[]> {
  const { rows } = await session.query<SourceGap>(
    `select ${GAP} from custodes.source_gap
     where ($1::text is null or source = $1) and (state = 'open' or end_time >= $2::bigint)
     order by found_time desc, id limit $3`,
    [filter.source === undefined ? null : storable(filter.source), filter.recent ?? null, filter.limit ?? LIMIT],
  );
  return rows;
}

/** See Transaction.addLateness. */
export async function addLateness(session: Session, day: EpochMs, { source, lag, late }: SourceLateness): Promise<void> {
  const array = (parameter: string): string => `array(select json_array_elements_text(${parameter}::json)::bigint)`;
  const sum = (column: string): string =>
    `array(select a + b from unnest(old.${column}, excluded.${column}) with ordinality as sums(a, b, place) order by place)`;
  const added = await session.query<{ fresh: boolean }>(
    `insert into custodes.source_lateness as old (source, day, lag, lag_max, late, late_max)
     values ($1, $2, ${array("$3")}, $4, ${array("$5")}, $6)
     on conflict (source, day) do update set lag = ${sum("lag")}, lag_max = greatest(old.lag_max, excluded.lag_max),
       late = ${sum("late")}, late_max = greatest(old.late_max, excluded.late_max)
     returning xmax = 0 as fresh`,
    [storable(source), day, JSON.stringify(lag.counts), lag.max, JSON.stringify(late.counts), late.max],
  );
  // Once a day, with its first row.
  if (added.rows[0]?.fresh === true)
    await session.query("delete from custodes.source_lateness where source = $1 and day < $2", [storable(source), day - DAYS_MAX * DAY_MS]);
}

interface LatenessRow {
  readonly source: string;
  readonly lag: readonly number[];
  readonly late: readonly number[];
  readonly lag_max: number;
  readonly late_max: number;
}

/** See Store.lateness; by source. */
export async function lateness(session: Session, since: EpochMs): Promise<readonly SourceLateness[]> {
  const { rows } = await session.query<LatenessRow>(
    `select source, to_json(lag) as lag, to_json(late) as late, lag_max, late_max from custodes.source_lateness where day >= $1 order by source, day`,
    [since],
  );
  const found = new Map<string, { source: string; lag: LatenessSketch; late: LatenessSketch }>();
  for (const row of rows) {
    const before = found.get(row.source);
    found.set(row.source, {
      source: row.source,
      lag: mergeLateness(before?.lag ?? NO_LATENESS, { counts: row.lag, max: row.lag_max }),
      late: mergeLateness(before?.late ?? NO_LATENESS, { counts: row.late, max: row.late_max }),
    });
  }
  return [...found.values()];
}

/** See Transaction.saveConditions. */
export async function saveConditions(session: Session, conditions: readonly Condition[]): Promise<void> {
  if (conditions.length === 0) return;
  const rows = conditions.map((one) => ({ ...one, entity: storable(one.entity), detail: storable(one.detail) }));
  await session.query(
    `insert into custodes.health_condition as old (rule, entity, since, ended, level, detail)
     select rule, entity, since, ended, level, detail
     from json_to_recordset($1::json) as new(rule text, entity text, since bigint, ended bigint, level text, detail text)
     order by rule, entity, since
     on conflict (rule, entity, since) do update set ended = excluded.ended, level = excluded.level, detail = excluded.detail`,
    [JSON.stringify(rows)],
  );
  const ended = Math.max(...conditions.map((one) => one.ended ?? 0));
  await session.query("delete from custodes.health_condition where ended < $1", [ended - DAYS_MAX * DAY_MS]);
}

/** See Store.conditions. */
export async function conditions(session: Session, endedSince: EpochMs): Promise<readonly Condition[]> {
  const { rows } = await session.query<Condition>(
    `select rule, entity, since, ended, level, detail from custodes.health_condition
     where ended is null or ended >= $1 order by since, rule, entity limit ${LIMIT}`,
    [endedSince],
  );
  return rows;
}

/** See Transaction.saveAgentsSeen. */
export async function saveAgentsSeen(session: Session, seen: readonly AgentSeen[]): Promise<void> {
  if (seen.length === 0) return;
  const latest = new Map<string, AgentSeen>();
  for (const one of seen) {
    const row = { agent: storable(one.agent), source: storable(one.source), last: one.last };
    const key = JSON.stringify([row.agent, row.source]);
    if ((latest.get(key)?.last ?? -Infinity) < row.last) latest.set(key, row);
  }
  await session.query(
    `insert into custodes.agent_seen as old (agent, source, last)
     select agent, source, last from json_to_recordset($1::json) as new(agent text, source text, last bigint) order by agent, source
     on conflict (agent, source) do update set last = excluded.last where excluded.last > old.last`,
    [JSON.stringify([...latest.values()])],
  );
}

/** See Store.agentsSeen. */
export async function agentsSeen(session: Session): Promise<readonly AgentSeen[]> {
  return (await session.query<AgentSeen>("select agent, source, last from custodes.agent_seen order by agent, source")).rows;
}
