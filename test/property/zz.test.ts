import { test } from "vitest";
import { play, type Kind } from "./vendor-history.ts";
test("all", async () => {
  for (const kind of ["counted","capped","unaided","numbered"] as Kind[]) {
    let bad=0; const t=performance.now(); let lost=0; let gaps=0; const first: unknown[]=[];
    for (let seed=1; seed<=400; seed++) { const o = await play(kind, seed); lost+=o.lost; for (const n of o.gaps.values()) gaps+=n; if (o.problems.length) { bad++; if (first.length<4) first.push([seed, ...o.problems.slice(0,4)]); } }
    console.log(kind, "bad", bad, "lost", lost, "gaps", gaps, Math.round(performance.now()-t), "ms", JSON.stringify(first));
  }
});
