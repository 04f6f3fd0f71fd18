import { expect, test } from "vitest";
import { compare, type Item } from "./graph-stories.ts";
import { NOON } from "./agents.ts";
import type { KeyText } from "../../../src/core/identity/links.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const IP: KeyText = "ip:10.0.0.0";

interface Special {
  readonly ends?: boolean;
  /** Minutes. */
  readonly delay?: number;
}
const link = (after: number, from: KeyText, to: KeyText, { ends = false, delay = 0 }: Special = {}): Item => {
  return { is: "link", time: NOON + after, from, to, mins: 0, delay, ends };
};
const asked = (after: number, ...keys: KeyText[]): Item => ({ is: "event", time: NOON + after, keys });
const seen = (after: number, agent: string, ...keys: KeyText[]): Item => ({ is: "sight", time: NOON + after, agent, keys });

interface Regression {
  readonly why: string;
  readonly story: readonly Item[];
  /** Candidates of each event. */
  readonly candidates: readonly number[];
}

/** Stories that were once decided by the order of arrival, for ever; newest last. */
const REGRESSIONS: readonly Regression[] = [
  {
    why: "who took an address was forgotten because the one who lost it was given it anew later",
    story: [
      link(0, "pod:p0", "sa:sa-b"),
      link(0, IP, "pod:p0"),
      link(2500, IP, "pod:p1"),
      link(2500, IP, "pod:p1", { ends: true }),
      asked(24 * HOUR, IP),
      link(36 * HOUR, IP, "pod:p0"),
      asked(36 * HOUR + MINUTE, IP),
    ],
    candidates: [0, 1],
  },
  {
    why: "a link that begins after its record was not stored until then, and a replay no longer read the record",
    story: [
      link(0, "cred:k0", "sa:sa-a", { delay: 20 }),
      link(15 * MINUTE, "cred:k1", "sa:sa-b"),
      link(20 * MINUTE, "cred:k1", "sa:sa-b"),
      asked(19 * MINUTE, "cred:k0"),
      asked(25 * MINUTE, "cred:k0"),
    ],
    candidates: [0, 1],
  },
  {
    why: "an address that was over by itself was ended by a record, which parted sights only where it was remembered",
    story: [
      link(0, IP, "pod:p0"),
      link(32 * DAY, "cred:k0", "sa:sa-a"),
      seen(40 * DAY, "a", IP),
      link(40 * DAY + 20_000, IP, "pod:p0", { ends: true }),
      asked(40 * DAY + 40_000, IP),
    ],
    candidates: [1],
  },
];

/** Numbers from 0 to 9,999 that look random; the same for the same seed. */
function picks(seed: number): () => number {
  let state = seed * 2_654_435_761;
  return () => {
    // Numerical Recipes' constants: any full-period generator would do.
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * 10_000);
  };
}

test.each(REGRESSIONS)("$why", ({ story, candidates }) => {
  for (let seed = 0; seed < 300; seed++) expect(compare(story, picks(seed))).toEqual(candidates);
});
