/** Identity facts of one record, as normalizers collect them; see core/identity/links.ts for what they mean. */
import type { EpochMs } from "../core/event.ts";
import { keyText, linkText, LINKS_MAX, type Link, type LinkKind } from "../core/identity/links.ts";

/** A kind and a value that the record may not have. */
export type Identity = readonly [LinkKind, string | undefined];

/** When a link holds, where the record says more than "from my own time on". */
export interface Held {
  readonly since?: EpochMs | undefined;
  readonly until?: EpochMs | undefined;
  readonly ends?: boolean | undefined;
}

/** "The first belongs to the second"; undefined when either is missing or no key, or both are one. */
export function proven(from: Identity, to: Identity, { since, until, ends }: Held = {}): Link | undefined {
  const [one, other] = [keyText(...from), keyText(...to)];
  if (one === undefined || other === undefined || one === other) return undefined;
  return {
    from: one,
    to: other,
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
    ...(ends === true ? { ends } : {}),
  };
}

/** The links as an event carries them, each once and the first LINKS_MAX; undefined when there are none. */
export function linkTexts(links: readonly (Link | undefined)[]): readonly string[] | undefined {
  const texts = new Set<string>();
  for (const link of links) if (link !== undefined && texts.size < LINKS_MAX) texts.add(linkText(link));
  return texts.size === 0 ? undefined : [...texts];
}

const SERVICE_ACCOUNT = "system:serviceaccount:";

/** A Kubernetes service account as the API server writes it; undefined when a part is missing. */
export function serviceAccountName(namespace: string | undefined, name: string | undefined): string | undefined {
  return namespace === undefined || name === undefined ? undefined : `${SERVICE_ACCOUNT}${namespace}:${name}`;
}

/** The text when it names a Kubernetes service account: a subject can as well be a person or a build job. */
export function asServiceAccount(subject: string | undefined): string | undefined {
  return subject?.startsWith(SERVICE_ACCOUNT) === true ? subject : undefined;
}

/**
 * The service account of an Istio workload's SPIFFE id, `spiffe://<trust domain>/ns/<namespace>/sa/<name>`.
 * https://istio.io/latest/docs/concepts/security/#istio-identity
 */
export function spiffeServiceAccount(spiffe: string | undefined): string | undefined {
  const match = /^spiffe:\/\/[^/]+\/ns\/([^/]+)\/sa\/([^/]+)$/.exec(spiffe ?? "");
  return serviceAccountName(match?.[1], match?.[2]);
}
