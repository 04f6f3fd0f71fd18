import type { Config } from "../config/config.ts";
import type { Level, RuleInfo } from "../core/alert.ts";
import { horizons } from "../core/correlation/horizon.ts";
import { isYamlMap, own } from "../core/sigma/document.ts";
import { identityOf } from "../core/sigma/metadata.ts";
import { routesOf, type RuleRoute } from "../routes.ts";
import type { Pack } from "../rules.ts";

/** What became of a document: `muted` raises no alerts of its own, because a correlation refers to it; `warning` works. */
export const RULE_STATES = ["loaded", "warning", "muted", "rejected"] as const;
/** One of them. */
export type RuleState = (typeof RULE_STATES)[number];

/** A document of a pack as `rules list --json` prints it; names and meanings are a contract. */
export interface RuleRow {
  readonly id: string | null;
  readonly title: string | null;
  readonly path: string;
  readonly line: number;
  readonly level: Level | null;
  readonly tags: readonly string[];
  /** Sigma's status; empty without one. */
  readonly status: string;
  /** Cron or job name as written; not used yet: see `runs`. */
  readonly schedule: string | null;
  readonly threat: string | null;
  readonly risk: number | null;
  readonly maps: RuleInfo["maps"];
  readonly runbook: string | null;
  readonly response: RuleInfo["response"] | null;
  readonly destinations: readonly string[] | null;
  readonly description: string;
  readonly falsepositives: readonly string[];
  readonly state: RuleState;
  /** Why it was rejected. */
  readonly reason: string | null;
  readonly warnings: readonly { readonly line: number; readonly message: string }[];
  /** Ids of correlations that refer to it. */
  readonly referenced_by: readonly string[];
  readonly kind: "detection" | "correlation" | "filter" | null;
  /** Type of a correlation. */
  readonly type: string | null;
  readonly codes: readonly string[];
  readonly timespan_ms: number | null;
  /** Length of the suppression window. */
  readonly suppress_ms: number | null;
  /** How far before the watermark its state reaches. */
  readonly horizon_ms: number | null;
  readonly timezone: string | null;
  /** How it is run, whatever its schedule says. */
  readonly runs: "continuously" | null;
  /** One for each configured destination; null without a configuration, or when it raises no alerts. */
  readonly routes: readonly RuleRoute[] | null;
}

/** Default of the configuration's `correlation.lateness`. */
const LATENESS_MS = 60_000;

/** All documents of a pack, by path and line. */
export function ruleRows(pack: Pack, config: Config | undefined): RuleRow[] {
  const { detections, correlations } = pack.rules;
  const reach = horizons(pack.rules, config?.correlation.lateness ?? LATENESS_MS);
  const base = (info: RuleInfo, alerts: boolean): RuleRow => ({
    ...described(info),
    state: alerts ? "loaded" : "muted",
    referenced_by: correlations.filter(({ rules }) => rules.includes(info.id)).map((one) => one.info.id),
    horizon_ms: reach.get(info.id) ?? null,
    runs: "continuously",
    routes: config === undefined || !alerts ? null : routesOf(config, info),
  });
  const rows: RuleRow[] = [
    ...detections.map((one): RuleRow => ({ ...base(one.info, one.alerts), kind: "detection", suppress_ms: one.suppressMs })),
    ...correlations.map((one): RuleRow => {
      const span = one.newValue === undefined || one.timespanMs > 0 ? one.timespanMs : null;
      return { ...base(one.info, one.alerts), kind: "correlation", type: one.type, timespan_ms: span, suppress_ms: one.suppressMs };
    }),
    ...filters(pack),
    ...pack.rejected.map((one): RuleRow => ({
      ...EMPTY,
      id: one.rule ?? null,
      title: one.rule ?? null,
      path: one.file,
      line: one.line,
      state: "rejected",
      reason: one.reason,
    })),
  ];
  return rows.map((row) => withWarnings(row, pack)).sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : a.line - b.line));
}

const EMPTY: Omit<RuleRow, "path" | "line" | "state"> = {
  id: null,
  title: null,
  level: null,
  tags: [],
  status: "",
  schedule: null,
  threat: null,
  risk: null,
  maps: [],
  runbook: null,
  response: null,
  destinations: null,
  description: "",
  falsepositives: [],
  reason: null,
  warnings: [],
  referenced_by: [],
  kind: null,
  type: null,
  codes: [],
  timespan_ms: null,
  suppress_ms: null,
  horizon_ms: null,
  timezone: null,
  runs: null,
  routes: null,
};

const CODE_TAG = "custodes.";

function described(info: RuleInfo): Omit<RuleRow, "state"> {
  return {
    ...EMPTY,
    id: info.id,
    title: info.title,
    path: info.path,
    line: info.line,
    level: info.level,
    tags: info.tags,
    status: info.status,
    schedule: info.schedule ?? null,
    threat: info.threat ?? null,
    risk: info.risk ?? null,
    maps: info.maps,
    runbook: info.runbook ?? null,
    response: info.response ?? null,
    destinations: info.destinations ?? null,
    description: info.description,
    falsepositives: info.falsePositives,
    codes: info.tags.filter((tag) => tag.startsWith(CODE_TAG)).map((tag) => tag.slice(CODE_TAG.length).toUpperCase()),
    timezone: info.timezone ?? null,
  };
}

/** Filters raise nothing, but a rule that seems broken may only be filtered: they are listed too. */
function filters({ loaded }: Pack): RuleRow[] {
  return loaded.flatMap(({ value, path, line }): RuleRow[] => {
    if (!isYamlMap(value) || own(value, "filter") === undefined) return [];
    const title = own(value, "title");
    return [
      {
        ...EMPTY,
        id: identityOf(value) ?? null,
        title: typeof title === "string" ? title : null,
        path,
        line,
        state: "loaded",
        kind: "filter",
      },
    ];
  });
}

/** A warning names its document by id, name or title, and stands behind its first line. */
function withWarnings(row: RuleRow, { rules }: Pack): RuleRow {
  const warnings = rules.warnings.filter(({ rule, file }) => file === row.path && rule !== undefined && rule === row.id);
  if (warnings.length === 0) return row;
  return {
    ...row,
    state: row.state === "loaded" ? "warning" : row.state,
    warnings: warnings.map(({ line, message }) => ({ line, message })),
  };
}
