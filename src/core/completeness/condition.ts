import type { Level } from "../alert.ts";
import type { EpochMs } from "../event.ts";

/** Something that is wrong with the service itself, or with what it watches, from when to when. */
export interface Condition {
  /** Id of the built-in rule that tells of it. */
  readonly rule: string;
  /** What it is about: a source, a destination, an agent. */
  readonly entity: string;
  readonly since: EpochMs;
  /** Null while it lasts. */
  readonly ended: EpochMs | null;
  readonly level: Level;
  /** In words, without any content of records. */
  readonly detail: string;
}
