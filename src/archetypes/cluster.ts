/** Which Kubernetes cluster a source sees: what it says of addresses, pods and service accounts is of that one alone. */
import { z } from "zod";
import type { Normalize } from "../ports/connector.ts";

/** Names are compared with those of other sources and of the registry; an issuer of tokens may stand for one. */
export const clusterName = z
  .string()
  .min(1)
  .max(200)
  .refine((name) => !/[\t\n\r]/.test(name), "has a tab or a line break");

/** The setting of sources that see one cluster. */
export const clusterSetting = clusterName
  .optional()
  .describe("Name of the Kubernetes cluster whose addresses and service accounts it sees; never compared with those of another one");

/** The same events, of a cluster. */
export function inClusterOf(cluster: string | undefined, normalize: Normalize): Normalize {
  if (cluster === undefined) return normalize;
  return (record, context) => {
    const events = normalize(record, context);
    for (const event of events) event.cluster = cluster;
    return events;
  };
}
