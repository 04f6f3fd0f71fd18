import type { EpochMs } from "../event.ts";
import { safeText } from "../safe-text.ts";
import type { Correlation } from "../sigma/rules.ts";
import type { Member } from "./explain-members.ts";

const UID_MAX = 200;

/** What a `new_value` rule remembers of the group when the event comes. */
export interface ExplainedHistory {
  readonly fires: boolean;
  readonly lookback_ms: number;
  readonly min_history_ms: number;
  /** The group's first event. */
  readonly first_time: EpochMs | null;
  /** The last event before this one with the same value, within the lookback or not. */
  readonly seen: { readonly uid: string; readonly time: EpochMs } | null;
}

/** The history of the event's group and value; `fires` is the engine's verdict. */
export function explainHistory<E>(
  { newValue }: Correlation<E>,
  { time, extra }: Member,
  members: readonly Member[],
  fires: boolean,
): ExplainedHistory {
  const seen = members.findLast((one) => one.time < time && one.extra === extra);
  return {
    fires,
    lookback_ms: newValue?.lookbackMs ?? 0,
    min_history_ms: newValue?.minHistoryMs ?? 0,
    first_time: members[0]?.time ?? null,
    seen: seen === undefined ? null : { uid: safeText(seen.uid, UID_MAX), time: seen.time },
  };
}
