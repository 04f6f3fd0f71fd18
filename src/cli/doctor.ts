/** Finds what is wrong with a service, running or not, and says the fix of each. */
import { statfs } from "node:fs/promises";
import axios from "axios";
import type { Config } from "../config/config.ts";
import type { DestinationRow } from "../destination-state.ts";
import { Failure } from "../core/errors.ts";
import type { SourceRow } from "../source-state.ts";
import { connectionFindings, printFindings, type Finding } from "./connections.ts";
import { CommandError, EXIT } from "./output.ts";
import { askState } from "./state.ts";

/** Below so much free space an embedded store may fill its disk within hours, bytes. */
const DISK_LOW = 1_073_741_824;
/** A delivery that waits for longer is late, milliseconds. */
const LATE_MS = 300_000;
/** The running service is asked for no longer. */
const ANSWER_MS = 5000;

/** Looks at connections, the service, its sources and destinations, and the disk. The configuration itself is `check`'s. */
export async function doctorCommand(config: Config, json: boolean): Promise<number> {
  const found = [...(await connectionFindings(config)), ...(await serviceFindings(config)), ...(await diskFindings(config))];
  if (json) console.log(JSON.stringify(found, null, 2));
  else printFindings(found);
  return found.every(({ ok }) => ok) ? EXIT.good : EXIT.no;
}

async function serviceFindings(config: Config): Promise<readonly Finding[]> {
  const { listen } = config.receiver;
  const about = "service";
  const alive = await axios
    .get<unknown>(`http://${listen}/healthz`, { timeout: ANSWER_MS, validateStatus: () => true })
    .then(({ status, data }) => (status === 200 ? (data as { readonly parts?: readonly PartOf[] }) : undefined))
    .catch(() => undefined);
  if (alive === undefined) {
    const fix = "start it with `custodes run -c FILE`; if it runs, `receiver.listen` is not where it listens";
    return [{ about, name: "", ok: false, message: `no service answers on ${listen}`, fix }, ...(await storedFindings(config))];
  }
  const parts = (alive.parts ?? []).filter(({ name }) => !name.startsWith("source ") && !name.startsWith("destination "));
  const found = parts.map(({ name, ok, message }): Finding => {
    const fix =
      name === "rules" ? "custodes check -c FILE says what is wrong with the rules" : "see docs/operations.md and the service's log";
    return { about, name, ok, message, ...(ok ? {} : { fix }) };
  });
  return [...found, ...(await storedFindings(config))];
}

interface PartOf {
  readonly name: string;
  readonly ok: boolean;
  readonly message: string;
}

/** What the store knows of sources and destinations; nothing when it has never been used. */
async function storedFindings(config: Config): Promise<readonly Finding[]> {
  try {
    const sources = (await askState(config, "sources", {})) as readonly SourceRow[];
    const destinations = (await askState(config, "destinations", {})) as readonly DestinationRow[];
    return [...sources.map(sourceFinding), ...destinations.flatMap((row) => destinationFindings(row, Date.now()))];
  } catch (error) {
    if (!(error instanceof CommandError) && !(error instanceof Failure)) throw error;
    return [{ about: "store", name: "state", ok: false, message: error.message, fix: "run the service once with this configuration" }];
  }
}

function sourceFinding({ source: about, pausedReason, lastError, gaps }: SourceRow): Finding {
  const name = "state";
  if (pausedReason !== null)
    return { about, name, ok: false, message: pausedReason, fix: "renew its credential or permission; it is tried again by itself" };
  if (lastError !== null)
    return {
      about,
      name,
      ok: false,
      message: lastError,
      fix: "see whether its sender runs, and whether schedule, path and token are right",
    };
  const open = gaps.filter(({ state }) => state === "open");
  if (open.length === 0) return { about, name, ok: true, message: "works" };
  return {
    about,
    name,
    ok: false,
    message: `${open.length} gaps are open: ${open[0]!.detail}`,
    fix: "custodes sources names them; docs/runbooks.md says what to do",
  };
}

function destinationFindings(row: DestinationRow, now: number): Finding[] {
  const { destination: about } = row;
  const works = row.state === "works" || row.state === "idle";
  const enable = `repair it, then: custodes destinations enable ${about}`;
  const fixes = {
    failing: "what waits goes out by itself once it works",
    disabled: enable,
    unknown: "it is no longer configured: what waits for it is never sent",
  };
  const fix = row.state === "works" || row.state === "idle" ? {} : { fix: fixes[row.state] };
  const found: Finding[] = [
    { about, name: "state", ok: works, message: row.reason === null ? row.state : `${row.state}: ${row.reason}`, ...fix },
  ];
  const late = row.oldestPending === null ? 0 : now - row.oldestPending;
  if (works && late > LATE_MS)
    found.push({
      about,
      name: "pending",
      ok: false,
      message: `${row.pending} wait, the oldest for ${Math.round(late / 60_000)} min`,
      fix: "custodes deliveries --status pending says why",
    });
  if (row.dead > 0)
    found.push({
      about,
      name: "dead letters",
      ok: false,
      message: `${row.dead}`,
      fix: `custodes deadletters list --destination ${about}; once repaired: custodes deadletters replay --destination ${about}`,
    });
  return found;
}

async function diskFindings(config: Config): Promise<readonly Finding[]> {
  if (config.store !== "embedded") return [];
  const about = "disk";
  try {
    const { bavail, bsize } = await statfs(config.data);
    const free = bavail * bsize;
    const message = `${(free / 1e9).toFixed(1)} GB free for ${config.data}`;
    return [
      free >= DISK_LOW
        ? { about, name: "", ok: true, message }
        : { about, name: "", ok: false, message, fix: "make room, shorten `retention`, or use a PostgreSQL server" },
    ];
  } catch (error) {
    return [{ about, name: "", ok: false, message: String(error), fix: "the directory `data` must exist and be readable" }];
  }
}
