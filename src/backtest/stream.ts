import { Failure } from "../core/errors.ts";
import type { Category, EpochMs } from "../core/event.ts";
import type { Format } from "../ports/connector.ts";
import { readFileRecords } from "../adapters/files/read-records.ts";
import type { LineReject } from "../core/framing.ts";

/** One file of a backtest: a source of its own for lateness. */
export interface Input {
  /** `<connector>` or `plain`. */
  readonly connector: string;
  readonly path: string;
  readonly format: Format;
  /** Categories that its events can have; undefined = any. */
  readonly categories: readonly Category[] | undefined;
}

/** A record that did not become an event. */
export interface InputReject {
  readonly path: string;
  readonly line: number;
  readonly code: string;
  readonly message: string;
}

/** What a file's records become. */
export interface Converter<E> {
  /** @throws {Failure} poison */
  convert(record: unknown, path: string): readonly E[];
  time(event: E): EpochMs;
}

/** A file being read, with how far it has come. */
export interface Stream<E> {
  readonly input: Input;
  /** Newest event time so far; -Infinity before the first. */
  newest: EpochMs;
  /** Furthest that an event was behind the newest before it. */
  lagMax: number;
  late: number;
  done: boolean;
  /** Events of the next batch, in the order of the file; undefined at the end. */
  next(): Promise<readonly E[] | undefined>;
}

/** Opens a file as a stream of events; `rejected` is told of every record that is none. */
export function openStream<E>(
  input: Input,
  converter: Converter<E>,
  latenessMs: number,
  rejected: (reject: InputReject) => void,
): Stream<E> {
  const batches = readFileRecords(input.path, input.format);
  const stream: Stream<E> = {
    input,
    newest: -Infinity,
    lagMax: 0,
    late: 0,
    done: false,
    async next() {
      const step = await batches.next();
      if (step.done === true) {
        stream.done = true;
        return undefined;
      }
      // A document is one batch; its end is read at once, so that hundreds of small archives are not open together.
      if (input.format.framing === "document") stream.done = (await batches.next()).done === true;
      const { path, records, lines, rejects } = step.value;
      for (const reject of rejects) rejected(fromLine(path, reject));
      const events: E[] = [];
      for (let index = 0; index < records.length; index++) {
        let made: readonly E[];
        try {
          made = converter.convert(records[index], path);
        } catch (error) {
          rejected(toReject(path, lines[index] ?? 0, error));
          continue;
        }
        for (const event of made) {
          track(stream, converter.time(event), latenessMs);
          events.push(event);
        }
      }
      return events;
    },
  };
  return stream;
}

function track<E>(stream: Stream<E>, time: EpochMs, latenessMs: number): void {
  if (time >= stream.newest) {
    stream.newest = time;
    return;
  }
  const lag = stream.newest - time;
  if (lag > stream.lagMax) stream.lagMax = lag;
  if (lag > latenessMs) stream.late++;
}

function fromLine(path: string, reject: LineReject): InputReject {
  return { path, line: reject.line, code: reject.code, message: reject.message };
}

function toReject(path: string, line: number, error: unknown): InputReject {
  if (error instanceof Failure) return { path, line, code: error.code, message: error.message };
  return {
    path,
    line,
    code: "RECORD_BUG",
    message: `the connector failed on this record (${error instanceof Error ? error.name : typeof error})`,
  };
}
