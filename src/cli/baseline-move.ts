import { sha256 } from "../adapters/system/system.ts";
import type { AuditEntry } from "../ports/audit.ts";
import { operator } from "./audit.ts";
import { loadRules } from "../adapters/rules/load.ts";
import type { BaselineHead, BaselineRow } from "../core/correlation/baseline.ts";
import { promoted } from "../core/correlation/promote.ts";
import { learnLog } from "../pipeline/build-baselines.ts";
import type { Store } from "../ports/store.ts";
import { baselineWriter, readBaselines } from "./baseline-file.ts";
import { learner, refuseUnknown, ruleOfHead, rulesFor, withStore, type BaselineOptions, type KeyedRule } from "./baseline.ts";
import { collect, headFor, headId, isCarried, refuseOtherMeasures, sortedRows, storedRows, type Collected } from "./baseline-rows.ts";
import { commandConfig } from "./config.ts";
import { CommandError, EXIT, lineWriter, note } from "./output.ts";

/** Options of `baseline export`. */
export interface ExportOptions extends BaselineOptions {
  readonly out?: string;
  readonly rule: readonly string[];
  /** Of the whole log, to its last event. */
  readonly profile?: boolean;
}

/** Options of `baseline import`. */
export interface ImportOptions extends BaselineOptions {
  readonly rule: readonly string[];
  readonly replace?: boolean;
}

/** Options of `baseline promote`. */
export interface PromoteOptions extends ImportOptions {
  readonly agent: readonly string[];
  /** When production begins; now without it. */
  readonly at?: string;
}

/** Rows of one head, in an order that depends on them alone. */
type Section = { readonly head: BaselineHead; rows(): AsyncIterable<readonly BaselineRow[]> };

/** Writes what rules remember as lines of JSON. */
export async function exportCommand(options: ExportOptions): Promise<number> {
  const config = commandConfig(options.config);
  const pack = sha256(JSON.stringify(loadRules(config.rules).map(({ value }) => value ?? null)));
  return withStore(config, false, async (store) => {
    const sections = (await (options.profile === true ? profile(store, options) : stored(store))).filter(
      ({ head }) => options.rule.length === 0 || options.rule.includes(head.rule),
    );
    refuseUnknown(options.rule, new Set(sections.map(({ head }) => head.rule)));
    let from: number | null = null;
    let to: number | null = null;
    for (const section of sections) {
      for await (const rows of section.rows()) for (const row of rows) from = Math.min(from ?? row.time, row.time);
      to = Math.max(to ?? section.head.until, section.head.until);
    }
    const writer = baselineWriter(lineWriter(options.out));
    await writer.header({ custodes_baseline: 1, pack, from, to });
    for (const section of sections) {
      await writer.head(section.head);
      for await (const page of section.rows()) for (const row of page) await writer.row(row);
    }
    await writer.end();
    return EXIT.good;
  });
}

async function stored(store: Store): Promise<Section[]> {
  return (await store.baselineHeads()).filter(isCarried).map((head) => ({ head, rows: () => storedRows(store, head) }));
}

async function profile(store: Store, options: ExportOptions): Promise<Section[]> {
  const config = commandConfig(options.config);
  const { pack } = rulesFor(config, []);
  const found = new Map<string, Collected>();
  for await (const changes of learnLog(store, await learner(config, pack, store), { sinceMs: Number.MAX_SAFE_INTEGER, toEnd: true }))
    collect(found, changes);
  return [...found.values()]
    .sort((a, b) => (headId(a.head) < headId(b.head) ? -1 : 1))
    .map((one) => {
      const rows = sortedRows(one);
      return {
        head: one.head,
        async *rows() {
          yield rows;
        },
      };
    });
}

/** Takes rows of a file as they are. All or nothing. */
export async function importCommand(path: string, options: ImportOptions): Promise<number> {
  const config = commandConfig(options.config);
  const { remembering } = rulesFor(config, []);
  // Once to check all of it, and once more to store it: neither is held in memory but for the windows.
  const windows: { head: BaselineHead; rows: readonly BaselineRow[] }[] = [];
  const named = new Set<string>();
  for await (const { head, rows, line } of readBaselines(path)) {
    named.add(head.rule);
    if (ruleOfHead(remembering, options.rule, head, `${path}:${line}`) === undefined) continue;
    if (head.type === "baseline_ratio") windows.push({ head, rows });
  }
  refuseUnknown(options.rule, named);
  return withStore(config, true, async (store) => {
    if (options.replace !== true) await refuseOtherMeasures(store, windows);
    const known = new Map((await store.baselineHeads()).map((head) => [headId(head), head]));
    let count = 0;
    await store.transaction(async (tx) => {
      for await (const { head, rows, line } of readBaselines(path)) {
        if (ruleOfHead(remembering, options.rule, head, `${path}:${line}`) === undefined) continue;
        await tx.saveBaselines([{ head: headFor(known, head), rows, forgetBefore: undefined }]);
        count += rows.length;
      }
      await tx.appendAudit(moved("baseline.imported", path, count));
    });
    note(`${count} rows taken; a running service knows them after its next start`);
    return EXIT.good;
  });
}

/** Takes rows of a sandbox as the past of production. All or nothing. */
export async function promoteCommand(path: string, options: PromoteOptions): Promise<number> {
  const config = commandConfig(options.config);
  const { remembering } = rulesFor(config, []);
  const at = options.at === undefined ? Date.now() : Date.parse(options.at);
  if (!Number.isFinite(at)) throw new CommandError(`--at ${options.at}: write a time such as 2026-05-01T08:00:00Z`, EXIT.usage);
  const agents = new Map(options.agent.map(agentPair));
  const read = new Map<string, { head: BaselineHead; rule: KeyedRule; rows: BaselineRow[] }>();
  const named = new Set<string>();
  for await (const { head, rows, line } of readBaselines(path)) {
    named.add(head.rule);
    const rule = ruleOfHead(remembering, options.rule, head, `${path}:${line}`);
    if (rule === undefined) continue;
    const found = read.get(headId(head)) ?? { head, rule, rows: [] };
    read.set(headId(head), found);
    for (const row of rows) found.rows.push(row);
  }
  refuseUnknown(options.rule, named);
  const made = [...read.values()].map(({ head, rule, rows }) => ({
    head: { ...head, until: at },
    rows: promoted(head, rows, rule.correlation, { at, agents }),
  }));
  const count = made.reduce((sum, { rows }) => sum + rows.length, 0);
  if (count === 0)
    throw new CommandError(
      `${path} has nothing to promote${agents.size === 0 ? "" : ` of ${[...agents.keys()].join(", ")}`}: \`baseline show\` in the sandbox says what it knows; nothing was stored`,
      EXIT.no,
    );
  return withStore(config, true, async (store) => {
    if (options.replace !== true) await refuseOtherMeasures(store, made);
    const known = new Map((await store.baselineHeads()).map((head) => [headId(head), head]));
    await store.transaction(async (tx) => {
      await tx.saveBaselines(made.map(({ head, rows }) => ({ head: headFor(known, head), rows, forgetBefore: undefined })));
      await tx.appendAudit(moved("baseline.promoted", path, count));
    });
    note(`${count} rows promoted as the past before ${new Date(at).toISOString()}; a running service knows them after its next start`);
    return EXIT.good;
  });
}

function moved(action: string, subject: string, rows: number): AuditEntry {
  return { time: Date.now(), actor: operator(), action, subject, details: { rows } };
}

function agentPair(given: string): readonly [string, string] {
  const [from = "", to = from, ...rest] = given.split("=");
  if (from === "" || to === "" || rest.length > 0)
    throw new CommandError(`--agent ${given}: write the agent's id, or SANDBOX=PRODUCTION`, EXIT.usage);
  return [from, to];
}
