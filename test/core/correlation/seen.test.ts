import { describe, expect, it } from "vitest";
import { seenUids } from "../../../src/core/correlation/seen.ts";

describe("the uids that were seen", () => {
  it("are known for the horizon, whatever is pruned, and also when they are ahead of their time", () => {
    const seen = seenUids(100);
    for (let time = 0; time < 1000; time++) {
      expect(seen.add(`e${time}`, time)).toBe(true);
      if (time === 50) seen.add("ahead", 900);
      seen.prune(time);
      const back = Math.max(0, time - 100);
      expect([seen.add(`e${time}`, time), seen.add(`e${back}`, back)]).toEqual([false, false]);
      if (time > 50) expect(seen.add("ahead", 900)).toBe(false);
    }
  });

  it("are forgotten some time after the horizon", () => {
    const seen = seenUids(100);
    seen.add("old", 0);
    for (let time = 0; time <= 400; time++) seen.prune(time);
    expect(seen.add("old", 0)).toBe(true);
  });
});
