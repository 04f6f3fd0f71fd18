import { connectors } from "../../connectors/index.ts";
import { secretDigest } from "../adapters/system/system.ts";
import { parseInputs } from "../backtest/inputs.ts";
import { eventRunner } from "../backtest/runners.ts";
import { backtest, type Runner } from "../backtest/run.ts";
import type { Config } from "../config/config.ts";
import type { BaselineChange, BaselineRow } from "../core/correlation/baseline.ts";
import { Failure } from "../core/errors.ts";
import type { Event } from "../core/event.ts";
import { learnLog } from "../pipeline/build-baselines.ts";
import { CONTINUOUS_JOB, WATERMARK_JOB } from "../pipeline/correlate.ts";
import type { Store } from "../ports/store.ts";
import type { Pack } from "../rules.ts";
import { learner, rulesFor, withStore, type BaselineOptions } from "./baseline.ts";
import { collect, headFor, headId, isCarried, sortedRows, storedRows, type Collected } from "./baseline-rows.ts";
import { commandConfig } from "./config.ts";
import { faultText } from "./faults.ts";
import { CommandError, EXIT, note, table } from "./output.ts";

/** Options of `baseline build`. */
export interface BuildOptions extends BaselineOptions {
  /** Milliseconds. */
  readonly since?: number;
  readonly rules: readonly string[];
  readonly in: readonly string[];
}

/** Records that were no events, shown one by one. */
const REJECTS_SHOWN = 20;

/** Learns what rules remember from the store's log, or from files, and stores it. */
export async function buildCommand(options: BuildOptions): Promise<number> {
  const config = commandConfig(options.config);
  const { pack } = rulesFor(config, options.rules);
  const files = options.in.length > 0;
  return withStore(config, files, async (store) => {
    if (files) await fromFiles(store, config, pack, options);
    else await fromLog(store, config, pack, options.since);
    const rows = [["RULE", "ROWS", "UNTIL"]];
    for (const head of (await store.baselineHeads()).filter(isCarried)) {
      let count = 0;
      for await (const page of storedRows(store, head)) count += page.length;
      rows.push([head.rule, String(count), new Date(head.until).toISOString()]);
    }
    console.log(table(rows));
    return EXIT.good;
  });
}

async function fromLog(store: Store, config: Config, pack: Pack, since: number | undefined): Promise<void> {
  const offset = await store.offset(CONTINUOUS_JOB);
  const watermark = await store.offset(WATERMARK_JOB);
  if (offset === null || watermark === null)
    throw new CommandError("the service has decided nothing of this log yet: run it first, or build from files with --in", EXIT.no);
  const before = new Map((await store.baselineHeads()).map((head) => [headId(head), head]));
  const made = await learner(config, pack, store);
  const sinceMs = since ?? made.horizonMs;
  const heads = new Map<string, BaselineChange>();
  for await (const all of learnLog(store, made, { sinceMs, toEnd: false })) {
    const changes = all.filter(({ head }) => isCarried(head));
    if (changes.length === 0) continue;
    for (const change of changes) heads.set(headId(change.head), { ...change, rows: [] });
    // Until all is there, the rows say of themselves that the log knows more.
    await store.transaction((tx) => tx.saveBaselines(changes.map((change) => ({ ...change, head: { ...change.head, depthMs: 0 } }))));
  }
  const final = [...heads.values()].map(({ head, ...rest }) => {
    const known = before.get(headId(head));
    const depthMs = Math.max(known?.depthMs ?? 0, Math.min(head.depthMs, sinceMs));
    return {
      ...rest,
      head: { ...head, depthMs, until: Math.max(head.until, known?.depthMs === 0 ? head.until : (known?.until ?? head.until)) },
    };
  });
  await store
    .transaction(async (tx) => {
      await tx.moveOffset(CONTINUOUS_JOB, offset, offset);
      await tx.moveOffset(WATERMARK_JOB, watermark, watermark);
      await tx.saveBaselines(final);
    })
    .catch((error: unknown) => {
      if (!(error instanceof Failure) || error.code !== "OFFSET_MOVED") throw error;
      throw new CommandError("a service goes on over this database: stop it, run this command again, and start the service", EXIT.no);
    });
}

async function fromFiles(store: Store, config: Config, pack: Pack, options: BuildOptions): Promise<void> {
  const inputs = await parseInputs(options.in, undefined, connectors);
  if (inputs.some((input) => input.connector === "plain"))
    throw new CommandError("--in plain=…: plain files have no agents; name the connector, or ocsf", EXIT.usage);
  const more = { baselines: true, digest: secretDigest() };
  const runner = eventRunner(pack.rules, config.agents, connectors, more);
  let found = new Map<string, Collected>();
  let shown = 0;
  const result = await backtest(
    inputs,
    watched(runner, () => (found = new Map<string, Collected>())),
    config.correlation.lateness,
    {
      rejected(reject) {
        if (shown++ < REJECTS_SHOWN) note(`${reject.path}:${reject.line}: ${reject.code}: ${reject.message}`);
      },
    },
  );
  for (const fault of result.faults) note(faultText(fault));
  if (result.faults.length > 0) throw new CommandError("what lies behind the damage is not known: nothing was stored", EXIT.no);
  const known = new Map((await store.baselineHeads()).map((head) => [headId(head), head]));
  await store.transaction((tx) =>
    tx.saveBaselines(
      [...found.values()].map((one) => {
        const from = options.since === undefined ? undefined : one.head.until - options.since;
        const rows = sortedRows(one).flatMap((row) => cut(row, from) ?? []);
        return { head: headFor(known, one.head), rows, forgetBefore: undefined };
      }),
    ),
  );
  note(`${result.events} events, ${result.duplicates} duplicates, ${result.rejected} rejected`);
}

/** A row of the time that counts. */
function cut(row: BaselineRow, from: number | undefined): BaselineRow | undefined {
  if (from === undefined || row.time >= from) return row;
  return row.kind === "first" ? { ...row, time: from } : undefined;
}

/** A runner whose alerts nobody sees, and whose memory is collected. A second pass starts over. */
function watched(runner: ReturnType<typeof eventRunner>, begin: () => Map<string, Collected>): Runner<Event> {
  return {
    ...runner,
    begin(latenessMs) {
      const made = runner.begin(latenessMs);
      const into = begin();
      const silent = (): [] => {
        collect(into, made.changedBaselines());
        return [];
      };
      return {
        push(events) {
          made.push(events);
          return [];
        },
        advance(watermarks) {
          made.advance(watermarks);
          return silent();
        },
        finish() {
          made.finish();
          return silent();
        },
      };
    },
  };
}
