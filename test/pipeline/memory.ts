/** As much of a store as ingesting needs, in memory: thousands of pages cost nothing. The real one is held to the same in test/contract. */
import { Failure } from "../../src/core/errors.ts";
import type { SourceGap } from "../../src/core/completeness/gap.ts";
import type { EpochMs, Event } from "../../src/core/event.ts";
import type { AgentSeen, SourceChange, SourceLateness, SourceState, Store, Transaction } from "../../src/ports/store.ts";

/** A store that can be looked into. */
export interface Memory {
  readonly store: Store;
  readonly events: Map<string, Event>;
  readonly gaps: Map<string, SourceGap>;
  readonly seen: readonly AgentSeen[];
  /** Up to where the least complete source is complete; undefined while one has proven nothing. */
  watermark(): EpochMs | undefined;
}

const EMPTY: Omit<SourceState, "source"> = {
  cursor: null,
  watermark: null,
  newestTime: null,
  lastSuccessTime: null,
  lastError: null,
  pausedReason: null,
  events: 0,
  duplicates: 0,
  quarantined: 0,
  lateEvents: 0,
};

export function memory(over: { addLateness?: (day: number, one: SourceLateness) => void } = {}): Memory {
  const seen: AgentSeen[] = [];
  const events = new Map<string, Event>();
  const gaps = new Map<string, SourceGap>();
  const sources = new Map<string, SourceState>();
  const move = (change: SourceChange): void => {
    const old = sources.get(change.source);
    if ((old?.cursor ?? null) !== change.from) throw new Failure("moved", { kind: "permanent", code: "CURSOR_MOVED" });
    const most = (a: number | null | undefined, b: number | null): number | null =>
      a === null || a === undefined ? b : b === null ? a : Math.max(a, b);
    const before = old ?? { source: change.source, ...EMPTY };
    sources.set(change.source, {
      ...before,
      cursor: change.to,
      watermark: most(before.watermark, change.watermark),
      newestTime: most(before.newestTime, change.newestTime),
      lastSuccessTime: change.now,
      progressTime: change.progress === true ? change.now : (before.progressTime ?? change.now),
      lastError: null,
      events: before.events + change.stored,
      lateEvents: before.lateEvents + change.late,
    });
  };
  const tx: Partial<Transaction> = {
    appendEvents: async (_, list) => {
      const fresh = list.filter((event, index) => !events.has(event.uid) && list.findIndex((one) => one.uid === event.uid) === index);
      for (const event of fresh) events.set(event.uid, event);
      return { stored: fresh.length, duplicates: list.length - fresh.length, fresh };
    },
    appendQuarantine: async () => undefined,
    addLateness: async (day, one) => over.addLateness?.(day, one),
    saveAgentsSeen: async (list) => void seen.push(...list),
    moveCursor: async (change) => move(change),
    openGaps: async (source) => [...gaps.values()].filter((gap) => gap.source === source && gap.state === "open"),
    saveGaps: async (list) => {
      for (const gap of list) gaps.set(gap.id, gap);
    },
  };
  const store: Partial<Store> = {
    transaction: (work) => work(tx as Transaction),
    source: async (source) => sources.get(source),
    sources: async () => [...sources.values()],
    gaps: async () => [...gaps.values()],
    noteSource: async (source, note) => {
      const old = sources.get(source) ?? { source, ...EMPTY };
      sources.set(source, {
        ...old,
        ...(note.error === undefined ? {} : { lastError: note.error }),
        ...(note.pausedReason === undefined ? {} : { pausedReason: note.pausedReason }),
      });
    },
  };
  const watermark = (): EpochMs | undefined => {
    const all = [...sources.values()].map((one) => one.watermark);
    return all.includes(null) ? undefined : Math.min(...(all as EpochMs[]));
  };
  return { store: store as Store, events, gaps, seen, watermark };
}
