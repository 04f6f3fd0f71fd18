/** Compiles the tables, once, into the list of steps that renders one class. */
import { CLASS, type Event } from "../event.ts";
import { FIELD_PATHS } from "../fields.ts";
import { CLASS_FACTS, type OcsfVersion } from "./classes.ts";
import { has, presentable, put, type Guard, type Path, type Tree } from "./place.ts";
import { AI_TABLES, EVIDENCE, TABLES, type Row, type Table } from "./tables.ts";

/** One field at one path. */
interface Entry {
  readonly field: keyof Event;
  /** Undefined: the class has no place for the field. */
  readonly path: Path | undefined;
  readonly guard: Guard | undefined;
  /** Path under `unmapped`; undefined for a second copy of the field. */
  readonly fallback: Path | undefined;
}

/** Fields that every rendering writes by itself. */
const WRITTEN: ReadonlySet<string> = new Set<keyof Event>([
  "uid",
  "time",
  "classUid",
  "activityId",
  "severityId",
  "statusId",
  "vendor",
  "product",
]);

/** The name of each field under `unmapped`: the first of its names in rules. */
const NAMES: ReadonlyMap<keyof Event, Path> = names();

function names(): Map<keyof Event, Path> {
  const found = new Map<keyof Event, Path>();
  for (const [path, field] of Object.entries(FIELD_PATHS)) if (!found.has(field)) found.set(field, path.split("."));
  return found;
}

const steps = (path: string): Path => path.split(".").map((step) => (step === "0" ? 0 : step));

function compile(tables: readonly Table[]): readonly Entry[] {
  const entries: Entry[] = [];
  const placed = new Set<keyof Event>();
  for (const { rows, copy } of tables) {
    for (const [field, path, guard] of rows) {
      placed.add(field);
      entries.push({ field, path: steps(path), guard, fallback: copy === true ? undefined : NAMES.get(field) });
    }
  }
  for (const [field, fallback] of NAMES) {
    if (!WRITTEN.has(field) && !placed.has(field)) entries.push({ field, path: undefined, guard: undefined, fallback });
  }
  return entries;
}

function compileClass(classUid: number, version: OcsfVersion): readonly Entry[] {
  const fits = (table: Table): boolean => table.classes.includes(classUid) && (table.only ?? version) === version;
  const tables = [...TABLES, ...AI_TABLES].filter(fits);
  if (classUid === CLASS.detectionFinding) tables.push({ classes: [classUid], rows: EVIDENCE[version].map(inFirstEvidence) });
  return compile(tables);
}

function inFirstEvidence([field, path, guard]: Row): Row {
  return guard === undefined ? [field, `evidences.0.${path}`] : [field, `evidences.0.${path}`, guard];
}

const plans = (version: OcsfVersion): ReadonlyMap<number, readonly Entry[]> =>
  new Map(Array.from(CLASS_FACTS.keys(), (classUid) => [classUid, compileClass(classUid, version)]));

/** The steps of every class, per version. */
export const PLANS: Readonly<Record<OcsfVersion, ReadonlyMap<number, readonly Entry[]>>> = {
  "1.8.0": plans("1.8.0"),
  "1.9.0": plans("1.9.0"),
};

const evidencePlan = (version: OcsfVersion): readonly Entry[] => compile([{ classes: [], rows: EVIDENCE[version] }]);
/** The steps of one element of a finding's `evidences`, per version. */
export const EVIDENCE_PLANS: Readonly<Record<OcsfVersion, readonly Entry[]>> = {
  "1.8.0": evidencePlan("1.8.0"),
  "1.9.0": evidencePlan("1.9.0"),
};

/**
 * Writes an event's fields to their places in `target`, and what has none to `rest`. A text that the source
 * supplied empty goes to `rest` too: an empty name would say something else there than that there is none.
 */
export function fill(plan: readonly Entry[], event: Event, target: Tree, rest: Tree): void {
  for (const { field, path, guard, fallback } of plan) {
    const value = presentable(event[field]);
    if (value === undefined || (field === "attributionId" && value === 0)) continue;
    if (path !== undefined && (typeof value !== "string" || has(value))) {
      const placed = guard === undefined ? value : guard(value, event);
      if (placed !== undefined) {
        put(target, path, placed);
        continue;
      }
    }
    if (fallback !== undefined) put(rest, fallback, value);
  }
}
