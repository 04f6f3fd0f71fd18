/**
 * A vendor with every bad habit that collectors know, in-process and on a clock that is given: pages that are left out,
 * repeated, overlap or are empty, cursors that lose ties, answers that are cut short, throttling storms, credentials
 * that end in mid-page, a wrong clock, records that show up late. It knows the truth, and can be healed.
 */

/** A record as the vendor keeps it. Times are by the vendor's own clock. */
export interface VendorRecord {
  readonly id: string;
  readonly time: number;
  /** When lists begin to show it. */
  readonly visible: number;
}

/** Habits of a vendor; chances are per request, 0 to 1. */
export interface Habits {
  /** `window`: lists by time; `chain`: lists in the order in which records became visible, numbered. */
  readonly list: "window" | "chain";
  /** Of a window's records. */
  readonly order: "oldest" | "newest";
  readonly pageSize: number;
  /** Windows show at most so many records, the newest, and say `truncated`. */
  readonly cap: number | undefined;
  /** Cursors that are times: what has the same time as the last record of a page is left out. */
  readonly loseTies: number;
  readonly dropPage: number;
  readonly overlapPages: number;
  readonly repeatPage: number;
  readonly emptyPage: number;
  readonly throttle: number;
  readonly fail: number;
  readonly reset: number;
  readonly cut: number;
  /** Share of the records that are counted, and in no page. */
  readonly hide: number;
  /** Milliseconds that its clock, and with it the Date header, is ahead of the true one. */
  readonly skewMs: number;
}

/** A request; `query` as in the URL. */
export interface VendorRequest {
  readonly query: URLSearchParams;
  readonly authorization: string | undefined;
}
/** An answer, or a connection that broke. */
export type VendorAnswer =
  | { readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body: string }
  | { readonly broken: true };

/** A read of one window or chain position, for whoever checks what should have been seen. */
export interface VendorRead {
  /** True time. */
  readonly at: number;
  readonly since: number;
  readonly until: number;
  readonly first: boolean;
}

/** The vendor at work. */
export interface MisbehavingVendor {
  add(records: readonly VendorRecord[]): void;
  answer(request: VendorRequest): VendorAnswer;
  /** From now on every habit but its kind of list, its order, its page size, its cap and, unless it is named, its clock is good. */
  heal(what?: "clock"): void;
  /** The one credential that is good from now on. */
  rotate(token: string): void;
  /** Records that a list would show now. */
  shown(): readonly VendorRecord[];
  readonly reads: readonly VendorRead[];
  /** What its habits did, by name: a test can see that they were at work. */
  readonly done: ReadonlyMap<string, number>;
}

/** A storm of throttling lasts for so many requests at most. */
const STORM_MAX = 6;

/** Starts a vendor; `now` is the true clock, `random` gives 0 <= x < 1. */
export function misbehavingVendor(habits: Habits, now: () => number, random: () => number): MisbehavingVendor {
  const records: VendorRecord[] = [];
  const reads: VendorRead[] = [];
  const done = new Map<string, number>();
  let token: string | undefined;
  const hidden = new Set<string>();
  let well = false;
  let { skewMs } = habits;
  let storm = 0;

  const does = (habit: string, chance: number): boolean => {
    if (well || random() >= chance) return false;
    done.set(habit, (done.get(habit) ?? 0) + 1);
    return true;
  };
  const clock = (): number => now() + skewMs;
  const given = (list: readonly VendorRecord[]): readonly VendorRecord[] => (well ? list : without(list, hidden, done));
  const shown = (): VendorRecord[] => records.filter((record) => record.visible <= clock());
  const reply = (status: number, body: unknown, more: Readonly<Record<string, string>> = {}): VendorAnswer => ({
    status,
    headers: { date: new Date(clock()).toUTCString(), "content-type": "application/json", ...more },
    body: JSON.stringify(body),
  });

  const refused = (request: VendorRequest): VendorAnswer | undefined => {
    if (token !== undefined && request.authorization !== `Bearer ${token}`) {
      done.set("token", (done.get("token") ?? 0) + 1);
      return reply(401, { error: "the token has expired" });
    }
    if (storm === 0 && does("throttle", habits.throttle)) storm = 1 + Math.floor(random() * STORM_MAX);
    if (storm > 0 && !well) {
      storm--;
      const wait = 1 + Math.floor(random() * 20);
      const header = random() < 0.5 ? String(wait) : new Date(clock() + wait * 1000).toUTCString();
      return reply(429, { error: "slow down" }, { "retry-after": header });
    }
    if (does("fail", habits.fail)) return reply(random() < 0.5 ? 500 : 503, "");
    return does("reset", habits.reset) ? { broken: true } : undefined;
  };

  const window = (query: URLSearchParams): VendorAnswer => {
    const since = Number(query.get("since"));
    const until = Number(query.get("until"));
    const cursor = query.get("after") ?? "";
    reads.push({ at: now(), since, until, first: cursor === "" });
    const all = inWindow(shown(), since, until, habits.order);
    const newest = habits.order === "oldest" ? all.slice(-(habits.cap ?? Infinity)) : all.slice(0, habits.cap ?? Infinity);
    const { items, next } = pageOf(habits, does, given(newest), cursor);
    return list(items, next, { total: all.length, truncated: newest.length < all.length });
  };

  const chain = (query: URLSearchParams): VendorAnswer => {
    const cursor = query.get("after") ?? "";
    reads.push({ at: now(), since: Number.NaN, until: Number.NaN, first: cursor === "" });
    const all = shown().toSorted((a, b) => a.visible - b.visible || (a.id < b.id ? -1 : 1));
    const { items, next } = pageOf(habits, does, given(all), cursor);
    return list(items, next, {}, (record) => all.indexOf(record) + 1);
  };

  const list = (
    items: readonly VendorRecord[],
    next: string | null,
    more: object,
    number?: (record: VendorRecord) => number,
  ): VendorAnswer => {
    const answer = reply(200, { data: { items: items.map((record) => shapeOf(record, number)) }, next, ...more });
    if ("broken" in answer || !does("cut", habits.cut)) return answer;
    return { ...answer, body: answer.body.slice(0, Math.floor(answer.body.length * random())) };
  };

  return {
    add: (more) => {
      records.push(...more);
      for (const { id } of more) if (habits.hide > 0 && random() < habits.hide) hidden.add(id);
    },
    answer: (request) => refused(request) ?? (habits.list === "window" ? window(request.query) : chain(request.query)),
    heal: (what) => {
      [well, storm] = [true, 0];
      if (what === "clock") skewMs = 0;
    },
    rotate: (next) => void (token = next),
    shown,
    reads,
    done,
  };
}

function inWindow(list: readonly VendorRecord[], since: number, until: number, order: Habits["order"]): readonly VendorRecord[] {
  const sign = order === "oldest" ? 1 : -1;
  return list.filter(({ time }) => time >= since && time <= until).toSorted((a, b) => sign * (a.time - b.time || (a.id < b.id ? -1 : 1)));
}

/** A record as it is given out. */
function shapeOf(record: VendorRecord, number?: (record: VendorRecord) => number): object {
  const { id, time } = record;
  return { id, created_at: new Date(time).toISOString(), ...(number === undefined ? {} : { number: number(record) }) };
}

/** The records that are in some page. */
function without(list: readonly VendorRecord[], hidden: ReadonlySet<string>, done: Map<string, number>): readonly VendorRecord[] {
  const left = list.filter(({ id }) => !hidden.has(id));
  if (left.length < list.length) done.set("hide", (done.get("hide") ?? 0) + 1);
  return left;
}

/** Whether a habit shows now. */
type Does = (habit: string, chance: number) => boolean;

/** The page of a list at a cursor, and the cursor of the one after it. */
function pageOf(
  habits: Habits,
  does: Does,
  list: readonly VendorRecord[],
  cursor: string,
): { readonly items: readonly VendorRecord[]; readonly next: string | null } {
  const size = habits.pageSize;
  const start = offsetOf(list, cursor, habits.order);
  if (does("empty", habits.emptyPage)) return { items: [], next: `${cursor === "" ? "o0" : cursor}!` };
  const items = list.slice(start, start + size);
  const last = items.at(-1);
  if (last === undefined || start + size >= list.length) return { items, next: null };
  if (does("repeat", habits.repeatPage)) return { items, next: `${cursor === "" ? "o0" : cursor}!` };
  if (does("drop", habits.dropPage)) return { items, next: start + 2 * size < list.length ? `o${start + 2 * size}` : null };
  if (does("overlap", habits.overlapPages)) return { items, next: `o${start + Math.max(1, size - 1)}` };
  if (does("ties", habits.loseTies)) return { items, next: `t${last.time}` };
  return { items, next: `o${start + size}` };
}

/** `o<offset>`, or `t<time>`: after everything of that time. A mark at the end says that the page came before. */
function offsetOf(list: readonly VendorRecord[], cursor: string, order: Habits["order"]): number {
  const text = cursor.replace(/!+$/, "");
  if (text.startsWith("t")) {
    const time = Number(text.slice(1));
    const after = list.findIndex((record) => (order === "oldest" ? record.time > time : record.time < time));
    return after === -1 ? list.length : after;
  }
  return Number(text.slice(1) || 0);
}
