/**
 * How well events find their agent, and events of one agent each other, in a simulated fleet; see test/simulation.
 * `node test/bench/identity.ts [--agents 500] [--hours 4] [--seeds 3] [--twins]`; twins: two clusters with the same addresses and names
 */
import { parseArgs } from "node:util";
import * as score from "../simulation/score.ts";
import { simulate, type Compared, type Figures } from "../simulation/simulate.ts";

const { values } = parseArgs({
  options: {
    agents: { type: "string", default: "500" },
    hours: { type: "string", default: "4" },
    seeds: { type: "string", default: "3" },
    twins: { type: "boolean", default: false },
  },
});

const number = (value: number): string => value.toLocaleString("en-US");
const share = (value: number): string => (Number.isNaN(value) ? "     -" : value.toFixed(4));

function row(name: string, { graph, naive }: Compared): void {
  const figures = [graph.precision, graph.recall, naive.precision, naive.recall].map((value) => share(value).padStart(8));
  console.log(`${name.padEnd(34)}${figures.join("")}   ${number(graph.true)}`);
}

function print(seed: number, figures: Figures): void {
  const { played, undecidable: none, attacks } = figures;
  console.log(`\nseed ${seed}: ${number(figures.records)} records, ${number(played.events.length)} events`);
  console.log(`${"".padEnd(34)}${"    P       R       naive P naive R   of"}`);
  row("event -> agent, all", figures.events);
  row("event -> agent, by bindings alone", figures.bound);
  for (const [source, seen] of score.bySource(played.events)) {
    const graph = score.attributions(seen, score.resolved);
    console.log(
      `  ${source.padEnd(32)}${share(graph.precision).padStart(8)}${share(graph.recall).padStart(8)}${"".padStart(19)}${number(graph.true)}`,
    );
  }
  for (const join of figures.joins) row(join.name, join);
  const { events, right, wrong, among, missed, unknown } = none;
  const of = (count: number): string => `${((100 * count) / events).toFixed(1)} %`;
  console.log(`undecidable: ${number(events)}; the truth is among several ${of(among)}, not among them ${of(missed)};`);
  console.log(`  one is named and right ${of(right)}, one is named and wrong ${of(wrong)}, unknown ${of(unknown)}`);
  console.log(`attacks whole: ${attacks.whole} of ${attacks.attacks}, by strings ${attacks.naive}`);
  const { facts, evicted, forced } = played.stats;
  console.log(
    `attribution and resolution ${((1000 * played.cpuMs) / played.events.length).toFixed(1)} µs CPU per event; ${number(facts)} facts, ${evicted} evicted, ${forced} forced`,
  );
}

for (let seed = 1; seed <= Number(values.seeds); seed++)
  print(seed, simulate(seed, Number(values.agents), Number(values.hours), values.twins));
