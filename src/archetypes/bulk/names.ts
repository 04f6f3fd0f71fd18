/** Names of indices and data streams, by the rules of Elasticsearch and OpenSearch, without the forms that only their own indices use. */
import { z } from "zod";

/** A plain index or a write alias. */
export const indexName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,199}$/, "must be an index name: lower-case letters, digits and . _ -")
  // Elasticsearch's built-in templates make data streams of these names; a data stream cannot replace a document by its id.
  .refine(
    (name) => !/^(logs|metrics|synthetics|traces|profiling)-/.test(name),
    "would become a data stream, in which nothing can be replaced",
  );

const STREAM = /^logs-([a-z0-9_.]{1,100})-([a-z0-9_.]{1,100})$/;

/** A data stream by the naming scheme: its name says dataset and namespace, and so do its documents. */
export const streamName = z.string().regex(STREAM, "must be logs-<dataset>-<namespace>: lower-case letters, digits, _ and .");

/** Dataset and namespace of a name that `streamName` took; undefined for any other. */
export function streamOf(name: string): { readonly dataset: string; readonly namespace: string } | undefined {
  const [, dataset, namespace] = STREAM.exec(name) ?? [];
  return dataset === undefined || namespace === undefined ? undefined : { dataset, namespace };
}
