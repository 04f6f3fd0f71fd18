/** `custodes drill`: a synthetic attack through a real rule to every destination, with the time of each hop. */
import { setTimeout } from "node:timers/promises";
import type { Config } from "../config/config.ts";
import { safeText } from "../core/safe-text.ts";
import { DRILL_RULE, type DrillProgress, type DrillStart } from "../pipeline/drill.ts";
import type { OutboxRow } from "../ports/store.ts";
import { CommandError, EXIT, note, table } from "./output.ts";
import { askRunning } from "./state.ts";

/** How often it is looked how far the drill has come, milliseconds. */
const LOOK_MS = 250;
/** What the incident says when it is closed. */
const REASON = "the drill is over";

/** How a drill went at one destination. */
interface Arrival {
  readonly destination: string;
  readonly kind: string;
  readonly status: string;
  /** From the events to the outbox, to the request, and to the answer, milliseconds. */
  readonly queuedMs: number;
  readonly sentMs: number | null;
  readonly answeredMs: number | null;
  readonly note: string;
}

/** Runs a drill against the running service; good when every destination took it. @throws {CommandError} when none runs */
export async function drillCommand(
  config: Config,
  options: { readonly waitMs: number; readonly json: boolean; readonly by: string },
): Promise<number> {
  if (config.destinations.length === 0) throw new CommandError("there are no destinations to drill", EXIT.no);
  const start = (await askRunning(config, "drill", { by: options.by })) as DrillStart | null;
  if (start === null) throw new CommandError("the service cannot drill: it is older than this command", EXIT.no);
  if (!options.json) note(`drill ${start.id}: its alerts and incident begin with "Drill:"; whoever is on call may be paged`);
  const progress = await settled(config, start, options.waitMs);
  const { incident } = progress;
  if (incident === null)
    throw new CommandError(
      `no alert came of it within ${options.waitMs / 1000} s: is the rule "${DRILL_RULE}" loaded (rules: [builtin, ...]; custodes rules list -c FILE), and does correlation run (custodes doctor)?`,
      EXIT.no,
    );
  const closed = await askRunning(config, "incidents-close", { id: incident.id, reason: REASON, by: options.by });
  if (!options.json && closed !== null) note("the incident is closed again");
  const arrivals = progress.deliveries.map((row) => arrivalOf(row, start)).sort((a, b) => (a.destination < b.destination ? -1 : 1));
  const reached = new Set(progress.deliveries.filter(({ status }) => status === "delivered").map(({ destination }) => destination));
  const missed = config.destinations.map(({ id }) => id).filter((id) => !reached.has(id));
  if (options.json) console.log(JSON.stringify({ id: start.id, storedMs: start.storedTime - start.time, arrivals, missed }, null, 2));
  else print(start, arrivals, missed);
  return missed.length === 0 ? EXIT.good : EXIT.no;
}

/** How far the drill has come once every delivery is settled, or at the end of its time. */
async function settled(config: Config, start: DrillStart, waitMs: number): Promise<DrillProgress> {
  const end = performance.now() + waitMs;
  // A drill is about no agent: what is routed by whom it is about gets nothing of it.
  const wanted = config.destinations
    .filter(({ when }) => [when.agents, when.teams, when.tenants, when.rules].every((one) => one === undefined))
    .map(({ id }) => id);
  for (;;) {
    const progress = (await askRunning(config, "drill-progress", { id: start.id })) as DrillProgress;
    const rows = progress.deliveries;
    const done =
      rows.length > 0 &&
      rows.every(({ status }) => status !== "pending") &&
      wanted.every((id) => rows.some(({ destination }) => destination === id));
    if (done || performance.now() >= end) return progress;
    await setTimeout(LOOK_MS);
  }
}

function arrivalOf(row: OutboxRow, { time }: DrillStart): Arrival {
  return {
    destination: row.destination,
    kind: `${row.kind} ${row.revision}`,
    status: row.ticket === null ? row.status : "accepted",
    queuedMs: row.createdTime - time,
    sentMs: row.sentTime === null ? null : row.sentTime - time,
    answeredMs: row.status !== "delivered" || row.settledTime === null ? null : row.settledTime - time,
    note: row.note ?? "",
  };
}

function print({ time, storedTime }: DrillStart, arrivals: readonly Arrival[], missed: readonly string[]): void {
  console.log(`events durable after ${storedTime - time} ms`);
  const ms = (value: number | null): string => (value === null ? "-" : `${value} ms`);
  const head = ["DESTINATION", "WHAT", "STATUS", "ALERT IN OUTBOX", "SENT", "ANSWERED", "RECEIPT OR REASON"];
  console.log(
    table([
      head,
      ...arrivals.map((one) => [
        one.destination,
        one.kind,
        one.status,
        ms(one.queuedMs),
        ms(one.sentMs),
        ms(one.answeredMs),
        safeText(one.note, 80),
      ]),
    ]),
  );
  for (const id of missed) {
    const isTried = arrivals.some(({ destination }) => destination === id);
    console.log(isTried ? `${id}: not delivered; the reason is above` : `${id}: its routes (when) let nothing of a drill through`);
  }
}
