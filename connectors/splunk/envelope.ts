import type { EpochMs } from "../../src/core/event.ts";

/** What of the configuration shows in an envelope. */
export interface EnvelopeOptions {
  readonly host: string;
  readonly source: string;
  /** Prefix of the source types `<prefix>:alert`, `<prefix>:incident` and `<prefix>:event:<model>`. */
  readonly sourcetype: string;
  /** Undefined: the token's default. Never from content. */
  readonly index?: string | undefined;
  /** Largest envelope. */
  readonly eventBytesMax: number;
}

/** What an envelope is made around. Texts are safe already. */
export interface Enveloped {
  /** Source type below the prefix. */
  readonly type: string;
  readonly time: EpochMs;
  readonly key: string;
  readonly id: string;
  readonly revision: number;
  readonly event: Readonly<Record<string, unknown>>;
}

/** The indexed fields of every envelope: HEC cannot be made idempotent, so a reader drops repeats by the first and old states by the others. */
export const INDEXED_FIELDS = ["custodes_dedup", "custodes_id", "custodes_revision"] as const;

/** The exact text of one HEC envelope. */
export function envelope({ type, time, key, id, revision, event }: Enveloped, options: EnvelopeOptions): string {
  const rest = JSON.stringify({
    host: options.host,
    source: options.source,
    sourcetype: `${options.sourcetype}:${type}`,
    index: options.index,
    fields: { custodes_dedup: key, custodes_id: id, custodes_revision: String(revision) },
    event,
  });
  return `{"time":${epochSeconds(time)},${rest.slice(1)}`;
}

/** Seconds with three decimals, written out: HEC refuses scientific notation, and a float may show it. */
function epochSeconds(time: EpochMs): string {
  return `${Math.floor(time / 1000)}.${String(time % 1000).padStart(3, "0")}`;
}
