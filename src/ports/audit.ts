import type { EpochMs } from "../core/event.ts";

/** Something that Custodes or one of its operators did. Holds neither secrets nor the content of records. */
export interface AuditEntry {
  readonly time: EpochMs;
  /** `custodes` for what it did by itself, else who asked for it, as far as that is known. */
  readonly actor: string;
  /** A noun and what became of it: `service.started`, `deadletters.replayed`. */
  readonly action: string;
  /** What it was done to; "" when there is only one. */
  readonly subject: string;
  readonly details: Readonly<Record<string, string | number | boolean | null>>;
}

/** An entry in its place. */
export interface AuditRow extends AuditEntry {
  /** 1 for the first; no number is left out. */
  readonly number: number;
  /** `hash` of the row before; 64 zeros before the first. */
  readonly previous: string;
  /** SHA-256, in hex, over `previous` and the row. */
  readonly hash: string;
}

/** The end of the chain: whoever has noted it elsewhere sees later whether something before it was changed or is gone. */
export interface AuditHead {
  readonly number: number;
  readonly hash: string;
}

/** What the chain is held against. */
export interface AuditCheck {
  /** Only from this row on. */
  readonly from?: number;
  /** A hash that was noted earlier. */
  readonly expect?: string;
  /** For how long rows are kept, in milliseconds; null: for ever. Undefined: what the chain itself says is believed. */
  readonly retention?: number | null;
  /** No row that takes others away was written later. */
  readonly now?: EpochMs;
}

/** What a look at the whole chain found. */
export interface AuditVerdict {
  /** Rows that were looked at. */
  readonly rows: number;
  /** Number of the first row there is; 0 without any. */
  readonly first: number;
  readonly head: AuditHead | null;
  /** The row that has the hash that was asked for: it is there, or the chain says that it went by retention. `time`: when it was written. */
  readonly expected?: { readonly how: "present" | "dropped"; readonly number: number; readonly time: EpochMs };
  /** The first row that is wrong, or the place where one is missing (0: of all of them); null: all is well. */
  readonly problem: { readonly number: number; readonly reason: string } | null;
}
