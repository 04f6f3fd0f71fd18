import { decodeEvent } from "../core/event-codec.ts";
import type { EpochMs } from "../core/event.ts";
import { newBatch } from "../core/framing.ts";
import type { LogPage } from "../state.ts";
import type { Answering } from "../cli/state.ts";
import type { Input } from "./stream.ts";

/** What stands for a connector where the records are events of a store's log. */
export const STORE = "store";

/**
 * The log of a store as an input, in its order, page by page; its lines are sequences. What is appended after this was
 * called is not part of it, so that every pass reads the same. `told` hears of the number of rows of each page.
 */
export async function storeLog(answering: Answering, since: EpochMs | undefined, told: (rows: number) => void): Promise<Input> {
  const page = async (parameters: Readonly<Record<string, string>>): Promise<LogPage> =>
    // Both sides are this program.
    (await answering.ask("log", parameters)) as LogPage;
  const first = await page(since === undefined ? {} : { since: String(since) });
  const { last } = first;
  return {
    connector: STORE,
    path: STORE,
    framing: "lines",
    categories: undefined,
    size: last - first.after,
    async *read() {
      for (let after = first.after; after < last;) {
        const { rows } = await page({ after: String(after) });
        const end = rows.at(-1)?.sequence;
        if (end === undefined) return;
        told(Math.min(end, last) - after);
        after = end;
        const batch = newBatch(STORE);
        for (const { sequence, body } of rows) {
          if (sequence > last) break;
          batch.records.push(decodeEvent(body));
          batch.lines.push(sequence);
        }
        yield batch;
      }
    },
  };
}
