/**
 * Identity facts that a record proves beside who made it: "from this time on, this pod ran as that service account",
 * "this access key was issued to that role session until then". Normalizers write them, the identity graph reads them.
 */
import type { EpochMs } from "../event.ts";
import { isOfCluster } from "./clusters.ts";

/** Kinds of identity keys, as glossary and registry know them; a person is never an agent. A pod is `pod:<uid>` and `pod:<namespace>/<name>`. */
export const LINK_KINDS = ["agent", "client", "cred", "role", "sa", "spiffe", "session", "run", "pod", "ip", "user", "person"] as const;
/** One kind of identity key. */
export type LinkKind = (typeof LINK_KINDS)[number];
/** `<kind>:<value>`; the value may hold anything but a tab or line break. */
export type KeyText = `${LinkKind}:${string}`;

/** "`from` belonged to `to`", as one record proves it. */
export interface Link {
  readonly from: KeyText;
  readonly to: KeyText;
  /** Before it the link does not hold; undefined: from the record's own time on. */
  readonly since?: EpochMs;
  /** From it on the link does not hold; undefined: until the kind of the key says (core/identity). */
  readonly until?: EpochMs;
  /** The record proves that the link ended at its own time (a pod deleted, a lease revoked). */
  readonly ends?: boolean;
}

/** Links that one record may prove; more are left out. A pod has at most a few addresses. */
export const LINKS_MAX = 16;
/** A key's value is at most this long; a longer one is no key (two could be cut to one). */
const KEY_CHARS_MAX = 512;
/** And the name of its cluster (clusters.ts) with the mark before it. */
const CLUSTER_CHARS_MAX = 257;

const KINDS: ReadonlySet<string> = new Set(LINK_KINDS);

/** A key, or undefined when the value cannot be one. */
export function keyText(kind: LinkKind, value: string | undefined): KeyText | undefined {
  if (value === undefined || value === "" || value.length > KEY_CHARS_MAX || /[\t\n\r]/.test(value)) return undefined;
  // What stands behind it is the name of a cluster, which no record may choose.
  if (isOfCluster(kind) && value.includes("@")) return undefined;
  return `${kind}:${value}`;
}

/** The link as an event carries it. */
export function linkText({ from, to, since, until, ends }: Link): string {
  return [from, to, since ?? "", until ?? "", ends === true ? "ends" : ""].join("\t");
}

/** The link that a text says; undefined when it says none. */
export function parseLink(text: string): Link | undefined {
  const [from, to, since, until, ends, ...rest] = text.split("\t");
  if (from === undefined || to === undefined || rest.length > 0 || !isKey(from) || !isKey(to)) return undefined;
  const times = { since: wholeTime(since), until: wholeTime(until) };
  return {
    from,
    to,
    ...(times.since === undefined ? {} : { since: times.since }),
    ...(times.until === undefined ? {} : { until: times.until }),
    ...(ends === "ends" ? { ends: true } : {}),
  };
}

function isKey(text: string): text is KeyText {
  const at = text.indexOf(":");
  return at > 0 && KINDS.has(text.slice(0, at)) && at + 1 < text.length && text.length - at - 1 <= KEY_CHARS_MAX + CLUSTER_CHARS_MAX;
}

function wholeTime(text: string | undefined): EpochMs | undefined {
  return text === undefined || !/^-?\d{1,16}$/.test(text) ? undefined : Number(text);
}
