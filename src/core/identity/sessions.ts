/**
 * Guards: a name that somebody gave himself decides only where the log shows nobody else behind it. Whoever may take a role chooses
 * the name of its session, and whoever shares an address with an agent sends from there, too.
 */
import type { EpochMs, Event } from "../event.ts";
import type { Directory } from "./directory.ts";
import type { BindingsAt, Step } from "./graph.ts";
import { isNoAgent } from "./keys.ts";
import { keyText, type KeyText } from "./links.ts";
import { HANDED_OUT_MS } from "./reach.ts";
import { CONFIDENCE_BY, HOPS_MAX, registered, resolve, type Found } from "./resolve.ts";

/** `arn:aws:sts::111122223333:assumed-role/role/session`: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html */
const SESSION = /^arn:[^:]*:sts:/;
/** How the key of somebody who is no agent begins. */
const PERSON = "person:";

/** The session that an event names, where its key may tell who took it; it waits for that. */
export function sessionOf(event: Event): KeyText | undefined {
  const { roleUid, credentialUid } = event;
  if (roleUid === undefined || credentialUid === undefined || credentialUid === "" || !SESSION.test(roleUid)) return undefined;
  return isNoAgent(event) ? undefined : keyText("role", roleUid);
}

/** Whose an event is that waited: by its keys, and by who asked for the one that it used. */
export function resolveEvent(event: Event, keys: readonly KeyText[], registry: Directory, at: BindingsAt): readonly Found[] {
  const { time, cluster } = event;
  const used = keys.find((key) => key.startsWith("cred:"));
  const asked: Asked = { registry, at, cluster };
  if (used !== undefined && isPersons(used, time, asked)) return [];
  const session = sessionOf(event);
  if (session !== undefined && used !== undefined && registered(session, time, registry).length > 0)
    return taken(session, used, time, asked);
  const found = resolve(keys, time, registry, at, cluster);
  return found.length === 1 ? found.map((one) => (isAmongPeople(one, time, asked) ? { ...one, doubtful: true } : one)) : found;
}

interface Asked {
  readonly registry: Directory;
  readonly at: BindingsAt;
  readonly cluster: string | undefined;
}

/** A session whose name is an agent's. Who asked for its key took it; where that is nobody who is known, the name is as good as a sight. */
function taken(session: KeyText, used: KeyText, time: EpochMs, { registry, at, cluster }: Asked): readonly Found[] {
  const others: BindingsAt = (node, when, where) => at(node, when, where).filter(({ to }) => to !== session);
  const takers = resolve([used], time, registry, others, cluster);
  if (takers.length > 0) return takers;
  const named = resolve([session], time, registry, at);
  if (others(used, time, cluster).length === 0) return named;
  return named.map((one) => ({ ...one, confidence: Math.min(one.confidence, CONFIDENCE_BY.observed) }));
}

/** Whether a person asked for a key, or for one that it was asked for with, who is no agent by that key. */
function isPersons(used: KeyText, time: EpochMs, { registry, at, cluster }: Asked): boolean {
  let key = used;
  let when = time;
  for (let hop = 0; hop < HOPS_MAX; hop++) {
    const steps = at(key, when, cluster);
    const asker = steps.find(({ to, by }) => to.startsWith("cred:") && by === "issued");
    const isPerson = steps.some(({ to }) => to.startsWith(PERSON));
    if (asker === undefined) return isPerson;
    when = Math.min(when, Math.max(asker.since ?? when, time - HANDED_OUT_MS));
    key = asker.to as KeyText;
    if (isPerson) return resolve([key], when, registry, at, cluster).length === 0;
  }
  return false;
}

/** Whether an agent was seen at an address where people were seen, too: nothing tells what they send apart. */
function isAmongPeople({ path }: Found, time: EpochMs, { at, cluster }: Asked): boolean {
  const [first] = path as readonly [Step, ...Step[]];
  if (first.by !== "observed" || !first.from.startsWith("ip:")) return false;
  return at(first.from, time, cluster).some(({ to }) => to.startsWith(PERSON));
}
