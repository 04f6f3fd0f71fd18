import type { EpochMs } from "../core/event.ts";
import type { Store } from "../ports/store.ts";
import type { Analysis } from "./analysis.ts";

/** Rows in memory at once while they are read: about two megabytes. */
const PAGE_ROWS = 5000;

/**
 * Gives stored rows to the rules that they belong to, page by page. Rows of rules that are gone, or defined in another
 * way, stay until they are of no more use at the watermark, so that taking back an edit finds them again.
 */
export async function restoreBaselines(store: Store, analysis: Pick<Analysis, "restore">, watermark: EpochMs | null): Promise<void> {
  const over: { readonly rule: string; readonly key: string }[] = [];
  for (const head of await store.baselineHeads()) {
    if (!analysis.restore(head, [])) {
      if (watermark !== null && head.until + head.keepMs < watermark) over.push(head);
      continue;
    }
    let after: string | null = null;
    do {
      const page = await store.baselineRows(head, after, PAGE_ROWS);
      analysis.restore(head, page.rows);
      after = page.next;
    } while (after !== null);
  }
  if (over.length > 0) await store.transaction((tx) => tx.removeBaselines(over));
}
