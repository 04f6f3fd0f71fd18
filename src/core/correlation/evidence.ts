import { upperBound } from "./group.ts";
import type { Group, Mark } from "./group.ts";

/** Chooses the events that prove an alert, among entries [from, to) of a group. */
export type ChooseEvidence<X> = (group: Group<X>, from: number, to: number) => readonly Mark[];

const byUid = (a: Mark, b: Mark): number => (a.uid < b.uid ? -1 : a.uid > b.uid ? 1 : 0);

/** The first `max` events by (time, uid). */
export function firstEvidence(max: number): ChooseEvidence<unknown> {
  return (group, from, to) => {
    const chosen: Mark[] = [];
    for (let at = from; at < to && chosen.length < max;) {
      const end = Math.min(to, tieEnd(group, at));
      if (end === at + 1) chosen.push(group.marks[at]!);
      else for (const mark of group.marks.slice(at, end).sort(byUid)) if (chosen.length < max) chosen.push(mark);
      at = end;
    }
    return chosen;
  };
}

/**
 * The first events of each of `rules` referenced rules, by (time, uid), `max` shared among them and at least one each.
 * An entry's extra is the bit set of the rules that it matched; those that are not `wanted` give none.
 */
export function sharedEvidence(max: number, rules: number, wanted = -1): ChooseEvidence<number> {
  const share = Math.max(1, Math.floor(max / rules));
  return (group, from, to) => {
    const chosen: Mark[] = [];
    const left = Array.from({ length: rules }, (_, rule) => ((wanted & (1 << rule)) === 0 ? 0 : share));
    let open = left.filter((quota) => quota > 0).length;
    for (let at = from; at < to && open > 0;) {
      const end = Math.min(to, tieEnd(group, at));
      const tie: number[] = [];
      for (let index = at; index < end; index++) tie.push(index);
      if (tie.length > 1) tie.sort((a, b) => byUid(group.marks[a]!, group.marks[b]!));
      for (const index of tie) {
        let wanted = false;
        for (let bits = group.extras[index]!; bits !== 0; bits &= bits - 1) {
          const rule = 31 - Math.clz32(bits & -bits);
          if (left[rule]! === 0) continue;
          wanted = true;
          left[rule]!--;
          if (left[rule] === 0) open--;
        }
        if (wanted) chosen.push(group.marks[index]!);
      }
      at = end;
    }
    return chosen;
  };
}

function tieEnd<X>(group: Group<X>, at: number): number {
  const time = group.times[at]!;
  return group.times[at + 1] === time ? upperBound(group.times, time) : at + 1;
}
