/**
 * Guards: what clusters give out each for themselves is told apart wherever a source says which cluster it belongs to.
 * Pods of two clusters may have one address, service accounts one name, and workloads one SPIFFE id (`cluster.local`).
 */
import type { KeyText, LinkKind } from "./links.ts";

/** Kinds of keys that a cluster gives out. None of their values holds an `@`. */
const OF_CLUSTER: ReadonlySet<LinkKind> = new Set<LinkKind>(["ip", "pod", "sa", "spiffe"]);
/** Between a key and its cluster. */
const MARK = "@";

/** Whether every cluster has keys of this kind for itself. */
export function isOfCluster(kind: LinkKind): boolean {
  return OF_CLUSTER.has(kind);
}

/** The key as one of a cluster, where that matters: `ip:10.0.0.7@prod-1`. It stays as it is without one, and when it has one. */
export function inCluster(key: KeyText, cluster: string | undefined): KeyText {
  if (cluster === undefined || !OF_CLUSTER.has(kindOf(key)) || key.includes(MARK)) return key;
  return `${key}${MARK}${cluster}` as KeyText;
}

/** The cluster that a key names. */
export function clusterOf(key: string): string | undefined {
  const at = OF_CLUSTER.has(kindOf(key)) ? key.indexOf(MARK) : -1;
  return at === -1 ? undefined : key.slice(at + 1);
}

/** The key without its cluster. */
export function bareKey<K extends string>(key: K): K {
  const at = OF_CLUSTER.has(kindOf(key)) ? key.indexOf(MARK) : -1;
  return at === -1 ? key : (key.slice(0, at) as K);
}

/**
 * Whether what belongs to one cluster may be meant where another is; undefined: not said, which may be any. So a source or an
 * identity that names no cluster is told apart from none.
 */
export function isSameCluster(one: string | undefined, other: string | undefined): boolean {
  return one === undefined || other === undefined || one === other;
}

/** Names of clusters, to look for keys of any: configuration names a few, and an account of AWS trusts 100 issuers of tokens. */
const CLUSTERS_MAX = 1000;

/** The clusters that are known of. */
export interface ClusterNames {
  note(cluster: string | undefined): void;
  /**
   * Under which keys something may be told that is meant by a key. An address is of its cluster alone: others' mean other machines.
   * `cluster`: where it is asked, unless the key names one.
   */
  meantBy(key: KeyText, cluster: string | undefined): readonly KeyText[];
}

/** None yet. */
export function clusterNames(): ClusterNames {
  const names = new Set<string>();
  return {
    note(cluster) {
      if (cluster !== undefined && names.size < CLUSTERS_MAX) names.add(cluster);
    },
    meantBy(key, cluster) {
      const own = clusterOf(key) ?? cluster;
      if ((own === undefined && names.size === 0) || !OF_CLUSTER.has(kindOf(key))) return [key];
      const bare = bareKey(key);
      if (own === undefined) return [bare, ...[...names].map((name) => inCluster(bare, name))];
      return key.startsWith("ip:") ? [inCluster(bare, own)] : [inCluster(bare, own), bare];
    },
  };
}

function kindOf(key: string): LinkKind {
  return key.slice(0, key.indexOf(":")) as LinkKind;
}
