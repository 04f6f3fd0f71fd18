/** What an agent was let in by, and from where it was used. */
import type { Event } from "../event.ts";
import { safeText } from "../safe-text.ts";
import { BLAST_ORDER, compare } from "./blast-order.ts";

/** Addresses and countries of one credential. */
export const PLACES_MAX = 20;
/** Longest name, UTF-16 units. */
const NAME_MAX = 200;

/** What a credential is, as the sources name it: a key or token, an OAuth client, a role session, an account of a workload. */
export type CredentialKind = "credential" | "client" | "role" | "service account" | "workload identity";

/** Something that can be taken away, that was used, and from where. */
export interface UsedCredential {
  /** Absent in incidents of earlier versions: `credential`. */
  readonly kind?: CredentialKind;
  readonly uid: string;
  readonly count: number;
  readonly addresses: readonly string[];
  readonly countries: readonly string[];
}
/** All that an event was allowed by: taking away the key leaves the client with which the next one is made. */
export function credentialsIn(event: Event): readonly { readonly kind: CredentialKind; readonly uid: string }[] {
  const { credentialUid, clientUid, roleUid, serviceAccount, spiffeId } = event;
  const named: readonly (readonly [CredentialKind, string | undefined])[] = [
    ["credential", credentialUid],
    ["client", clientUid],
    ["role", roleUid],
    ["service account", serviceAccount],
    ["workload identity", spiffeId],
  ];
  const uids = new Set<string>();
  return named.flatMap(([kind, uid]) => {
    // Some sources write one id into two fields: it is taken away once.
    if (uid === undefined || uid === "" || uids.has(uid)) return [];
    uids.add(uid);
    return [{ kind, uid: name(uid) }];
  });
}

/** One row per credential, that which was used from most addresses first. */
export function credentialsOf(events: readonly Event[]): UsedCredential[] {
  const used = events.flatMap((event) => credentialsIn(event).map((one) => ({ ...one, event })));
  const rows = [...Map.groupBy(used, ({ kind, uid }) => `${kind}\n${uid}`).values()].map((group) => ({
    kind: group[0]!.kind,
    uid: group[0]!.uid,
    count: group.length,
    addresses: sorted(group.map(({ event }) => event.srcIp)).slice(0, PLACES_MAX),
    countries: sorted(group.map(({ event }) => event.srcCountry)).slice(0, PLACES_MAX),
  }));
  return rows.sort(BLAST_ORDER.credentials);
}

function sorted(values: readonly (string | undefined)[]): string[] {
  return [...new Set(values.filter((value) => value !== undefined && value !== "").map((value) => name(value as string)))].sort(compare);
}

function name(text: string): string {
  return safeText(text, NAME_MAX);
}
