/**
 * The indexer acknowledgement of the simulated collector: ids per node and channel, a true answer that is given once, limits
 * and idle channels as `[http_input]` of limits.conf and inputs.conf have them. All of it is in memory: a crash forgets it.
 */

/** Limits of the vendor, for tests to make small. */
export interface AckLimits {
  /** `max_number_of_acked_requests_pending_query_per_ack_channel`. */
  readonly perChannel: number;
  /** `max_number_of_acked_requests_pending_query`; beyond it the oldest are forgotten. */
  readonly total: number;
  /** `max_number_of_ack_channel`. */
  readonly channels: number;
  /** `maxIdleTime`: a channel that was not used for so long is removed. */
  readonly idleMs: number;
}

/** The vendor's defaults. */
export const ACK_LIMITS: AckLimits = { perChannel: 1_000_000, total: 10_000_000, channels: 1_000_000, idleMs: 600_000 };

/** Above this part of a limit the collector warns. */
const NEARLY = 0.9;

interface Channel {
  next: number;
  lastUsed: number;
  /** True: indexed; false: not yet. */
  readonly ids: Map<number, boolean>;
}

/** The acknowledgements of one node. */
export interface AckStore {
  /** A new id of a channel, and whether the channel is nearly full; undefined when it is full. */
  issue(channel: string): { readonly id: number; readonly isNearlyFull: boolean } | undefined;
  /** False is: not yet, unknown, forgotten, or told before. */
  ask(channel: string, ids: readonly number[]): Readonly<Record<string, boolean>>;
  /** Everything that was taken so far is safe. */
  index(): void;
  /** The process died: nothing is known any more, and ids begin anew. */
  forget(): void;
}

/** An empty store. */
export function ackStore(limits: AckLimits, now: () => number): AckStore {
  const channels = new Map<string, Channel>();
  const waiting = (): number => [...channels.values()].reduce((sum, { ids }) => sum + ids.size, 0);
  const clean = (): void => {
    for (const [name, { lastUsed }] of channels) if (now() - lastUsed > limits.idleMs) channels.delete(name);
  };
  return {
    issue(name) {
      clean();
      let channel = channels.get(name);
      if (channel === undefined) {
        if (channels.size >= limits.channels) return undefined;
        channels.set(name, (channel = { next: 0, lastUsed: now(), ids: new Map() }));
      }
      if (channel.ids.size >= limits.perChannel) return undefined;
      channel.lastUsed = now();
      const id = channel.next++;
      channel.ids.set(id, false);
      while (waiting() > limits.total) {
        const oldest = [...channels.values()].find(({ ids }) => ids.size > 0)!;
        oldest.ids.delete(oldest.ids.keys().next().value!);
      }
      return { id, isNearlyFull: channel.ids.size > limits.perChannel * NEARLY };
    },
    ask(name, ids) {
      clean();
      const channel = channels.get(name);
      if (channel !== undefined) channel.lastUsed = now();
      const answers = ids.map((id) => {
        const known = channel?.ids.get(id) ?? false;
        if (known) channel?.ids.delete(id);
        return [String(id), known] as const;
      });
      return Object.fromEntries(answers);
    },
    index() {
      for (const { ids } of channels.values()) for (const id of ids.keys()) ids.set(id, true);
    },
    forget: () => channels.clear(),
  };
}
