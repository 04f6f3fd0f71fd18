/**
 * Files that grow, rotate or arrive, as a source. Nothing is lost to rotation (rename, copy and truncate, compression);
 * what is read stays read as long as a file can be recognized by its inode or by its first bytes.
 */
import type { EpochMs } from "../core/event.ts";
import { Failure } from "../core/errors.ts";
import { utf8Length, type LineReject } from "../core/framing.ts";
import type { Cursor, Format, Located, Page, Source } from "../ports/connector.ts";
import type { Context, FileInfo } from "../ports/context.ts";
import { decodeState, encodeState, trimmed, type Known, type TailState } from "./tail-cursor.ts";
import { goneOf, identify, rememberStart, type Listed } from "./tail-identity.ts";
import { readOn, type Room } from "./tail-read.ts";

/** Records of one page: what one transaction stores at ease. */
const PAGE_RECORDS_MAX = 5000;
/** Bytes of one page, as decompressed text. A line or document that is begun within it is read to its end. */
const PAGE_BYTES_MAX = 8 * 1024 * 1024;
/** Files of one page: each costs a few system calls even when it is empty. */
const PAGE_FILES_MAX = 256;
/** Archives, documents and rotated files that were unchanged for this long are complete. */
const SETTLE_MS = 10_000;
/** A last line without its end is taken for complete when its file was unchanged for this long: its writer is gone. */
const TORN_WAIT_MS = 600_000;
/** Files that are newer than the clock by this much do not live by it. */
const FOREIGN_CLOCK_MS = 3_600_000;
/** Files that nothing was read of yet and that are remembered, so that it is told when they go: those whose turn is next. */
const UNREAD_MAX = 16;
/** Longest path, bytes: it has to fit into a cursor beside everything else. */
const PATH_BYTES_MAX = 1024;

/** What to read, and how. */
export interface TailConfig {
  /**
   * A file, a directory (everything below it) or a pattern with `*`, `**`, `?`; absolute. Rotated siblings of a file or
   * pattern (`<path>.1`, `<path>-20260331.gz`, …) belong to it.
   */
  readonly path: string;
  readonly format: Format;
  /** Default PAGE_RECORDS_MAX. */
  readonly recordsMax?: number;
  /** Default PAGE_BYTES_MAX. */
  readonly bytesMax?: number;
}

/** A source of files; its positions are `<path>:<line>`. At most 48 files should grow at the same time. */
export function tailSource(config: TailConfig): Source {
  return { pull: async (cursor, context) => await pull(config, cursor, context) };
}

async function pull(config: TailConfig, cursor: Cursor | null, context: Context): Promise<Page> {
  const files = await candidateFiles(config, context);
  const now = context.clock.now();
  const fileNow = clockOf(files, now);
  const start: TailState = cursor === null ? { from: -1, to: sweepEnd(files, fileNow), at: null, known: [] } : decodeState(cursor);
  const { state, work, waitingSince, gone } = await plan(config, files, start, context, fileNow);
  const page = newPage(config);
  const known = new Map(state.known.map((one) => [one.fileId, one]));
  let at = state.at;
  let more = false;
  for (const candidate of work) {
    const { file, changed } = candidate;
    const before = known.get(file.fileId);
    more = page.room.records <= 0 || page.room.bytes <= 0 || page.files >= PAGE_FILES_MAX;
    if (more || before === undefined) break;
    const part = await readCandidate(config, candidate, before, page, context, fileNow);
    // Last in the map is last read.
    known.delete(file.fileId);
    known.set(file.fileId, part.known);
    more = !part.finished;
    if (more) break;
    if (changed < state.to) at = [file.modifiedTime, file.path];
  }
  // When all is read, the sweep is over and the next one starts where it ended.
  const sweep = more ? { ...state, at } : { from: state.to, to: Math.max(state.to, sweepEnd(files, fileNow)), at: null };
  const next = encoded({ ...sweep, known: [...known.values()] }, work, files, context);
  const reached = more || files.length === 0 ? {} : { readTo: Math.min(now, page.tornSince ?? now, waitingSince ?? now) };
  return { records: page.records, rejects: page.rejects, next, more, completeTo: null, ...reached, gone, inOrder: isOneLog(config, files) };
}

/** The time by which files are judged: the clock, unless it is not theirs because history is replayed under another one. */
function clockOf(files: readonly FileInfo[], now: EpochMs): EpochMs {
  let newest = now;
  for (const file of files) newest = Math.max(newest, changedTime(file));
  return newest > now + FOREIGN_CLOCK_MS ? newest + SETTLE_MS : now;
}

/**
 * Where a sweep over these files ends: what appears later must lie behind it, also when the clock of the files runs behind
 * ours, so never after the newest change that was seen.
 */
function sweepEnd(files: readonly FileInfo[], now: EpochMs): EpochMs {
  let newest = -1;
  for (const file of files) newest = Math.max(newest, changedTime(file));
  return Math.min(newest, now - SETTLE_MS);
}

/** One log and what was rotated away from it, read from the oldest on; several logs are read one after the other. */
function isOneLog({ path, format }: TailConfig, files: readonly FileInfo[]): boolean {
  return format.framing === "lines" && !/[*?]/.test(path) && !files.some((file) => file.path.startsWith(`${path}/`));
}

/** A page that is being filled. */
interface OpenPage {
  readonly records: Located[];
  readonly rejects: LineReject[];
  readonly room: Room;
  files: number;
  /** Oldest change of a file whose last line is torn. */
  tornSince: EpochMs | undefined;
}

function newPage(config: TailConfig): OpenPage {
  const room = { records: config.recordsMax ?? PAGE_RECORDS_MAX, bytes: config.bytesMax ?? PAGE_BYTES_MAX };
  return { records: [], rejects: [], room, files: 0, tornSince: undefined };
}

async function readCandidate(
  config: TailConfig,
  { file, changed, archive }: Listed,
  known: Known,
  page: OpenPage,
  context: Context,
  now: EpochMs,
): Promise<{ readonly known: Known; readonly finished: boolean }> {
  page.files += 1;
  const rotated =
    file.path !== config.path && !/[*?]/.test(config.path) && file.path.startsWith(config.path) && !file.path.startsWith(`${config.path}/`);
  const whole = archive || changed <= now - (rotated ? SETTLE_MS : TORN_WAIT_MS);
  const { format } = config;
  const part = await readOn(file, known, { files: context.files, format, room: page.room, whole, archive });
  part.batch.records.forEach((record, index) => page.records.push({ record, position: `${file.path}:${part.batch.lines[index]}` }));
  for (const reject of part.batch.rejects) page.rejects.push(reject);
  if (part.torn) page.tornSince = Math.min(page.tornSince ?? changed, changed);
  const pending = part.finished ? 0 : unread(file, part.known, archive || format.framing === "document");
  const after = { ...part.known, pending };
  return { known: await rememberStart(file, known, after, context.files), finished: part.finished };
}

/** What one pull finds out before it reads. */
interface Plan {
  readonly state: TailState;
  /** Files that have something to read, in order. */
  readonly work: readonly Listed[];
  /** Oldest change of a file that is not settled yet. */
  readonly waitingSince: EpochMs | undefined;
  readonly gone: NonNullable<Page["gone"]>;
}

/** Decides which files have something to read, and moves what is known of them to where they are now. */
async function plan(config: TailConfig, files: readonly FileInfo[], state: TailState, context: Context, now: EpochMs): Promise<Plan> {
  const document = config.format.framing === "document";
  const ids = new Set(state.known.map((one) => one.fileId));
  const listed: Listed[] = [];
  let waitingSince: EpochMs | undefined;
  for (const file of files) {
    const changed = changedTime(file);
    const archive = /\.(gz|zst)$/.test(file.path);
    if ((archive || document) && changed > now - SETTLE_MS) waitingSince = Math.min(waitingSince ?? changed, changed);
    else if (ids.has(file.fileId) || !isRead(file, state)) listed.push({ file, changed, archive, recent: changed >= state.from });
  }
  const known = new Map(await identify(listed, state.known, document, context.files));
  const listedIds = new Set(listed.map((one) => one.file.fileId));
  // While an archive is still being written, nobody can tell that it does not hold what is missing.
  const gone = waitingSince === undefined ? goneOf(listed, state.known, known, config.path, { document, since: state.to }) : [];
  const absent = state.known.filter((one) => !listedIds.has(one.fileId));
  for (const { file, archive } of listed) {
    const one = known.get(file.fileId);
    if (one !== undefined) known.set(file.fileId, { ...one, pending: one.done ? 0 : unread(file, one, archive || document) });
  }
  // What is gone is told once.
  const kept = [...absent.map((one) => (waitingSince === undefined ? { ...one, pending: 0 } : one)), ...known.values()];
  const work = listed.filter(({ file, archive }) => hasMore(file, known.get(file.fileId), archive || document));
  // All that the sweep is about is read: what came since is the next one.
  const over = !work.some((one) => one.changed < state.to);
  const sweep = over ? { from: state.to, to: Math.max(state.to, sweepEnd(files, now)), at: null } : state;
  work.sort((a, b) => Number(a.changed >= sweep.to) - Number(b.changed >= sweep.to) || order(a.file, b.file));
  return { state: { ...sweep, known: kept }, work, waitingSince, gone };
}

function hasMore(file: FileInfo, known: Known | undefined, atOnce: boolean): boolean {
  return known !== undefined && !known.done && (atOnce || file.size > known.offset);
}

function isBegun({ offset, done }: Known): boolean {
  return offset > 0 || done;
}

/** Bytes that are there and not read. */
function unread(file: FileInfo, known: Known, atOnce: boolean): number {
  return atOnce ? 1 : Math.max(0, file.size - known.offset);
}

function changedTime(file: FileInfo): EpochMs {
  return file.changedTime ?? file.modifiedTime;
}

/** What no entry tells: the sweep has passed the file. */
function isRead(file: FileInfo, { from, to, at }: TailState): boolean {
  const changed = changedTime(file);
  if (changed < from) return true;
  return changed < to && at !== null && (file.modifiedTime < at[0] || (file.modifiedTime === at[0] && file.path <= at[1]));
}

function order(a: FileInfo, b: FileInfo): number {
  if (a.modifiedTime !== b.modifiedTime) return a.modifiedTime - b.modifiedTime;
  return a.path < b.path ? -1 : 1;
}

function encoded(state: TailState, work: readonly Listed[], files: readonly FileInfo[], context: Context): Cursor {
  const present = new Map(files.map((file) => [file.fileId, file]));
  // An entry is needed while its file has more to give, or could be read again because the sweep does not cover it yet.
  const needed = (one: Known): boolean => {
    const file = present.get(one.fileId);
    if (file === undefined || !isBegun(one)) return false;
    return (!one.done && file.size > one.offset) || !isRead(file, state);
  };
  const known = new Map(state.known.map((one) => [one.fileId, one]));
  const waiting = work.flatMap(({ file }) => known.get(file.fileId) ?? []).filter((one) => !isBegun(one) && one.pending > 0);
  // What only tells of a loss makes room first.
  const kept = [...waiting.slice(0, UNREAD_MAX), ...state.known.filter(isBegun)];
  const result = trimmed({ ...state, known: kept }, needed);
  if (result.lost > 0)
    context.log.warn({ files: result.lost }, "more files grow than can be remembered; some will be read again from their start");
  return encodeState(result.state);
}

/** What rotation and compression put behind a file's name. */
const ROTATED = /(?:[.-]\d[\d.T:_-]*)?(?:\.(?:gz|zst))?$/;

async function candidateFiles({ path }: TailConfig, { files }: Context): Promise<readonly FileInfo[]> {
  const direct = await files.list(path);
  const directory = !/[*?]/.test(path) && direct.some((file) => file.path !== path);
  const siblings = directory ? [] : [...(await files.list(`${path}.*`)), ...(await files.list(`${path}-*`))];
  const byId = new Map<string, FileInfo>();
  // The same file under a second name (a link) is one file; the first name wins.
  for (const file of [...direct, ...siblings.filter((one) => isSibling(one.path, path))]) {
    if (utf8Length(file.path) > PATH_BYTES_MAX)
      throw new Failure(`a path below ${path} is longer than ${PATH_BYTES_MAX} bytes`, {
        kind: "permanent",
        code: "SOURCE_UNREADABLE",
        scope: "connector",
      });
    if (!byId.has(file.fileId)) byId.set(file.fileId, file);
  }
  return [...byId.values()];
}

/** Whether the name is that of a rotated or compressed file of the path or pattern. */
function isSibling(sibling: string, path: string): boolean {
  const suffix = ROTATED.exec(sibling)?.[0] ?? "";
  return suffix !== "" && (/[*?]/.test(path) || (sibling.startsWith(path) && ROTATED.exec(sibling)?.index === path.length));
}
