/** The baseline of the benches: JSON.parse alone over the same bytes. */
import { closeSync, openSync, readSync } from "node:fs";

/** As `parseLines` for a file, in pieces of a megabyte, so that neither memory nor one huge text slows the baseline down. */
export function parseFile(path: string, total: { lines: number; bytes: number }): void {
  const file = openSync(path, "r");
  let rest = Buffer.alloc(0);
  const piece = Buffer.alloc(1 << 20);
  for (let read = readSync(file, piece); read > 0; read = readSync(file, piece)) {
    const data = Buffer.concat([rest, piece.subarray(0, read)]);
    const end = data.lastIndexOf(10) + 1;
    parseLines(data.subarray(0, end), total);
    rest = Buffer.from(data.subarray(end));
  }
  closeSync(file);
}

/** JSON.parse per line; what is no JSON costs what refusing it costs. Adds to `total`. */
export function parseLines(data: Buffer, total: { lines: number; bytes: number }): void {
  total.bytes += data.length;
  for (let start = 0; start < data.length;) {
    const limit = Math.min(start + 65_536, data.length);
    const feed = data.indexOf(10, limit);
    const end = limit === data.length || feed === -1 ? data.length : feed + 1;
    for (const line of data.toString("utf8", start, end).split("\n")) {
      if (line === "") continue;
      total.lines++;
      try {
        JSON.parse(line);
      } catch {
        // Broken lines and the text formats are part of the workload.
      }
    }
    start = end;
  }
}
