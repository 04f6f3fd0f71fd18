import type { EpochMs } from "../event.ts";
import type { CellTexts } from "./cells.ts";
import { eventsOf } from "./evidence.ts";
import type { Behind, Mark } from "./group.ts";

/** Most inner alerts never come to more: what they are called, and by whom they were caused, is found out when somebody asks. */
export class InnerMark implements Mark {
  readonly #window: readonly Mark[];
  readonly #times: readonly EpochMs[];
  readonly #find: () => { readonly uid: string; readonly agents: readonly string[] };
  #found: { readonly uid: string; readonly agents: readonly string[] } | undefined;

  constructor(
    window: readonly Mark[],
    times: readonly EpochMs[],
    find: () => { readonly uid: string; readonly agents: readonly string[] },
  ) {
    this.#window = window;
    this.#times = times;
    this.#find = find;
  }

  get uid(): string {
    return (this.#found ??= this.#find()).uid;
  }

  get agents(): readonly string[] {
    return (this.#found ??= this.#find()).agents;
  }

  get behind(): readonly Behind[] {
    return eventsOf(this.#window, this.#times);
  }
}

/** An inner alert as a member has it: its group fields are what that member calls so. */
export class CelledMark implements Mark {
  readonly #mark: Mark;
  readonly cells: CellTexts;

  constructor(mark: Mark, cells: CellTexts) {
    this.#mark = mark;
    this.cells = cells;
  }

  get uid(): string {
    return this.#mark.uid;
  }

  get agents(): Mark["agents"] {
    return this.#mark.agents;
  }

  get behind(): readonly Behind[] {
    return this.#mark.behind ?? [];
  }
}
