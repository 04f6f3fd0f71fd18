/** How far a long command has come: one line on standard error that is drawn again and again, and gone at the end. */

/** A terminal's line is drawn this often at most; other outputs get a line of their own, and not as many. */
const REDRAW_MS = 150;
const LINE_MS = 5000;
/** Nothing is said about what is left before this: the first second says little. */
const ESTIMATE_AFTER_MS = 1000;
/** Width of a terminal that does not say. */
const COLUMNS = 80;

/** What is counted. */
export type Unit = "bytes" | "rows";

/** What a progress line tells of. */
export interface Progress {
  /** Told of bytes or rows as they are read. */
  read(more: number): void;
  /** Told after every batch; draws when it is time. */
  at(state: { readonly pass: number; readonly events: number; readonly alerts: number }): void;
  /** Makes room for other lines; the next one comes when it is time again. */
  clear(): void;
}

/** Where progress is drawn and how it knows the time. */
export interface ProgressOptions {
  readonly stream: { readonly isTTY?: boolean; readonly columns?: number; write(text: string): unknown };
  /** Undefined: only on a terminal. */
  readonly wanted: boolean | undefined;
  /** Bytes or rows of one pass; undefined when nobody knows. */
  readonly total: number | undefined;
  readonly unit: Unit;
  /** Milliseconds from any start. */
  readonly now: () => number;
}

/** A progress line; one that says nothing where it is not wanted. */
export function progressLine({ stream, wanted, total, unit, now }: ProgressOptions): Progress {
  const isTerminal = stream.isTTY === true;
  if (!(wanted ?? isTerminal)) return { read: () => undefined, at: () => undefined, clear: () => undefined };
  let read = 0;
  let pass = 1;
  let started = now();
  let drawn = Number.NEGATIVE_INFINITY;
  let shown = false;
  return {
    read: (more) => {
      read += more;
    },
    at(state) {
      const time = now();
      if (state.pass !== pass) {
        pass = state.pass;
        started = time;
        read = 0;
      }
      if (time - drawn < (isTerminal ? REDRAW_MS : LINE_MS)) return;
      drawn = time;
      const text = progressText({ ...state, read, total, unit, elapsedMs: time - started });
      if (isTerminal) stream.write(`\r${text.slice(0, (stream.columns ?? COLUMNS) - 1)}\u001B[K`);
      else stream.write(`${text}\n`);
      shown = isTerminal;
    },
    clear() {
      if (shown) stream.write("\r\u001B[K");
      shown = false;
    },
  };
}

/** What is known at one moment. */
export interface ProgressState {
  readonly pass: number;
  readonly events: number;
  readonly alerts: number;
  readonly read: number;
  readonly total: number | undefined;
  readonly unit: Unit;
  readonly elapsedMs: number;
}

/** The line's text. */
export function progressText({ pass, events, alerts, read, total, unit, elapsedMs }: ProgressState): string {
  // What is looked at twice counts twice, so a part can seem larger than the whole.
  const part = total === undefined || total <= 0 ? undefined : Math.min(1, read / total);
  const left = part === undefined || part === 0 || elapsedMs < ESTIMATE_AFTER_MS ? undefined : (elapsedMs * (1 - part)) / part;
  const size = (amount: number): string => (unit === "rows" ? `${amount.toLocaleString("en")} rows` : bytesText(amount));
  const words = [
    ...(pass > 1 ? [`pass ${pass}`] : []),
    total === undefined ? size(read) : `${size(Math.min(read, total))} of ${size(total)}`,
    ...(part === undefined ? [] : [`${Math.floor(part * 100)} %`]),
    `${events.toLocaleString("en")} events`,
    `${Math.round((events * 1000) / Math.max(1, elapsedMs)).toLocaleString("en")}/s`,
    ...(left === undefined ? [] : [`${clock(left)} left`]),
    `${alerts.toLocaleString("en")} ${alerts === 1 ? "alert" : "alerts"}`,
  ];
  return words.join("  ");
}

function bytesText(bytes: number): string {
  if (bytes < 1e6) return `${Math.round(bytes / 1e3)} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(0)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
}

function clock(ms: number): string {
  const seconds = Math.round(ms / 1000);
  const two = (value: number): string => String(value).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor(seconds / 60) % 60;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}
