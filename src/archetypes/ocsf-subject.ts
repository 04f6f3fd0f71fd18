/** Subjects as OCSF objects for destinations that take OCSF as it is, shortened until they fit. Pure. */
import { poison } from "../core/errors.ts";
import type { EpochMs } from "../core/event.ts";
import { isClosed } from "../core/incident.ts";
import { alertToOcsf, eventToOcsf, incidentToOcsf, type OcsfVersion } from "../core/ocsf.ts";
import { safeText } from "../core/safe-text.ts";
import type { Delivery, Rendered, Subject } from "../ports/connector.ts";
import { utf8Bytes } from "./http-exchange.ts";
import { checkTime } from "./own-object.ts";

/** What every subject has, whatever its kind. */
export interface SubjectFacts {
  readonly kind: Subject["kind"];
  readonly id: string;
  readonly revision: number;
  /** Of its newest event. */
  readonly time: EpochMs;
  /** `alert.opened`, `incident.closed`, …: what this delivery says about it. */
  readonly change: string;
}

/** How much of a list and of a text is left at each step; the first is what OCSF rendering gives anyway. */
const STEPS: readonly Step[] = [
  { items: 100, text: 4096 },
  { items: 25, text: 1024 },
  { items: 10, text: 256 },
  { items: 3, text: 128 },
  // One of each list keeps what OCSF requires.
  { items: 1, text: 64 },
  // 40 units hold a UUID. Even an event with a hostile text in every field then has less than OCSF_BYTES_MIN.
  { items: 1, text: 40, bare: true },
];

interface Step {
  readonly items: number;
  readonly text: number;
  /** Without what OCSF does not require. */
  readonly bare?: boolean;
}

/** Every subject fits into this many bytes, whatever its texts say: nobody can make a delivery impossible by writing more. */
export const OCSF_BYTES_MIN = 20_000;

/** What a finding may do without in OCSF, and which is left out when nothing else helps. */
const OPTIONAL: ReadonlySet<string> = new Set(["evidences", "resources", "observables", "remediation"]);

/** What a delivery is about. @throws {Failure} poison RENDER_CONTRACT for times that are none */
export function subjectFacts({ subject }: Delivery): SubjectFacts {
  const { kind } = subject;
  if (kind === "event") {
    checkTime(subject.event.time);
    return { kind, id: subject.event.uid, revision: 1, time: subject.event.time, change: "event.observed" };
  }
  const of = kind === "alert" ? subject.alert : subject.incident;
  for (const time of [of.firstTime, of.lastTime]) checkTime(time);
  const closed = kind === "incident" && isClosed(subject.incident);
  const verb = closed ? "closed" : of.revision > 1 ? "updated" : "opened";
  return { kind, id: of.id, revision: of.revision, time: of.lastTime, change: `${kind}.${verb}` };
}

/**
 * The first form that fits, with `body` around the OCSF object; a shortened one says so in `unmapped.shortened`.
 * @throws {Failure} poison RENDER_CONTRACT when even the shortest is too large, and for times that are none
 */
export function ocsfWithin(
  delivery: Delivery,
  { bytesMax, version }: { readonly bytesMax: number; readonly version: OcsfVersion },
  body: (ocsf: object, facts: SubjectFacts) => string,
): Pick<Rendered, "body" | "bytes"> {
  const facts = subjectFacts(delivery);
  const whole = ocsfOf(delivery.subject, version);
  for (const [step, caps] of STEPS.entries()) {
    const text = body(step === 0 ? whole : stepOf(whole, caps, step), facts);
    const bytes = utf8Bytes(text);
    if (bytes <= bytesMax) return { body: text, bytes };
  }
  throw poison("RENDER_CONTRACT", `the ${delivery.subject.kind} does not fit into ${bytesMax} bytes even when shortened`);
}

function ocsfOf(subject: Subject, version: OcsfVersion): { readonly unmapped?: object } {
  switch (subject.kind) {
    case "alert":
      return alertToOcsf(subject.alert, subject.rule, subject.evidence, { version });
    case "incident":
      return incidentToOcsf(subject.incident, subject.rules, subject.evidence, { version });
    case "event":
      return eventToOcsf(subject.event, { version });
  }
}

function stepOf(whole: { readonly unmapped?: object }, caps: Step, step: number): object {
  const kept = caps.bare === true ? Object.fromEntries(Object.entries(whole).filter(([key]) => !OPTIONAL.has(key))) : whole;
  return { ...shortened(kept, caps), unmapped: { ...shortened(whole.unmapped ?? {}, caps), shortened: step } };
}

/** A copy with shorter lists and texts; keys come from our own tables and stay. */
function shortened<T>(value: T, caps: Step): T {
  if (typeof value === "string") return safeText(value, caps.text) as T;
  if (Array.isArray(value)) return value.slice(0, caps.items).map((item: unknown) => shortened(item, caps)) as T;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, shortened<unknown>(item, caps)])) as T;
}
