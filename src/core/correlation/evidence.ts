import type { EpochMs } from "../event.ts";
import type { Extra, Entries } from "./entries.ts";
import type { Behind, Group, Mark } from "./group.ts";

/** Chooses the events that prove an alert, among entries [from, to) of a group. */
export type ChooseEvidence<X extends Extra> = (entries: Entries, group: Group<X>, from: number, to: number) => readonly Mark[];

/** Events that stand behind one inner alert, and behind an alert as a whole: as many as an alert lists as evidence. */
const BEHIND_MAX = 25;

const byUid = (a: Mark, b: Mark): number => (a.uid < b.uid ? -1 : a.uid > b.uid ? 1 : 0);

/** The first `max` events by (time, uid). */
export function firstEvidence(max: number): ChooseEvidence<Extra> {
  return (entries, group, from, to) => {
    const { marks } = entries;
    const chosen: Mark[] = [];
    for (let at = from; at < to && chosen.length < max;) {
      const end = Math.min(to, tieEnd(entries, group, at));
      if (end === at + 1) chosen.push(marks[at]!);
      else {
        const tie: Mark[] = [];
        for (let index = at; index < end; index++) tie.push(marks[index]!);
        for (const mark of tie.sort(byUid)) if (chosen.length < max) chosen.push(mark);
      }
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
  return (entries, group, from, to) => {
    const { marks, numbers } = entries;
    const chosen: Mark[] = [];
    const left = Array.from({ length: rules }, (_, rule) => ((wanted & (1 << rule)) === 0 ? 0 : share));
    let open = left.filter((quota) => quota > 0).length;
    for (let at = from; at < to && open > 0;) {
      const end = Math.min(to, tieEnd(entries, group, at));
      const tie: number[] = [];
      for (let index = at; index < end; index++) tie.push(index);
      if (tie.length > 1) tie.sort((a, b) => byUid(marks[a]!, marks[b]!));
      for (const index of tie) {
        let wanted = false;
        for (let bits = numbers[index]!; bits !== 0; bits &= bits - 1) {
          const rule = 31 - Math.clz32(bits & -bits);
          if (left[rule]! === 0) continue;
          wanted = true;
          left[rule]!--;
          if (left[rule] === 0) open--;
        }
        if (wanted) chosen.push(marks[index]!);
      }
      at = end;
    }
    return chosen;
  };
}

function tieEnd<X extends Extra>(entries: Entries, group: Group<X>, at: number): number {
  const time = entries.times[at]!;
  return at + 1 < group.at + group.size && entries.times[at + 1] === time ? entries.upperBound(group, time) : at + 1;
}

/** Times of marks that were chosen, in order of time, among the entries of a group from `from` on. */
export function timesOf<X extends Extra>(entries: Entries, group: Group<X>, from: number, chosen: readonly Mark[]): readonly EpochMs[] {
  const found: EpochMs[] = [];
  let at = from;
  for (const mark of chosen) {
    while (entries.marks[at] !== mark) at++;
    const time = entries.times[at]!;
    found.push(time);
    // The next one may be of the same time and before this one: ties are chosen by uid, and held as they arrived.
    at = entries.lowerBound(group, time);
  }
  return found;
}

/** The first events that the evidence of an inner alert comes to, with those behind inner alerts among it. */
export function eventsOf(evidence: readonly Mark[], times: readonly EpochMs[]): readonly Behind[] {
  // Evidence is in order already, and each event is there once.
  if (evidence.every(({ behind }) => behind === undefined)) {
    return evidence.slice(0, BEHIND_MAX).map(({ uid }, index) => ({ time: times[index]!, uid }));
  }
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
