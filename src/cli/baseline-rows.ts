import type { BaselineChange, BaselineHead, BaselineRow } from "../core/correlation/baseline.ts";
import type { Store } from "../ports/store.ts";
import { CommandError, EXIT } from "./output.ts";

/** Rows of one read. */
const PAGE_ROWS = 5000;

/** Whose rows, as one text. */
export function headId({ rule, key }: Pick<BaselineHead, "rule" | "key">): string {
  return JSON.stringify([rule, key]);
}

/** Since when a rule reports silence is about the log of one service alone: it is not carried elsewhere. */
export function isCarried({ type }: Pick<BaselineHead, "type">): boolean {
  return type !== "silence";
}

/** All rows of a head, page by page. */
export async function* storedRows(store: Store, head: BaselineHead): AsyncGenerator<readonly BaselineRow[]> {
  let after: string | null = null;
  do {
    const page = await store.baselineRows(head, after, PAGE_ROWS);
    yield page.rows;
    after = page.next;
  } while (after !== null);
}

/** Rows of one head in memory, each thing once: about 300 bytes each. */
export interface Collected {
  head: BaselineHead;
  readonly rows: Map<string, BaselineRow>;
}

/** What a store would make of the changes. */
export function collect(into: Map<string, Collected>, changes: readonly BaselineChange[]): void {
  for (const { head, rows, forgetBefore } of changes) {
    if (!isCarried(head)) continue;
    const id = headId(head);
    const found = into.get(id) ?? { head, rows: new Map<string, BaselineRow>() };
    into.set(id, found);
    found.head = head;
    for (const row of rows) found.rows.set(identityOf(row), row);
    if (forgetBefore === undefined) continue;
    for (const [identity, row] of found.rows) if (row.kind !== "first" && row.time < forgetBefore) found.rows.delete(identity);
  }
}

function identityOf(row: BaselineRow): string {
  return JSON.stringify([row.kind, row.group, row.kind === "value" ? row.value : row.kind === "window" ? row.time : ""]);
}

/** In an order that depends on the rows alone. */
export function sortedRows({ rows }: Collected): BaselineRow[] {
  return [...rows].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)).map(([, row]) => row);
}

/**
 * Refuses windows that the store has measured in another way: one of the two is about something else.
 * @throws {CommandError}
 */
export async function refuseOtherMeasures(
  store: Store,
  given: readonly { head: BaselineHead; rows: readonly BaselineRow[] }[],
): Promise<void> {
  const heads = new Map((await store.baselineHeads()).map((head) => [headId(head), head]));
  for (const { head, rows } of given) {
    const known = heads.get(headId(head));
    const windows = new Map(rows.flatMap((row) => (row.kind === "window" ? [[identityOf(row), row] as const] : [])));
    if (known === undefined || windows.size === 0) continue;
    for await (const page of storedRows(store, known)) {
      for (const row of page) {
        const other = windows.get(identityOf(row));
        if (row.kind !== "window" || other === undefined || (other.whole === row.whole && other.units === row.units)) continue;
        throw new CommandError(
          `${head.rule} has measured the window at ${new Date(row.time).toISOString()} of group ${JSON.stringify(row.group)} already, and differently; --replace takes the new measure; nothing was stored`,
          EXIT.no,
        );
      }
    }
  }
}

/** The head under which given rows are stored: what a service has decided is not changed by them. */
export function headFor(known: ReadonlyMap<string, BaselineHead>, given: BaselineHead): BaselineHead {
  return known.get(headId(given)) ?? { ...given, depthMs: 0 };
}
