/**
 * The group field whose values are several groups: an event that may belong to any of some agents is seen once per
 * candidate. Our extension of the semantics, by which arrays count as missing (docs/decisions/0015).
 */
export const CANDIDATES_PATH = "agent.candidates";

/** What a group field gives for an event that belongs to the group of each of these values. */
export class Several {
  readonly values: readonly string[];

  constructor(values: readonly string[]) {
    this.values = values;
  }

  toJSON(): readonly string[] {
    return this.values;
  }
}
