/** What rules remember of the past. Keys are hashed, because an index row takes 2.7 KB at most and groups come out of logs. */
import type { BaselineChange, BaselineHead, BaselineRow } from "../../core/correlation/baseline.ts";
import { parseUnits, unitsText } from "../../core/correlation/units-text.ts";
import type { BaselinePage } from "../../ports/store.ts";
import type { Session } from "./database.ts";
import { storable, uidHash } from "./text.ts";

/** Rows of one statement: above this it gets no faster, and its text stays at about a megabyte. */
const ROWS_MAX = 5000;
const KINDS = ["first", "value", "window"] as const;

/** See Transaction.saveBaselines. */
export async function saveBaselines(session: Session, changes: readonly BaselineChange[]): Promise<void> {
  for (const { head, rows, forgetBefore } of changes) {
    const id = await saveHead(session, head);
    for (let start = 0; start < rows.length; start += ROWS_MAX) await saveRows(session, id, rows.slice(start, start + ROWS_MAX));
    if (forgetBefore !== undefined)
      await session.query("delete from custodes.baseline where rule_id = $1 and kind <> $2 and time < $3", [
        id,
        kindOf("first"),
        forgetBefore,
      ]);
  }
}

/** See Transaction.removeBaselines. */
export async function removeBaselines(session: Session, heads: readonly Pick<BaselineHead, "rule" | "key">[]): Promise<void> {
  for (const { rule, key } of heads) {
    const hash = headHash(rule, key);
    await session.query("delete from custodes.baseline where rule_id in (select id from custodes.baseline_rule where hash = $1)", [hash]);
    await session.query("delete from custodes.baseline_rule where hash = $1", [hash]);
  }
}

/** See Store.baselineHeads. */
export async function baselineHeads(session: Session): Promise<readonly BaselineHead[]> {
  const { rows } = await session.query<{ body: string; until: number }>(
    `select body, until from custodes.baseline_rule order by rule collate "C", key collate "C"`,
  );
  return rows.map(({ body, until }) => ({ ...(JSON.parse(body) as BaselineHead), until }));
}

/** See Store.baselineRows. */
export async function baselineRows(
  session: Session,
  head: Pick<BaselineHead, "rule" | "key">,
  after: string | null,
  limit: number,
): Promise<BaselinePage> {
  const { rows: ids } = await session.query<{ id: number }>("select id from custodes.baseline_rule where hash = $1", [
    headHash(head.rule, head.key),
  ]);
  const id = ids[0]?.id;
  if (id === undefined) return { rows: [], next: null };
  // Not `rule_id = $1 and …`: of a table that was never analyzed (PGlite) few rows are expected then, and all are sorted for each page.
  const { rows } = await session.query<StoredRow>(
    `select rule_id, hash::text as place, kind, group_values, value, time, whole, units from custodes.baseline
     where (rule_id, hash) > ($1, $2) order by rule_id, hash limit $3`,
    [id, after ?? "00000000-0000-0000-0000-000000000000", limit],
  );
  const own = rows.filter((row) => row.rule_id === id);
  return { rows: own.map(rowOf), next: own.length < limit ? null : (own.at(-1)?.place ?? null) };
}

async function saveHead(session: Session, head: BaselineHead): Promise<number> {
  const { until, ...rest } = head;
  const { rows } = await session.query<{ id: number }>(
    `insert into custodes.baseline_rule (hash, rule, key, until, body) values ($1, $2, $3, $4, $5)
     on conflict (hash) do update set until = excluded.until, body = excluded.body returning id`,
    [headHash(head.rule, head.key), storable(head.rule), storable(head.key), until, JSON.stringify(rest)],
  );
  return rows[0]!.id;
}

async function saveRows(session: Session, id: number, rows: readonly BaselineRow[]): Promise<void> {
  // A statement cannot change a row twice; within a call the later one knows more.
  const merged = new Map<string, object>();
  for (const row of rows) {
    const group = JSON.stringify(row.group);
    const value = row.kind === "value" ? JSON.stringify(row.value) : "";
    const identity = row.kind === "window" ? String(row.time) : value;
    const hash = uidHash(`${row.kind}\n${group}\n${identity}`);
    const sum = row.kind === "window" ? { whole: row.whole, units: unitsText(row.units) } : { whole: 0, units: "" };
    // JSON text escapes NUL and lone surrogates, so that a value comes back exactly as it was.
    merged.set(hash, { hash, kind: kindOf(row.kind), group_values: group, value, time: row.time, ...sum });
  }
  await session.query(
    `insert into custodes.baseline as old (rule_id, hash, kind, group_values, value, time, whole, units)
     select $1, hash, kind, group_values, value, time, whole, units from json_to_recordset($2::json)
       as new(hash uuid, kind smallint, group_values text, value text, time bigint, whole bigint, units text) order by hash
     on conflict (rule_id, hash) do update set time = excluded.time, whole = excluded.whole, units = excluded.units
     where case old.kind when ${kindOf("first")} then excluded.time < old.time when ${kindOf("value")} then excluded.time > old.time
       else excluded.whole <> old.whole or excluded.units <> old.units end`,
    [id, JSON.stringify([...merged.values()])],
  );
}

interface StoredRow {
  readonly rule_id: number;
  readonly place: string;
  readonly kind: number;
  readonly group_values: string;
  readonly value: string;
  readonly time: number;
  readonly whole: number;
  readonly units: string;
}

function rowOf({ kind, group_values, value, time, whole, units }: StoredRow): BaselineRow {
  const group = JSON.parse(group_values) as readonly string[];
  switch (KINDS[kind]) {
    case "value":
      return { kind: "value", group, value: JSON.parse(value) as string, time };
    case "window":
      return { kind: "window", group, time, whole, units: parseUnits(units) ?? 0n };
    default:
      return { kind: "first", group, time };
  }
}

function kindOf(kind: BaselineRow["kind"]): number {
  return KINDS.indexOf(kind);
}

/** The length keeps ("ab", "c") and ("a", "bc") apart. */
function headHash(rule: string, key: string): string {
  return uidHash(`${rule.length}:${rule}${key}`);
}
