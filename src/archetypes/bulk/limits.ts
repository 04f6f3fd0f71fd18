/** Limits of bulk requests that are the same for Elasticsearch and OpenSearch. */

/** The vendor's advice is to start with 500 to 1,000 documents; fewer repeat less after a lost answer. */
export const BATCH_ITEMS_MAX = 500;
/** Nobody reads an alert of more than a quarter megabyte, and a few such must not fill a batch. */
export const ITEM_BYTES_MAX = 250_000;
