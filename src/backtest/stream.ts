import { Failure } from "../core/errors.ts";
import type { Category, EpochMs } from "../core/event.ts";
import type { Batch, LineReject } from "../core/framing.ts";
import type { Format } from "../ports/connector.ts";

/** One file of a backtest, or what stands for one: a source of its own for lateness. */
export interface Input {
  /** `<connector>`, `ocsf`, `plain`, or `store`. */
  readonly connector: string;
  /** What messages call it. */
  readonly path: string;
  readonly framing: Format["framing"];
  /** Categories that its events can have; undefined = any. */
  readonly categories: readonly Category[] | undefined;
  /** Bytes that are there to read, packed as they are, or rows of a store; undefined when nobody knows. */
  readonly size: number | undefined;
  /** Its records from the start, each time. @throws {Failure} retryable SOURCE_UNREADABLE */
  read(): AsyncGenerator<Batch>;
}

/** A record that did not become an event, or the end of a file that could not be read to its end. */
export interface InputReject {
  readonly path: string;
  /** 1-based; 0 for a file that could not be read. */
  readonly line: number;
  readonly code: string;
  readonly message: string;
  /** The record, or its text; not to be kept. */
  readonly raw?: unknown;
}

/** Whether a reject's code says that nothing more of its file can be read. */
export function endsFile(code: string): boolean {
  return code === "RECORD_CORRUPT_FILE" || code === "SOURCE_UNREADABLE";
}

/** What a file's records become. */
export interface Converter<E> {
  /** @throws {Failure} poison */
  convert(record: unknown, input: Input): readonly E[];
  time(event: E): EpochMs;
  /** How events tell the source that their lateness is counted by, where the input has several; undefined: it is one. */
  sources?(input: Input): ((event: E) => string) | undefined;
}

/** Events of one batch, in the order of the file; `lines[i]` is the line of `events[i]`. */
export interface Piece<E> {
  readonly events: readonly E[];
  readonly lines: readonly number[];
}

/** A file being read, with how far it has come. */
export interface Stream<E> {
  readonly input: Input;
  /** Newest event time so far; -Infinity before the first. */
  newest: EpochMs;
  /** Furthest that an event was behind the newest before it. */
  lagMax: number;
  late: number;
  /** Records that became events, or nothing on purpose, so far. */
  records: number;
  done: boolean;
  /** Events of the next batch; undefined at the end. */
  next(): Promise<Piece<E> | undefined>;
  /** Learns the time of the first event. The file is read from its start when its turn comes, and holds nothing until then. */
  look(): Promise<void>;
}

interface Read<E> extends Piece<E> {
  readonly rejects: readonly InputReject[];
  readonly records: number;
}

/** Batches that are looked at for a first event; a file of which so much is no event waits for nobody. */
const LOOK_BATCHES = 4;

/** Opens a file as a stream of events; `rejected` is told of every record that is none. */
export function openStream<E>(
  input: Input,
  converter: Converter<E>,
  latenessMs: number,
  rejected: (reject: InputReject) => void,
): Stream<E> {
  let batches: AsyncGenerator<Batch> | undefined;
  let ended = false;

  async function read(): Promise<Read<E> | undefined> {
    if (ended) return undefined;
    batches ??= input.read();
    try {
      const step = await batches.next();
      if (step.done === true) ended = true;
      // A document is one batch; its end is read at once, so that hundreds of small archives are not open together.
      else if (input.framing === "document") ended = (await batches.next()).done === true;
      return step.done === true ? undefined : convertBatch(step.value, input, converter);
    } catch (error) {
      if (!(error instanceof Failure) || !endsFile(error.code)) throw error;
      ended = true;
      return { events: [], lines: [], records: 0, rejects: [{ path: input.path, line: 0, code: error.code, message: error.message }] };
    }
  }

  const sourceOf = converter.sources?.(input);
  const newestOf = new Map<string, EpochMs>();
  function take(event: E): void {
    const time = converter.time(event);
    const source = sourceOf?.(event);
    const before = source === undefined ? stream.newest : (newestOf.get(source) ?? -Infinity);
    if (before - time > latenessMs) stream.late++;
    if (source !== undefined && time > before) newestOf.set(source, time);
    if (time >= stream.newest) stream.newest = time;
    else if (stream.newest - time > stream.lagMax) stream.lagMax = stream.newest - time;
  }

  const stream: Stream<E> = {
    input,
    newest: -Infinity,
    lagMax: 0,
    late: 0,
    records: 0,
    done: false,
    async next() {
      const piece = await read();
      stream.done = ended;
      if (piece === undefined) return undefined;
      for (const reject of piece.rejects) rejected(reject);
      for (const event of piece.events) take(event);
      stream.records += piece.records;
      return piece;
    },
    async look() {
      for (let at = 0; at < LOOK_BATCHES && stream.newest === -Infinity; at++) {
        const piece = await read();
        if (piece === undefined) break;
        const [first] = piece.events;
        // As if the first event had been taken: all that is said of lateness and completeness follows from it.
        if (first !== undefined) stream.newest = converter.time(first);
      }
      await batches?.return(undefined);
      batches = undefined;
      ended = false;
    },
  };
  return stream;
}

function convertBatch<E>({ path, records, lines, rejects }: Batch, input: Input, converter: Converter<E>): Read<E> {
  const events: E[] = [];
  const places: number[] = [];
  const refused = rejects.map((reject) => fromLine(path, reject));
  let good = 0;
  for (let index = 0; index < records.length; index++) {
    const line = lines[index] ?? 0;
    let made: readonly E[];
    try {
      made = converter.convert(records[index], input);
    } catch (error) {
      refused.push(toReject(path, line, error, records[index]));
      continue;
    }
    good++;
    for (const event of made) {
      events.push(event);
      places.push(line);
    }
  }
  return { events, lines: places, rejects: refused, records: good };
}

function fromLine(path: string, reject: LineReject): InputReject {
  return { path, line: reject.line, code: reject.code, message: reject.message, raw: reject.raw };
}

function toReject(path: string, line: number, error: unknown, raw: unknown): InputReject {
  if (error instanceof Failure) return { path, line, code: error.code, message: error.message, raw };
  const kind = error instanceof Error ? error.name : typeof error;
  return { path, line, code: "RECORD_BUG", message: `the connector failed on this record (${kind})`, raw };
}
