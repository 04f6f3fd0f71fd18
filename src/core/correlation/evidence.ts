import type { EpochMs } from "../event.ts";
import { lowerBound, upperBound } from "./group.ts";
import type { Behind, Group, Mark } from "./group.ts";

/** Chooses the events that prove an alert, among entries [from, to) of a group. */
export type ChooseEvidence<X> = (group: Group<X>, from: number, to: number) => readonly Mark[];

/** Events that stand behind one inner alert, and behind an alert as a whole: as many as an alert lists as evidence. */
const BEHIND_MAX = 25;

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

/** Times of marks that were chosen, in order of time, among the entries of a group from `from` on. */
export function timesOf<X>({ times, marks }: Group<X>, from: number, chosen: readonly Mark[]): readonly EpochMs[] {
  const found: EpochMs[] = [];
  let at = from;
  for (const mark of chosen) {
    const time = times[marks.indexOf(mark, at)]!;
    found.push(time);
    // The next one may be of the same time and before this one: ties are chosen by uid, and held as they arrived.
    at = lowerBound(times, time);
  }
  return found;
}

/** The first events that the evidence of an inner alert comes to, with those behind inner alerts among it. */
export function eventsOf(evidence: readonly Mark[], times: readonly EpochMs[]): readonly Behind[] {
  return firstOf(evidence.map(({ uid, behind }, index) => behind ?? [{ time: times[index]!, uid }]));
}

/** The first events behind the inner alerts among evidence; none when it is events alone. */
export function eventsBehind(evidence: readonly Mark[]): readonly Behind[] {
  const lists: (readonly Behind[])[] = [];
  for (const { behind } of evidence) if (behind !== undefined) lists.push(behind);
  return firstOf(lists);
}

/** The first by (time, uid) of all, each once. */
function firstOf(lists: readonly (readonly Behind[])[]): readonly Behind[] {
  if (lists.length === 0) return [];
  const distinct = new Map<string, Behind>();
  for (const list of lists) for (const event of list) distinct.set(event.uid, event);
  const sorted = [...distinct.values()].sort((a, b) => a.time - b.time || (a.uid < b.uid ? -1 : 1));
  return sorted.slice(0, BEHIND_MAX);
}
