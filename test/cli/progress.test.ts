import { expect, test } from "vitest";
import { progressLine, progressText } from "../../src/cli/progress.ts";

/** A stream that keeps what is written, and a clock that stands still. */
function world(isTTY: boolean, wanted?: boolean, columns?: number) {
  const written: string[] = [];
  let time = 0;
  const stream = { isTTY, ...(columns === undefined ? {} : { columns }), write: (text: string) => written.push(text) };
  return {
    written,
    pass: (ms: number) => (time += ms),
    progress: progressLine({ stream, wanted, total: 2_000_000, unit: "bytes", now: () => time }),
  };
}

test("a terminal gets one line that is drawn again and cleared at the end", () => {
  const { written, pass, progress } = world(true);
  progress.read(500_000);
  pass(2000);
  progress.at({ pass: 1, events: 10_000, alerts: 1 });
  progress.at({ pass: 1, events: 10_001, alerts: 1 });
  pass(200);
  progress.read(500_000);
  progress.at({ pass: 1, events: 22_000, alerts: 1200 });
  progress.clear();
  progress.clear();
  expect(written).toEqual([
    "\r500 kB of 2 MB  25 %  10,000 events  5,000/s  0:06 left  1 alert\u001B[K",
    "\r1 MB of 2 MB  50 %  22,000 events  10,000/s  0:02 left  1,200 alerts\u001B[K",
    "\r\u001B[K",
  ]);
});

test("it never wraps", () => {
  const { written, pass, progress } = world(true, undefined, 20);
  pass(2000);
  progress.at({ pass: 1, events: 10_000, alerts: 1 });
  expect(written[0]?.replaceAll("\r", "").replaceAll("\u001B[K", "")).toHaveLength(19);
});

test("nothing is said where standard error is no terminal, or where it is not wanted", () => {
  for (const { written, pass, progress } of [world(false), world(true, false), world(false, false)]) {
    pass(60_000);
    progress.at({ pass: 1, events: 1, alerts: 0 });
    progress.clear();
    expect(written).toEqual([]);
  }
});

test("where it is wanted all the same, it is lines", () => {
  const { written, pass, progress } = world(false, true);
  for (let at = 0; at < 30; at++) {
    pass(1000);
    progress.at({ pass: 1, events: at, alerts: 0 });
  }
  progress.clear();
  expect(written.length).toBeGreaterThan(3);
  expect(written.length).toBeLessThan(10);
  expect(written.every((line) => /^\P{Cc}+\n$/u.test(line))).toBe(true);
});

test("a second pass starts over, and says so", () => {
  const { written, pass, progress } = world(true);
  progress.read(2_000_000);
  pass(5000);
  progress.at({ pass: 1, events: 50_000, alerts: 3 });
  pass(1000);
  progress.at({ pass: 2, events: 0, alerts: 0 });
  pass(1000);
  progress.read(200_000);
  progress.at({ pass: 2, events: 5000, alerts: 0 });
  expect(written[0]).toContain("100 %");
  expect(written[2]).toMatch(/^\rpass 2 {2}200 kB of 2 MB {2}10 % {2}5,000 events {2}5,000\/s/);
});

test("what is not known is not said", () => {
  const text = progressText({ pass: 1, events: 5, alerts: 0, read: 3_200_000_000, total: undefined, unit: "bytes", elapsedMs: 7_300_000 });
  expect(text).toBe("3.20 GB  5 events  0/s  0 alerts");
  const long = progressText({
    pass: 1,
    events: 5,
    alerts: 0,
    read: 1_000_000_000,
    total: 3_000_000_000,
    unit: "bytes",
    elapsedMs: 3_723_000,
  });
  expect(long).toContain("2:04:06 left");
  const rows = progressText({ pass: 1, events: 900, alerts: 0, read: 1000, total: 4000, unit: "rows", elapsedMs: 500 });
  expect(rows).toBe("1,000 rows of 4,000 rows  25 %  900 events  1,800/s  0 alerts");
});
